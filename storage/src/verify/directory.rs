//! A log directory: its small files, its checkpoints, and one partition after another.

use std::collections::HashMap;
use std::io;
use std::path::Path;

use protocol_codec::Uuid;

use super::report::{Remedy, Report};
use super::{Meter, Offsets, Options, PartitionFacts, Progress, partition};
use crate::TopicPartition;
use crate::checkpoint::offsets::{
    self, LOG_START_CHECKPOINT, RECOVERY_POINT_CHECKPOINT, REPLICATION_CHECKPOINT,
    ReadCheckpointError,
};
use crate::clean_shutdown::{self, CLEAN_SHUTDOWN_FILE};
use crate::fs::{DirEntry, Fs};
use crate::inspect::CLEANER_CHECKPOINT;
use crate::log_manager::lost::{Claim, missing_folders};
use crate::meta_properties::{META_PROPERTIES_FILE, MetaProperties};

/// The checkpoints of a log directory.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    recovery_points: Offsets,
    log_starts: Offsets,
    high_watermarks: Offsets,
    cleaned: Offsets,
    /// What the journal knows to be durable.
    pub(super) journal_ends: Offsets,
    is_clean: bool,
}

impl Checkpoints {
    pub(super) fn read(fs: &dyn Fs, dir: &Path, report: &mut Report) -> Self {
        let mut read = |name: &'static str, remedy| match offsets::read(fs, dir, name) {
            Ok(offsets) => offsets,
            Err(error) => {
                let what = match error {
                    ReadCheckpointError::Io(error) => format!("it cannot be read: {error}"),
                    ReadCheckpointError::Damaged(error) => error.to_string(),
                };
                report.damage(&dir.join(name), None, remedy, what);
                HashMap::new()
            }
        };
        Self {
            recovery_points: read(RECOVERY_POINT_CHECKPOINT, Remedy::DeleteCheckpoint),
            log_starts: read(LOG_START_CHECKPOINT, Remedy::EditLogStart),
            high_watermarks: read(REPLICATION_CHECKPOINT, Remedy::DeleteCheckpoint),
            cleaned: read(CLEANER_CHECKPOINT, Remedy::DeleteCheckpoint),
            journal_ends: Offsets::new(),
            is_clean: matches!(clean_shutdown::read(fs, dir), Ok(Some(_))),
        }
    }

    /// Beside a running broker a new partition's folder may come after the names were listed.
    fn missing_folders(
        &self,
        dir: &Path,
        entries: &[DirEntry],
        options: Options,
        report: &mut Report,
    ) {
        if options.is_live {
            return;
        }
        let said = [
            (RECOVERY_POINT_CHECKPOINT, &self.recovery_points),
            (REPLICATION_CHECKPOINT, &self.high_watermarks),
        ];
        for (partition, Claim { checkpoint, end }) in missing_folders(entries, &said) {
            let what = format!("it says {end} for {partition}, whose folder is missing");
            report.damage(&dir.join(checkpoint), None, Remedy::RepairLog, what);
        }
    }

    pub(super) fn facts(&self, partition: &TopicPartition, options: Options) -> PartitionFacts {
        PartitionFacts {
            recovery_point: self.recovery_points.get(partition).copied(),
            journal_end: self.journal_ends.get(partition).copied(),
            log_start: self.log_starts.get(partition).copied(),
            high_watermark: self.high_watermarks.get(partition).copied(),
            compacted_up_to: self.cleaned.get(partition).copied(),
            is_clean: self.is_clean && !options.is_live,
            is_live: options.is_live,
        }
    }
}

pub(super) fn verify(
    fs: &dyn Fs,
    dir: &Path,
    entries: &[DirEntry],
    options: Options,
    journal_ends: Offsets,
    progress: &mut dyn FnMut(Progress<'_>),
    report: &mut Report,
) {
    let meta = match MetaProperties::read(fs, dir) {
        Ok(meta) => meta,
        Err(error) => {
            let file = dir.join(META_PROPERTIES_FILE);
            report.damage(&file, None, Remedy::RestoreFile, error.to_string());
            None
        }
    };
    let mut folders = Vec::new();
    let mut set_aside = 0;
    for entry in entries.iter().filter(|entry| entry.is_dir) {
        match TopicPartition::from_dir_name(&entry.name) {
            // Our own metadata is no log of ours: it is checked value by value at every start.
            Some(_) if entry.name == crate::data_dirs::METADATA_FOLDER => {}
            Some(partition) => folders.push((partition, dir.join(&entry.name))),
            None => set_aside += u64::from(is_set_aside(&entry.name)),
        }
    }
    if meta.is_none() && folders.is_empty() && report.is_fine() {
        report.note(format!("{} holds no partition and no {META_PROPERTIES_FILE}", dir.display()));
    }
    if set_aside > 0 {
        report.note(format!(
            "{set_aside} folders that wait for deletion or were set aside were not looked at"
        ));
    }
    let mut checkpoints = Checkpoints::read(fs, dir, report);
    checkpoints.journal_ends = journal_ends;
    if !checkpoints.is_clean && !options.is_live && !folders.is_empty() {
        let why =
            format!("there is no {CLEAN_SHUTDOWN_FILE}: the next start recovers this directory");
        report.note(why);
    }
    checkpoints.missing_folders(dir, entries, options, report);
    let total = folders.iter().map(|(_, folder)| partition::size(fs, folder)).sum();
    let mut meter = Meter::new(progress, total);
    for (_, folder) in &folders {
        partition::verify(fs, folder, options, &checkpoints, &mut meter, report);
    }
    one_id_a_topic(fs, &folders, report);
}

fn is_set_aside(name: &str) -> bool {
    let suffix = name.rsplit_once('.').map(|(_, suffix)| suffix).unwrap_or_default();
    ["-delete", "-stray", "-future"].iter().any(|end| suffix.ends_with(end))
}

/// All partitions of a topic in this directory name the same topic id. With a flipped bit it is
/// still a well-formed id.
fn one_id_a_topic(
    fs: &dyn Fs,
    folders: &[(TopicPartition, std::path::PathBuf)],
    report: &mut Report,
) {
    let mut ids: HashMap<&str, HashMap<Uuid, Vec<&Path>>> = HashMap::new();
    for (partition, folder) in folders {
        // A damaged file was reported with its partition.
        if let Ok(Some(id)) = crate::partition_metadata::read(fs, folder) {
            ids.entry(&partition.topic).or_default().entry(id).or_default().push(folder);
        }
    }
    for (topic, ids) in ids.into_iter().filter(|(_, ids)| ids.len() > 1) {
        let most = ids.values().map(Vec::len).max().unwrap_or(0);
        let is_tie = ids.values().filter(|folders| folders.len() == most).count() > 1;
        for (id, folders) in ids {
            if folders.len() == most && !is_tie {
                continue;
            }
            for folder in folders {
                let file = folder.join(crate::partition_metadata::PARTITION_METADATA_FILE);
                let what =
                    format!("topic id {id} differs from that of other partitions of {topic}");
                report.damage(&file, None, Remedy::DeletePartitionMetadata, what);
            }
        }
    }
}

/// Whether a file that was listed may be gone by now.
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}
