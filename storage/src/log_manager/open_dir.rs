//! Opening the logs of one directory: what is there, what its checkpoints say, and one log after
//! another, by several threads.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;
use protocol_codec::Uuid;

use super::delete::PendingRemoval;
use super::folders::{Folder, classify};
use super::lost::{Claim, Lost, missing_folders};
use super::parallel::for_each;
use super::report::{FailedLog, RecoveryProgress, RecoveryReport};
use super::{Entry, LogManagerConfig, ManagedDir};
use crate::checkpoint::offsets::{
    self, CLEANER_CHECKPOINT, LOG_START_CHECKPOINT, RECOVERY_POINT_CHECKPOINT,
    REPLICATION_CHECKPOINT, ReadCheckpointError,
};
use crate::clean_shutdown;
use crate::delay::Delay;
use crate::journal::PartitionKey;
use crate::log::Log;
use crate::log::recover::{OpenLog, OpenLogError};
use crate::partition_metadata::{self, PartitionMetadataError};
use crate::segment::SegmentError;
use crate::{LogConfig, TopicPartition};

/// The work of one directory.
pub(super) struct DirWork<'a> {
    place: usize,
    dir: &'a ManagedDir,
    pub(super) lost: BTreeMap<TopicPartition, Claim>,
    is_clean: bool,
    /// What has been recovered is synced when all logs are open.
    sync_later: bool,
    recovery_points: HashMap<TopicPartition, i64>,
    log_starts: HashMap<TopicPartition, i64>,
    clean_points: HashMap<TopicPartition, i64>,
    folders: Mutex<VecDeque<(TopicPartition, PathBuf)>>,
    pub(super) total: usize,
    done: AtomicUsize,
    /// Set by the first I/O error: the rest is not tried.
    stopped: AtomicBool,
}

pub(super) type Opened = Mutex<Vec<(TopicPartition, Result<Entry, FailedLog>)>>;

impl ManagedDir {
    /// Lists this directory and reads its checkpoints, and takes the marker of the clean stop
    /// away. `None` if the directory has failed.
    pub(super) fn find_work(
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
pub(super) fn open_logs(
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
    pub(super) fn into_lost(self) -> impl Iterator<Item = (TopicPartition, Lost)> {
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
                match open.clean_point {
                    Some(clean_point) if clean_point <= log.log_end_offset() => {
                        log.set_clean_point(clean_point);
                    }
                    // What will be appended there was never cleaned.
                    Some(clean_point) => tracing::warn!(
                        %partition, clean_point, log_end_offset = log.log_end_offset(),
                        "Log ends before what was cleaned: it is cleaned from its start again"
                    ),
                    None => {}
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

/// Whether the disk failed, and not merely what lies on it.
fn is_io(error: &OpenLogError) -> bool {
    matches!(error, OpenLogError::Io { .. } | OpenLogError::Segment(SegmentError::Io { .. }))
}
