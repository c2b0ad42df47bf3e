//! All logs of a node, over its log directories.
//!
//! The map of logs is behind one lock, under which the disk is only accessed to rename the folder of
//! a deleted partition. What the logs need from time to time (retention, checkpoints, delayed
//! removal) is done by [`LogManager::tick`], on this manager's own thread if
//! [`LogManager::start_ticking`] was called. An idle log costs a tick no disk access.
//!
//! Invariants:
//! - a partition has at most one log, in one directory, and a folder that could not be opened is
//!   never opened anew at offset 0: it is kept as failed, with the reason;
//! - of what no topic knows of nothing is ever deleted, not even by retention: it is reported, and
//!   set aside if its name is needed;
//! - the marker of a clean stop is written only after everything in its directory is durable, and
//!   taken away before the first append.
//!
//! | file | holds |
//! |---|---|
//! | `open.rs`, `open_dir.rs`, `report.rs` | open and recover what lies on the disks; what is told of it |
//! | `create.rs` | find or make the log of a partition |
//! | `lost.rs` | folders that are missing |
//! | `delete.rs` | delete and set aside |
//! | `tick.rs` | regular work, its thread |
//! | `checkpoint.rs` | the checkpoint files |
//! | `cleaning.rs` | compaction: which log is next, what becomes of it |
//! | `describe.rs` | what DescribeLogDirs asks for, space |
//! | `shutdown.rs` | clean stop |
//! | `parallel.rs` | several threads for one list of work |

mod checkpoint;
mod cleaning;
mod create;
mod delete;
mod describe;
pub(crate) mod folders;
pub(crate) mod lost;
mod open;
mod open_dir;
mod parallel;
mod report;
mod shutdown;
#[cfg(test)]
mod tests;
mod tick;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use protocol_codec::Uuid;

use crate::dir_lock::DirLock;
use crate::fs::Fs;
use crate::journal::PartitionKey;
use crate::log::flush_timer::{FlushTimer, FlushTimerThread};
use crate::log::sync_queue::SyncThreads;
use crate::log::{Log, LogContext};
use crate::open_files::OpenFiles;
use crate::{LogConfig, LogDir, TopicPartition};
use checkpoint::WrittenCheckpoints;
use cleaning::Cleaners;
use delete::PendingRemoval;
use lost::Lost;
use tick::{TickSchedule, Ticker};

pub use create::{CreateLogError, Placement};
pub use delete::{DeleteLogError, Stray};
pub use describe::{LogDescription, LogDirDescription};
pub use open::OpenError;
pub use report::{FailedLog, RecoveryProgress, RecoveryReport};
pub use tick::TickReport;

/// From how many logs on a directory is synced as a whole, and not each of them. A sync of one
/// file costs a flush of the disk's cache even if there is nothing to write.
const SYNC_TOGETHER_LOGS_MIN: usize = 32;

/// Settings of a [`LogManager`], with Kafka's defaults.
#[derive(Clone, Debug)]
pub struct LogManagerConfig {
    /// Logs are opened with it, until the metadata tells each topic's own.
    pub default_log_config: LogConfig,
    /// `num.recovery.threads.per.data.dir`; used to close logs too.
    pub recovery_threads_per_data_dir: usize,
    /// Threads for each log directory that sync what is appended; 0: there are none, somebody calls
    /// [`crate::SyncQueue::run_pending`].
    pub sync_threads_per_data_dir: usize,
    /// Files of segments that are kept open, over all directories.
    pub open_files_max: usize,
    /// How large the journal of a log directory may become; `None`: there is none, all that is to
    /// be durable is synced in its own files.
    pub journal_bytes_max: Option<u64>,
    /// `log.flush.offset.checkpoint.interval.ms`.
    pub recovery_point_checkpoint_interval_ms: i64,
    /// `log.flush.start.offset.checkpoint.interval.ms`.
    pub log_start_checkpoint_interval_ms: i64,
    /// `log.retention.check.interval.ms`.
    pub retention_check_interval_ms: i64,
    /// `producer.id.expiration.ms`.
    pub producer_id_expiration_ms: i64,
}

impl Default for LogManagerConfig {
    fn default() -> Self {
        Self {
            default_log_config: LogConfig::default(),
            recovery_threads_per_data_dir: 2,
            sync_threads_per_data_dir: 4,
            open_files_max: usize::MAX,
            journal_bytes_max: Some(64 << 20),
            recovery_point_checkpoint_interval_ms: 60_000,
            log_start_checkpoint_interval_ms: 60_000,
            retention_check_interval_ms: 300_000,
            producer_id_expiration_ms: 86_400_000,
        }
    }
}

/// All logs of a node.
#[derive(Debug)]
pub struct LogManager {
    config: LogManagerConfig,
    dirs: Vec<ManagedDir>,
    logs: RwLock<Logs>,
    open_files: OpenFiles,
    schedule: Mutex<TickSchedule>,
    ticker: Mutex<Option<Ticker>>,
    cleaners: Cleaners,
    flush_timer: FlushTimer,
    flush_thread: Mutex<Option<FlushTimerThread>>,
    closed: AtomicBool,
    /// Given up with the manager.
    _locks: Vec<DirLock>,
}

/// One log directory.
#[derive(Debug)]
struct ManagedDir {
    context: LogContext,
    directory_id: Option<Uuid>,
    /// `None` once the manager is closed.
    sync_threads: Mutex<Option<SyncThreads>>,
    removals: Mutex<Vec<PendingRemoval>>,
    checkpoints: Mutex<WrittenCheckpoints>,
    low_space: AtomicBool,
    offline_reported: AtomicBool,
    /// How far partitions were durable when the last run ended, as the journal had it.
    durable_ends: HashMap<PartitionKey, i64>,
}

