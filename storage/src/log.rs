//! One partition's log: a row of segments, the last of which is written.
//!
//! All methods take `&self`. One short lock orders the writers: inside it offsets are assigned,
//! the producer's state is checked, the batch is written with one `pwritev` and the new end is
//! published. Readers never take that lock: the row of segments is a snapshot, the offsets are
//! atomics.
//!
//! Invariants:
//!
//! - `log_start_offset <= durable_end <= log_end_offset` and `visible_end <= log_end_offset`;
//! - everything before the last stable offset is visible and belongs to no open transaction;
//! - no `acks=all` batch at or after `durable_end` lies before `visible_end`;
//! - the row of segments is never empty; base offsets rise; all but the last are full, not empty;
//! - after a failed write that could not be taken back, or a failed sync, nothing more is written
//!   (see [`LogDir`]).
//!
//! | file | holds |
//! |---|---|
//! | `append.rs` | append as leader |
//! | `read.rs` | read by offset |
//! | `transactions.rs` | last stable offset, aborted transactions, markers |
//! | `timestamps.rs` | find offsets by timestamp |
//! | `roll.rs` | begin a new segment |
//! | `durable.rs` | make durable by the log's own files; who waits |
//! | `commit.rs` | make many logs durable with one write to the journal |
//! | `settle.rs` | sync what so far is durable in the journal only |
//! | `flush_timer.rs` | `flush.ms` |
//! | `sync_queue.rs` | which logs want to be durable, and the threads for it |
//! | `recover.rs`, `leftovers.rs`, `producers.rs` | open what lies on the disk |
//! | `truncate.rs` | cut the end |
//! | `retention.rs` | cut the beginning, delete files |
//! | `replace.rs` | put a cleaned segment in the place of others |
//! | `sealed.rs` | segments that do not change any more, for their sums |
//! | `checkpoint.rs` | bring the recovery point of a running log up to its end |
//! | `close.rs` | clean stop |
//! | `writer.rs` | what the writers' lock protects |

pub mod append;
mod checkpoint;
pub(crate) mod close;
mod commit;
pub mod durable;
mod end_mark;
pub mod flush_timer;
mod leftovers;
#[cfg(test)]
pub(crate) mod locks;
mod producers;
pub mod read;
pub mod recover;
pub(crate) mod replace;
pub mod retention;
mod roll;
mod sealed;
mod settle;
pub mod sync_queue;
pub mod timestamps;
pub mod transactions;
pub mod truncate;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::{Mutex, RwLock};
use protocol_codec::Uuid;

use crate::fs::Fs;
use crate::journal::{Journal, PartitionKey};
use crate::leader_epoch_cache::{EpochEndOffset, EpochEntry};
use crate::log_config::LogConfig;
use crate::log_dir::LogDir;
use crate::open_files::OpenFiles;
use crate::producer_state::ProducerStateEntry;
use crate::segment::kept::SegmentDir;
use crate::segment::{Segment, SegmentError};
use crate::topic_partition::TopicPartition;
use checkpoint::Checkpointed;
use durable::Waiters;
use end_mark::{End, EndMark};
use retention::DeletedFiles;
use sync_queue::{QueueState, SyncQueue};
use writer::Writer;

pub use writer::Unwritable;

/// What the logs of one log directory share.
#[derive(Debug, Clone)]
pub struct LogContext {
    pub fs: Arc<dyn Fs>,
    pub dir: Arc<LogDir>,
    /// The descriptors that segments may keep, those of other directories included.
    pub open_files: OpenFiles,
    pub sync_queue: SyncQueue,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
}

/// Called after `visible_end` has moved because a sync has returned.
pub type OnVisible = Arc<dyn Fn(&TopicPartition) + Send + Sync>;

/// The log of one partition.
pub struct Log {
    topic_partition: TopicPartition,
    path: Arc<Path>,
    segment_dir: Arc<SegmentDir>,
    /// For `partition.metadata` and the journal; not known of some old logs of Kafka's.
    topic_id: OnceLock<Uuid>,
    context: LogContext,
    config: ArcSwap<LogConfig>,
    segments: ArcSwap<Vec<Arc<Segment>>>,
    end: EndMark,
    log_start_offset: AtomicI64,
    visible_end: AtomicI64,
    /// See [`ProducerStateManager::first_unstable_offset`]; `i64::MAX` for none.
    first_unstable: AtomicI64,
    durable_end: AtomicI64,
    recovery_point: AtomicI64,
    /// First offset that no compaction has cleaned; -1 if there was none.
    clean_point: AtomicI64,
    /// Held by a sync, and by whatever must not run beside one. Taken before `writer`.
    sync_lock: Mutex<()>,
    /// Held while the files of segments are synced: the kernel tells of an error only once. Taken
    /// after `sync_lock`, before `writer`.
    file_lock: Mutex<()>,
    writer: Mutex<Writer>,
    waiters: Mutex<Waiters>,
    queue_state: QueueState,
    /// Why this log takes no appends any more, though its directory may.
    failed: OnceLock<String>,
    deleted_files: Mutex<Vec<DeletedFiles>>,
    checkpointed: Mutex<Checkpointed>,
    on_visible: RwLock<Option<OnVisible>>,
}

