//! What would be done. Reads only.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Cut, LogRepair, PartitionRepair, Removal, RepairError};
use crate::TopicPartition;
use crate::checkpoint::offsets::{
    self, LOG_START_CHECKPOINT, RECOVERY_POINT_CHECKPOINT, REPLICATION_CHECKPOINT,
};
use crate::fs::Fs;
use crate::inspect::batches::{BatchReadError, BatchReader};
use crate::journal::pending::Pending;
use crate::log_manager::lost::{Claim, missing_folders};
use crate::segment::files::{LOG_SUFFIX, SWAP_SUFFIX, base_offset, path};
use crate::verify::{self, Damage, Options, Remedy};

#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) partitions: Vec<PartitionRepair>,
    pub(super) files: Vec<Removal>,
    pub(super) left: Vec<Damage>,
}

/// What was found in one partition.
#[derive(Debug, Default)]
struct Found {
    /// The first damage of the log, by segment and position.
    damage: Option<(i64, u64, String)>,
    files: Vec<Removal>,
}

pub(super) fn plan(fs: &Arc<dyn Fs>, dir: &Path) -> Result<Plan, RepairError> {
    let failed = |source| RepairError::Io { path: dir.to_owned(), source };
    // The files as they will be once the journal is written back.
    let Pending { fs: restored, durable_ends, .. } = Pending::look(fs, dir)?;
    let entries = fs.list(dir).map_err(failed)?;
    let report = verify::verify(fs, dir, Options::default(), &mut |_| {}).map_err(failed)?;
    let mut plan = Plan::default();
    let mut found: BTreeMap<PathBuf, Found> = BTreeMap::new();
    for damage in report.damages {
        sort_in(dir, damage, &mut found, &mut plan);
    }
    let fs = &*restored;
    let read = |name| offsets::read(fs, dir, name).unwrap_or_default();
    let (mut recovery_points, log_starts) =
        (read(RECOVERY_POINT_CHECKPOINT), read(LOG_START_CHECKPOINT));
    for (partition, durable_end) in durable_ends {
        let known = recovery_points.entry(partition).or_default();
        *known = durable_end.max(*known);
    }
    let high_watermarks = read(REPLICATION_CHECKPOINT);
    let said =
        [(RECOVERY_POINT_CHECKPOINT, &recovery_points), (REPLICATION_CHECKPOINT, &high_watermarks)];
    for (partition, Claim { checkpoint, end }) in missing_folders(&entries, &said) {
        let path = dir.join(partition.dir_name());
        let log = Some(LogRepair::Forget { checkpoint, end });
        plan.partitions.push(PartitionRepair { partition, path, log, files: Vec::new() });
    }
    for entry in entries.into_iter().filter(|entry| entry.is_dir) {
        let Some(partition) = TopicPartition::from_dir_name(&entry.name) else { continue };
        let path = dir.join(&entry.name);
        if entry.name.starts_with("__cluster_metadata-") {
            continue;
        }
        let found = found.remove(&path).unwrap_or_default();
        let known = Known { recovery_points: &recovery_points, log_starts: &log_starts };
        if let Some(repair) = plan_partition(fs, partition, path, found, &known, &mut plan.left)? {
            plan.partitions.push(repair);
        }
    }
    Ok(plan)
}

/// What the directory's checkpoints say, and the journal.
struct Known<'a> {
    recovery_points: &'a HashMap<TopicPartition, i64>,
    log_starts: &'a HashMap<TopicPartition, i64>,
}

/// Puts a damage where it belongs, by what helps.
fn sort_in(dir: &Path, damage: Damage, found: &mut BTreeMap<PathBuf, Found>, plan: &mut Plan) {
    let Damage { file, position, what, remedy } = &damage;
    let parent = file.parent().unwrap_or(dir).to_owned();
    let removal = || Removal { path: file.clone(), why: what.clone() };
    match remedy {
        Remedy::RepairLog | Remedy::NextStart => {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            match (base_offset(&name, LOG_SUFFIX), position) {
                (Some(base), Some(position)) => {
                    let known = &mut found.entry(parent).or_default().damage;
                    let here = (base, *position, what.clone());
                    if known.as_ref().is_none_or(|known| (here.0, here.1) < (known.0, known.1)) {
                        *known = Some(here);
                    }
                }
                // The recovery point is looked at with its partition.
                (None, _) if parent == dir => {}
                _ => plan.left.push(damage),
            }
        }
        Remedy::DeleteIndex
        | Remedy::DeleteSnapshot
        | Remedy::DeleteEpochs
        | Remedy::DeleteSums
        | Remedy::DeleteCheckpoint
        | Remedy::DeletePartitionMetadata => {
            if parent == dir {
                plan.files.push(removal());
            } else {
                found.entry(parent).or_default().files.push(removal());
            }
        }
        Remedy::DeleteIndexes => {
            let files = &mut found.entry(parent).or_default().files;
            for extension in ["index", "timeindex", "txnindex"] {
                let path = file.with_extension(extension);
                files.push(Removal { path, why: what.clone() });
            }
        }
        Remedy::EditLogStart | Remedy::RestoreFile | Remedy::RestoreJournal => {
            plan.left.push(damage)
        }
    }
}

