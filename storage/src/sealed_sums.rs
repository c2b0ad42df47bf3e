//! The file `barnabas-sealed` in a partition's directory: size and CRC-32C of every file of its
//! sealed segments. Ours alone; Kafka passes it over.
//!
//! Kafka's own checksums leave out the offset, the length and the leader epoch of a batch, and all
//! indexes. These sums cover every byte, so that damage there is found too.
//!
//! ```text
//! barnabas-sealed 1
//! 00000000000000000000.log 1048576 89abcdef
//! 00000000000000000000.index 2048 01234567
//! crc 76543210
//! ```
//!
//! The last line is the CRC-32C of what stands before it.
//!
//! The sums are advisory until they are written: they are computed after the segment was sealed, by
//! a thread that nobody waits for (see [`crate::scrub`]), and a file without a line is simply not
//! covered. What may never be is a line that is older than the file. So:
//!
//! - whoever changes or replaces a sealed file forgets its line first, durably
//!   ([`SealedFiles::forget`]), and holds the guard until the log's row of segments has changed;
//! - a line is added under the same lock, for a segment that is still in the row and still sealed;
//! - what is removed for good needs no care: lines without files mean nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{io, mem};

use parking_lot::{Mutex, MutexGuard};
use protocol_codec::records::crc32c;
use thiserror::Error;

use crate::TopicPartition;
use crate::fs::{Fs, read_file, replace_file};
use crate::inspect::WindowReader;
use crate::segment::files::{SEGMENT_SUFFIXES, base_offset, path};

/// File name in a partition's directory.
pub const SEALED_SUMS_FILE: &str = "barnabas-sealed";
const HEAD: &str = "barnabas-sealed ";
const VERSION: u32 = 1;
const CRC_WORD: &str = "crc ";
/// Far more than the segments of one partition can need.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// What a sealed file was when it was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileSum {
    pub bytes: u64,
    /// CRC-32C of all of them.
    pub crc: u32,
}

/// The sums of one partition's sealed files, by file name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealedSums {
    files: BTreeMap<String, FileSum>,
}

/// Why the file cannot be used.
#[derive(Debug, Error)]
pub enum SealedSumsError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is of version {0}, and {VERSION} is the newest that is understood")]
    NewerVersion(u32),
    #[error("line {number} is malformed: '{text}'")]
    Malformed { number: usize, text: String },
    #[error(
        "its own checksum does not fit (stored crc = {stored:08x}, computed crc = {computed:08x})"
    )]
    Checksum { stored: u32, computed: u32 },
}

