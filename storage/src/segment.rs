//! One segment of a log: a `.log` file of record batches with its sparse indexes.
//!
//! Only the last segment of a log, the active one, is written, by one writer at a time (the log's
//! lock sees to that); any number of readers read at the same time. Readers may read `size` bytes
//! and no more: it is published after the bytes have been written.
//!
//! A segment has no file until the first append, and its files are open only while they are used,
//! so that many partitions cost little (see [`kept`]).

pub(crate) mod aborted;
pub(crate) mod cleaned;
pub(crate) mod files;
pub(crate) mod kept;
pub(crate) mod recover;
pub(crate) mod saved;
pub(crate) mod scan;
pub(crate) mod search;
#[cfg(test)]
mod tests;

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use protocol_codec::records::BatchHeader;
use thiserror::Error;

use crate::fs::{File, Fs, OpenMode, end_at, remove_if_there, write_all_at};
use crate::index::offset::OffsetEntry;
use crate::index::time::TimeEntry;
use crate::index::txn::AbortedTxn;
use crate::index::{Index, IndexEntry};
use crate::open_files::{Handle, OpenFile};
use aborted::Aborted;
use files::{LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX};
use kept::{KeptFile, SegmentDir, SegmentFiles};

/// "No timestamp", as in record batches.
pub(crate) const NO_TIMESTAMP: i64 = -1;

/// More bytes than this without an entry at the end of a segment mean that its index is not whole.
const UNINDEXED_BYTES_MAX: u64 = 4 << 20;

/// Why a segment could not be read.
#[derive(Debug, Error)]
pub enum SegmentError {
    /// The operating system failed.
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// The bytes are not what was written.
    #[error("{} is damaged at position {position}: {reason}", path.display())]
    Corrupt { path: PathBuf, position: u64, reason: String },
}

/// A timestamp and the offset it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimestampOffset {
    pub(crate) timestamp: i64,
    pub(crate) offset: i64,
}

/// What a segment has to know of a batch that is appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchFacts {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) size: u64,
}

impl From<&BatchHeader> for BatchFacts {
    fn from(header: &BatchHeader) -> Self {
        Self {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            max_timestamp: header.max_timestamp,
            size: header.size() as u64,
        }
    }
}

/// One segment; shared by its writer and its readers.
#[derive(Debug)]
pub(crate) struct Segment {
    base_offset: i64,
    files: Arc<SegmentFiles>,
    log: Handle,
    /// The `.log` file of a segment that was pinned.
    _pinned: OnceLock<Arc<OpenFile>>,
    /// The `.log` file is there, open or not.
    has_file: AtomicBool,
    /// Bytes of whole batches in the `.log` file.
    size: AtomicU64,
    /// When this process first asked whether to roll it.
    created_ms: OnceLock<i64>,
    indexes: RwLock<Indexes>,
    aborted: RwLock<Aborted>,
}

/// The indexes and what goes into their next entries.
#[derive(Debug)]
pub(crate) struct Indexes {
    /// False for a segment that was found on the disk and not asked for yet.
    loaded: bool,
    pub(crate) offsets: Index<OffsetEntry>,
    pub(crate) times: Index<TimeEntry>,
    bytes_since_entry: u64,
    pub(crate) max_timestamp: TimestampOffset,
    /// Largest timestamp of the first batch: rolling by time counts from it.
    first_timestamp: Option<i64>,
}

impl Indexes {
    fn empty(base_offset: i64, loaded: bool) -> Self {
        Self {
            loaded,
            offsets: Index::EMPTY,
            times: Index::EMPTY,
            bytes_since_entry: 0,
            max_timestamp: TimestampOffset { timestamp: NO_TIMESTAMP, offset: base_offset },
            first_timestamp: None,
        }
    }

