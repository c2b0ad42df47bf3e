//! A clean stop, after which the next start believes the files as they are; and the end of a log
//! that is deleted.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use thiserror::Error;

use super::Log;
use super::durable::NotDurable;

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
            self.write_producer_snapshot(&writer);
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

    /// Takes no more appends and forgets the disk: the partition is being deleted. Those who wait
    /// are told.
    pub fn mark_deleted(self: &Arc<Self>) {
        let _no_sync = self.sync_lock.lock();
        self.lock_writer().closed = true;
        // Not `fail`: nothing is wrong, so nothing is said.
        let _ = self.failed.set("the partition was deleted".to_owned());
        self.fail_waiters();
    }
}
