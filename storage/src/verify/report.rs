//! What was found.

use std::fmt;
use std::path::{Path, PathBuf};

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    pub file: PathBuf,
    /// Where in the file, if that is known.
    pub position: Option<u64>,
    pub what: String,
    pub remedy: Remedy,
}

/// What helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// An unfinished write at the end of a log that was not stopped cleanly.
    NextStart,
    /// Records are lost, or may be.
    RepairLog,
    /// The file is derived from the log.
    DeleteIndex,
    /// Without its file nothing counts as aborted, unless the other indexes are missing too.
    DeleteIndexes,
    /// An older snapshot and the log take its place.
    DeleteSnapshot,
    /// Epochs are read from the batches again.
    DeleteEpochs,
    DeleteSums,
    /// The offset of this checkpoint is only a shortcut.
    DeleteCheckpoint,
    /// Deleted records may show again without it.
    EditLogStart,
    /// The metadata knows the topic's id.
    DeletePartitionMetadata,
    RestoreFile,
    /// It may hold the only copy of acknowledged records.
    RestoreJournal,
}

impl Remedy {
    /// Stable names for `--json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::NextStart => "next-start",
            Self::RepairLog => "repair-log",
            Self::DeleteIndex => "delete-index",
            Self::DeleteIndexes => "delete-indexes",
            Self::DeleteSnapshot => "delete-snapshot",
            Self::DeleteEpochs => "delete-epochs",
            Self::DeleteSums => "delete-sums",
            Self::DeleteCheckpoint => "delete-checkpoint",
            Self::EditLogStart => "edit-log-start",
            Self::DeletePartitionMetadata => "delete-partition-metadata",
            Self::RestoreFile => "restore-file",
            Self::RestoreJournal => "restore-journal",
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NextStart => "the next start recovers the log: what was never promised is cut off here",
            Self::RepairLog => {
                "restore the partition from a copy, or see what \
                 'barnabas storage repair --dry-run' would keep"
            }
            Self::DeleteIndex => "stop the broker and delete the file: it is made anew from the log",
            Self::DeleteIndexes => {
                "stop the broker and delete the three indexes of this segment: \
                 they are made anew from the log"
            }
            Self::DeleteSnapshot => {
                "stop the broker and delete the file: the log tells what it held"
            }
            Self::DeleteEpochs => {
                "stop the broker, delete the file and .kafka_cleanshutdown: \
                 the next start reads the epochs from the log"
            }
            Self::DeleteSums => "stop the broker and delete the file: it is made anew",
            Self::DeleteCheckpoint => "stop the broker and delete the file: the next start does without",
            Self::EditLogStart => {
                "stop the broker and correct the line by hand: without it deleted records may show again"
            }
            Self::DeletePartitionMetadata => {
                "stop the broker and delete the file: the metadata knows the topic's id"
            }
            Self::RestoreFile => "restore the file from a copy",
            Self::RestoreJournal => {
                "restore the file from a copy; the partitions were looked at without it"
            }
        })
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(position) = self.position {
            write!(f, " at position {position}")?;
        }
        write!(f, ": {} ({})", self.what, self.remedy)
    }
}

/// All that `verify` has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub partitions: u64,
    pub segments: u64,
    pub batches: u64,
    pub records: u64,
    /// Bytes of the `.log` files.
    pub bytes: u64,
    /// Files whose size and CRC were compared with `barnabas-sealed`.
    pub sums_compared: u64,
    pub damages: Vec<Damage>,
    /// What is worth knowing and no damage.
    pub notes: Vec<String>,
}

impl Report {
    pub fn is_fine(&self) -> bool {
        self.damages.is_empty()
    }

    pub(super) fn damage(
        &mut self,
        file: &Path,
        position: Option<u64>,
        remedy: Remedy,
        what: impl Into<String>,
    ) {
        self.damages.push(Damage { file: file.to_owned(), position, what: what.into(), remedy });
    }

    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Takes over what was found in one partition.
    pub(super) fn absorb(&mut self, other: Self) {
        self.partitions += other.partitions;
        self.segments += other.segments;
        self.batches += other.batches;
        self.records += other.records;
        self.bytes += other.bytes;
        self.sums_compared += other.sums_compared;
        self.damages.extend(other.damages);
        self.notes.extend(other.notes);
    }
}