    /// Takes a batch at `position` over into the indexes, as Kafka does.
    fn note(&mut self, base_offset: i64, batch: &BatchFacts, position: u64, interval: u64) {
        if self.first_timestamp.is_none() {
            self.first_timestamp = Some(batch.max_timestamp);
        }
        if batch.max_timestamp > self.max_timestamp.timestamp {
            let (timestamp, offset) = (batch.max_timestamp, batch.last_offset);
            self.max_timestamp = TimestampOffset { timestamp, offset };
        }
        if self.bytes_since_entry > interval
            && let Some(relative_offset) = relative(base_offset, batch.last_offset)
            && let Ok(position) = u32::try_from(position)
        {
            self.offsets.push(OffsetEntry { relative_offset, position });
            self.note_time(base_offset);
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += batch.size;
    }

    /// Adds the largest timestamp so far to the time index, if it is larger than the last entry.
    fn note_time(&mut self, base_offset: i64) {
        let last = match &self.times {
            Index::Memory(entries) => entries.last().copied(),
            Index::Disk { .. } => return,
        };
        let TimestampOffset { timestamp, offset } = self.max_timestamp;
        if timestamp > last.map_or(NO_TIMESTAMP, |last| last.timestamp)
            && let Some(relative_offset) = relative(base_offset, offset)
        {
            self.times.push(TimeEntry { timestamp, relative_offset });
        }
    }
}

/// `offset` relative to `base_offset`, if an index entry can hold it. Kafka reads the field as a
/// signed number, so only half of its range is used.
pub(crate) fn relative(base_offset: i64, offset: i64) -> Option<u32> {
    let relative = i32::try_from(offset.checked_sub(base_offset)?).ok()?;
    u32::try_from(relative).ok()
}

impl Segment {
    /// A segment without files: they come with the first append.
    pub(crate) fn new(dir: Arc<SegmentDir>, base_offset: i64) -> Self {
        Self {
            base_offset,
            files: SegmentFiles::new(dir, base_offset),
            log: Handle::default(),
            _pinned: OnceLock::new(),
            has_file: AtomicBool::new(false),
            size: AtomicU64::new(0),
            created_ms: OnceLock::new(),
            indexes: RwLock::new(Indexes::empty(base_offset, true)),
            aborted: RwLock::new(Aborted::NONE),
        }
    }

    /// A segment that was found on the disk. Nothing is opened or checked yet.
    pub(crate) fn existing(
        fs: &dyn Fs,
        dir: Arc<SegmentDir>,
        base_offset: i64,
    ) -> io::Result<Self> {
        let mut segment = Self::new(dir, base_offset);
        let metadata = fs.metadata(&segment.path(LOG_SUFFIX))?;
        segment.size = AtomicU64::new(metadata.len);
        segment.has_file = AtomicBool::new(true);
        segment.indexes = RwLock::new(Indexes::empty(base_offset, false));
        segment.aborted = RwLock::new(Aborted::OnDisk);
        Ok(segment)
    }

    pub(crate) fn base_offset(&self) -> i64 {
        self.base_offset
    }

    /// Bytes that may be read.
    pub(crate) fn size(&self) -> u64 {
        self.size.load(Ordering::Acquire)
    }

    pub(crate) fn path(&self, suffix: &str) -> PathBuf {
        self.files.path(suffix)
    }

    /// The `.log` file, opened now if it was not. Whoever holds it may go on with it, whatever
    /// becomes of the segment.
    pub(crate) fn file(&self, fs: &dyn Fs) -> Result<Arc<dyn File>, SegmentError> {
        self.open(fs).map_err(|error| self.io_error(error))
    }

    /// As [`Segment::file`].
    pub(crate) fn open(&self, fs: &dyn Fs) -> io::Result<Arc<dyn File>> {
        if let Some(file) = self.log.get() {
            return Ok(file);
        }
        let open = || fs.open(&self.path(LOG_SUFFIX), OpenMode::ReadWrite);
        Ok(self.files.open(&self.log, &open)?)
    }

