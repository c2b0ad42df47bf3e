//! A clean stop, after which the next start believes the files as they are; and the end of a log
//! that is deleted.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use thiserror::Error;

use super::durable::{NotDurable, Plan};
use super::{Log, Writer};
use crate::fs::replace_file_unsynced;
use crate::leader_epoch_cache::LEADER_EPOCH_CHECKPOINT;

/// Why a log was not closed cleanly: it will be recovered at the next start.
#[derive(Debug, Error)]
pub enum CloseError {
    #[error(transparent)]
    NotDurable(#[from] NotDurable),
    #[error("cannot close {log}: {source}")]
    Io { log: String, source: io::Error },
}

impl Log {
    /// Makes everything durable, writes indexes and producer state, and takes no more appends.
    /// Afterwards `recovery_point` is the log's end.
    pub fn close(self: &Arc<Self>) -> Result<(), CloseError> {
        {
            let mut writer = self.lock_writer();
            if writer.closed {
                return Ok(());
            }
            writer.closed = true;
        }
        self.flush()?;
        let writer = self.lock_writer();
        if self.is_on_disk(&writer) {
            self.write_last_snapshot(&writer);
            let failed = |source| CloseError::Io { log: self.topic_partition.to_string(), source };
            let indexes = writer.active.write_indexes(self.fs()).map_err(failed)?;
            for file in indexes.into_iter().flatten() {
                file.sync_data().map_err(failed)?;
            }
            self.fs().sync_dir(&self.path).map_err(failed)?;
        }
        // Held back only where indexes of rolled segments could not be written.
        if writer.unsealed.is_empty() && !writer.epochs_unwritten {
            self.recovery_point.store(writer.next_offset, Ordering::Release);
        }
        Ok(())
    }

    /// The first half of closing many logs at once: takes no more appends and writes everything
    /// out, but syncs nothing. `None` if the log is closed already. The caller makes the whole log
    /// directory durable and calls [`Log::end_close`] then.
    pub(crate) fn begin_close(self: &Arc<Self>) -> Result<Option<Plan>, CloseError> {
        let _no_sync = self.sync_lock.lock();
        self.check_writable().map_err(NotDurable::from)?;
        let mut writer = self.lock_writer();
        if writer.closed {
            return Ok(None);
        }
        writer.closed = true;
        let plan = writer.plan_sync();
        if self.is_on_disk(&writer) {
            let written = self.write_out(&mut writer, &plan);
            let failed = |source| CloseError::Io { log: self.topic_partition.to_string(), source };
            written.map_err(failed)?;
        }
        Ok(Some(plan))
    }

    fn write_out(&self, writer: &mut Writer, plan: &Plan) -> io::Result<()> {
        for segment in plan.rolled().iter().chain(&writer.unsealed) {
            segment.seal(self.fs())?;
        }
        writer.unsealed.clear();
        if writer.epochs_unwritten {
            let path = self.path.join(LEADER_EPOCH_CHECKPOINT);
            replace_file_unsynced(self.fs(), &path, &writer.encode_epochs())?;
            writer.epochs_unwritten = false;
        }
        self.write_last_snapshot(writer);
        writer.active.write_indexes(self.fs()).map(drop)
    }

    /// The second half: everything that was written out is durable.
    pub(crate) fn end_close(&self, plan: Plan) {
        self.publish_durable(plan).call(self);
        let mut writer = self.lock_writer();
        writer.unsealed.clear();
        self.recovery_point.store(writer.next_offset, Ordering::Release);
    }

    /// The log has files, but neither their directory's name nor `partition.metadata` is synced.
    pub(crate) fn is_name_unsynced(&self) -> bool {
        let writer = self.lock_writer();
        writer.dir_unsynced && self.is_on_disk(&writer)
    }

    /// Takes no more appends and forgets the disk: the partition is being deleted. Those who wait
    /// are told.
    pub fn mark_deleted(self: &Arc<Self>) {
        {
            let _no_sync = self.sync_lock.lock();
            self.lock_writer().closed = true;
            // Not `fail`: nothing is wrong, so nothing is said.
            let _ = self.failed.set("the partition was deleted".to_owned());
            // The folder may soon be that of another topic.
            for segment in self.segments.load().iter() {
                segment.retire();
            }
        }
        if let Some((journal, key)) = self.journal() {
            journal.remove(key);
            self.context.sync_queue.unregister(key);
        }
        self.fail_waiters();
    }
}