fn plan_partition(
    fs: &dyn Fs,
    partition: TopicPartition,
    dir: PathBuf,
    found: Found,
    known: &Known<'_>,
    left: &mut Vec<Damage>,
) -> Result<Option<PartitionRepair>, RepairError> {
    let failed = |source| RepairError::Io { path: dir.clone(), source };
    let entries = fs.list(&dir).map_err(failed)?;
    if let Some(swap) = entries.iter().find(|entry| entry.name.ends_with(SWAP_SUFFIX)) {
        left.push(Damage {
            file: dir.join(&swap.name),
            position: None,
            what: "a compaction was interrupted: the next start ends it, repair after that"
                .to_owned(),
            remedy: Remedy::NextStart,
        });
        return Ok(None);
    }
    let bases: Vec<i64> =
        entries.iter().filter_map(|entry| base_offset(&entry.name, LOG_SUFFIX)).collect();
    let recovery_point = known.recovery_points.get(&partition).copied().unwrap_or(0);
    let log_start = known.log_starts.get(&partition).copied().unwrap_or(0);
    let log = match (found.damage, bases.last()) {
        (Some(damage), _) => Some(LogRepair::Cut(cut(fs, &dir, &bases, damage, recovery_point)?)),
        (None, None) if recovery_point > 0 => {
            Some(LogRepair::BeginAnew { lost: log_start..recovery_point })
        }
        (None, None) => None,
        (None, Some(last)) => {
            let end = walk_from(fs, &path(&dir, *last, LOG_SUFFIX), 0)?.unwrap_or(*last);
            let lost = end..recovery_point;
            (end < recovery_point).then_some(LogRepair::Accept { end, lost })
        }
    };
    let files = found.files;
    Ok((log.is_some() || !files.is_empty()).then_some(PartitionRepair {
        partition,
        path: dir,
        log,
        files,
    }))
}

fn cut(
    fs: &dyn Fs,
    dir: &Path,
    bases: &[i64],
    (base, position, why): (i64, u64, String),
    recovery_point: i64,
) -> Result<Cut, RepairError> {
    let segment = path(dir, base, LOG_SUFFIX);
    let failed = |source| RepairError::Io { path: segment.clone(), source };
    let mut bytes = fs.metadata(&segment).map_err(failed)?.len.saturating_sub(position);
    let offset = match walk_to(fs, &segment, position)? {
        Some(offset) => offset,
        // Nothing of it is good: the log ends with the segment before it.
        None => match bases.iter().rev().find(|other| **other < base) {
            Some(before) => walk_from(fs, &path(dir, *before, LOG_SUFFIX), 0)?.unwrap_or(*before),
            None => base,
        },
    };
    // As far as headers tell that were not damaged.
    let mut lost_end = recovery_point.max(walk_from(fs, &segment, position)?.unwrap_or(offset));
    let mut later = Vec::new();
    for other in bases.iter().filter(|other| **other > base) {
        let path = path(dir, *other, LOG_SUFFIX);
        bytes += fs.metadata(&path).map_err(failed)?.len;
        lost_end = lost_end.max(walk_from(fs, &path, 0)?.unwrap_or(*other));
        later.push(path);
    }
    let lost = offset..lost_end.max(offset);
    Ok(Cut { offset, segment, position, why, later, bytes, lost })
}

/// The offset after the last batch before `position`.
fn walk_to(fs: &dyn Fs, log: &Path, position: u64) -> Result<Option<i64>, RepairError> {
    walk(fs, log, 0, position)
}

/// The offset after the last batch that can be reached from `position` on.
fn walk_from(fs: &dyn Fs, log: &Path, position: u64) -> Result<Option<i64>, RepairError> {
    walk(fs, log, position, u64::MAX)
}

fn walk(fs: &dyn Fs, log: &Path, start: u64, end: u64) -> Result<Option<i64>, RepairError> {
    let failed = |source| RepairError::Io { path: log.to_owned(), source };
    let mut reader = BatchReader::open(fs, log).map_err(failed)?;
    reader.skip_to(start);
    let mut next_offset = None;
    while reader.position() < end {
        match reader.next_header() {
            Ok(Some((_, header))) => next_offset = next_offset.max(Some(header.next_offset())),
            Ok(None) | Err(BatchReadError::Torn(_) | BatchReadError::Corrupt(_)) => break,
            Err(BatchReadError::Io(source)) => return Err(failed(source)),
        }
    }
    Ok(next_offset)
}
