//! `barnabas storage repair`: brings a log directory back to where a start accepts it, when damage
//! lies in what was durable once.
//!
//! What is wrong is found as by `barnabas log verify`, in the files as they are when the journal is
//! written back. Then, for each partition:
//!
//! - a damaged log is cut at the first damage. What is cut off is kept beside it, as
//!   `<segment>.log.cut-<position>`; without room to keep it nothing is cut;
//! - a log that lost all of its segments begins anew at its recovery point, so that no offset is
//!   given twice;
//! - a partition whose whole folder is missing is forgotten by the checkpoints;
//! - a damaged file that the log tells everything of (indexes, snapshots, leader epochs, sums,
//!   checkpoints) is removed: the next start makes it anew;
//! - what cannot be mended here is listed and left.
//!
//! The directory is locked, so neither a broker nor Kafka is at work in it. The order survives a
//! crash at any step: first the marker of the clean stop goes and the recovery points are lowered,
//! so that a start judges the log anew; then bytes are kept, durably; then they are cut off. Done
//! again, a repair goes on where it stopped.
//!
//! | file | holds |
//! |---|---|
//! | `plan.rs` | what would be done |
//! | `apply.rs` | doing it |

mod apply;
mod plan;
#[cfg(test)]
mod tests;

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::clean_shutdown;
use crate::dir_lock::{DirLock, LockError};
use crate::fs::Fs;
use crate::journal::{Journal, JournalError};
use crate::meta_properties::META_PROPERTIES_FILE;
use crate::verify::Damage;
use crate::{LogDir, TopicPartition};

/// Why a directory cannot be repaired. Every text is one sentence.
#[derive(Debug, Error)]
pub enum RepairError {
    #[error("{} is no log directory: it has no {META_PROPERTIES_FILE}", .0.display())]
    NoLogDir(PathBuf),
    #[error("{0} Stop it first.")]
    InUse(LockError),
    #[error("cannot use {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("{} cannot be cut: there is no room to keep what is cut off", .0.display())]
    NoRoom(PathBuf),
}

/// A directory that is locked, and what has to be done to it.
#[derive(Debug)]
pub struct Repair {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    /// Partitions that something has to be done to, by name.
    pub partitions: Vec<PartitionRepair>,
    /// Files of the directory itself that are to be removed.
    pub files: Vec<Removal>,
    /// What is wrong and stays so.
    pub left: Vec<Damage>,
    _lock: DirLock,
}

/// What has to be done to one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionRepair {
    pub partition: TopicPartition,
    pub path: PathBuf,
    pub log: Option<LogRepair>,
    /// Files that are made anew.
    pub files: Vec<Removal>,
}

/// What has to be done to a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogRepair {
    Cut(Cut),
    /// The log ends at `end`, and was durable up to the end of `lost` once.
    Accept {
        end: i64,
        lost: Range<i64>,
    },
    /// It has no segments left: it begins anew at the end of `lost`.
    BeginAnew {
        lost: Range<i64>,
    },
    /// Its folder is missing: what the checkpoints say of it is forgotten, and if it still has a
    /// topic it begins anew at offset 0.
    Forget {
        checkpoint: &'static str,
        end: i64,
    },
}

/// Where a log is cut off, and what goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Where the log ends afterwards.
    pub offset: i64,
    /// The damaged segment, and where in its file the damage begins.
    pub segment: PathBuf,
    pub position: u64,
    pub why: String,
    /// Segments behind it, whole.
    pub later: Vec<PathBuf>,
    /// Bytes of all that goes.
    pub bytes: u64,
    /// Offsets that are lost, as far as is known.
    pub lost: Range<i64>,
}

/// A file that is to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    pub path: PathBuf,
    pub why: String,
}

impl Repair {
    /// Locks `dir` and finds out what has to be done. Nothing is changed, but for the `.lock` file.
    pub fn plan(fs: &Arc<dyn Fs>, dir: &Path) -> Result<Self, RepairError> {
        let failed = |source| RepairError::Io { path: dir.to_owned(), source };
        if !fs.exists(&dir.join(META_PROPERTIES_FILE)).map_err(failed)? {
            return Err(RepairError::NoLogDir(dir.to_owned()));
        }
        let lock = DirLock::acquire(&**fs, dir).map_err(|error| match error {
            LockError::Io(source) => failed(source),
            held @ LockError::Held { .. } => RepairError::InUse(held),
        })?;
        let plan::Plan { partitions, files, left } = plan::plan(fs, dir)?;
        Ok(Self { fs: Arc::clone(fs), dir: dir.to_owned(), partitions, files, left, _lock: lock })
    }

    /// Whether nothing is to be done.
    pub fn is_nothing(&self) -> bool {
        self.partitions.is_empty() && self.files.is_empty()
    }

    /// Does it. `done` is told of each partition, with the files that keep what was cut off.
    ///
    /// What the journal holds is written back first, as a start would do it, and the journal closed:
    /// it must not fill up again what is cut. The plan counts on that.
    pub fn apply(
        &self,
        done: &mut dyn FnMut(&PartitionRepair, &[PathBuf]),
    ) -> Result<(), RepairError> {
        let failed = |source| RepairError::Io { path: self.dir.clone(), source };
        let was_clean = clean_shutdown::read(&*self.fs, &self.dir).map_err(failed)?.is_some();
        let log_dir = Arc::new(LogDir::new(self.dir.clone()));
        Journal::start(&self.fs, &log_dir, was_clean, None)?;
        apply::apply(&*self.fs, &self.dir, &self.partitions, &self.files, done)
    }
}
