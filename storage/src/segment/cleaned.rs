//! A segment in the making: compaction writes it beside the segments that it will replace, under
//! names that end in `.cleaned`, which a start throws away.
//!
//! One that is made of a single segment is not written as long as it is the same: a cleaning costs
//! writes where something changes, and a segment of which everything stays is left where it is.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol_codec::records::BatchHeader;

use super::files::{self, CLEANED_SUFFIX, LOG_SUFFIX, OFFSET_INDEX_SUFFIX, SEGMENT_SUFFIXES};
use super::files::{TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX};
use super::{BatchFacts, Indexes, Segment, relative};
use crate::fs::{File, Fs, OpenMode, write_all_at};
use crate::index::IndexEntry;
use crate::index::txn::AbortedTxn;

/// As often the disk is asked to begin: others who sync must not wait for a whole segment, nor the
/// cleaner at its end.
const WRITE_OUT_BYTES: u64 = 8 << 20;

/// The files of a cleaned segment, all but its place in the log. `pending` is written when it has
/// grown large, by [`CleanedSegment::write`].
#[derive(Debug)]
pub(crate) struct CleanedSegment {
    base_offset: i64,
    next_offset: i64,
    dir: Arc<Path>,
    /// Not there as long as all that was noted is how the original begins.
    file: Option<Arc<dyn File>>,
    /// Bytes of the segment that this one is made of, if it is a single one.
    original_bytes: Option<u64>,
    written: u64,
    /// Up to where the disk was asked to begin.
    written_out: u64,
    noted: u64,
    indexes: Indexes,
    index_interval_bytes: u64,
    /// The transaction index, in its bytes.
    transactions: Vec<u8>,
    /// Batches that are not in the file yet.
    pub(crate) pending: Vec<u8>,
}

impl CleanedSegment {
    /// Nothing so far. `original` is the segment that it will be made of, if that is a single one.
    pub(crate) fn new(
        dir: Arc<Path>,
        base_offset: i64,
        index_interval_bytes: u64,
        original: Option<&Segment>,
    ) -> Self {
        Self {
            base_offset,
            next_offset: base_offset,
            dir,
            file: None,
            original_bytes: original.map(Segment::size),
            written: 0,
            written_out: 0,
            noted: 0,
            indexes: Indexes::empty(base_offset, true),
            index_interval_bytes,
            transactions: Vec::new(),
            pending: Vec::new(),
        }
    }

    /// Whether all of the original was noted, and nothing else.
    pub(crate) fn is_the_original(&self) -> bool {
        self.file.is_none() && self.original_bytes == Some(self.noted)
    }

    /// Takes a batch of the original over as it is.
    pub(crate) fn keep(&mut self, bytes: &[u8]) {
        if self.file.is_some() {
            self.pending.extend_from_slice(bytes);
        }
    }

    /// Whether there is a file already: what is not the same must be written.
    pub(crate) fn is_begun(&self) -> bool {
        self.file.is_some()
    }

    /// Makes the `.log.cleaned` file, empty.
    pub(crate) fn begin(&mut self, fs: &dyn Fs) -> io::Result<()> {
        let path = self.path(LOG_SUFFIX, CLEANED_SUFFIX);
        let file = fs.open(&path, OpenMode::Create)?;
        file.set_len(0)?;
        self.file = Some(file);
        Ok(())
    }

    /// Bytes that were noted, and are neither written nor pending: after the beginning those of the
    /// original, from [`CleanedSegment::written`] on.
    pub(crate) fn behind(&self) -> u64 {
        self.noted - self.written
    }

    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Writes what comes next: of the original, as long as something is behind.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = Arc::clone(self.file()?);
        write_all_at(&*file, &mut [IoSlice::new(bytes)], self.written)?;
        self.written += bytes.len() as u64;
        let waiting = self.written - self.written_out;
        if waiting >= WRITE_OUT_BYTES {
            file.write_out_soon(self.written_out, waiting);
            self.written_out = self.written;
        }
        Ok(())
    }

    fn file(&self) -> io::Result<&Arc<dyn File>> {
        self.file.as_ref().ok_or_else(|| io::Error::other("the cleaned segment was not begun"))
    }

    pub(crate) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    /// Offset after the last batch; the base offset if there is none.
    pub(crate) fn next_offset(&self) -> i64 {
        self.next_offset
    }

    pub(crate) fn size(&self) -> u64 {
        self.noted
    }

    /// Takes a batch that was put behind the others in `pending` over into the indexes. False if
    /// its offsets lie too far from the base offset.
    pub(crate) fn note(&mut self, header: &BatchHeader) -> bool {
        let facts = BatchFacts::from(header);
        if relative(self.base_offset, facts.last_offset).is_none() {
            return false;
        }
        debug_assert!(facts.base_offset >= self.next_offset, "batches come in order");
        self.indexes.note(self.base_offset, &facts, self.noted, self.index_interval_bytes);
        self.noted += facts.size;
        self.next_offset = facts.last_offset + 1;
        true
    }

    /// Adds an entry to the transaction index.
    pub(crate) fn note_aborted(&mut self, entry: &AbortedTxn) {
        entry.encode(&mut self.transactions);
    }

    /// Writes what is pending.
    pub(crate) fn write(&mut self) -> io::Result<()> {
        let mut pending = std::mem::take(&mut self.pending);
        let written = self.append(&pending);
        pending.clear();
        self.pending = pending;
        written
    }

    /// Writes the rest and the indexes, and makes the bytes of all files durable; not their names.
    pub(crate) fn finish(&mut self, fs: &dyn Fs) -> io::Result<()> {
        self.write()?;
        assert_eq!(self.written, self.noted, "every batch was noted");
        self.indexes.note_time(self.base_offset);
        self.file()?.sync_data()?;
        let path =
            |suffix| suffixed(&files::path(&self.dir, self.base_offset, suffix), CLEANED_SUFFIX);
        let offsets = self.indexes.offsets.write_out(fs, &path(OFFSET_INDEX_SUFFIX))?;
        let times = self.indexes.times.write_out(fs, &path(TIME_INDEX_SUFFIX))?;
        for file in [offsets, times].into_iter().flatten() {
            file.sync_data()?;
        }
        if !self.transactions.is_empty() {
            let file = fs.open(&path(TXN_INDEX_SUFFIX), OpenMode::Create)?;
            file.set_len(0)?;
            write_all_at(&*file, &mut [IoSlice::new(&self.transactions)], 0)?;
            file.sync_data()?;
        }
        Ok(())
    }

    /// The suffixes of the files that [`CleanedSegment::finish`] has made.
    pub(crate) fn suffixes(&self) -> impl Iterator<Item = &'static str> {
        let has_transactions = !self.transactions.is_empty();
        SEGMENT_SUFFIXES
            .into_iter()
            .filter(move |suffix| *suffix != TXN_INDEX_SUFFIX || has_transactions)
    }

    /// The path that one of the files gets in the end, with `added` behind it.
    pub(crate) fn path(&self, suffix: &str, added: &str) -> PathBuf {
        suffixed(&files::path(&self.dir, self.base_offset, suffix), added)
    }

    /// Removes the files, under whichever of the names that `added` can be.
    pub(crate) fn remove(&self, fs: &dyn Fs, added: &[&str]) -> io::Result<()> {
        for suffix in SEGMENT_SUFFIXES {
            for added in added {
                match fs.remove_file(&self.path(suffix, added)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// A path with something behind its name.
pub(crate) fn suffixed(path: &Path, added: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(added);
    PathBuf::from(path)
}
