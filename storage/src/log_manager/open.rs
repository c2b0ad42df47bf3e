//! Opening and recovering everything that lies in the log directories.
//!
//! After a clean stop nothing is scanned. Otherwise each log is scanned from its recovery point
//! on, several at a time in each directory. A log that cannot be opened is kept as failed; only an
//! I/O error takes its directory offline. The other directories go on.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use parking_lot::{Mutex, RwLock};
use protocol_codec::Uuid;
use thiserror::Error;

use super::delete::PendingRemoval;
use super::folders::{Folder, classify};
use super::lost::{Claim, Lost, missing_folders};
use super::parallel::for_each;
use super::tick::TickSchedule;
use super::{Entry, LogManager, LogManagerConfig, Logs, ManagedDir};
use crate::checkpoint::offsets::{
    self, CLEANER_CHECKPOINT, LOG_START_CHECKPOINT, RECOVERY_POINT_CHECKPOINT,
    REPLICATION_CHECKPOINT, ReadCheckpointError,
};
use crate::clean_shutdown;
use crate::data_dirs::{DataDir, DataDirs};
use crate::delay::Delay;
use crate::fs::Fs;
use crate::journal::{Journal, PartitionKey, Started};
use crate::log::flush_timer::FlushTimer;
use crate::log::recover::{OpenLog, OpenLogError};
use crate::log::sync_queue::{SyncQueue, SyncThreads};
use crate::log::{Log, LogContext};
use crate::open_files::OpenFiles;
use crate::partition_metadata::{self, PartitionMetadataError};
use crate::segment::SegmentError;
use crate::{LogConfig, TopicPartition};

/// Why no log can be served at all.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("All log directories are offline: {reasons}")]
    AllOffline { reasons: String },
    #[error("Cannot start a thread: {0}")]
    Thread(io::Error),
}

/// A partition whose folder is there, but whose log could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedLog {
    pub path: PathBuf,
    pub reason: String,
    /// Whose it is, if that could be read.
    pub topic_id: Option<Uuid>,
}

/// Told after each log that was opened, from several threads.
#[derive(Clone, Copy, Debug)]
pub struct RecoveryProgress<'a> {
    pub dir: &'a Path,
    pub partition: &'a TopicPartition,
    /// Logs of this directory that are done, this one included.
    pub done: usize,
    /// Logs of this directory.
    pub total: usize,
    /// Whether the directory had to be recovered.
    pub recovering: bool,
}

/// What was found when the logs were opened.
#[derive(Debug, Default)]
pub struct RecoveryReport {
    /// Logs that were opened.
    pub logs: usize,
    /// Directories that had no marker of a clean stop.
    pub recovered_dirs: Vec<PathBuf>,
    /// Directories that are offline, with the reason.
    pub offline: Vec<(PathBuf, String)>,
    /// A directory is offline, or is a new one of a node that is not: a partition that was there
    /// before and has no log now may have lain in a directory that is missing.
    pub may_miss_logs: bool,
    /// Logs that could not be opened.
    pub failed: Vec<(TopicPartition, FailedLog)>,
    /// Folders that are no partition's; they are left alone.
    pub unknown_folders: Vec<PathBuf>,
    /// The broker epoch of the clean stop, if every directory has the same one (KIP-966).
    pub clean_broker_epoch: Option<i64>,
    /// From `replication-offset-checkpoint`.
    pub high_watermarks: HashMap<TopicPartition, i64>,
}

/// The work of one directory.
struct DirWork<'a> {
    place: usize,
    dir: &'a ManagedDir,
    lost: BTreeMap<TopicPartition, Claim>,
    is_clean: bool,
    /// What has been recovered is synced when all logs are open.
    sync_later: bool,
    recovery_points: HashMap<TopicPartition, i64>,
    log_starts: HashMap<TopicPartition, i64>,
    clean_points: HashMap<TopicPartition, i64>,
    folders: Mutex<VecDeque<(TopicPartition, PathBuf)>>,
    total: usize,
    done: AtomicUsize,
    /// Set by the first I/O error: the rest is not tried.
    stopped: AtomicBool,
}