impl Log {
    /// A log that is not there yet, in memory only: directory and files come with the first
    /// append, `partition.metadata` with the topic's id among them.
    pub fn create(
        context: LogContext,
        topic_partition: TopicPartition,
        topic_id: Uuid,
        path: &Path,
        config: LogConfig,
    ) -> Arc<Self> {
        let path: Arc<Path> = Arc::from(path);
        let segment_dir = SegmentDir::new(&context, &path);
        let active = Arc::new(Segment::new(Arc::clone(&segment_dir), 0));
        let mut writer = Writer::new(Arc::clone(&active), 0);
        (writer.dir_unsynced, writer.has_dir) = (true, false);
        let log =
            Self::assemble(context, topic_partition, segment_dir, config, vec![active], writer);
        let log = Arc::new(log);
        log.set_topic_id(topic_id);
        log
    }

    /// Tells a log that was opened whose it is, as `partition.metadata` has it.
    pub fn identify(self: &Arc<Self>, topic_id: Uuid) {
        self.set_topic_id(topic_id);
    }

    fn set_topic_id(self: &Arc<Self>, topic_id: Uuid) {
        if self.topic_id.set(topic_id).is_ok() && !topic_id.is_zero() {
            let key = PartitionKey { topic_id, partition: self.topic_partition.partition };
            self.context.sync_queue.register(key, self);
        }
    }

    /// The directory's journal, and this log's key in it.
    fn journal(&self) -> Option<(&Arc<Journal>, PartitionKey)> {
        let journal = self.context.sync_queue.journal()?;
        let topic_id = self.topic_id.get().copied().filter(|id| !id.is_zero())?;
        Some((journal, PartitionKey { topic_id, partition: self.topic_partition.partition }))
    }

    /// Puts a log together. Everything in it counts as durable and visible.
    fn assemble(
        context: LogContext,
        topic_partition: TopicPartition,
        segment_dir: Arc<SegmentDir>,
        config: LogConfig,
        segments: Vec<Arc<Segment>>,
        mut writer: Writer,
    ) -> Self {
        let active = &writer.active;
        let end = End::of_segment(writer.next_offset, active.base_offset(), active.size());
        let start = segments.first().map_or(0, |segment| segment.base_offset());
        writer.producers.on_high_watermark(end.offset);
        let first_unstable = writer.first_unstable();
        Self {
            topic_partition,
            path: Arc::clone(segment_dir.path()),
            segment_dir,
            topic_id: OnceLock::new(),
            context,
            config: ArcSwap::from_pointee(config),
            segments: ArcSwap::from_pointee(segments),
            end: EndMark::new(end),
            log_start_offset: AtomicI64::new(start),
            visible_end: AtomicI64::new(end.offset),
            first_unstable: AtomicI64::new(first_unstable),
            durable_end: AtomicI64::new(end.offset),
            recovery_point: AtomicI64::new(end.offset),
            clean_point: AtomicI64::new(-1),
            sync_lock: Mutex::new(()),
            file_lock: Mutex::new(()),
            writer: Mutex::new(writer),
            waiters: Mutex::default(),
            queue_state: QueueState::default(),
            failed: OnceLock::new(),
            deleted_files: Mutex::default(),
            checkpointed: Mutex::default(),
            on_visible: RwLock::new(None),
        }
    }

    pub fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    /// The partition's directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The log directory that it lies in.
    pub fn dir(&self) -> &Arc<LogDir> {
        &self.context.dir
    }

    /// The queue that this log's syncs go through.
    pub fn sync_queue(&self) -> &SyncQueue {
        &self.context.sync_queue
    }

    pub fn config(&self) -> Arc<LogConfig> {
        self.config.load_full()
    }

    /// Takes effect with the next append or tick.
    pub fn update_config(&self, config: LogConfig) {
        self.config.store(Arc::new(config));
    }

    /// Offset of the first record that may be read.
    pub fn log_start_offset(&self) -> i64 {
        self.log_start_offset.load(Ordering::Acquire)
    }

    /// Offset of the next record.
    pub fn log_end_offset(&self) -> i64 {
        self.end.offset()
    }

    /// The log's end, except that it stops at the first `acks=all` batch that is not synced yet.
    /// With one replica this is the high watermark.
    pub fn visible_end(&self) -> i64 {
        self.visible_end.load(Ordering::Acquire)
    }

    /// Everything before this offset is on stable storage.
    pub fn durable_end(&self) -> i64 {
        self.durable_end.load(Ordering::Acquire)
    }

