//! `barnabas log verify`: looks at every byte of a log directory, or of one partition's, and says
//! what is damaged, where, and what helps. It reads only, and takes no lock.
//!
//! What is checked, and against what:
//!
//! | file | is compared with |
//! |---|---|
//! | `.log` | its CRCs; the records' structure; the order of offsets within and between segments |
//! | `.index`, `.timeindex`, `.txnindex` | the batches of the segment, entry by entry |
//! | `leader-epoch-checkpoint` | the epoch in each batch |
//! | `.snapshot` | its own CRC, and the log's range |
//! | sealed files | their size and CRC in `barnabas-sealed`, where there is one |
//! | checkpoints, `barnabas-journal` | the range of each log |
//! | `partition.metadata`, `meta.properties` | their form; one topic has one id |
//!
//! After an unclean stop the segments are looked at as they will be when the next start has written
//! back what the journal holds.
//!
//! Beside a running broker files grow, are replaced and vanish while they are looked at. So the end
//! of the active segment may be unfinished then, what vanished is passed over, and a damage counts
//! only if a second look at its partition finds it again.
//!
//! | file | holds |
//! |---|---|
//! | `report.rs` | damages, remedies, the report |
//! | `directory.rs` | a log directory: which folders, checkpoints |
//! | `partition.rs` | one partition: its row of segments and its small files |
//! | `segment.rs` | one segment: its batches, and all that must agree with them |
//! | `indexes.rs`, `transactions.rs` | the three indexes, batch by batch |

mod directory;
mod indexes;
mod partition;
mod report;
mod segment;
#[cfg(test)]
mod tests;
mod transactions;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::TopicPartition;
use crate::fs::Fs;
use crate::journal::pending::Pending;
use crate::journal::{JOURNAL_FILE, JournalError};

pub use report::{Damage, Remedy, Report};
pub(crate) use segment::check_sealed;

/// Told now and then how far it is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// The partition that is looked at.
    pub partition: &'a Path,
    pub bytes_done: u64,
    pub bytes_total: u64,
}

/// How to look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Somebody may be writing here.
    pub is_live: bool,
}

/// What the log directory knows of one partition.
#[derive(Clone, Copy, Debug, Default)]
struct PartitionFacts {
    recovery_point: Option<i64>,
    /// How far the journal knows it to be durable.
    journal_end: Option<i64>,
    log_start: Option<i64>,
    high_watermark: Option<i64>,
    /// Offsets before it may be missing: they were compacted.
    compacted_up_to: Option<i64>,
    /// The directory was stopped cleanly and nobody is using it: nothing may be unfinished.
    is_clean: bool,
    is_live: bool,
}

impl PartitionFacts {
    /// Everything before it was durable once.
    fn durable_end(&self) -> i64 {
        self.recovery_point.max(self.journal_end).unwrap_or(0)
    }
}

/// The offsets of a checkpoint file.
type Offsets = HashMap<TopicPartition, i64>;

/// Verifies `dir`, which is a log directory or the directory of one partition.
///
/// # Errors
/// `dir` cannot be listed, or is neither of the two. Everything else is a part of the report.
pub fn verify(
    fs: &Arc<dyn Fs>,
    dir: &Path,
    options: Options,
    progress: &mut dyn FnMut(Progress<'_>),
) -> io::Result<Report> {
    let mut report = Report::default();
    let entries = fs.list(dir)?;
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let is_partition = TopicPartition::from_dir_name(&name).is_some()
        && !entries.iter().any(|entry| entry.name == crate::meta_properties::META_PROPERTIES_FILE);
    let log_dir = if is_partition { dir.parent().unwrap_or(Path::new("")) } else { dir };
    let pending = pending(fs, log_dir, options, &mut report);
    let (fs, journal_ends) = (&*pending.fs, pending.durable_ends);
    if is_partition {
        let mut checkpoints = directory::Checkpoints::read(fs, log_dir, &mut Report::default());
        checkpoints.journal_ends = journal_ends;
        let mut meter = Meter::new(progress, partition::size(fs, dir));
        partition::verify(fs, dir, options, &checkpoints, &mut meter, &mut report);
        return Ok(report);
    }
    directory::verify(fs, dir, &entries, options, journal_ends, progress, &mut report);
    Ok(report)
}

/// The files as the next start will find them. Beside a running broker nothing is pending: all that
/// is in the journal is in the partitions' own files.
fn pending(fs: &Arc<dyn Fs>, log_dir: &Path, options: Options, report: &mut Report) -> Pending {
    if options.is_live {
        return Pending::nothing(fs);
    }
    match Pending::look(fs, log_dir) {
        Ok(pending) => {
            if !pending.lacking.is_empty() {
                report.note(format!(
                    "{}: {} segments lack what it holds of them; they were looked at as the next \
                     start will find them, when it has written that back",
                    log_dir.join(JOURNAL_FILE).display(),
                    pending.lacking.len()
                ));
            }
            pending
        }
        Err(error) => {
            let position = match &error {
                JournalError::Damaged { position, .. } => Some(*position),
                JournalError::Io { .. } | JournalError::Newer { .. } => None,
            };
            let file = log_dir.join(JOURNAL_FILE);
            report.damage(&file, position, Remedy::RestoreJournal, error.to_string());
            Pending::nothing(fs)
        }
    }
}

/// The log directory that `dir` is, or whose partition it is: where its lock would be.
pub fn log_dir_of(fs: &dyn Fs, dir: &Path) -> PathBuf {
    let is_log_dir = fs.exists(&dir.join(crate::meta_properties::META_PROPERTIES_FILE));
    match dir.parent() {
        Some(parent) if !is_log_dir.unwrap_or(false) => parent.to_owned(),
        _ => dir.to_owned(),
    }
}

/// Counts bytes for the progress.
struct Meter<'a> {
    progress: &'a mut dyn FnMut(Progress<'_>),
    partition: PathBuf,
    done: u64,
    total: u64,
}

impl<'a> Meter<'a> {
    fn new(progress: &'a mut dyn FnMut(Progress<'_>), total: u64) -> Self {
        Self { progress, partition: PathBuf::new(), done: 0, total }
    }

    fn begin(&mut self, partition: &Path) {
        partition.clone_into(&mut self.partition);
        self.add(0);
    }

    fn add(&mut self, bytes: u64) {
        self.done += bytes;
        let (bytes_done, bytes_total) = (self.done, self.total.max(self.done));
        (self.progress)(Progress { partition: &self.partition, bytes_done, bytes_total });
    }
}
