//! What DescribeLogDirs answers, and the watch over the disks' space.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use protocol_codec::Uuid;

use super::{LogManager, ManagedDir};
use crate::TopicPartition;
use crate::fs::DiskSpace;

/// Below a twentieth of the disk, or this if it is less, the space is low.
const LOW_SPACE_BYTES: u64 = 4 << 30;
/// A directory that was full takes appends again when it has this much.
const ROOM_AGAIN_BYTES: u64 = 16 << 20;

/// A log directory and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDirDescription {
    pub path: PathBuf,
    pub directory_id: Option<Uuid>,
    /// Why it is offline; its logs are not listed then.
    pub offline_reason: Option<String>,
    /// Size of its file system in bytes, -1 if unknown.
    pub total_bytes: i64,
    /// What a user without privileges can still write, -1 if unknown.
    pub usable_bytes: i64,
    /// Sorted by partition.
    pub logs: Vec<LogDescription>,
}

/// One log of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDescription {
    pub partition: TopicPartition,
    pub topic_id: Option<Uuid>,
    /// Bytes of its segments.
    pub size: u64,
    pub log_end_offset: i64,
}

impl LogManager {
    /// All directories, in the order of the configuration.
    pub fn describe_dirs(&self) -> Vec<LogDirDescription> {
        let mut described: Vec<_> = self.dirs.iter().map(ManagedDir::describe).collect();
        {
            let logs = self.logs.read();
            for (partition, entry) in &logs.by_partition {
                if let Some(dir) = described.get_mut(entry.dir)
                    && dir.offline_reason.is_none()
                {
                    dir.logs.push(LogDescription {
                        partition: partition.clone(),
                        topic_id: entry.topic_id,
                        size: entry.log.size(),
                        log_end_offset: entry.log.log_end_offset(),
                    });
                }
            }
        }
        for dir in &mut described {
            dir.logs.sort_unstable_by(|a, b| a.partition.cmp(&b.partition));
        }
        described
    }

    /// Warns of disks that run full, and lets directories that were full take appends again.
    pub(super) fn watch_space(&self) {
        for dir in self.dirs.iter().filter(|dir| dir.is_online()) {
            dir.watch_space();
        }
    }
}

impl ManagedDir {
    fn describe(&self) -> LogDirDescription {
        let bytes = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        let offline_reason = self.log_dir().offline_reason();
        let space = if offline_reason.is_none() {
            self.fs().space(self.log_dir().path()).ok()
        } else {
            None
        };
        LogDirDescription {
            path: self.log_dir().path().to_owned(),
            directory_id: self.directory_id,
            offline_reason,
            total_bytes: space.map_or(-1, |space| bytes(space.total)),
            usable_bytes: space.map_or(-1, |space| bytes(space.usable)),
            logs: Vec::new(),
        }
    }

    fn watch_space(&self) {
        let Ok(space) = self.fs().space(self.log_dir().path()) else {
            return;
        };
        if self.log_dir().is_full() && space.usable >= ROOM_AGAIN_BYTES {
            self.log_dir().set_full(false);
        }
        let low = is_low(space);
        if low && !self.low_space.swap(low, Ordering::Relaxed) {
            tracing::warn!(
                dir = %self.log_dir().path().display(),
                usable_bytes = space.usable,
                total_bytes = space.total,
                "Log directory is low on space: appends will be refused when it is full"
            );
        }
        self.low_space.store(low, Ordering::Relaxed);
    }
}

fn is_low(space: DiskSpace) -> bool {
    space.usable < LOW_SPACE_BYTES.min(space.total / 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_is_a_twentieth_but_not_more_than_a_few_gigabytes() {
        let low = |total, usable| is_low(DiskSpace { total, usable });
        assert!(low(1_000, 49) && !low(1_000, 50));
        assert!(low(1 << 42, LOW_SPACE_BYTES - 1) && !low(1 << 42, LOW_SPACE_BYTES));
    }
}
