//! The writer's side of a log: what its lock protects, and what is published from it.

use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::MutexGuard;

use super::Log;
use super::end_mark::End;
use crate::leader_epoch_cache::LeaderEpochCache;
use crate::producer_state::ProducerStateManager;
use crate::segment::Segment;
use crate::topic_partition::TopicPartition;

/// What the lock protects.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) active: Arc<Segment>,
    pub(super) next_offset: i64,
    pub(super) producers: ProducerStateManager,
    pub(super) epochs: LeaderEpochCache,
    /// Bytes of the active segment that are durable, in its file or in the journal. What comes
    /// before the active segment is, or is in `unsynced`.
    pub(super) durable_bytes: u64,
    /// The journal may rely on the partition's directory and its `partition.metadata`: they are
    /// synced, or will be with the next sync.
    pub(super) identity_synced: bool,
    /// How often the log's end was cut.
    pub(super) cuts: u64,
    /// Rolled segments whose bytes are not synced yet, oldest first.
    pub(super) unsynced: Vec<Arc<Segment>>,
    /// Rolled segments that are synced, but whose indexes are not on the disk yet.
    pub(super) unsealed: Vec<Arc<Segment>>,
    /// The partition's directory holds names that are not synced.
    pub(super) names_unsynced: bool,
    /// The name of the partition's directory itself is not synced.
    pub(super) dir_unsynced: bool,
    /// The partition's directory is there, and says whose it is.
    pub(super) has_dir: bool,
    /// `epochs` differs from its file, in what it says of records.
    pub(super) epochs_unwritten: bool,
    /// The latest of `epochs` may have no record yet: it is not in the file.
    pub(super) epoch_begun: bool,
    /// First `acks=all` batch that no sync under way will cover.
    pub(super) first_undurable: Option<i64>,
    /// First `acks=all` batch that the sync under way will cover.
    pub(super) first_syncing: Option<i64>,
    /// Records since the last sync, for `flush.messages`.
    pub(super) unflushed_records: u64,
    /// When the first of them came, for `flush.ms`.
    pub(super) unflushed_since_ms: Option<i64>,
    pub(super) is_in_flush_timer: bool,
    /// The log is being cut: `producers` are still those of the longer one.
    pub(super) producers_stale: bool,
    pub(super) closed: bool,
}

/// Why a log refuses what needs its writer.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Unwritable {
    /// A write or a sync failed in the log directory.
    #[error("log directory {dir} is offline: {reason}")]
    DirOffline { dir: String, reason: String },
    /// The log itself failed.
    #[error("log {log} has failed: {reason}")]
    LogFailed { log: TopicPartition, reason: String },
    /// The log was closed or deleted.
    #[error("log {0} is closed")]
    Closed(TopicPartition),
}

/// The writer's lock. A panic while it is held fails the log: its state may be half changed.
pub(super) struct WriterGuard<'a> {
    log: &'a Log,
    writer: MutexGuard<'a, Writer>,
}

impl std::ops::Deref for WriterGuard<'_> {
    type Target = Writer;
    fn deref(&self) -> &Writer {
        &self.writer
    }
}

impl std::ops::DerefMut for WriterGuard<'_> {
    fn deref_mut(&mut self) -> &mut Writer {
        &mut self.writer
    }
}

impl Drop for WriterGuard<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.log.fail("a panic while it was written to");
        }
    }
}

impl Log {
    pub(super) fn lock_writer(&self) -> WriterGuard<'_> {
        WriterGuard { log: self, writer: self.writer.lock() }
    }

    /// The lock, if the log may be written.
    pub(super) fn lock_to_write(&self) -> Result<WriterGuard<'_>, Unwritable> {
        self.check_writable()?;
        let writer = self.lock_writer();
        if writer.closed {
            return Err(Unwritable::Closed(self.topic_partition.clone()));
        }
        Ok(writer)
    }

    pub(super) fn check_writable(&self) -> Result<(), Unwritable> {
        if let Some(reason) = self.failed.get() {
            let (log, reason) = (self.topic_partition.clone(), reason.clone());
            return Err(Unwritable::LogFailed { log, reason });
        }
        let dir = &self.context.dir;
        if dir.is_offline() {
            let reason = dir.offline_reason().unwrap_or_default();
            return Err(Unwritable::DirOffline { dir: dir.path().display().to_string(), reason });
        }
        Ok(())
    }

    /// Publishes the end after an append, with the batch that was appended last.
    pub(super) fn publish_end(&self, writer: &mut Writer, last_batch: Option<(i64, u64)>) {
        let active = &writer.active;
        let mut end = End::of_segment(writer.next_offset, active.base_offset(), active.size());
        if let Some((offset, position)) = last_batch {
            end.last_batch_offset = offset;
            end.last_batch_position = position;
        }
        assert!(end.last_batch_position <= end.position && end.last_batch_offset <= end.offset);
        self.end.publish(end);
        self.publish_visible(writer);
    }

    /// Publishes what readers may see, and where the undecided begins: first, so that nobody who
    /// sees a transaction's records takes them for decided.
    pub(super) fn publish_visible(&self, writer: &mut Writer) {
        let visible = writer.visible_end();
        assert!(visible <= writer.next_offset, "nothing beyond the end is visible");
        writer.producers.on_high_watermark(visible);
        self.first_unstable.store(writer.first_unstable(), Ordering::Release);
        self.visible_end.store(visible, Ordering::Release);
    }
}

impl Writer {
    pub(super) fn new(active: Arc<Segment>, next_offset: i64) -> Self {
        Self {
            durable_bytes: active.size(),
            identity_synced: false,
            cuts: 0,
            active,
            next_offset,
            producers: ProducerStateManager::new(),
            epochs: LeaderEpochCache::new(),
            unsynced: Vec::new(),
            unsealed: Vec::new(),
            names_unsynced: false,
            dir_unsynced: false,
            has_dir: true,
            epochs_unwritten: false,
            epoch_begun: false,
            first_undurable: None,
            first_syncing: None,
            unflushed_records: 0,
            unflushed_since_ms: None,
            is_in_flush_timer: false,
            producers_stale: false,
            closed: false,
        }
    }

    /// See [`Log::visible_end`].
    pub(super) fn visible_end(&self) -> i64 {
        self.first_syncing.or(self.first_undurable).unwrap_or(self.next_offset)
    }

    pub(super) fn first_unstable(&self) -> i64 {
        if self.producers_stale {
            return 0;
        }
        self.producers.first_unstable_offset().unwrap_or(i64::MAX)
    }

    /// A record of `epoch` has been appended at `offset`.
    pub(super) fn note_epoch(&mut self, epoch: i32, offset: i64) {
        let is_first = mem::take(&mut self.epoch_begun);
        self.epochs_unwritten |= self.epochs.assign(epoch, offset) || is_first;
    }

    /// What the file of the epochs is to say: those that have records. One that begins at the end,
    /// also because all of its records were deleted, comes with its next record.
    pub(super) fn encode_epochs(&mut self) -> Vec<u8> {
        let end = self.next_offset;
        self.epoch_begun |= self.epochs.latest().is_some_and(|latest| latest.start_offset >= end);
        self.epochs.encode_before(end)
    }
}
