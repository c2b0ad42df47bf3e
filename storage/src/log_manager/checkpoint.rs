//! Writing a directory's checkpoint files, each only when it would say something new.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::parallel::for_each;
use super::{LogManager, Logs, ManagedDir};
use crate::TopicPartition;
use crate::checkpoint::offsets::{
    self, CLEANER_CHECKPOINT, LOG_START_CHECKPOINT, RECOVERY_POINT_CHECKPOINT,
    REPLICATION_CHECKPOINT,
};
use crate::log::Log;

pub(super) type Offsets = BTreeMap<TopicPartition, i64>;

/// By file name, what the checkpoint files of a directory say.
pub(super) type WrittenCheckpoints = HashMap<&'static str, Offsets>;

/// Appended bytes in a directory after which its logs are brought to their recovery points, however
/// little time has passed: a recovery walks about as many.
const DIR_BYTES_MAX: u64 = 256 << 20;
/// Bytes of all other logs together that a checkpoint leaves to a recovery, so that many logs with
/// a little each need not all be synced.
const DIR_BYTES_LEFT: u64 = 64 << 20;
/// A log with more bytes than this is not left.
const LOG_BYTES_LEFT: u64 = 1 << 20;
const CHECKPOINT_THREADS: usize = 4;

impl LogManager {
    /// Brings the recovery points of the logs up to their ends where that is due at `now_ms`.
    pub(super) fn checkpoint_logs_if_due(&self, now_ms: i64) {
        let is_due = self.schedule.lock().checkpoints.is_due(now_ms);
        for (place, dir) in self.dirs.iter().enumerate() {
            if is_due || dir.log_dir().appended_bytes() >= DIR_BYTES_MAX {
                self.checkpoint_logs_in(place, dir);
            }
        }
    }

    /// Whether somebody writes a checkpoint file.
    #[cfg(test)]
    pub(crate) fn is_checkpointing(&self) -> bool {
        self.dirs.iter().any(ManagedDir::is_checkpointing)
    }

    /// Makes the logs durable that a recovery would have to walk far in, notes where they are, and
    /// writes the recovery points of all. It waits for the disks.
    pub fn checkpoint_logs(&self) {
        for (place, dir) in self.dirs.iter().enumerate() {
            self.checkpoint_logs_in(place, dir);
        }
    }

    fn checkpoint_logs_in(&self, place: usize, dir: &ManagedDir) {
        if self.is_closed() || !dir.is_online() {
            return;
        }
        dir.log_dir().reset_appended();
        let mut logs: Vec<(u64, Arc<Log>)> = {
            let logs = self.logs.read();
            let here = logs.by_partition.values().filter(|entry| entry.dir == place);
            here.map(|entry| (entry.log.bytes_since_checkpoint(), Arc::clone(&entry.log)))
                .filter(|(bytes, _)| *bytes > 0)
                .collect()
        };
        logs.sort_by_key(|(bytes, _)| Reverse(*bytes));
        let mut left: u64 = logs.iter().map(|(bytes, _)| *bytes).sum();
        logs.retain(|(bytes, _)| {
            let is_due = *bytes >= LOG_BYTES_LEFT || left > DIR_BYTES_LEFT;
            left -= bytes;
            is_due
        });
        for_each(logs, CHECKPOINT_THREADS, |(_, log)| {
            if let Err(error) = log.checkpoint() {
                tracing::debug!(log = %log.topic_partition(), %error, "No checkpoint of a log");
            }
        });
        self.write_recovery_points(place, dir);
    }

    /// Writes the recovery points of all logs.
    pub fn checkpoint_recovery_points(&self) {
        for (place, dir) in self.dirs.iter().enumerate() {
            self.write_recovery_points(place, dir);
        }
    }

    /// Writes the start of the logs where it lies inside of their first segment.
    pub fn checkpoint_log_start_offsets(&self) {
        for (place, dir) in self.dirs.iter().enumerate() {
            self.write_log_starts(place, dir);
        }
    }

    /// Writes what the next start believes of the logs in `dir`. Returns whether it is there.
    pub(super) fn write_checkpoints(&self, place: usize, dir: &ManagedDir) -> bool {
        self.write_recovery_points(place, dir)
            && self.write_log_starts(place, dir)
            && self.write_clean_points(place, dir)
            && self.forget_high_watermarks(place, dir)
    }

    /// Leaves out of the high watermarks what has no log in `dir`.
    fn forget_high_watermarks(&self, place: usize, dir: &ManagedDir) -> bool {
        if !dir.knows_checkpoint(REPLICATION_CHECKPOINT) {
            return true;
        }
        dir.write_checkpoint(REPLICATION_CHECKPOINT, |known| {
            self.logs.read().known_high_watermarks(place, known)
        })
    }

    pub(super) fn write_recovery_points(&self, place: usize, dir: &ManagedDir) -> bool {
        dir.write_checkpoint(RECOVERY_POINT_CHECKPOINT, |known| {
            self.logs.read().recovery_points(place, known)
        })
    }

