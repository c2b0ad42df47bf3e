//! What could be done with a log while another thread stands still in the middle of something: for
//! proofs, which must not wait for that thread.

use super::Log;

/// Which locks of a log nobody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FreeLocks {
    /// Not those that are held for moments only, by whoever reads or writes.
    Few,
    /// Not those of a sync or of whatever must not run beside one.
    AllButSync,
    All,
}

impl Log {
    pub(crate) fn free_locks(&self) -> FreeLocks {
        let is_written = self.writer.try_lock().is_none();
        if is_written || self.segments.load().iter().any(|segment| segment.is_locked()) {
            return FreeLocks::Few;
        }
        let is_synced = self.sync_lock.try_lock().is_none() || self.file_lock.try_lock().is_none();
        if is_synced { FreeLocks::AllButSync } else { FreeLocks::All }
    }
}