impl SealedSums {
    /// The sums in the partition directory `dir`; none without the file.
    pub fn read(fs: &dyn Fs, dir: &Path) -> Result<Self, SealedSumsError> {
        match read_file(fs, &dir.join(SEALED_SUMS_FILE), FILE_BYTES_MAX) {
            Ok(bytes) => Self::decode(&bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// Replaces the file, durably.
    pub fn write(&self, fs: &dyn Fs, dir: &Path) -> io::Result<()> {
        replace_file(fs, &dir.join(SEALED_SUMS_FILE), self.encode().as_bytes())
    }

    pub fn get(&self, name: &str) -> Option<FileSum> {
        self.files.get(name).copied()
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// File names and their sums, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, FileSum)> {
        self.files.iter().map(|(name, sum)| (name.as_str(), *sum))
    }

    pub fn set(&mut self, name: String, sum: FileSum) {
        self.files.insert(name, sum);
    }

    /// Keeps the lines of the files that `keep` accepts by their segment's base offset. Returns
    /// whether any went.
    pub fn retain(&mut self, keep: impl Fn(i64) -> bool) -> bool {
        let before = self.files.len();
        self.files.retain(|name, _| segment_of(name).is_some_and(&keep));
        self.files.len() < before
    }

    /// Content of the file.
    pub fn encode(&self) -> String {
        let mut text = format!("{HEAD}{VERSION}\n");
        for (name, sum) in &self.files {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{name} {} {:08x}", sum.bytes, sum.crc);
        }
        let crc = crc32c(text.as_bytes());
        let _ = writeln!(text, "{CRC_WORD}{crc:08x}");
        text
    }

    /// Reads what [`Self::encode`] wrote.
    pub fn decode(file: &[u8]) -> Result<Self, SealedSumsError> {
        let text = String::from_utf8_lossy(file);
        let malformed = |number: usize, text: &str| SealedSumsError::Malformed {
            number,
            text: text.chars().take(80).collect(),
        };
        let first = text.lines().next().unwrap_or_default();
        let version = first.strip_prefix(HEAD).and_then(|version| version.parse().ok());
        match version.ok_or_else(|| malformed(1, first))? {
            VERSION => {}
            version if version > VERSION => return Err(SealedSumsError::NewerVersion(version)),
            _ => return Err(malformed(1, first)),
        }
        let mut sums = Self::default();
        let mut summed = first.len() + 1;
        for (at, line) in text.lines().enumerate().skip(1) {
            if let Some(crc) = line.strip_prefix(CRC_WORD) {
                let stored = hex(crc).ok_or_else(|| malformed(at + 1, line))?;
                let computed = crc32c(file.get(..summed).unwrap_or_default());
                let is_end = file.len() == summed + line.len() + 1;
                return match (stored == computed, is_end) {
                    (true, true) => Ok(sums),
                    (true, false) => Err(malformed(at + 1, line)),
                    (false, _) => Err(SealedSumsError::Checksum { stored, computed }),
                };
            }
            let (name, sum) = parse(line).ok_or_else(|| malformed(at + 1, line))?;
            sums.files.insert(name.to_owned(), sum);
            summed += line.len() + 1;
        }
        let end = text.lines().count() + 1;
        Err(malformed(end, "the file ends before its checksum"))
    }
}

fn parse(line: &str) -> Option<(&str, FileSum)> {
    let mut words = line.split(' ');
    let name = words.next().filter(|name| segment_of(name).is_some())?;
    let bytes = words.next()?.parse().ok()?;
    let crc = hex(words.next()?)?;
    words.next().is_none().then_some((name, FileSum { bytes, crc }))
}

fn hex(text: &str) -> Option<u32> {
    let digits = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let is_ours = text.len() == 8 && text.bytes().all(digits);
    u32::from_str_radix(text, 16).ok().filter(|_| is_ours)
}

/// The base offset of the segment that a file belongs to.
fn segment_of(name: &str) -> Option<i64> {
    SEGMENT_SUFFIXES.iter().find_map(|suffix| base_offset(name, suffix))
}

/// Sums a file up as it is now.
pub(crate) fn sum_file(fs: &dyn Fs, path: &Path) -> io::Result<FileSum> {
    let (bytes, crc) = WindowReader::open(fs, path)?.with_sum().finish_sum()?;
    Ok(FileSum { bytes, crc })
}

/// The sums of the files that a segment has now.
pub fn sum_segment(fs: &dyn Fs, dir: &Path, base: i64) -> io::Result<Vec<(String, FileSum)>> {
    let mut sums = Vec::new();
    for suffix in SEGMENT_SUFFIXES {
        let path = path(dir, base, suffix);
        match sum_file(fs, &path) {
            Ok(sum) => sums.push((format!("{base:020}{suffix}"), sum)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sums)
}

/// What the logs of one log directory and its scrub share.
#[derive(Debug, Default)]
pub(crate) struct SealedFiles {
    /// Held by whoever writes `barnabas-sealed`, or changes what it speaks of; both are rare and
    /// short. Taken before a log's writer.
    lock: Mutex<()>,
    /// Segments that were sealed and are not summed up yet, by their base offsets.
    due: Mutex<BTreeMap<TopicPartition, Vec<i64>>>,
    /// Files that were found damaged.
    damaged: Mutex<BTreeSet<PathBuf>>,
}

impl SealedFiles {
    pub(crate) fn lock(&self) -> MutexGuard<'_, ()> {
        self.lock.lock()
    }

    /// Forgets the lines of the segments in `dir` that `is_changed` accepts, by base offset,
    /// before their files are changed. The caller drops the guard when the log knows the new files.
    /// A file that cannot be understood goes as a whole: it is made anew.
    pub(crate) fn forget(
        &self,
        fs: &dyn Fs,
        dir: &Path,
        is_changed: impl Fn(i64) -> bool,
    ) -> io::Result<MutexGuard<'_, ()>> {
        let guard = self.lock();
        forget(fs, dir, is_changed)?;
        Ok(guard)
    }

    /// Segments of this partition were sealed: their sums are due. Costs the caller nothing.
    pub(crate) fn sealed(&self, partition: &TopicPartition, bases: impl Iterator<Item = i64>) {
        self.due.lock().entry(partition.clone()).or_default().extend(bases);
    }

    pub(crate) fn take_due(&self) -> BTreeMap<TopicPartition, Vec<i64>> {
        mem::take(&mut *self.due.lock())
    }

    /// Notes a damaged file. Returns whether it was not known.
    pub(crate) fn note_damaged(&self, file: &Path) -> bool {
        self.damaged.lock().insert(file.to_owned())
    }

    /// Forgets damaged files that are gone.
    pub(crate) fn retain_damaged(&self, is_there: impl Fn(&Path) -> bool) {
        self.damaged.lock().retain(|file| is_there(file));
    }

    pub(crate) fn damaged_files(&self) -> usize {
        self.damaged.lock().len()
    }
}

/// [`SealedFiles::forget`] for a log that is being opened: nobody else knows it yet.
pub(crate) fn forget(fs: &dyn Fs, dir: &Path, is_changed: impl Fn(i64) -> bool) -> io::Result<()> {
    match SealedSums::read(fs, dir) {
        Ok(mut sums) => {
            if sums.retain(|base| !is_changed(base)) {
                sums.write(fs, dir)?;
            }
            Ok(())
        }
        Err(SealedSumsError::Io(error)) if error.kind() != io::ErrorKind::InvalidData => Err(error),
        Err(error) => {
            let path = dir.join(SEALED_SUMS_FILE);
            tracing::warn!(path = %path.display(), %error, "Making the sums of sealed files anew");
            SealedSums::default().write(fs, dir)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::MemFs;

    fn some() -> SealedSums {
        let mut sums = SealedSums::default();
        sums.set("00000000000000000000.log".to_owned(), FileSum { bytes: 100, crc: 0x89ab_cdef });
        sums.set("00000000000000000000.index".to_owned(), FileSum { bytes: 0, crc: 0 });
        sums.set("00000000000000000007.log".to_owned(), FileSum { bytes: 5, crc: 1 });
        sums
    }

    #[test]
    fn the_file_is_plain_text() {
        let text = some().encode();
        let wanted = "barnabas-sealed 1\n\
            00000000000000000000.index 0 00000000\n\
            00000000000000000000.log 100 89abcdef\n\
            00000000000000000007.log 5 00000001\n\
            crc ";
        assert_eq!(text.get(..wanted.len()), Some(wanted));
        assert_eq!(SealedSums::decode(text.as_bytes()).unwrap(), some());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let good = some().encode().into_bytes();
        for len in 0..good.len() {
            assert!(SealedSums::decode(&good[..len]).is_err(), "{len}");
        }
        for at in 0..good.len() {
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[at] ^= 1 << bit;
                assert!(SealedSums::decode(&bytes).is_err(), "byte {at} bit {bit}");
            }
        }
        let newer = SealedSums::decode(b"barnabas-sealed 2\n?").unwrap_err();
        assert!(newer.to_string().contains("version 2"), "{newer}");
    }

    #[test]
    fn lines_are_forgotten_before_the_files_change() {
        let (fs, dir) = (MemFs::new(), Path::new("/t-0"));
        fs.create_dir_all(dir).unwrap();
        fs.sync_dir(Path::new("/")).unwrap();
        let sealed = SealedFiles::default();
        drop(sealed.forget(&fs, dir, |_| true).unwrap());
        assert!(!fs.exists(&dir.join(SEALED_SUMS_FILE)).unwrap(), "nothing to forget");
        some().write(&fs, dir).unwrap();
        drop(sealed.forget(&fs, dir, |base| base >= 7).unwrap());
        fs.crash();
        let sums = SealedSums::read(&fs, dir).unwrap();
        assert_eq!(sums.get("00000000000000000007.log"), None);
        assert_eq!(sums.iter().count(), 2);
    }
}
