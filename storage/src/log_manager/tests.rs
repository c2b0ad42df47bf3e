//! Tests of the log manager on the file system in memory, with power cuts and faults.

mod checkpoints;
mod clock;
mod deleting;
mod dirs;
mod faults;
mod journal;
mod lost;
mod many;
mod pending;
mod restarts;
mod ticking;

use std::path::Path;
use std::sync::mpsc;

use protocol_codec::records::{BatchBuilder, ValidatedBatch};

use super::*;
use crate::data_dirs::{DataDirs, DataDirsConfig};
use crate::fs::{FaultyFs, MemFs};
use crate::log::append::RequiredAcks;

const EPOCH: i64 = 17;

/// A machine: its disk, and the directories that a node is configured with.
struct Machine {
    mem: MemFs,
    faulty: FaultyFs,
    dirs: Vec<&'static str>,
    config: LogManagerConfig,
}

impl Machine {
    fn new(dirs: &[&'static str]) -> Self {
        let mem = MemFs::new();
        let faulty = FaultyFs::new(Arc::new(mem.clone()));
        let machine =
            Self { mem, faulty, dirs: dirs.to_vec(), config: LogManagerConfig::default() };
        // A node that has run before has metadata.
        drop(machine.data_dirs());
        machine.mem.create_dir_all(&Path::new(dirs[0]).join("__cluster_metadata-1")).unwrap();
        for dir in ["/"].iter().chain(dirs) {
            machine.mem.sync_dir(Path::new(dir)).unwrap();
        }
        machine
    }

    fn data_dirs(&self) -> DataDirs {
        let config = DataDirsConfig {
            log_dirs: self.dirs.iter().map(Into::into).collect(),
            metadata_dir: None,
            node_id: 1,
            cluster_id: None,
        };
        DataDirs::open(&config, &self.faulty).unwrap()
    }

    fn try_start(&self) -> Result<(Arc<LogManager>, RecoveryReport), OpenError> {
        let fs = Arc::new(self.faulty.clone());
        LogManager::open(self.config.clone(), self.data_dirs(), fs, 0, &|_| {})
            .map(|(manager, report)| (Arc::new(manager), report))
    }

    fn start(&self) -> (Arc<LogManager>, RecoveryReport) {
        self.try_start().unwrap()
    }

    /// Cuts the power.
    fn crash(&self, manager: Arc<LogManager>) {
        self.mem.crash();
        drop(manager);
    }

    fn names(&self, dir: &str) -> Vec<String> {
        self.mem.list(Path::new(dir)).unwrap().into_iter().map(|entry| entry.name).collect()
    }
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition::new("orders", number)
}

fn topic_id(number: u8) -> Uuid {
    Uuid::from_bytes([number; 16])
}

fn create(manager: &LogManager, number: i32) -> Arc<Log> {
    manager
        .get_or_create(&partition(number), topic_id(1), LogConfig::default(), Placement::Any)
        .unwrap()
}

fn batch(records: usize) -> ValidatedBatch {
    let mut builder = BatchBuilder::new();
    for at in 0..records {
        builder.append(at as i64, None, Some(b"value"), &[]).unwrap();
    }
    ValidatedBatch::internal(&builder.build().unwrap()).unwrap()
}

fn append(log: &Arc<Log>, records: usize) {
    log.append_as_leader(&batch(records), 0, RequiredAcks::Leader, 0).unwrap();
}

/// Appends and waits until it is durable.
fn append_durably(log: &Arc<Log>, records: usize) {
    let appended = log.append_as_leader(&batch(records), 0, RequiredAcks::All, 0).unwrap();
    let (done, durable) = mpsc::channel();
    let end = appended.last_offset + 1;
    log.when_durable(end, Box::new(move |result| done.send(result.is_ok()).unwrap()));
    assert!(durable.recv().unwrap());
    // The recovery point moves after the answer: wait for that too.
    log.flush().unwrap();
}