    fn write_log_starts(&self, place: usize, dir: &ManagedDir) -> bool {
        dir.write_checkpoint(LOG_START_CHECKPOINT, |known| {
            self.logs.read().log_start_offsets(place, known)
        })
    }

    /// Writes up to where the logs in `dir` have been cleaned, if it is known, after their starts: see
    /// `cleaning.rs`.
    pub(super) fn write_clean_points(&self, place: usize, dir: &ManagedDir) -> bool {
        if !dir.knows_checkpoint(CLEANER_CHECKPOINT) {
            return true;
        }
        self.write_log_starts(place, dir)
            && dir.write_checkpoint(CLEANER_CHECKPOINT, |known| {
                self.logs.read().clean_points(place, known)
            })
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
            dir.write_checkpoint(REPLICATION_CHECKPOINT, |_| offsets);
        }
    }
}

impl ManagedDir {
    /// Writes the checkpoint `name` unless it says so already. Returns whether it does now; a
    /// failed write is judged like any other, so it may take the directory offline.
    ///
    /// `offsets` gets what the file says now, and is called under the lock of the checkpoints: a
    /// writer that was overtaken cannot bring back what a later one has left out. The lock of the
    /// map comes after this one, never before.
    pub(super) fn write_checkpoint(
        &self,
        name: &'static str,
        offsets: impl FnOnce(&Offsets) -> Offsets,
    ) -> bool {
        if !self.is_online() {
            return false;
        }
        let mut written = self.checkpoints.lock();
        let known = written.entry(name).or_default();
        let offsets = offsets(known);
        if *known == offsets {
            return true;
        }
        match offsets::write(self.fs(), self.log_dir().path(), name, &offsets) {
            Ok(()) => {
                *known = offsets;
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
        [
            RECOVERY_POINT_CHECKPOINT,
            LOG_START_CHECKPOINT,
            CLEANER_CHECKPOINT,
            REPLICATION_CHECKPOINT,
        ]
        .iter()
        .any(|name| written.get(name).is_some_and(|known| known.contains_key(partition)))
    }

    /// Whether somebody writes a checkpoint.
    #[cfg(test)]
    pub(super) fn is_checkpointing(&self) -> bool {
        self.checkpoints.try_lock().is_none()
    }

    /// Whether a checkpoint file was read or written by this process.
    fn knows_checkpoint(&self, name: &str) -> bool {
        self.checkpoints.lock().contains_key(name)
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
    /// The recovery points of the logs in the directory at `place`. A log that holds nothing
    /// durable needs no line: 0 is what a missing one means.
    fn recovery_points(&self, place: usize, known: &Offsets) -> Offsets {
        let mut offsets = self.of_failed(known);
        for (partition, entry) in self.by_partition.iter().filter(|(_, e)| e.dir == place) {
            let recovery_point = entry.log.recovery_point();
            if recovery_point > 0 {
                offsets.insert(partition.clone(), recovery_point);
            }
        }
        offsets
    }

    /// The starts of the logs in the directory at `place` that do not begin where their first
    /// segment does.
    fn log_start_offsets(&self, place: usize, known: &Offsets) -> Offsets {
        let mut offsets = self.of_failed(known);
        for (partition, entry) in self.by_partition.iter().filter(|(_, e)| e.dir == place) {
            let log_start_offset = entry.log.log_start_offset();
            if log_start_offset > entry.log.segment_offsets().first().copied().unwrap_or(0) {
                offsets.insert(partition.clone(), log_start_offset);
            }
        }
        offsets
    }

    /// Up to where the logs in the directory at `place` have been cleaned.
    pub(super) fn clean_points(&self, place: usize, known: &Offsets) -> Offsets {
        let mut offsets = self.of_failed(known);
        for (partition, entry) in self.by_partition.iter().filter(|(_, e)| e.dir == place) {
            if let Some(clean_point) = entry.log.clean_point() {
                offsets.insert(partition.clone(), clean_point);
            }
        }
        offsets
    }

    /// The high watermarks that are `known`, of the logs in the directory at `place`.
    fn known_high_watermarks(&self, place: usize, known: &Offsets) -> Offsets {
        let mut offsets = self.of_failed(known);
        let is_here = |partition: &TopicPartition| {
            self.by_partition.get(partition).is_some_and(|e| e.dir == place)
        };
        let here = known.iter().filter(|(partition, _)| is_here(partition));
        offsets.extend(here.map(|(partition, offset)| (partition.clone(), *offset)));
        offsets
    }

    /// What a checkpoint says of the logs that could not be opened: it still holds, and will be
    /// wanted when they have been repaired.
    fn of_failed(&self, known: &Offsets) -> Offsets {
        if self.failed.is_empty() {
            return Offsets::new();
        }
        let kept = known.iter().filter(|(partition, _)| self.failed.contains_key(*partition));
        kept.map(|(partition, offset)| (partition.clone(), *offset)).collect()
    }
}
