//! Tests of the log as a whole, on the file system in memory.

mod basics;
mod checkpoints;
mod compaction;
mod durability;
mod faults;
mod handles;
mod recovery;
mod retention;
mod transactions;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use protocol_codec::records::{BatchBuilder, ValidatedBatch, split_batches};

use super::*;
use crate::fs::{FaultyFs, Fs, MemFs, OpenMode};
use crate::log::append::{AppendError, Appended, RequiredAcks};
use crate::log::recover::{LogRecovery, OpenLog, OpenLogError};

/// A log directory, its disk, and what survives a restart of the process.
struct Disk {
    mem: MemFs,
    faulty: FaultyFs,
    open_files: OpenFiles,
    config: LogConfig,
    recovery_point: i64,
    durable_end: i64,
    log_start_offset: i64,
    clean: bool,
}

impl Disk {
    fn new() -> Self {
        let mem = MemFs::new();
        mem.create_dir_all(Path::new("/logs")).unwrap();
        mem.sync_dir(Path::new("/")).unwrap();
        let faulty = FaultyFs::new(Arc::new(mem.clone()));
        let config = LogConfig { index_interval_bytes: 300, ..LogConfig::default() };
        let open_files = OpenFiles::default();
        Self {
            mem,
            faulty,
            open_files,
            config,
            recovery_point: 0,
            durable_end: 0,
            log_start_offset: 0,
            clean: false,
        }
    }

    fn with(change: impl FnOnce(&mut LogConfig)) -> Self {
        let mut disk = Self::new();
        change(&mut disk.config);
        disk
    }

    fn context(&self) -> LogContext {
        LogContext {
            fs: Arc::new(self.faulty.clone()),
            dir: Arc::new(LogDir::new("/logs")),
            open_files: self.open_files.clone(),
            sync_queue: SyncQueue::new(),
            producer_id_expiration_ms: 1_000_000,
        }
    }

    fn path() -> &'static Path {
        Path::new("/logs/topic-0")
    }

    fn create(&self) -> Arc<Log> {
        let partition = TopicPartition::new("topic", 0);
        Log::create(self.context(), partition, Uuid::ONE, Self::path(), self.config.clone())
    }

    fn open_log(&self) -> OpenLog {
        OpenLog {
            topic_partition: TopicPartition::new("topic", 0),
            path: Self::path().to_owned(),
            config: self.config.clone(),
            log_start_offset: self.log_start_offset,
            recovery_point: self.recovery_point,
            durable_end: self.durable_end,
            clean_point: None,
            clean_shutdown: self.clean,
            sync_later: false,
            now_ms: 0,
        }
    }

    fn try_open(&self) -> Result<(Arc<Log>, LogRecovery), OpenLogError> {
        Log::open(self.context(), &self.open_log())
    }

    fn open(&self) -> Arc<Log> {
        self.try_open().unwrap().0
    }

    /// Closes cleanly and opens again.
    fn restart(&mut self, log: Arc<Log>) -> Arc<Log> {
        log.close().unwrap();
        self.recovery_point = log.recovery_point();
        self.log_start_offset = log.log_start_offset();
        self.clean = true;
        let log = self.open();
        self.clean = false;
        log
    }

    fn names(&self) -> Vec<String> {
        let entries = self.mem.list(Self::path()).unwrap();
        entries.into_iter().map(|entry| entry.name).collect()
    }
}

/// A batch of `records` records with timestamps from `timestamp` on.
fn batch(records: usize, timestamp: i64) -> ValidatedBatch {
    build(BatchBuilder::new(), records, timestamp)
}

fn idempotent(producer_id: i64, sequence: i32, records: usize) -> ValidatedBatch {
    build(BatchBuilder::new().producer(producer_id, 0, sequence), records, 7)
}

fn build(mut builder: BatchBuilder, records: usize, timestamp: i64) -> ValidatedBatch {
    for at in 0..records {
        let value = format!("value {at:02} of {timestamp:06}");
        builder.append(timestamp + at as i64, None, Some(value.as_bytes()), &[]).unwrap();
    }
    ValidatedBatch::internal(&builder.build().unwrap()).unwrap()
}

fn append(log: &Arc<Log>, batch: &ValidatedBatch) -> Appended {
    log.append_as_leader(batch, 0, RequiredAcks::Leader, 0).unwrap()
}

fn append_all(log: &Arc<Log>, batch: &ValidatedBatch) -> Appended {
    log.append_as_leader(batch, 0, RequiredAcks::All, 0).unwrap()
}

/// Base offsets of all batches that a reader sees from `offset` on.
fn batches(log: &Log, offset: i64) -> Vec<i64> {
    let bytes = read(log, offset);
    split_batches(bytes).map(|batch| batch.unwrap().header().base_offset).collect()
}

fn read(log: &Log, offset: i64) -> Bytes {
    let slices = log.read(offset, usize::MAX, log.visible_end(), true).unwrap();
    let bytes = slices.to_bytes().unwrap();
    for batch in split_batches(bytes.clone()) {
        batch.unwrap().view().verify_checksum().unwrap();
    }
    bytes
}
