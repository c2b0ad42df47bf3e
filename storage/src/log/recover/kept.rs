//! The files that keep what was cut off from a log: `<segment>.log.cut-<position>`, in the
//! partition's directory. Kafka passes over such names, and so does everything here; they go with
//! the partition, or with the one who has looked at them.
//!
//! Of what is cut off without being asked, [`FILES_MAX`] files are kept for a partition, of each
//! end of a segment at most [`TAIL_BYTES_MAX`]. Zeros at the end hold nothing and are left out.

use std::cmp::Reverse;
use std::fmt;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use crate::fs::{File, Fs, OpenMode, read_at_most, write_all_at};
use crate::log_dir::is_out_of_space;

/// Between the name of a segment's file and the position that the bytes were cut off at.
pub(crate) const CUT_INFIX: &str = ".log.cut-";
/// Files that are kept in a partition's directory: the oldest go first.
pub(crate) const FILES_MAX: usize = 64;
/// Bytes that are copied out of one segment.
const TAIL_BYTES_MAX: u64 = 64 << 20;
/// Zeros that a record may well end with.
const ZEROS_KEPT: u64 = 64;
const CHUNK_BYTES: usize = 1 << 20;

/// What has been kept of one cut.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    files: Vec<PathBuf>,
    bytes: u64,
    /// Bytes that were cut off and are not kept, and why.
    lost: Option<(u64, String)>,
    /// Not only [`TAIL_BYTES_MAX`].
    keeps_everything: bool,
}

impl Kept {
    /// Keeps bytes for somebody who has asked for the cut.
    pub(crate) fn of_everything() -> Self {
        Self { keeps_everything: true, ..Self::default() }
    }

    /// Whether there was no room for some bytes.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.lost.is_some()
    }

    pub(crate) fn into_files(self) -> Vec<PathBuf> {
        self.files
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Copies the bytes of `log` from `start` to `end` into a file beside it, and syncs it. A full
    /// disk is no reason not to go on: that the bytes are lost is said.
    pub(crate) fn copy(
        &mut self,
        fs: &dyn Fs,
        path: &Path,
        log: &dyn File,
        start: u64,
        end: u64,
    ) -> io::Result<()> {
        let used = end_of_content(log, start, end)?;
        let bytes_max = if self.keeps_everything { u64::MAX } else { TAIL_BYTES_MAX };
        let kept_end = used.min(start.saturating_add(bytes_max));
        if kept_end == start {
            return Ok(());
        }
        let Some(to) = free_name(fs, path, log, start, kept_end)? else { return Ok(()) };
        match copy_range(fs, log, start, kept_end, &to) {
            Ok(()) => {
                self.bytes += kept_end - start;
                self.files.push(to);
                if kept_end < used {
                    self.lost =
                        Some((used - kept_end, format!("a file keeps {TAIL_BYTES_MAX} bytes")));
                }
                Ok(())
            }
            Err(error) if is_out_of_space(&error) => {
                self.lost = Some((used - start, error.to_string()));
                fs.remove_file(&to)
            }
            Err(error) => Err(error),
        }
    }

    /// Renames a segment's whole file; removes an empty one.
    pub(crate) fn take(&mut self, fs: &dyn Fs, path: &Path, size: u64) -> io::Result<()> {
        if size == 0 {
            return fs.remove_file(path);
        }
        let mut number = 1;
        let to = loop {
            let to = name(path, 0, number);
            if !fs.exists(&to)? {
                break to;
            }
            number += 1;
        };
        fs.rename(path, &to)?;
        self.bytes += size;
        self.files.push(to);
        Ok(())
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.files.as_slice() {
            [] => write!(f, "no file, there was nothing in it")?,
            [first, rest @ ..] => {
                write!(f, "{}", first.display())?;
                rest.iter().try_for_each(|file| write!(f, ", {}", file.display()))?;
            }
        }
        if let Some((bytes, why)) = &self.lost {
            write!(f, " ({bytes} bytes are not kept: {why})")?;
        }
        Ok(())
    }
}

