//! What a start tells of the logs that it finds.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use protocol_codec::Uuid;

use crate::TopicPartition;

/// A partition whose folder is there, but whose log could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedLog {
    pub path: PathBuf,
    pub reason: String,
    /// Whose it is, if that could be read.
    pub topic_id: Option<Uuid>,
}

/// Told after each log that was opened, from several threads.
#[derive(Clone, Copy, Debug)]
pub struct RecoveryProgress<'a> {
    pub dir: &'a Path,
    pub partition: &'a TopicPartition,
    /// Logs of this directory that are done, this one included.
    pub done: usize,
    /// Logs of this directory.
    pub total: usize,
    /// Whether the directory had to be recovered.
    pub recovering: bool,
}

/// What was found when the logs were opened.
#[derive(Debug, Default)]
pub struct RecoveryReport {
    /// Logs that were opened.
    pub logs: usize,
    /// Directories that had no marker of a clean stop.
    pub recovered_dirs: Vec<PathBuf>,
    /// Directories that are offline, with the reason.
    pub offline: Vec<(PathBuf, String)>,
    /// A directory is offline, or is a new one of a node that is not: a partition that was there
    /// before and has no log now may have lain in a directory that is missing.
    pub may_miss_logs: bool,
    /// Logs that could not be opened.
    pub failed: Vec<(TopicPartition, FailedLog)>,
    /// Folders that are no partition's; they are left alone.
    pub unknown_folders: Vec<PathBuf>,
    /// The broker epoch of the clean stop, if every directory has the same one (KIP-966).
    pub clean_broker_epoch: Option<i64>,
    /// From `replication-offset-checkpoint`.
    pub high_watermarks: HashMap<TopicPartition, i64>,
}
