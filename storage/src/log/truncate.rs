//! Cutting the end of a log off: what a replica does whose end differs from the leader's.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use thiserror::Error;

use super::durable::NotDurable;
use super::read::with_next_base;
use super::writer::{Writer, WriterGuard};
use super::{Log, Unwritable, producers};
use crate::fs::replace_file;
use crate::leader_epoch_cache::LEADER_EPOCH_CHECKPOINT;
use crate::partition_metadata;
use crate::segment::{Segment, SegmentError};

/// Why a log was not cut.
#[derive(Debug, Error)]
pub enum TruncateError {
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    #[error(transparent)]
    NotDurable(#[from] NotDurable),
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// The log directory is offline now.
    #[error("cannot truncate {log}: {source}")]
    Io { log: String, source: io::Error },
}

impl Log {
    /// Cuts off everything at and after `offset`, and the whole batch that it lies in: the log then
    /// ends where that batch began. (Kafka's ends at `offset`, until it is restarted.) Returns
    /// whether there was anything. Those who wait for more to become durable are told.
    pub fn truncate_to(self: &Arc<Self>, offset: i64) -> Result<bool, TruncateError> {
        let sync_lock = self.sync_lock.lock();
        let sums = self.forget_sums_from(offset).map_err(|error| self.truncate_error(error))?;
        if offset >= self.lock_to_write()?.next_offset {
            return Ok(false);
        }
        self.leave_journal()?;
        let no_settling = self.file_lock.lock();
        let mut writer = self.lock_to_write()?;
        let segments = Vec::clone(&self.segments.load());
        if segments.first().is_none_or(|first| first.base_offset() > offset) {
            drop(writer);
            drop(sums);
            drop(no_settling);
            drop(sync_lock);
            self.truncate_fully_and_start_at(offset)?;
            return Ok(true);
        }
        let kept = segments.partition_point(|segment| segment.base_offset() <= offset);
        let (kept, cut) = segments.split_at_checked(kept).unwrap_or_default();
        let Some(last) = kept.last() else { return Ok(false) };

        let number = kept.len() - 1;
        self.know_aborted(&segments, number)?;
        // Readers must not be sent beyond the new end before the bytes go.
        let position = self.position_of(last, offset)?;
        self.forget_checkpoint().map_err(|error| self.truncate_error(error))?;
        let end = last.activate_up_to(self.fs(), offset, position)?;
        last.cut_aborted(end).map_err(|error| last.io_error(error))?;
        assert!(end <= offset, "nothing at or after the offset is kept");
        last.set_size(position);
        self.log_start_offset.fetch_min(end, Ordering::AcqRel);
        writer.forget(cut);
        // As the active segment again it is synced with every sync, and must not be sealed.
        writer.forget(std::slice::from_ref(last));
        writer.active = Arc::clone(last);
        self.segments.store(Arc::new(kept.to_vec()));
        writer.producers_stale = true;
        self.set_end(&mut writer, end);
        let done = self.remove_cut(&mut writer, last, cut, position);
        done.map_err(|error| self.truncate_error(error))?;
        writer.producers_stale = false;
        self.publish_visible(&mut writer);
        drop(writer);
        self.truncate_waiters(end);
        Ok(true)
    }

    /// Empties the log; the next record gets `offset`.
    pub fn truncate_fully_and_start_at(self: &Arc<Self>, offset: i64) -> Result<(), TruncateError> {
        let _no_sync = self.sync_lock.lock();
        let _sums = self.forget_sums_from(i64::MIN).map_err(|error| self.truncate_error(error))?;
        self.check_writable()?;
        self.leave_journal()?;
        let _no_settling = self.file_lock.lock();
        let mut writer = self.lock_to_write()?;
        let old = Vec::clone(&self.segments.load());
        let new = Arc::new(Segment::new(Arc::clone(&self.segment_dir), offset));
        self.forget_checkpoint().map_err(|error| self.truncate_error(error))?;
        writer.forget(&old);
        writer.active = Arc::clone(&new);
        writer.producers.clear();
        self.segments.store(Arc::new(vec![new]));
        // Before the end moves, so that start <= end holds for every reader.
        self.log_start_offset.store(offset.min(self.log_end_offset()), Ordering::Release);
        self.set_end(&mut writer, offset);
        self.log_start_offset.store(offset, Ordering::Release);
        // An empty log has nothing to lose.
        self.durable_end.store(offset, Ordering::Release);
        self.recovery_point.store(offset, Ordering::Release);
        writer.epochs.clear();
        let removed = self.remove_all(&mut writer, &old);
        removed.map_err(|error| self.truncate_error(error))?;
        drop(writer);
        self.truncate_waiters(offset);
        Ok(())
    }

