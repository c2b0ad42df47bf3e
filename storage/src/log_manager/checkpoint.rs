//! Writing a directory's checkpoint files, each only when it would say something new.

use std::collections::{BTreeMap, HashMap};

use super::{LogManager, Logs, ManagedDir};
use crate::TopicPartition;
use crate::checkpoint::offsets::{
    self, LOG_START_CHECKPOINT, RECOVERY_POINT_CHECKPOINT, REPLICATION_CHECKPOINT,
};

type Offsets = BTreeMap<TopicPartition, i64>;

/// By file name, what the checkpoint files of a directory say.
pub(super) type WrittenCheckpoints = HashMap<&'static str, Offsets>;

impl LogManager {
    /// Writes the recovery points of all logs.
    pub fn checkpoint_recovery_points(&self) {
        for (place, dir) in self.dirs.iter().enumerate() {
            let offsets = self.logs.read().recovery_points(place, dir);
            dir.write_checkpoint(RECOVERY_POINT_CHECKPOINT, &offsets);
        }
    }

    /// Writes the start of the logs where it lies inside of their first segment.
    pub fn checkpoint_log_start_offsets(&self) {
        for (place, dir) in self.dirs.iter().enumerate() {
            let offsets = self.logs.read().log_start_offsets(place, dir);
            dir.write_checkpoint(LOG_START_CHECKPOINT, &offsets);
        }
    }

    /// Writes the high watermarks, which the broker's replication knows; partitions without a log
    /// are passed over. They are read back as [`super::RecoveryReport::high_watermarks`].
    pub fn checkpoint_high_watermarks(
        &self,
        high_watermarks: impl IntoIterator<Item = (TopicPartition, i64)>,
    ) {
        let mut by_dir = vec![Offsets::new(); self.dirs.len()];
        {
            let logs = self.logs.read();
            for (partition, offset) in high_watermarks {
                let dir = logs.by_partition.get(&partition).map(|entry| entry.dir);
                if let Some(offsets) = dir.and_then(|dir| by_dir.get_mut(dir)) {
                    offsets.insert(partition, offset);
                }
            }
        }
        for (dir, offsets) in self.dirs.iter().zip(by_dir) {
            dir.write_checkpoint(REPLICATION_CHECKPOINT, &offsets);
        }
    }
}

impl ManagedDir {
    /// Writes the checkpoint `name` unless it says so already. Returns whether it does now; a
    /// failed write is judged like any other, so it may take the directory offline.
    pub(super) fn write_checkpoint(&self, name: &'static str, offsets: &Offsets) -> bool {
        if !self.is_online() {
            return false;
        }
        let mut written = self.checkpoints.lock();
        if written.get(name).map_or(offsets.is_empty(), |known| known == offsets) {
            return true;
        }
        match offsets::write(self.fs(), self.log_dir().path(), name, offsets) {
            Ok(()) => {
                written.insert(name, offsets.clone());
                true
            }
            Err(error) => {
                self.log_dir().judge_write_error(&error, &format!("write of {name}"));
                false
            }
        }
    }

    /// Whether a checkpoint that the next start believes speaks of `partition`. A new log of that
    /// name must not be taken for the old one.
    pub(super) fn checkpoints_mention(&self, partition: &TopicPartition) -> bool {
        let written = self.checkpoints.lock();
        [RECOVERY_POINT_CHECKPOINT, LOG_START_CHECKPOINT]
            .iter()
            .any(|name| written.get(name).is_some_and(|known| known.contains_key(partition)))
    }

    /// Takes over what a checkpoint file said when it was read.
    pub(super) fn note_checkpoint(
        &self,
        name: &'static str,
        offsets: &HashMap<TopicPartition, i64>,
    ) {
        let known = offsets.iter().map(|(partition, offset)| (partition.clone(), *offset));
        self.checkpoints.lock().insert(name, known.collect());
    }
}

impl Logs {
    /// The recovery points of the logs in the directory `dir`. A log that holds nothing durable
    /// needs no line: 0 is what a missing one means.
    pub(super) fn recovery_points(&self, place: usize, dir: &ManagedDir) -> Offsets {
        let mut offsets = self.of_failed(dir, RECOVERY_POINT_CHECKPOINT);
        for (partition, entry) in self.by_partition.iter().filter(|(_, e)| e.dir == place) {
            let recovery_point = entry.log.recovery_point();
            if recovery_point > 0 {
                offsets.insert(partition.clone(), recovery_point);
            }
        }
        offsets
    }

    /// The starts of the logs in the directory `dir` that do not begin where their first segment
    /// does.
    pub(super) fn log_start_offsets(&self, place: usize, dir: &ManagedDir) -> Offsets {
        let mut offsets = self.of_failed(dir, LOG_START_CHECKPOINT);
        for (partition, entry) in self.by_partition.iter().filter(|(_, e)| e.dir == place) {
            let log_start_offset = entry.log.log_start_offset();
            if log_start_offset > entry.log.segment_offsets().first().copied().unwrap_or(0) {
                offsets.insert(partition.clone(), log_start_offset);
            }
        }
        offsets
    }

    /// What the checkpoint `name` said of the logs that could not be opened: it still holds, and
    /// will be wanted when they have been repaired.
    fn of_failed(&self, dir: &ManagedDir, name: &str) -> Offsets {
        if self.failed.is_empty() {
            return Offsets::new();
        }
        let written = dir.checkpoints.lock();
        let known = written.get(name).into_iter().flatten();
        let kept = known.filter(|(partition, _)| self.failed.contains_key(partition));
        kept.map(|(partition, offset)| (partition.clone(), *offset)).collect()
    }
}