/// Removes the oldest kept files of a partition beyond [`FILES_MAX`].
pub(super) fn bound(fs: &dyn Fs, dir: &Path) {
    let Ok(entries) = fs.list(dir) else { return };
    let mut kept: Vec<(Reverse<i64>, PathBuf)> = entries
        .into_iter()
        .filter(|entry| !entry.is_dir && is_kept(&entry.name))
        .filter_map(|entry| {
            let path = dir.join(&entry.name);
            fs.metadata(&path).ok().map(|metadata| (Reverse(metadata.modified_ms), path))
        })
        .collect();
    kept.sort_by_key(|(age, _)| *age);
    for (_, path) in kept.into_iter().skip(FILES_MAX) {
        tracing::warn!(path = %path.display(), "Removing the oldest of too many files with cut bytes");
        if let Err(error) = fs.remove_file(&path) {
            tracing::warn!(path = %path.display(), %error, "Cannot remove it");
        }
    }
}

/// Whether a file in a partition's directory keeps bytes that were cut off.
pub(crate) fn is_kept(name: &str) -> bool {
    name.contains(CUT_INFIX)
}

/// `<segment>.log.cut-<position>`, with a number behind it from the second on.
fn name(log: &Path, position: u64, number: u32) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(format!(".cut-{position}"));
    if number > 1 {
        name.push(format!("-{number}"));
    }
    PathBuf::from(name)
}

/// A name that nothing has yet. `None` if the bytes are kept already: an earlier start has not
/// come further than that.
fn free_name(
    fs: &dyn Fs,
    path: &Path,
    log: &dyn File,
    start: u64,
    end: u64,
) -> io::Result<Option<PathBuf>> {
    let mut number = 1;
    loop {
        let to = name(path, start, number);
        if !fs.exists(&to)? {
            return Ok(Some(to));
        }
        let earlier = fs.open(&to, OpenMode::ReadWrite)?;
        if earlier.len()? == end - start && is_equal(log, start, end, &*earlier)? {
            earlier.sync_data()?;
            return Ok(None);
        }
        number += 1;
    }
}

fn is_equal(log: &dyn File, start: u64, end: u64, other: &dyn File) -> io::Result<bool> {
    let mut theirs = Vec::new();
    let mut equal = true;
    for_each_chunk(log, start, end, &mut |position, bytes| {
        theirs.resize(bytes.len(), 0);
        let read = read_at_most(other, &mut theirs, position - start)?;
        equal &= theirs.get(..read) == Some(bytes);
        Ok(())
    })?;
    Ok(equal)
}

fn copy_range(fs: &dyn Fs, log: &dyn File, start: u64, end: u64, to: &Path) -> io::Result<()> {
    let copy = fs.open(to, OpenMode::Create)?;
    for_each_chunk(log, start, end, &mut |position, bytes| {
        write_all_at(&*copy, &mut [IoSlice::new(bytes)], position - start)
    })?;
    copy.sync_data()
}

/// The end of what is more than zeros.
fn end_of_content(log: &dyn File, start: u64, end: u64) -> io::Result<u64> {
    let mut used = start;
    for_each_chunk(log, start, end, &mut |position, bytes| {
        if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
            used = end.min(position + last as u64 + 1 + ZEROS_KEPT);
        }
        Ok(())
    })?;
    Ok(used)
}

fn for_each_chunk(
    log: &dyn File,
    start: u64,
    end: u64,
    visit: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES.min(usize::try_from(end - start).unwrap_or(CHUNK_BYTES))];
    let mut position = start;
    while position < end {
        let room = usize::try_from(end - position).unwrap_or(CHUNK_BYTES).min(buffer.len());
        let Some(chunk) = buffer.get_mut(..room) else { break };
        let read = read_at_most(log, chunk, position)?;
        if read == 0 {
            break;
        }
        visit(position, chunk.get(..read).unwrap_or_default())?;
        position += read as u64;
    }
    Ok(())
}