    /// Where the batch begins in `segment` that holds `offset`.
    fn position_of(&self, segment: &Arc<Segment>, offset: i64) -> Result<u64, SegmentError> {
        let end = self.end.load();
        let segments = self.segments.load();
        let next = with_next_base(&segments, 0)
            .find(|(candidate, _)| Arc::ptr_eq(candidate, segment))
            .and_then(|(_, next)| next);
        self.limit(segment, next, offset, &end)
    }

    fn set_end(&self, writer: &mut Writer, offset: i64) {
        writer.next_offset = offset;
        // Not worth reckoning: the next commit syncs the files.
        writer.durable_bytes = 0;
        writer.cuts += 1;
        writer.first_syncing = None;
        writer.first_undurable = writer.first_undurable.filter(|first| *first < offset);
        self.durable_end.fetch_min(offset, Ordering::AcqRel);
        self.recovery_point.fetch_min(offset, Ordering::AcqRel);
        self.cut_clean_point(offset);
        self.publish_end(writer, None);
    }

    /// Removes from the disk what was cut off, and brings producers and epochs back.
    fn remove_cut(
        &self,
        writer: &mut WriterGuard<'_>,
        last: &Arc<Segment>,
        cut: &[Arc<Segment>],
        position: u64,
    ) -> io::Result<()> {
        let offset = writer.next_offset;
        // The last one first: a crash on the way must not leave a gap in the row.
        for segment in cut.iter().rev() {
            self.remove_files(segment)?;
        }
        if last.has_file() {
            let file = last.open(self.fs())?;
            file.set_len(position)?;
            file.sync_data()?;
        }
        if !self.fs().exists(&self.path)? {
            return Ok(());
        }
        last.remove_index_files(self.fs())?;
        let snapshots = producers::remove_beyond(self.fs(), &self.path, offset)?;
        let segments = self.segments.load();
        let (fs, dir) = (self.fs(), &self.path);
        // Producers are not expired here: that needs the time, and has its own call.
        let loaded = producers::load(fs, dir, snapshots, &segments, offset, 0, i64::MAX);
        let mut producers = loaded.map_err(io::Error::other)?;
        // A snapshot does not know of markers that readers do not see yet.
        producers.take_over_unreplicated(&writer.producers, offset);
        writer.producers = producers;
        if writer.epochs.truncate_from_end(offset) {
            self.write_epochs_now(writer)?;
        }
        self.sync_own_names()
    }

    fn remove_all(&self, writer: &mut Writer, old: &[Arc<Segment>]) -> io::Result<()> {
        if !self.fs().exists(&self.path)? && writer.next_offset == 0 {
            return Ok(());
        }
        // The file's name holds the next offset from now on.
        self.make_active_file(writer)?;
        self.sync_own_names()?;
        for segment in old {
            self.remove_files(segment)?;
        }
        producers::remove_beyond(self.fs(), &self.path, -1)?;
        self.write_epochs_now(writer)?;
        self.sync_own_names()
    }

    /// Names without the id of their topic could be taken for those of a later topic.
    pub(super) fn sync_own_names(&self) -> io::Result<()> {
        partition_metadata::sync(self.fs(), &self.path)?;
        self.fs().sync_dir(&self.path)
    }

    fn write_epochs_now(&self, writer: &Writer) -> io::Result<()> {
        replace_file(self.fs(), &self.path.join(LEADER_EPOCH_CHECKPOINT), &writer.epochs.encode())
    }

    fn truncate_error(&self, source: io::Error) -> TruncateError {
        // Half of it may have been done: what the log holds is no longer known.
        let what = format!("cannot truncate {}: {source}", self.topic_partition);
        self.context.dir.take_offline(&what);
        TruncateError::Io { log: self.topic_partition.to_string(), source }
    }
}

impl Writer {
    /// The segments are not rolled ones any more: nothing is to be done for them.
    fn forget(&mut self, cut: &[Arc<Segment>]) {
        let is_cut = |segment: &Arc<Segment>| cut.iter().any(|other| Arc::ptr_eq(other, segment));
        self.unsynced.retain(|segment| !is_cut(segment));
        self.unsealed.retain(|segment| !is_cut(segment));
    }
}
