//! A disk with a journal and partitions whose offsets are positions.

use std::io::IoSlice;
use std::path::PathBuf;

use super::*;
use crate::fs::{File, OpenMode, read_file, write_all_at};
use crate::partition_metadata;

pub(super) struct Machine {
    pub(super) mem: MemFs,
    pub(super) faulty: FaultyFs,
    pub(super) capacity: Option<u64>,
    journal: Option<Arc<Journal>>,
    dir: Arc<LogDir>,
    written: u64,
}

/// A partition of one segment.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    pub(super) key: PartitionKey,
    pub(super) topic: Arc<str>,
    pub(super) dir: PathBuf,
    /// What was written.
    pub(super) bytes: Vec<u8>,
    /// So much of it is durable.
    pub(super) durable: usize,
}

impl Partition {
    pub(super) fn path(&self) -> PathBuf {
        self.dir.join("00000000000000000000.log")
    }
}

impl Machine {
    pub(super) fn new() -> Self {
        let mem = MemFs::new();
        mem.create_dir_all(Path::new("/logs")).unwrap();
        mem.sync_dir(Path::new("/")).unwrap();
        let faulty = FaultyFs::new(Arc::new(mem.clone()));
        let dir = Arc::new(LogDir::new("/logs"));
        let capacity = Some(64 << 10);
        let mut machine = Self { mem, faulty, capacity, journal: None, dir, written: 0 };
        machine.start();
        machine
    }

    pub(super) fn try_start(&mut self, was_clean: bool) -> Result<Started, JournalError> {
        let fs: Arc<dyn Fs> = Arc::new(self.faulty.clone());
        let started = Journal::start(&fs, &self.dir, was_clean, self.capacity)?;
        self.journal = started.journal.clone();
        Ok(started)
    }

    pub(super) fn start(&mut self) -> Started {
        self.try_start(false).unwrap()
    }

    pub(super) fn start_after(&mut self, was_clean: bool) -> Started {
        self.try_start(was_clean).unwrap()
    }

    pub(super) fn journal(&self) -> &Journal {
        self.journal.as_ref().unwrap()
    }

    /// A new partition of topic "t", everything of it durable.
    pub(super) fn partition(&mut self, topic_id: u8, partition: i32) -> Partition {
        let key = PartitionKey { topic_id: Uuid::from_bytes([topic_id; 16]), partition };
        let dir = PathBuf::from(format!("/logs/t-{partition}"));
        self.mem.create_dir_all(&dir).unwrap();
        partition_metadata::write(&self.mem, &dir, key.topic_id).unwrap();
        partition_metadata::sync(&self.mem, &dir).unwrap();
        let made = Partition { key, topic: Arc::from("t"), dir, bytes: Vec::new(), durable: 0 };
        self.file(&made).sync_data().unwrap();
        self.mem.sync_dir(&made.dir).unwrap();
        self.mem.sync_dir(Path::new("/logs")).unwrap();
        made
    }

    fn file(&self, partition: &Partition) -> Arc<dyn File> {
        self.faulty.open(&partition.path(), OpenMode::Create).unwrap()
    }

    /// Bytes that were never written before.
    fn fresh(&mut self, count: usize) -> Vec<u8> {
        self.written += 1;
        let text = format!("{:07} ", self.written);
        text.bytes().cycle().take(count).collect()
    }

    pub(super) fn append(&mut self, partition: &mut Partition, count: usize) {
        let bytes = self.fresh(count);
        let position = partition.bytes.len() as u64;
        let file = self.mem.open(&partition.path(), OpenMode::Create).unwrap();
        write_all_at(&*file, &mut [IoSlice::new(&bytes)], position).unwrap();
        partition.bytes.extend(bytes);
    }

    pub(super) fn commit(&mut self, partitions: &mut [&mut Partition]) -> Result<(), CommitError> {
        let mut frame = self.journal().begin();
        for partition in &*partitions {
            let dirty = Dirty {
                key: partition.key,
                topic: &partition.topic,
                leader_epoch: 0,
                segment_base: 0,
                position: partition.durable as u64,
                bytes: partition.bytes.len() - partition.durable,
                base_offset: partition.durable as i64,
                end_offset: partition.bytes.len() as i64,
            };
            let new = &partition.bytes[partition.durable..];
            frame
                .add(&dirty, |buffer| {
                    buffer.copy_from_slice(new);
                    Ok(())
                })
                .unwrap();
        }
        frame.commit()?;
        for partition in partitions {
            partition.durable = partition.bytes.len();
        }
        Ok(())
    }

    /// Syncs the partition's own file.
    pub(super) fn settle(&mut self, partition: &mut Partition) {
        let sequence = self.journal().last_sequence();
        self.file(partition).sync_data().unwrap();
        self.journal().settled(partition.key, sequence);
        partition.durable = partition.bytes.len();
    }

    /// Replaces all bytes by fewer others, durably.
    pub(super) fn rewrite(&mut self, partition: &mut Partition, count: usize) {
        partition.bytes = self.fresh(count);
        let file = self.file(partition);
        file.set_len(0).unwrap();
        write_all_at(&*file, &mut [IoSlice::new(&partition.bytes)], 0).unwrap();
        file.sync_data().unwrap();
        partition.durable = count;
    }

    /// Cuts the file, durably.
    pub(super) fn cut(&mut self, partition: &mut Partition, len: usize) {
        partition.bytes.truncate(len);
        let file = self.file(partition);
        file.set_len(len as u64).unwrap();
        file.sync_data().unwrap();
        partition.durable = len;
    }

    pub(super) fn read(&self, partition: &Partition) -> Vec<u8> {
        read_file(&self.mem, &partition.path(), 1 << 20).unwrap()
    }

    /// Flips a bit of the journal's file, durably.
    pub(super) fn flip(&self, position: u64) {
        let byte = read_file(&self.mem, &self.path(), 1 << 30).unwrap()[position as usize];
        self.flip_to(position, byte ^ 1);
    }

    pub(super) fn flip_to(&self, position: u64, byte: u8) {
        let file = self.mem.open(&self.path(), OpenMode::ReadWrite).unwrap();
        write_all_at(&*file, &mut [IoSlice::new(&[byte])], position).unwrap();
        file.sync_data().unwrap();
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join(JOURNAL_FILE)
    }
}