type Opened = Mutex<Vec<(TopicPartition, Result<Entry, FailedLog>)>>;

impl LogManager {
    /// Opens all logs in `data_dirs`. `now_ms` expires producers; `progress` is told of each log.
    pub fn open(
        config: LogManagerConfig,
        data_dirs: DataDirs,
        fs: Arc<dyn Fs>,
        now_ms: i64,
        progress: &(dyn Fn(RecoveryProgress<'_>) + Sync),
    ) -> Result<(Self, RecoveryReport), OpenError> {
        let mut report = RecoveryReport {
            clean_broker_epoch: clean_broker_epoch(&data_dirs),
            may_miss_logs: !data_dirs.is_new && data_dirs.log_dirs.iter().any(|dir| dir.is_new),
            ..RecoveryReport::default()
        };
        let open_files = OpenFiles::new(config.open_files_max);
        let flush_timer = FlushTimer::default();
        let mut dirs = Vec::new();
        let mut markers = Vec::new();
        for data_dir in data_dirs.log_dirs {
            markers.push(is_clean(&data_dir));
            let dir = ManagedDir::new(&config, data_dir, &fs, &open_files, &flush_timer);
            dirs.push(dir.map_err(OpenError::Thread)?);
        }
        let mut work = Vec::new();
        for (place, (dir, is_clean)) in dirs.iter().zip(markers).enumerate() {
            if dir.is_online()
                && let Some(found) = dir.find_work(place, is_clean, now_ms, &mut report)
            {
                work.push(found);
            }
        }
        let opened = Opened::default();
        open_logs(&work, &config, now_ms, progress, &opened);
        let lost: Vec<_> = work.into_iter().flat_map(DirWork::into_lost).collect();

        let mut logs = collect(opened.into_inner(), &dirs);
        lost.into_iter().for_each(|(partition, lost)| logs.note_lost(partition, lost));
        report.logs = logs.by_partition.len();
        report.failed = logs.failed.iter().map(|(p, f)| (p.clone(), f.clone())).collect();
        for dir in dirs.iter().filter(|dir| !dir.is_online()) {
            dir.offline_reported.store(true, Ordering::Relaxed);
            let reason = dir.log_dir().offline_reason().unwrap_or_default();
            report.may_miss_logs = true;
            report.offline.push((dir.log_dir().path().to_owned(), reason));
        }
        if !dirs.iter().any(ManagedDir::is_online) {
            let reasons: Vec<String> = report.offline.into_iter().map(|(_, why)| why).collect();
            return Err(OpenError::AllOffline { reasons: reasons.join("; ") });
        }
        let manager = Self {
            schedule: Mutex::new(TickSchedule::new(&config)),
            config,
            dirs,
            logs: RwLock::new(logs),
            open_files,
            ticker: Mutex::default(),
            cleaners: super::cleaning::Cleaners::new(),
            flush_timer,
            flush_thread: Mutex::default(),
            closed: AtomicBool::new(false),
            _locks: data_dirs.locks,
        };
        Ok((manager, report))
    }
}

impl ManagedDir {
    /// Replays the directory's journal: before any of its logs is opened, and before the marker of
    /// a clean stop is taken away.
    fn new(
        config: &LogManagerConfig,
        dir: DataDir,
        fs: &Arc<dyn Fs>,
        open_files: &OpenFiles,
        flush_timer: &FlushTimer,
    ) -> io::Result<Self> {
        let mut started = Started::default();
        if !dir.log_dir.is_offline() {
            let capacity = config.journal_bytes_max;
            match Journal::start(fs, &dir.log_dir, is_clean(&dir), capacity) {
                Ok(journal) => started = journal,
                Err(error) => dir.log_dir.take_offline(&error.to_string()),
            }
        }
        if started.segments > 0 {
            tracing::info!(
                dir = %dir.log_dir.path().display(),
                segments = started.segments,
                bytes_written = started.bytes_written,
                "Replayed the journal"
            );
        }
        let sync_queue = SyncQueue::with(started.journal, flush_timer.clone());
        let threads = SyncThreads::start(&sync_queue, config.sync_threads_per_data_dir)?;
        Ok(Self {
            context: LogContext {
                fs: Arc::clone(fs),
                dir: dir.log_dir,
                open_files: open_files.clone(),
                sync_queue,
                producer_id_expiration_ms: config.producer_id_expiration_ms,
            },
            directory_id: dir.directory_id,
            sync_threads: Mutex::new(Some(threads)),
            removals: Mutex::default(),
            checkpoints: Mutex::default(),
            low_space: AtomicBool::new(false),
            offline_reported: AtomicBool::new(false),
            durable_ends: started.durable_ends,
        })
    }

    /// Lists this directory and reads its checkpoints, and takes the marker of the clean stop
    /// away. `None` if the directory has failed.
    fn find_work(
        &self,
        place: usize,
        is_clean: bool,
        now_ms: i64,
        report: &mut RecoveryReport,
    ) -> Option<DirWork<'_>> {
        let path = self.log_dir().path();
        let fail = |error: &io::Error, what: &str| {
            self.log_dir().take_offline(&format!("{what} {}: {error}", path.display()));
        };
        let entries = self.fs().list(path).inspect_err(|e| fail(e, "cannot list")).ok()?;
        let mut folders = VecDeque::new();
        for entry in entries.iter().filter(|entry| entry.is_dir) {
            let folder = path.join(&entry.name);
            match classify(&entry.name) {
                Folder::Partition(partition) => folders.push_back((partition, folder)),
                Folder::Deleted => {
                    let removal = PendingRemoval { path: folder, delay: Delay::new(now_ms, 0) };
                    self.removals.lock().push(removal);
                }
                Folder::LeftAlone | Folder::NotOurs => {}
                Folder::Unknown => {
                    tracing::warn!(path = %folder.display(), "Folder is not a partition's, it is left alone");
                    report.unknown_folders.push(folder);
                }
            }
        }
        let recovery_points = self.read_checkpoint(RECOVERY_POINT_CHECKPOINT)?;
        let log_starts = self.read_checkpoint(LOG_START_CHECKPOINT)?;
        let clean_points = self.read_checkpoint(CLEANER_CHECKPOINT)?;
        let high_watermarks = self.read_checkpoint(REPLICATION_CHECKPOINT)?;
        let checkpoints = [
            (RECOVERY_POINT_CHECKPOINT, &recovery_points),
            (REPLICATION_CHECKPOINT, &high_watermarks),
        ];
        let lost = missing_folders(&entries, &checkpoints);
        report.high_watermarks.extend(high_watermarks);
        if is_clean {
            clean_shutdown::remove(self.fs(), path)
                .inspect_err(|error| fail(error, "cannot remove the clean shutdown marker of"))
                .ok()?;
        } else {
            tracing::info!(dir = %path.display(), "Recovering: the last stop was not a clean one");
            report.recovered_dirs.push(path.to_owned());
        }
        Some(DirWork {
            place,
            dir: self,
            lost,
            is_clean,
            sync_later: !is_clean && self.syncs_together(folders.len()),
            recovery_points,
            log_starts,
            clean_points,
            total: folders.len(),
            folders: Mutex::new(folders),
            done: AtomicUsize::new(0),
            stopped: AtomicBool::new(false),
        })
    }

    /// A damaged checkpoint is as good as none: more is scanned, or more is visible.
    fn read_checkpoint(&self, name: &'static str) -> Option<HashMap<TopicPartition, i64>> {
        let path = self.log_dir().path();
        let offsets = match offsets::read(self.fs(), path, name) {
            Ok(offsets) => offsets,
            Err(ReadCheckpointError::Io(error)) if error.kind() != io::ErrorKind::InvalidData => {
                self.log_dir().take_offline(&format!("cannot read {name}: {error}"));
                return None;
            }
            Err(error) => {
                tracing::warn!(dir = %path.display(), file = name, %error, "Damaged checkpoint is passed over");
                HashMap::new()
            }
        };
        self.note_checkpoint(name, &offsets);
        Some(offsets)
    }
}

/// Opens the logs of all directories with threads of their own each.
fn open_logs(
    work: &[DirWork<'_>],
    config: &LogManagerConfig,
    now_ms: i64,
    progress: &(dyn Fn(RecoveryProgress<'_>) + Sync),
    opened: &Opened,
) {
    thread::scope(|scope| {
        for dir in work {
            let workers = config.recovery_threads_per_data_dir.clamp(1, dir.total.max(1));
            scope.spawn(move || {
                let run = |()| dir.run(&config.default_log_config, now_ms, progress, opened);
                for_each(vec![(); workers], workers, run);
                if dir.sync_later && dir.dir.is_online() && !dir.dir.sync_together() {
                    dir.fail("what was recovered could not be synced");
                }
            });
        }
    });
}

impl DirWork<'_> {
    fn into_lost(self) -> impl Iterator<Item = (TopicPartition, Lost)> {
        let dir = self.place;
        let log_dir = self.dir.log_dir().path().to_owned();
        self.lost.into_iter().map(move |(partition, claim)| {
            let path = log_dir.join(partition.dir_name());
            (partition, Lost { dir, path, claim })
        })
    }

    fn run(
        &self,
        config: &LogConfig,
        now_ms: i64,
        progress: &(dyn Fn(RecoveryProgress<'_>) + Sync),
        opened: &Opened,
    ) {
        while !self.stopped.load(Ordering::Relaxed) {
            // Taken out in a statement of its own: the lock is free while the log is opened.
            let Some((partition, path)) = self.folders.lock().pop_front() else {
                return;
            };
            let result = self.open_one(&partition, &path, config, now_ms).transpose();
            if let Some(result) = result {
                opened.lock().push((partition.clone(), result));
            }
            let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
            progress(RecoveryProgress {
                dir: self.dir.log_dir().path(),
                partition: &partition,
                done,
                total: self.total,
                recovering: !self.is_clean,
            });
        }
    }

    fn open_one(
        &self,
        partition: &TopicPartition,
        path: &Path,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<Option<Entry>, FailedLog> {
        let failed = |topic_id, reason| FailedLog { path: path.to_owned(), reason, topic_id };
        let owner = self.read_owner(path).map_err(|error| {
            self.fail(&error);
            failed(None, error)
        })?;
        let recovery_point = self.recovery_points.get(partition).copied().unwrap_or(0);
        let topic_id = match owner {
            Owner::Topic(topic_id) => Some(topic_id),
            // With a recovery point the file was synced once, and is lost for another reason.
            Owner::Nobody if !self.is_clean && recovery_point == 0 => {
                let set_aside = self.dir.set_aside_unowned(partition, path, now_ms);
                return set_aside.map(|()| None).map_err(|error| failed(None, error.to_string()));
            }
            Owner::Nobody | Owner::Illegible => None,
        };
        let open = OpenLog {
            topic_partition: partition.clone(),
            path: path.to_owned(),
            config: config.clone(),
            log_start_offset: self.log_starts.get(partition).copied().unwrap_or(0),
            recovery_point,
            durable_end: self.durable_end(partition, topic_id).max(recovery_point),
            clean_point: self.clean_points.get(partition).copied(),
            clean_shutdown: self.is_clean,
            sync_later: self.sync_later,
            now_ms,
        };
        match Log::open(self.dir.context.clone(), &open) {
            Ok((log, recovery)) => {
                if let Some(topic_id) = topic_id {
                    log.identify(topic_id);
                }
                if let Some(clean_point) = open.clean_point {
                    log.set_clean_point(clean_point);
                }
                if recovery.segments_scanned > 0 {
                    tracing::debug!(%partition, ?recovery, "Recovered a log");
                }
                Ok(Some(Entry { log, topic_id, dir: self.place, is_wanted: false }))
            }
            Err(error) => {
                if is_io(&error) {
                    self.fail(&error.to_string());
                }
                Err(failed(topic_id, error.to_string()))
            }
        }
    }

    /// How far the journal knew the partition to be durable.
    fn durable_end(&self, partition: &TopicPartition, topic_id: Option<Uuid>) -> i64 {
        let key =
            topic_id.map(|topic_id| PartitionKey { topic_id, partition: partition.partition });
        key.and_then(|key| self.dir.durable_ends.get(&key)).copied().unwrap_or(0)
    }

    /// The directory is not to be trusted any more: what is left of it is not opened.
    fn fail(&self, reason: &str) {
        self.stopped.store(true, Ordering::Relaxed);
        self.dir.log_dir().take_offline(reason);
    }

    /// Whose the folder is, by its `partition.metadata`.
    fn read_owner(&self, path: &Path) -> Result<Owner, String> {
        match partition_metadata::read(self.dir.fs(), path) {
            Ok(Some(topic_id)) => Ok(Owner::Topic(topic_id)),
            Ok(None) | Err(PartitionMetadataError::Blank) => Ok(Owner::Nobody),
            Err(PartitionMetadataError::Io(error))
                if error.kind() != io::ErrorKind::InvalidData =>
            {
                Err(format!("cannot read the partition.metadata in {}: {error}", path.display()))
            }
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "Damaged partition.metadata is passed over");
                Ok(Owner::Illegible)
            }
        }
    }
}

/// Whose a partition's folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Topic(Uuid),
    /// Nothing was written down, or a power cut has taken it.
    Nobody,
    /// What was written down is damaged: the metadata knows the topic.
    Illegible,
}

/// Whether nothing in the directory has to be recovered.
fn is_clean(dir: &DataDir) -> bool {
    dir.clean_shutdown.is_some() || dir.is_new
}

/// Whether the disk failed, and not merely what lies on it.
fn is_io(error: &OpenLogError) -> bool {
    matches!(error, OpenLogError::Io { .. } | OpenLogError::Segment(SegmentError::Io { .. }))
}

/// The map of what was opened. A partition that lies in two directories is not served from
/// either: which one is right cannot be told here.
fn collect(opened: Vec<(TopicPartition, Result<Entry, FailedLog>)>, dirs: &[ManagedDir]) -> Logs {
    let mut logs = Logs { counts: vec![0; dirs.len()], ..Logs::default() };
    for (partition, result) in opened {
        let known = logs.by_partition.get(&partition).map(|entry| entry.log.path().to_owned());
        let known = known.or_else(|| logs.failed.get(&partition).map(|failed| failed.path.clone()));
        let result = match (known, result) {
            (None, Ok(entry)) if dirs.get(entry.dir).is_some_and(ManagedDir::is_online) => {
                logs.insert(partition, entry);
                continue;
            }
            (None, Ok(entry)) => FailedLog {
                path: entry.log.path().to_owned(),
                reason: "its log directory is offline".to_owned(),
                topic_id: entry.topic_id,
            },
            (None, Err(failed)) => failed,
            (Some(other), result) => {
                let path = result.map_or_else(|failed| failed.path, |e| e.log.path().to_owned());
                let reason = format!("it is also in {}", other.display());
                logs.remove(&partition);
                FailedLog { path, reason, topic_id: None }
            }
        };
        tracing::error!(
            %partition,
            path = %result.path.display(),
            reason = result.reason,
            "Log could not be opened"
        );
        logs.failed.insert(partition, result);
    }
    logs
}

/// The epoch of the last clean stop: only if all log directories agree (KIP-966).
fn clean_broker_epoch(data_dirs: &DataDirs) -> Option<i64> {
    let mut epochs = data_dirs
        .log_dirs
        .iter()
        .filter(|dir| !dir.is_new)
        .map(|dir| dir.clean_shutdown.and_then(|marker| marker.broker_epoch));
    let first = epochs.next()??;
    epochs.all(|epoch| epoch == Some(first)).then_some(first)
}
