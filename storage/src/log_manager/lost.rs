//! Partitions whose folder is gone although a checkpoint says that it held durable records: a disk
//! was repaired, a backup was not whole, somebody removed it. Kafka begins them anew at offset 0;
//! here they stay offline until the folder is back, or `barnabas storage repair` is told to forget it.
//!
//! A line of a checkpoint may also be older than the deletion of its topic. So the checkpoints forget
//! a deleted partition, durably, before its renamed folder is removed ([`ManagedDir::remove`]) and
//! before its name is used again: a line without a folder is explained by a renamed one, or by
//! nothing. And only a partition that the metadata knew before this start is claimed to be lost
//! ([`LogManager::check_not_lost`]); what no topic knows of is forgotten.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use super::create::CreateLogError;
use super::folders::{Folder, classify};
use super::{FailedLog, LogManager, Logs, Placement};
use crate::TopicPartition;
use crate::fs::DirEntry;

/// What a checkpoint says of a folder that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// The checkpoint's file name.
    pub(crate) checkpoint: &'static str,
    pub(crate) end: i64,
}

/// The partitions without a folder among `entries`, those of a log directory, of which one of its
/// checkpoints says that they had records. Those that were deleted or set aside are left out.
pub(crate) fn missing_folders(
    entries: &[DirEntry],
    checkpoints: &[(&'static str, &HashMap<TopicPartition, i64>)],
) -> BTreeMap<TopicPartition, Claim> {
    let mut explained = HashSet::new();
    for entry in entries.iter().filter(|entry| entry.is_dir) {
        let renamed = || TopicPartition::from_dir_name(entry.name.rsplit_once('.')?.0);
        explained.extend(match classify(&entry.name) {
            Folder::Partition(partition) => Some(partition),
            Folder::Deleted | Folder::LeftAlone => renamed(),
            Folder::NotOurs | Folder::Unknown => None,
        });
    }
    let mut missing = BTreeMap::new();
    for (checkpoint, offsets) in checkpoints {
        for (partition, end) in offsets.iter().filter(|(_, end)| **end > 0) {
            if !explained.contains(partition) {
                missing.entry(partition.clone()).or_insert(Claim { checkpoint, end: *end });
            }
        }
    }
    missing
}

/// A folder that is missing, and in which log directory.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    pub(super) dir: usize,
    pub(super) path: PathBuf,
    pub(super) claim: Claim,
}

impl Logs {
    /// Takes over what was found in one directory, once the logs of all have been opened.
    pub(super) fn note_lost(&mut self, partition: TopicPartition, lost: Lost) {
        if !self.by_partition.contains_key(&partition) && !self.failed.contains_key(&partition) {
            self.lost.entry(partition).or_default().push(lost);
        }
    }
}

impl LogManager {
    /// For a partition that the metadata knew before this start: an error if its folder is lost. It
    /// counts as one that could not be opened from then on.
    pub fn check_not_lost(
        &self,
        partition: &TopicPartition,
        placement: Placement,
    ) -> Result<(), CreateLogError> {
        let mut logs = self.logs.write();
        let is_here = |lost: &Lost| match placement {
            Placement::Any => true,
            Placement::In(id) => {
                self.dirs.get(lost.dir).is_some_and(|dir| dir.directory_id == Some(id))
            }
        };
        let found = logs.lost.get(partition).and_then(|all| all.iter().find(|lost| is_here(lost)));
        let Some(Lost { dir, path, claim }) = found.cloned() else { return Ok(()) };
        let Claim { checkpoint, end } = claim;
        let log_dir = self.dirs.get(dir).map(|dir| dir.log_dir().path().display().to_string());
        let reason = format!(
            "the folder is missing, and {checkpoint} says that everything before offset {end} was \
             durable once: bring it back, or let `barnabas storage repair {}` forget it, and the log \
             begins anew at offset 0",
            log_dir.unwrap_or_default()
        );
        logs.lost.remove(partition);
        let failed = FailedLog { path: path.clone(), reason: reason.clone(), topic_id: None };
        logs.failed.insert(partition.clone(), failed);
        Err(CreateLogError::Failed { partition: partition.clone(), path, reason })
    }
}
