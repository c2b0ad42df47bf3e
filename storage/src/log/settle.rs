//! Settling: syncing in a log's own file what so far is durable in the journal only.
//!
//! It is done when the journal is half full, before the recovery points are written, and before a
//! log is cut. The sync itself holds up no commit of the log: it takes the `file_lock` only.

use std::sync::Arc;

use super::durable::NotDurable;
use super::sync_queue::SyncQueue;
use super::{Log, Unwritable};
use crate::journal::{CommitError, Journal, PartitionKey};

/// How often room is looked for before a cut gives up.
const ROOM_TRIES_MAX: usize = 3;

impl Log {
    /// Syncs the file if the journal holds bytes for it, and moves the recovery point.
    pub(super) fn settle(self: &Arc<Self>) -> Result<(), NotDurable> {
        let Some((journal, key)) = self.journal() else { return Ok(()) };
        if !journal.is_in_debt(key) {
            return Ok(());
        }
        match self.settle_file(journal, key)? {
            // The file may hold more: of that nobody was told that it is durable.
            Some((end, cuts)) => self.tidy(end.min(self.durable_end()), cuts),
            // A segment was rolled: the sync that this has asked for has more to do.
            None => {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// The part that takes time. Returns the end that the files hold now; `None` if there are
    /// rolled segments, which need a whole sync.
    fn settle_file(
        &self,
        journal: &Journal,
        key: PartitionKey,
    ) -> Result<Option<(i64, u64)>, NotDurable> {
        let _one_sync = self.file_lock.lock();
        self.check_writable()?;
        // Before the look at the log: what comes later is not covered.
        let sequence = journal.last_sequence();
        let (active, end, cuts) = {
            let writer = self.lock_writer();
            if !writer.unsynced.is_empty() {
                return Ok(None);
            }
            (Arc::clone(&writer.active), writer.next_offset, writer.cuts)
        };
        if let Err((error, what)) = self.sync_segment(&active) {
            self.context.dir.take_offline(&format!("{what}: {error}"));
            self.check_writable()?;
        }
        journal.settled(key, sequence);
        Ok(Some((end, cuts)))
    }

    /// Before the log is cut: what stays is synced in the files, and no start ever applies what the
    /// journal holds, or takes the log for longer. The caller holds `sync_lock`.
    pub(super) fn leave_journal(&self) -> Result<(), NotDurable> {
        let Some((journal, key)) = self.journal() else { return Ok(()) };
        if journal.is_in_debt(key) {
            self.sync_all_segments(journal, key)?;
        }
        let topic = &self.topic_partition.topic;
        Ok(self.with_room(journal, || journal.forget_all(key, topic, 0))?)
    }

    /// Before segments with base offsets below `segment_base`, synced in their files, are replaced by
    /// others: no start ever applies what the journal holds of them. The caller may hold
    /// `sync_lock`.
    pub(super) fn forget_replaced(&self, segment_base: i64) -> Result<(), Unwritable> {
        let Some((journal, key)) = self.journal() else { return Ok(()) };
        self.check_writable()?;
        let topic = &self.topic_partition.topic;
        self.with_room(journal, || journal.forget_segments(key, topic, segment_base))
    }

    /// Nothing is published: those who wait for what is going to be cut are not to be told that it
    /// is durable.
    fn sync_all_segments(&self, journal: &Journal, key: PartitionKey) -> Result<(), NotDurable> {
        let _one_sync = self.file_lock.lock();
        self.check_writable()?;
        let sequence = journal.last_sequence();
        let (unsynced, active) = {
            let writer = self.lock_writer();
            (writer.unsynced.clone(), Arc::clone(&writer.active))
        };
        let synced = unsynced.iter().chain([&active]).try_for_each(|s| self.sync_segment(s));
        if let Err((error, what)) = synced.and_then(|()| self.sync_names(&self.path)) {
            self.judge_failed_sync(&error, &what);
            self.check_writable()?;
        }
        journal.settled(key, sequence);
        Ok(())
    }

    /// Tries again after others have settled what they owe, if the journal is full.
    fn with_room(
        &self,
        journal: &Journal,
        write: impl Fn() -> Result<(), CommitError>,
    ) -> Result<(), Unwritable> {
        for _ in 0..ROOM_TRIES_MAX {
            match write() {
                Ok(()) => return Ok(()),
                Err(CommitError::Full) => self.context.sync_queue.make_room(journal),
                Err(error) => {
                    self.context.dir.take_offline(&error.to_string());
                    break;
                }
            }
        }
        self.check_writable()?;
        let log = self.topic_partition.clone();
        let reason = "the journal has no room".to_owned();
        Err(Unwritable::LogFailed { log, reason })
    }
}

impl SyncQueue {
    /// Settles all debts in the calling thread, which may hold a log's `sync_lock`: no recovery
    /// point moves.
    fn make_room(&self, journal: &Journal) {
        for log in self.debtors(journal) {
            if let Some((journal, key)) = log.journal()
                && let Ok(None) = log.settle_file(journal, key)
            {
                // Its own sync is on its way.
                self.push(&log);
            }
        }
        if let Err(error @ CommitError::Io { .. }) = journal.make_room() {
            journal.dir().take_offline(&error.to_string());
        }
    }
}