    /// Opens what readers need and keeps it for them: the files are about to lose their names,
    /// and others may get these, while the segment is still in the log's row.
    pub(crate) fn pin(&self, fs: &dyn Fs) -> Result<(), SegmentError> {
        let open = || fs.open(&self.path(LOG_SUFFIX), OpenMode::ReadWrite);
        let failed = |error| self.io_error(error);
        let file = self.files.open(&self.log, &open).map_err(failed)?;
        self._pinned.get_or_init(|| file);
        drop(self.indexes(fs)?);
        let mut indexes = self.indexes.write();
        indexes.offsets = indexes.offsets.to_memory().map_err(failed)?;
        indexes.times = indexes.times.to_memory().map_err(failed)?;
        drop(indexes);
        self.pin_aborted(fs)
    }

    /// Opens nothing from now on: the files are about to lose their names, and the segment has
    /// left the log's row. Whoever has a file open goes on with it.
    pub(crate) fn retire(&self) {
        self.files.retire();
        self.log.close();
    }

    /// Whether somebody looks at the indexes, or makes them.
    #[cfg(test)]
    pub(crate) fn is_locked(&self) -> bool {
        self.indexes.try_write().is_none() || self.aborted.try_write().is_none()
    }

    /// Whether the `.log` file is there, open or not. It comes with the first append.
    pub(crate) fn has_file(&self) -> bool {
        self.has_file.load(Ordering::Acquire)
    }

    /// Makes the `.log` file of a new segment. Returns whether it was made.
    pub(crate) fn create_file(&self, fs: &dyn Fs) -> io::Result<bool> {
        if self.has_file() {
            return Ok(false);
        }
        self.files.open(&self.log, &|| {
            let file = fs.open(&self.path(LOG_SUFFIX), OpenMode::Create)?;
            // A leftover of an earlier log under the same name must not shine through.
            end_at(&*file, self.size())?;
            Ok(file)
        })?;
        self.has_file.store(true, Ordering::Release);
        Ok(true)
    }

    /// Writes one batch behind the others. Called by the log's one writer, after `create_file`.
    ///
    /// On an error the file is cut back; if that fails too, the error says so and what is behind
    /// `size` is not known: the caller must not write here again.
    pub(crate) fn append(
        &self,
        fs: &dyn Fs,
        parts: &mut [IoSlice<'_>],
        batch: &BatchFacts,
        index_interval_bytes: u64,
    ) -> Result<(), WriteError> {
        let position = self.size.load(Ordering::Relaxed);
        debug_assert_eq!(parts.iter().map(|part| part.len() as u64).sum::<u64>(), batch.size);
        debug_assert!(batch.base_offset >= self.base_offset);
        let file = self.open(fs).map_err(|error| WriteError { error, cut_back: true })?;
        if let Err(error) = write_all_at(&*file, parts, position) {
            let cut_back = file.set_len(position).is_ok();
            return Err(WriteError { error, cut_back });
        }
        self.indexes.write().note(self.base_offset, batch, position, index_interval_bytes);
        self.size.store(position + batch.size, Ordering::Release);
        Ok(())
    }

    /// Whether the next append must go to a new segment because an index has no room.
    pub(crate) fn is_index_full(&self, index_bytes: i32) -> bool {
        let bytes = usize::try_from(index_bytes).unwrap_or(0);
        let indexes = self.indexes.read();
        indexes.offsets.len() >= (bytes / OffsetEntry::BYTES).max(1)
            || indexes.times.len() >= (bytes / TimeEntry::BYTES).max(1)
            // Kafka's has no limit; here it bounds the memory that aborted transactions take.
            || self.aborted_len() >= (bytes / AbortedTxn::BYTES).max(1)
    }

    /// Largest timestamp of the first batch, once there is one.
    pub(crate) fn first_timestamp(&self) -> Option<i64> {
        self.indexes.read().first_timestamp
    }

    /// The same of a segment that may never have been asked for. None if it is empty.
    pub(crate) fn first_batch_timestamp(&self, fs: &dyn Fs) -> Result<Option<i64>, SegmentError> {
        if let Some(known) = self.first_timestamp() {
            return Ok(Some(known));
        }
        let first = self.scan(fs, 0, self.size())?.next()?;
        Ok(first.map(|batch| batch.header.max_timestamp))
    }

    /// When the segment came into being, as far as this process knows.
    pub(crate) fn created_ms(&self, now_ms: i64) -> i64 {
        *self.created_ms.get_or_init(|| now_ms)
    }

    /// The largest timestamp and the last offset of the batch that holds it; -1 when no record
    /// has one.
    pub(crate) fn max_timestamp(&self, fs: &dyn Fs) -> Result<TimestampOffset, SegmentError> {
        Ok(self.indexes(fs)?.max_timestamp)
    }

    /// What retention by time goes by: the largest timestamp, or else the time of the last write.
    pub(crate) fn largest_timestamp(&self, fs: &dyn Fs) -> Result<i64, SegmentError> {
        let timestamp = self.max_timestamp(fs)?.timestamp;
        if timestamp >= 0 {
            return Ok(timestamp);
        }
        let metadata = fs.metadata(&self.path(LOG_SUFFIX));
        Ok(metadata.map_err(|error| self.io_error(error))?.modified_ms)
    }

    /// The indexes, read from the disk now if they were not; rebuilt if they are of no use.
    pub(crate) fn indexes(
        &self,
        fs: &dyn Fs,
    ) -> Result<RwLockReadGuard<'_, Indexes>, SegmentError> {
        let indexes = self.indexes.read();
        if indexes.loaded {
            return Ok(indexes);
        }
        drop(indexes);
        let mut indexes = self.indexes.write();
        if !indexes.loaded {
            *indexes = self.load_indexes(fs)?;
        }
        Ok(RwLockWriteGuard::downgrade(indexes))
    }

