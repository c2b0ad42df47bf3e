//! The transactions that were aborted by a marker in a segment.
//!
//! Nothing is read before it is asked for, so that logs without transactions pay nothing. The
//! entries of the active segment are in memory and written out with the other indexes; those of a
//! sealed one stay in their file.
//!
//! State, per segment: not looked at yet, stale (must be made from the log, which takes what is
//! known of the producers, so the log does it), or known.

use std::io;
use std::sync::Arc;

use super::files::{OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX};
use super::{Segment, SegmentError};
use crate::fs::{File, Fs};
use crate::index::Index;
use crate::index::txn::AbortedTxn;

/// What is known of a segment's aborted transactions.
#[derive(Debug)]
pub(crate) enum Aborted {
    /// Whatever is on the disk is right, as far as its own bytes tell.
    OnDisk,
    /// What is on the disk, if anything, is not to be believed.
    Stale,
    Known(Index<AbortedTxn>),
}

impl Aborted {
    pub(crate) const NONE: Self = Self::Known(Index::EMPTY);
}

/// What a segment says to a reader of a range.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    pub(crate) aborted: Vec<AbortedTxn>,
    /// No later marker belongs to a transaction of the range.
    pub(crate) complete: bool,
}

impl Segment {
    /// Whether the log has to make the index anew before it is used.
    pub(crate) fn is_aborted_stale(&self) -> bool {
        matches!(*self.aborted.read(), Aborted::Stale)
    }

    /// Sees to it that the index is known. `rebuild` makes it from the log where the file is of no
    /// use; a missing file means that nothing was aborted, unless the other indexes are missing as
    /// well, or the time index, which is written last, has nothing in it.
    pub(crate) fn know_aborted(
        &self,
        fs: &dyn Fs,
        rebuild: impl FnOnce() -> Result<Vec<AbortedTxn>, SegmentError>,
    ) -> Result<(), SegmentError> {
        if matches!(*self.aborted.read(), Aborted::Known(_)) {
            return Ok(());
        }
        let mut aborted = self.aborted.write();
        let found = match *aborted {
            Aborted::Known(_) => return Ok(()),
            Aborted::Stale => None,
            Aborted::OnDisk => self.read_aborted(fs)?,
        };
        *aborted = Aborted::Known(match found {
            Some(found) => found,
            None => Index::Memory(rebuild()?),
        });
        Ok(())
    }

