//! Doing it, in an order that a crash may interrupt anywhere.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::{Cut, LogRepair, PartitionRepair, Removal, RepairError};
use crate::TopicPartition;
use crate::checkpoint::offsets::{self, RECOVERY_POINT_CHECKPOINT};
use crate::clean_shutdown;
use crate::fs::{Fs, OpenMode};
use crate::inspect::OFFSET_CHECKPOINTS;
use crate::log::recover::kept::Kept;
use crate::sealed_sums::SEALED_SUMS_FILE;
use crate::segment::files::{LOG_SUFFIX, SEGMENT_SUFFIXES, path};
use crate::segment::saved::SAVED_FILE;

pub(super) fn apply(
    fs: &dyn Fs,
    dir: &Path,
    partitions: &[PartitionRepair],
    files: &[Removal],
    done: &mut dyn FnMut(&PartitionRepair, &[PathBuf]),
) -> Result<(), RepairError> {
    let failed = |source| RepairError::Io { path: dir.to_owned(), source };
    if partitions.is_empty() && files.is_empty() {
        return Ok(());
    }
    // A start has to look at the logs again.
    clean_shutdown::remove(fs, dir).map_err(failed)?;
    for removal in files {
        remove(fs, &removal.path)?;
    }
    fs.sync_dir(dir).map_err(failed)?;
    lower_recovery_points(fs, dir, partitions).map_err(failed)?;
    forget_missing(fs, dir, partitions).map_err(failed)?;
    for repair in partitions {
        let kept = apply_one(fs, repair)?;
        done(repair, &kept);
    }
    Ok(())
}

/// Nothing behind the new end of a log counts as durable any more.
fn lower_recovery_points(
    fs: &dyn Fs,
    dir: &Path,
    partitions: &[PartitionRepair],
) -> io::Result<()> {
    let mut known: BTreeMap<_, _> =
        offsets::read(fs, dir, RECOVERY_POINT_CHECKPOINT).unwrap_or_default().into_iter().collect();
    let before = known.clone();
    for repair in partitions {
        let end = match &repair.log {
            Some(LogRepair::Cut(cut)) => cut.offset,
            Some(LogRepair::Accept { end, .. }) => *end,
            Some(LogRepair::BeginAnew { .. } | LogRepair::Forget { .. }) | None => continue,
        };
        if let Some(recovery_point) = known.get_mut(&repair.partition) {
            *recovery_point = end.min(*recovery_point);
        }
    }
    known.retain(|_, recovery_point| *recovery_point > 0);
    if known == before {
        return Ok(());
    }
    offsets::write(fs, dir, RECOVERY_POINT_CHECKPOINT, &known)
}

/// No checkpoint speaks of a partition any more whose folder is missing.
fn forget_missing(fs: &dyn Fs, dir: &Path, partitions: &[PartitionRepair]) -> io::Result<()> {
    let is_missing = |partition: &TopicPartition| {
        partitions.iter().any(|repair| {
            repair.partition == *partition && matches!(repair.log, Some(LogRepair::Forget { .. }))
        })
    };
    for name in OFFSET_CHECKPOINTS {
        let before = offsets::read(fs, dir, name).unwrap_or_default();
        let mut after: BTreeMap<_, _> = before.clone().into_iter().collect();
        after.retain(|partition, _| !is_missing(partition));
        if after.len() < before.len() {
            offsets::write(fs, dir, name, &after)?;
        }
    }
    Ok(())
}

fn apply_one(fs: &dyn Fs, repair: &PartitionRepair) -> Result<Vec<PathBuf>, RepairError> {
    let failed = |source| RepairError::Io { path: repair.path.clone(), source };
    let mut kept = Vec::new();
    match &repair.log {
        Some(LogRepair::Cut(cut)) => kept = apply_cut(fs, &repair.path, cut)?,
        Some(LogRepair::BeginAnew { lost }) => {
            let file = fs.open(&path(&repair.path, lost.end, LOG_SUFFIX), OpenMode::Create);
            file.and_then(|file| file.sync_data()).map_err(failed)?;
        }
        Some(LogRepair::Forget { .. }) => return Ok(kept),
        Some(LogRepair::Accept { .. }) | None => {}
    }
    for removal in &repair.files {
        remove(fs, &removal.path)?;
    }
    fs.sync_dir(&repair.path).map_err(failed)?;
    Ok(kept)
}

fn apply_cut(fs: &dyn Fs, dir: &Path, cut: &Cut) -> Result<Vec<PathBuf>, RepairError> {
    let at = |path: &Path| {
        let path = path.to_owned();
        move |source| RepairError::Io { path, source }
    };
    let file = fs.open(&cut.segment, OpenMode::ReadWrite).map_err(at(&cut.segment))?;
    let end = file.len().map_err(at(&cut.segment))?;
    let mut kept = Kept::of_everything();
    let copied = kept.copy(fs, &cut.segment, &*file, cut.position, end);
    copied.map_err(at(&cut.segment))?;
    if kept.is_incomplete() {
        return Err(RepairError::NoRoom(cut.segment.clone()));
    }
    for later in &cut.later {
        let size = fs.metadata(later).map_err(at(later))?.len;
        kept.take(fs, later, size).map_err(at(later))?;
    }
    fs.sync_dir(dir).map_err(at(dir))?;
    let cut_off = file.set_len(cut.position).and_then(|()| file.sync_data());
    cut_off.map_err(at(&cut.segment))?;
    // What speaks of bytes that are gone is made anew.
    remove(fs, &dir.join(SEALED_SUMS_FILE))?;
    remove(fs, &dir.join(SAVED_FILE))?;
    for log in cut.later.iter().chain([&cut.segment]) {
        for suffix in SEGMENT_SUFFIXES.iter().filter(|suffix| **suffix != LOG_SUFFIX) {
            remove(fs, &log.with_extension(suffix.trim_start_matches('.')))?;
        }
    }
    Ok(kept.into_files())
}

fn remove(fs: &dyn Fs, path: &Path) -> Result<(), RepairError> {
    match fs.remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(RepairError::Io { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}