    fn load_indexes(&self, fs: &dyn Fs) -> Result<Indexes, SegmentError> {
        let read = self.read_indexes().map_err(|error| error.to_string());
        let checked = read.and_then(|indexes| self.check_indexes(fs, &indexes).map(|()| indexes));
        match checked {
            Ok(indexes) => Ok(indexes),
            Err(reason) => {
                let path = self.path(OFFSET_INDEX_SUFFIX);
                tracing::warn!(path = %path.display(), reason, "Rebuilding the indexes of a segment");
                self.rebuild_indexes(fs)
            }
        }
    }

    fn read_indexes(&self) -> io::Result<Indexes> {
        let mut indexes = Indexes::empty(self.base_offset, true);
        indexes.offsets = self.read_index(OFFSET_INDEX_SUFFIX)?;
        indexes.times = self.read_index(TIME_INDEX_SUFFIX)?;
        if let Some(last) = indexes.times.last()? {
            let offset = self.base_offset + i64::from(last.relative_offset);
            indexes.max_timestamp = TimestampOffset { timestamp: last.timestamp, offset };
        }
        Ok(indexes)
    }

    fn read_index<E: IndexEntry>(&self, suffix: &'static str) -> io::Result<Index<E>> {
        Index::open(self.kept(suffix), &self.path(suffix))
    }

    /// A file that opens itself when it is read.
    pub(super) fn kept(&self, suffix: &'static str) -> Arc<dyn File> {
        Arc::new(KeptFile::new(&self.files, suffix))
    }

    /// Whether the last entries fit the batches behind them. They do not if the files are older
    /// than the segment's last bytes: a crash came between a clean stop and the next roll.
    fn check_indexes(&self, fs: &dyn Fs, indexes: &Indexes) -> Result<(), String> {
        let last = indexes.offsets.last().map_err(|error| error.to_string())?;
        let start = last.map_or(0, |last| u64::from(last.position));
        if last.is_some() && start >= self.size() {
            return Err(format!("the last entry points to {start} of {}", self.size()));
        }
        let failed = |error: SegmentError| error.to_string();
        let mut scan = self.scan(fs, start, self.size()).map_err(failed)?;
        let mut is_first = true;
        while let Some(batch) = scan.next().map_err(failed)? {
            let relative = relative(self.base_offset, batch.header.last_offset());
            if let Some(last) = last.filter(|_| is_first)
                && relative != Some(last.relative_offset)
            {
                return Err(format!("the last entry does not fit the batch at {start}"));
            }
            if batch.position - start > UNINDEXED_BYTES_MAX {
                return Err(format!("nothing behind position {start} is indexed"));
            }
            if batch.header.max_timestamp > indexes.max_timestamp.timestamp {
                return Err(format!("no entry for the time of the batch at {}", batch.position));
            }
            is_first = false;
        }
        Ok(())
    }