    /// What a recovery need not look at: everything before this offset is on stable storage,
    /// indexes and leader epochs included. It goes into `recovery-point-offset-checkpoint`.
    pub fn recovery_point(&self) -> i64 {
        self.recovery_point.load(Ordering::Acquire)
    }

    /// Looks at the row of segments, and again if that failed and the row is another by now: the
    /// files of segments that have left it cannot be opened any more.
    fn look_at_segments<T, E>(
        &self,
        look: impl Fn(&[Arc<Segment>]) -> Result<T, E>,
    ) -> Result<T, E> {
        loop {
            let segments = self.segments.load();
            let found = look(&segments);
            if found.is_ok() || Arc::ptr_eq(&segments, &self.segments.load()) {
                return found;
            }
        }
    }

    /// Bytes of all segments.
    pub fn size(&self) -> u64 {
        self.segments.load().iter().map(|segment| segment.size()).sum()
    }

    pub fn segment_count(&self) -> usize {
        self.segments.load().len()
    }

    /// Base offsets of all segments.
    pub fn segment_offsets(&self) -> Vec<i64> {
        self.segments.load().iter().map(|segment| segment.base_offset()).collect()
    }

    /// Whether the log takes no writes any more, and why.
    pub fn failure(&self) -> Option<Unwritable> {
        self.check_writable().err()
    }

    /// Registers who is told when `visible_end` has moved by a sync. Moves by an append are seen
    /// by the appender itself.
    pub fn set_on_visible(&self, hook: OnVisible) {
        *self.on_visible.write() = Some(hook);
    }

    /// A copy of what is known of each producer.
    pub fn active_producers(&self) -> Vec<ProducerStateEntry> {
        self.writer.lock().producers.active_producers().cloned().collect()
    }

    pub fn latest_epoch(&self) -> Option<EpochEntry> {
        self.writer.lock().epochs.latest()
    }

    /// Epoch of the batch at `offset`, if known.
    pub fn epoch_for_offset(&self, offset: i64) -> Option<i32> {
        self.writer.lock().epochs.epoch_for_offset(offset)
    }

    /// The answer to OffsetForLeaderEpoch.
    pub fn end_offset_for_epoch(&self, epoch: i32) -> EpochEndOffset {
        let writer = self.writer.lock();
        writer.epochs.end_offset_for_epoch(epoch, writer.next_offset)
    }

    /// Notes that this broker leads the partition with `leader_epoch` from here on: the epoch
    /// begins at the log's end, even if no record is ever written in it. Only with its first record
    /// it is written down: a start takes no epoch over that begins at the end, and to be told of a
    /// new epoch must not cost a write for each log.
    pub fn begin_leader_epoch(&self, leader_epoch: i32) {
        let mut writer = self.lock_writer();
        let next_offset = writer.next_offset;
        // Kafka assigns an epoch at its first batch; an earlier entry would be dropped by it.
        if writer.epochs.latest().is_none_or(|latest| latest.epoch < leader_epoch) {
            writer.epoch_begun |= writer.epochs.assign(leader_epoch, next_offset);
        }
    }

    /// Whether the log has files: they are made by the first append.
    fn is_on_disk(&self, writer: &Writer) -> bool {
        writer.active.has_file() || self.segment_count() > 1
    }

    /// Regular work that needs the time: a `flush.ms` that was set after the records came, and files
    /// whose deletion is due. Retention
    /// and the expiry of producers have their own calls.
    pub fn tick(self: &Arc<Self>, now_ms: i64) {
        self.flush_if_due(now_ms);
        self.remove_deleted_files(now_ms);
    }

    /// Forgets producers whose last record is `producer.id.expiration.ms` old, by its timestamp.
    pub fn remove_expired_producers(&self, now_ms: i64) {
        let expiration_ms = self.context.producer_id_expiration_ms;
        self.lock_writer().producers.remove_expired(now_ms, expiration_ms);
    }

    /// Takes no more appends; reads go on.
    fn fail(&self, reason: &str) {
        if self.failed.set(reason.to_owned()).is_ok() {
            tracing::error!(log = %self.topic_partition, reason, "Log has failed");
        }
    }

    /// Takes a segment's damage down as this log's failure, and passes it on.
    fn note_damage(&self, error: SegmentError) -> SegmentError {
        if let SegmentError::Corrupt { .. } = &error {
            tracing::error!(log = %self.topic_partition, %error, "Log is damaged");
        }
        error
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("topic_partition", &self.topic_partition)
            .field("path", &self.path)
            .field("log_start_offset", &self.log_start_offset())
            .field("log_end_offset", &self.log_end_offset())
            .field("visible_end", &self.visible_end())
            .field("durable_end", &self.durable_end())
            .field("failed", &self.failed.get())
            .finish_non_exhaustive()
    }
}
