//! Opening and recovering everything that lies in the log directories.
//!
//! After a clean stop nothing is scanned. Otherwise each log is scanned from its recovery point
//! on, several at a time in each directory. A log that cannot be opened is kept as failed; only an
//! I/O error takes its directory offline. The other directories go on.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};
use thiserror::Error;

use super::open_dir::{DirWork, Opened, open_logs};
use super::report::{FailedLog, RecoveryProgress, RecoveryReport};
use super::tick::TickSchedule;
use super::{Entry, LogManager, LogManagerConfig, Logs, ManagedDir};
use crate::TopicPartition;
use crate::data_dirs::{DataDir, DataDirs};
use crate::fs::Fs;
use crate::journal::{Journal, Started};
use crate::log::LogContext;
use crate::log::flush_timer::FlushTimer;
use crate::log::sync_queue::{SyncQueue, SyncThreads};
use crate::open_files::OpenFiles;

/// Why no log can be served at all.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("All log directories are offline: {reasons}")]
    AllOffline { reasons: String },
    #[error("Cannot start a thread: {0}")]
    Thread(io::Error),
}

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
}

/// Whether nothing in the directory has to be recovered.
fn is_clean(dir: &DataDir) -> bool {
    dir.clean_shutdown.is_some() || dir.is_new
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