    /// Replaces the indexes, before the segment is shared or with the log's lock held.
    pub(crate) fn set_indexes(&self, indexes: Indexes) {
        *self.indexes.write() = indexes;
    }

    /// Ends the indexes and writes them out; from now on they are read from their files. Called
    /// when the segment has got its last batch. The files are not synced; they are returned for
    /// it. None if they are on the disk already, or nothing was ever written.
    pub(crate) fn seal(&self, fs: &dyn Fs) -> io::Result<Option<Vec<Arc<dyn File>>>> {
        let files = self.write_indexes(fs)?;
        if let Some([_, _, aborted @ ..]) = files.as_deref() {
            let mut indexes = self.indexes.write();
            indexes.offsets.seal(self.kept(OFFSET_INDEX_SUFFIX));
            indexes.times.seal(self.kept(TIME_INDEX_SUFFIX));
            if !aborted.is_empty() {
                self.seal_aborted(self.kept(TXN_INDEX_SUFFIX));
            }
        }
        Ok(files)
    }

    /// As [`Segment::seal`], but the indexes stay in memory: a log that is closed keeps no files
    /// open for them. The files are those of offsets and times, and, if there are aborted
    /// transactions, theirs.
    pub(crate) fn write_indexes(&self, fs: &dyn Fs) -> io::Result<Option<Vec<Arc<dyn File>>>> {
        if self.size() == 0 {
            return Ok(None);
        }
        let mut indexes = self.indexes.write();
        if !indexes.loaded {
            return Ok(None);
        }
        indexes.note_time(self.base_offset);
        // The time index comes last: without entries in it the others are not believed.
        let aborted = self.write_aborted(fs)?;
        let offsets = indexes.offsets.write_out(fs, &self.path(OFFSET_INDEX_SUFFIX))?;
        let times = indexes.times.write_out(fs, &self.path(TIME_INDEX_SUFFIX))?;
        let (Some(offsets), Some(times)) = (offsets, times) else { return Ok(None) };
        Ok(Some([offsets, times].into_iter().chain(aborted).collect()))
    }

    /// Removes the index files of a segment that goes on being written: they are made anew.
    pub(crate) fn remove_index_files(&self, fs: &dyn Fs) -> io::Result<()> {
        for suffix in [OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX] {
            remove_if_there(fs, &self.path(suffix))?;
        }
        Ok(())
    }

    /// Empties the index files of a segment that goes on being written. They are not removed: ext4
    /// does not use a removed file's inode again for a minute and more, and looks at all of them
    /// whenever it makes a file.
    pub(crate) fn empty_index_files(&self, fs: &dyn Fs) -> io::Result<()> {
        for suffix in [OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX] {
            let path = self.path(suffix);
            match fs.metadata(&path) {
                Ok(found) if found.len == 0 => {}
                Ok(_) => fs.open(&path, OpenMode::ReadWrite)?.set_len(0)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        remove_if_there(fs, &self.path(TXN_INDEX_SUFFIX))
    }

    /// Makes the bytes durable that this process had written before the call.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.log.sync()
    }

    /// Makes all bytes of the file durable, also what an earlier process has written.
    pub(crate) fn sync_whole(&self, fs: &dyn Fs) -> io::Result<()> {
        self.open(fs)?.sync_data()
    }

    /// Sets the number of bytes that may be read, after the file was cut to it.
    pub(crate) fn set_size(&self, size: u64) {
        self.size.store(size, Ordering::Release);
    }
}

impl std::fmt::Display for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path(LOG_SUFFIX).display())
    }
}

/// A failed append.
#[derive(Debug)]
pub(crate) struct WriteError {
    pub(crate) error: io::Error,
    /// Whether the file ends where it did before.
    pub(crate) cut_back: bool,
}