impl ManagedDir {
    fn log_dir(&self) -> &Arc<LogDir> {
        &self.context.dir
    }

    fn fs(&self) -> &dyn Fs {
        &*self.context.fs
    }

    fn is_online(&self) -> bool {
        !self.log_dir().is_offline()
    }

    /// Everything in this directory is durable in its own files: the journal holds nothing that
    /// counts. Returns whether that is on the disk.
    fn close_journal(&self) -> bool {
        let Some(journal) = self.context.sync_queue.journal() else { return true };
        journal.close().inspect_err(|error| self.log_dir().take_offline(&error.to_string())).is_ok()
    }

    /// Whether as many logs as these are made durable by one pass over the whole disk. For a few
    /// that is not faster, since it waits for everything else that lies on it.
    fn syncs_together(&self, logs: usize) -> bool {
        logs >= SYNC_TOGETHER_LOGS_MIN && self.is_online() && self.fs().can_sync_all()
    }

    /// Makes everything in the directory durable. Returns whether it is; if not, the directory is
    /// offline: it is not known which file the error belongs to. Without a descriptor to sync with
    /// nothing was tried.
    fn sync_together(&self) -> bool {
        let sync = || self.fs().sync_all(self.log_dir().path());
        let synced = self.context.open_files.with_descriptor(sync);
        if let Err(error) = &synced {
            self.log_dir().judge_write_error(error, "cannot sync");
        }
        synced.is_ok()
    }
}

/// What is known of each partition.
#[derive(Debug, Default)]
struct Logs {
    by_partition: HashMap<TopicPartition, Entry>,
    failed: HashMap<TopicPartition, FailedLog>,
    /// Folders that were missing at the start and nobody has asked for.
    lost: HashMap<TopicPartition, Vec<Lost>>,
    /// Logs in each directory.
    counts: Vec<usize>,
}

#[derive(Debug, Clone)]
struct Entry {
    log: Arc<Log>,
    /// Unknown if Kafka left no `partition.metadata`, or a damaged one.
    topic_id: Option<Uuid>,
    /// Place in [`LogManager::dirs`].
    dir: usize,
    /// Somebody has asked for it since the start. Until then it is let alone: no topic may know of
    /// it, and the retention of its topic is not known.
    is_wanted: bool,
}

impl Logs {
    fn insert(&mut self, partition: TopicPartition, entry: Entry) {
        let dir = entry.dir;
        let replaced = self.by_partition.insert(partition, entry);
        assert!(replaced.is_none(), "a partition has one log");
        if let Some(count) = self.counts.get_mut(dir) {
            *count += 1;
        }
    }

    fn remove(&mut self, partition: &TopicPartition) -> Option<Entry> {
        let entry = self.by_partition.remove(partition)?;
        if let Some(count) = self.counts.get_mut(entry.dir) {
            *count -= 1;
        }
        Some(entry)
    }
}

impl LogManager {
    /// The log of `partition`, if it is there and could be opened.
    pub fn get(&self, partition: &TopicPartition) -> Option<Arc<Log>> {
        self.logs.read().by_partition.get(partition).map(|entry| Arc::clone(&entry.log))
    }

    /// The id of the topic that the log of `partition` belongs to, as far as it is known.
    pub fn topic_id(&self, partition: &TopicPartition) -> Option<Uuid> {
        self.logs.read().by_partition.get(partition).and_then(|entry| entry.topic_id)
    }

    /// The id of the directory that the log of `partition` lies in.
    pub fn directory_id(&self, partition: &TopicPartition) -> Option<Uuid> {
        let dir = self.logs.read().by_partition.get(partition)?.dir;
        self.dirs.get(dir)?.directory_id
    }

    /// The files of segments that are open now.
    pub fn open_files(&self) -> &OpenFiles {
        &self.open_files
    }

    /// All logs, in no particular order.
    pub fn logs(&self) -> Vec<Arc<Log>> {
        self.logs.read().by_partition.values().map(|entry| Arc::clone(&entry.log)).collect()
    }

    /// Ids of the directories that are online.
    pub fn online_directory_ids(&self) -> Vec<Uuid> {
        let online = self.dirs.iter().filter(|dir| dir.is_online());
        online.filter_map(|dir| dir.directory_id).collect()
    }

    pub(crate) fn log_dirs(&self) -> impl Iterator<Item = &Arc<LogDir>> {
        self.dirs.iter().map(ManagedDir::log_dir)
    }

    /// Files of sealed segments that the scrub has found damaged.
    pub fn damaged_files(&self) -> usize {
        self.log_dirs().map(|dir| dir.sealed().damaged_files()).sum()
    }

    /// Damaged files that are gone count no more.
    pub(crate) fn forget_removed_damage(&self) {
        for dir in &self.dirs {
            let is_there = |file: &Path| dir.fs().exists(file).unwrap_or(true);
            dir.log_dir().sealed().retain_damaged(is_there);
        }
    }

    /// True if no directory is left to work with.
    pub fn all_offline(&self) -> bool {
        !self.dirs.iter().any(ManagedDir::is_online)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The logs of each directory, in the order of `dirs`.
    fn logs_by_dir(&self) -> Vec<Vec<Arc<Log>>> {
        let mut by_dir = vec![Vec::new(); self.dirs.len()];
        for entry in self.logs.read().by_partition.values() {
            if let Some(logs) = by_dir.get_mut(entry.dir) {
                logs.push(Arc::clone(&entry.log));
            }
        }
        by_dir
    }
}