    /// The index in the file, if it is to be believed.
    fn read_aborted(&self, fs: &dyn Fs) -> Result<Option<Index<AbortedTxn>>, SegmentError> {
        if self.size() == 0 {
            return Ok(Some(Index::EMPTY));
        }
        let path = self.path(TXN_INDEX_SUFFIX);
        let failed = |error| self.io_error(error);
        let index = match Index::<AbortedTxn>::open(self.kept(TXN_INDEX_SUFFIX), &path) {
            Ok(index) => index,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let sealed = fs.exists(&self.path(OFFSET_INDEX_SUFFIX)).map_err(failed)?
                    && match fs.metadata(&self.path(TIME_INDEX_SUFFIX)) {
                        Ok(times) => times.len > 0,
                        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                        Err(error) => return Err(failed(error)),
                    };
                return Ok(sealed.then_some(Index::EMPTY));
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::warn!(%error, "Rebuilding a transaction index");
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let mut before = None;
        for at in 0..index.len() {
            let Some(entry) = index.get(at).map_err(failed)? else { break };
            if !entry.is_plausible(self.base_offset, before) {
                let path = path.display();
                tracing::warn!(%path, at, "Rebuilding a transaction index: an entry is damaged");
                return Ok(None);
            }
            before = Some(entry.last_offset);
        }
        Ok(Some(index))
    }

    /// Brings the entries into memory before the file loses its name. What is stale is made from
    /// the `.log` file.
    pub(super) fn pin_aborted(&self, fs: &dyn Fs) -> Result<(), SegmentError> {
        let mut aborted = self.aborted.write();
        if let Aborted::OnDisk = *aborted {
            *aborted = self.read_aborted(fs)?.map_or(Aborted::Stale, Aborted::Known);
        }
        if let Aborted::Known(index) = &mut *aborted {
            *index = index.to_memory().map_err(|error| self.io_error(error))?;
        }
        Ok(())
    }

    /// Forgets what was known: the batches were walked, and hold control batches or do not.
    pub(crate) fn reset_aborted(&self, has_control_batches: bool) {
        let state = if has_control_batches { Aborted::Stale } else { Aborted::NONE };
        *self.aborted.write() = state;
    }

    /// Brings the entries into memory, so that one can be added. The index must be known.
    pub(crate) fn hold_aborted(&self) -> io::Result<()> {
        self.cut_aborted(i64::MAX)
    }

    /// Adds a transaction whose marker was just written, after [`Segment::hold_aborted`].
    pub(crate) fn push_aborted(&self, txn: AbortedTxn) {
        if let Aborted::Known(index) = &mut *self.aborted.write() {
            index.push(txn);
        }
    }

    /// Forgets the transactions whose markers were cut off. The index must be known; it is in
    /// memory afterwards, since the segment is written again.
    pub(crate) fn cut_aborted(&self, end_offset: i64) -> io::Result<()> {
        if let Aborted::Known(index) = &mut *self.aborted.write() {
            if let Index::Disk { .. } = index {
                *index = index.to_memory()?;
            }
            index.retain_front(|txn| txn.last_offset < end_offset);
        }
        Ok(())
    }

    /// The aborted transactions that have offsets in `from..to`, as far as this segment knows.
    /// The index must be known.
    pub(crate) fn collect_aborted(&self, from: i64, to: i64) -> io::Result<Collected> {
        let aborted = self.aborted.read();
        let Aborted::Known(index) = &*aborted else { return Ok(Collected::default()) };
        let mut collected = Collected::default();
        for at in index.partition_point(|txn| txn.last_offset < from)?..index.len() {
            let Some(txn) = index.get(at)? else { break };
            if txn.first_offset < to {
                collected.aborted.push(txn);
            }
            if txn.last_stable_offset >= to {
                collected.complete = true;
                break;
            }
        }
        Ok(collected)
    }

    /// Whether there is any, or it is not known.
    pub(super) fn may_have_aborted(&self) -> bool {
        !matches!(&*self.aborted.read(), Aborted::Known(index) if index.len() == 0)
    }

    /// Entries held in memory, for rolling.
    pub(super) fn aborted_len(&self) -> usize {
        match &*self.aborted.read() {
            Aborted::Known(index) => index.len(),
            Aborted::OnDisk | Aborted::Stale => 0,
        }
    }

    /// Writes the entries out, if there are any in memory. The file is not synced.
    pub(super) fn write_aborted(&self, fs: &dyn Fs) -> io::Result<Option<Arc<dyn File>>> {
        match &*self.aborted.read() {
            Aborted::Known(index) if index.len() > 0 => {
                index.write_out(fs, &self.path(TXN_INDEX_SUFFIX))
            }
            _ => Ok(None),
        }
    }

    /// Reads them from `file` from now on.
    pub(super) fn seal_aborted(&self, file: Arc<dyn File>) {
        if let Aborted::Known(index) = &mut *self.aborted.write() {
            index.seal(file);
        }
    }

    /// The offset of an index entry at or behind a position: all batches that begin before the
    /// position begin before that offset. None behind the last entry. Kafka's search passes over
    /// the first entry if that has just the position, so the first is passed over here too.
    pub(crate) fn offset_bound(
        &self,
        fs: &dyn Fs,
        position: u64,
    ) -> Result<Option<i64>, SegmentError> {
        let indexes = self.indexes(fs)?;
        let failed = |error| self.io_error(error);
        let offsets = &indexes.offsets;
        let at = offsets.partition_point(|entry| u64::from(entry.position) < position);
        let at = at.map_err(failed)?;
        let mut found = offsets.get(at).map_err(failed)?;
        if at == 0 && found.is_some_and(|entry| u64::from(entry.position) == position) {
            found = offsets.get(1).map_err(failed)?;
        }
        Ok(found.map(|entry| self.base_offset + i64::from(entry.relative_offset)))
    }
}
