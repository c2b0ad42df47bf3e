//! A machine with its disks, and the log manager of a process that runs on it.

use std::path::Path;
use std::sync::Arc;

use super::pauses;
use super::power::{Power, PoweredFs};
use crate::data_dirs::{DataDirs, DataDirsConfig};
use crate::fs::{FaultyFs, Fs, MemFs};
use crate::{CleanerClock, CleanerConfig, LogConfig, LogManager, LogManagerConfig, RecoveryReport};

/// Of the records of a world.
pub(super) const KEYS: usize = 7;
pub(super) const COMPACTION_LAG_MS: i64 = 100;
pub(super) const DELETE_RETENTION_MS: i64 = 1_500;

/// Puts a file system between the faults and the disk, for mutants.
pub(super) type Layer<'a> = &'a dyn Fn(Arc<dyn Fs>) -> Arc<dyn Fs>;

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) mem: MemFs,
    pub(super) faulty: FaultyFs,
    pub(super) dirs: &'static [&'static str],
    pub(super) config: LogManagerConfig,
}

/// A process that runs.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) manager: Arc<LogManager>,
    pub(super) power: Power,
}

impl Drop for Process {
    fn drop(&mut self) {
        self.manager.logs().iter().for_each(|log| log.sync_queue().abandon());
    }
}

impl Machine {
    /// With directories that a node has formatted.
    pub(super) fn new(dirs: &'static [&'static str], layer: Layer<'_>) -> Self {
        let machine = Self::of(MemFs::new(), dirs, layer);
        machine.data_dirs(&machine.mem).unwrap();
        machine.mem.create_dir_all(&Path::new(dirs[0]).join("__cluster_metadata-1")).unwrap();
        for dir in ["/"].iter().chain(dirs) {
            machine.mem.sync_dir(Path::new(dir)).unwrap();
        }
        machine
    }

    /// With what lies on this disk.
    pub(super) fn of(mem: MemFs, dirs: &'static [&'static str], layer: Layer<'_>) -> Self {
        let faulty = FaultyFs::new(layer(Arc::new(mem.clone())));
        Self { mem, faulty, dirs, config: config() }
    }

    fn data_dirs(&self, fs: &dyn Fs) -> Result<DataDirs, String> {
        let config = DataDirsConfig {
            log_dirs: self.dirs.iter().map(Into::into).collect(),
            metadata_dir: None,
            node_id: 1,
            cluster_id: None,
        };
        DataDirs::open(&config, fs).map_err(|error| error.to_string())
    }

    /// Starts a process.
    pub(super) fn start(
        &self,
        power: Power,
        now_ms: i64,
    ) -> Result<(Process, RecoveryReport), String> {
        let fs: Arc<dyn Fs> =
            Arc::new(PoweredFs::new(Arc::new(self.faulty.clone()), power.clone()));
        let data_dirs = self.data_dirs(&*fs)?;
        let opened = LogManager::open(self.config.clone(), data_dirs, fs, now_ms, &|_| {});
        let (manager, report) = opened.map_err(|error| error.to_string())?;
        let process = Process { manager: Arc::new(manager), power };
        if self.is_compacted() {
            process.manager.start_cleaner(cleaner_config(), Arc::new(Clock(now_ms))).unwrap();
        }
        Ok((process, report))
    }

    /// From the next start on all logs are compacted, and lose their oldest segments too.
    pub(super) fn compact(&mut self) {
        self.config.default_log_config.cleanup_policy.compact = true;
    }

    pub(super) fn is_compacted(&self) -> bool {
        self.config.default_log_config.cleanup_policy.compact
    }

    pub(super) fn log_config(&self) -> LogConfig {
        self.config.default_log_config.clone()
    }
}

/// A moment, for a cleaner.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock(pub(super) i64);

impl CleanerClock for Clock {
    fn wall_ms(&self) -> i64 {
        pauses::point();
        self.0
    }

    fn monotonic_ms(&self) -> i64 {
        pauses::point();
        self.0
    }
}

/// No threads here either, and not room enough for all keys at once.
fn cleaner_config() -> CleanerConfig {
    CleanerConfig {
        enable: false,
        dedupe_buffer_size: 24 * KEYS as u64,
        io_buffer_load_factor: 0.8,
        io_buffer_size: 0,
        ..CleanerConfig::default()
    }
}

/// Small segments, and no threads: what is queued is done when a step says so.
fn config() -> LogManagerConfig {
    LogManagerConfig {
        default_log_config: log_config(),
        sync_threads_per_data_dir: 0,
        journal_bytes_max: Some(256 << 10),
        recovery_threads_per_data_dir: 1,
        recovery_point_checkpoint_interval_ms: 5_000,
        log_start_checkpoint_interval_ms: 5_000,
        retention_check_interval_ms: 5_000,
        ..LogManagerConfig::default()
    }
}

fn log_config() -> LogConfig {
    LogConfig {
        segment_bytes: 600,
        index_interval_bytes: 100,
        file_delete_delay_ms: 1_000,
        retention_ms: -1,
        min_cleanable_dirty_ratio: 0.0,
        min_compaction_lag_ms: COMPACTION_LAG_MS,
        delete_retention_ms: DELETE_RETENTION_MS,
        ..LogConfig::default()
    }
}
