//! One partition: its row of segments, and the small files beside them.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::directory::{Checkpoints, is_gone};
use super::report::{Remedy, Report};
use super::segment::{LogWalk, SegmentPlace};
use super::transactions::OpenTransactions;
use super::{Meter, Options, PartitionFacts};
use crate::TopicPartition;
use crate::checkpoint::offsets::{
    LOG_START_CHECKPOINT, RECOVERY_POINT_CHECKPOINT, REPLICATION_CHECKPOINT,
};
use crate::fs::{Fs, read_file};
use crate::inspect::batches::BatchReader;
use crate::inspect::{CLEANER_CHECKPOINT, FileKind};
use crate::journal::JOURNAL_FILE;
use crate::leader_epoch_cache::{LEADER_EPOCH_CHECKPOINT, LeaderEpochCache};
use crate::partition_metadata;
use crate::producer_state::snapshot;
use crate::sealed_sums::{SEALED_SUMS_FILE, SealedSums, SealedSumsError};
use crate::segment::files::{LOG_SUFFIX, SWAP_SUFFIX, base_offset, path};

const EPOCHS_BYTES_MAX: u64 = 16 << 20;
const SNAPSHOT_BYTES_MAX: u64 = 64 << 20;

/// Bytes of the `.log` files of a partition.
pub(super) fn size(fs: &dyn Fs, dir: &Path) -> u64 {
    let entries = fs.list(dir).unwrap_or_default();
    let logs = entries.iter().filter(|entry| base_offset(&entry.name, LOG_SUFFIX).is_some());
    logs.filter_map(|entry| fs.metadata(&dir.join(&entry.name)).ok()).map(|found| found.len).sum()
}

/// Verifies one partition. Beside a running broker what it finds must be found twice.
pub(super) fn verify(
    fs: &dyn Fs,
    dir: &Path,
    options: Options,
    checkpoints: &Checkpoints,
    meter: &mut Meter<'_>,
    report: &mut Report,
) {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let Some(partition) = TopicPartition::from_dir_name(&name) else { return };
    meter.begin(dir);
    let mut first = look(fs, dir, &partition, checkpoints.facts(&partition, options), meter);
    if options.is_live && !first.is_fine() {
        let parent = dir.parent().unwrap_or(Path::new(""));
        let again = Checkpoints::read(fs, parent, &mut Report::default());
        let second = look(fs, dir, &partition, again.facts(&partition, options), meter);
        first.damages.retain(|damage| {
            let is_same = |other: &super::Damage| {
                (&other.file, other.position) == (&damage.file, damage.position)
            };
            second.damages.iter().any(is_same)
        });
    }
    report.absorb(first);
}

fn look(
    fs: &dyn Fs,
    dir: &Path,
    partition: &TopicPartition,
    mut facts: PartitionFacts,
    meter: &mut Meter<'_>,
) -> Report {
    let mut report = Report { partitions: 1, ..Report::default() };
    let entries = match fs.list(dir) {
        Ok(entries) => entries,
        // Deleted meanwhile.
        Err(error) if is_gone(&error) => return Report::default(),
        Err(error) => {
            report.damage(dir, None, Remedy::RestoreFile, format!("it cannot be listed: {error}"));
            return report;
        }
    };
    let names: Vec<&str> =
        entries.iter().filter(|entry| !entry.is_dir).map(|entry| entry.name.as_str()).collect();
    let bases: Vec<i64> = names.iter().filter_map(|name| base_offset(name, LOG_SUFFIX)).collect();
    if names.iter().any(|name| name.ends_with(SWAP_SUFFIX)) {
        let dir = dir.display();
        report.note(format!("{dir}: a compaction was interrupted, the next start finishes it"));
        // Which offsets it has taken is not known here.
        facts.compacted_up_to = Some(i64::MAX);
    }
    let sums = read_sums(fs, dir, &mut report);
    let epochs = read_epochs(fs, dir, &mut report);
    missing_logs(dir, &names, &bases, &sums, &mut report);

    let first = bases.first().copied();
    let mut walk = LogWalk {
        fs,
        dir,
        facts,
        sums: &sums,
        epochs: &epochs,
        meter,
        report,
        next_offset: None,
        latest_epoch: -1,
        open: OpenTransactions::default(),
        epochs_blamed: false,
    };
    walk.open.begin_at(first.unwrap_or(0));
    if facts.compacted_up_to.is_some() {
        walk.open.note_gap();
    }
    for (at, base) in bases.iter().enumerate() {
        walk.segment(SegmentPlace { base: *base, next_base: bases.get(at + 1).copied() });
    }
    let end = if bases.is_empty() { Some(0) } else { walk.next_offset };
    let mut report = walk.report;
    if let Some(end) = end {
        check_range(dir, partition, facts, &epochs, end, &mut report);
    }
    if let Some(first) = first.filter(|_| facts.is_clean) {
        check_start(dir, first, &epochs, &mut report);
    }
    for name in names {
        small_file(fs, dir, name, end.filter(|_| facts.is_clean), &mut report);
    }
    report
}

fn read_sums(fs: &dyn Fs, dir: &Path, report: &mut Report) -> SealedSums {
    match SealedSums::read(fs, dir) {
        Ok(sums) => sums,
        Err(error) => {
            let file = dir.join(SEALED_SUMS_FILE);
            match error {
                SealedSumsError::NewerVersion(_) => {
                    report.note(format!("{}: {error}", file.display()));
                }
                error => report.damage(&file, None, Remedy::DeleteSums, error.to_string()),
            }
            SealedSums::default()
        }
    }
}

/// The epochs; none if there is no file or it is damaged.
fn read_epochs(fs: &dyn Fs, dir: &Path, report: &mut Report) -> LeaderEpochCache {
    let file = dir.join(LEADER_EPOCH_CHECKPOINT);
    let damage = match read_file(fs, &file, EPOCHS_BYTES_MAX) {
        Ok(bytes) => match LeaderEpochCache::decode(&bytes) {
            Ok(epochs) if bytes.is_empty() || epochs.encode() == bytes => return epochs,
            Ok(_) => "its epochs contradict one another".to_owned(),
            Err(error) => error.to_string(),
        },
        Err(error) if is_gone(&error) => return LeaderEpochCache::new(),
        Err(error) => format!("it cannot be read: {error}"),
    };
    report.damage(&file, None, Remedy::DeleteEpochs, damage);
    LeaderEpochCache::new()
}

/// A segment of which everything is left but its log: its indexes, or its sums. Before the first
/// segment they are leftovers of a deletion.
fn missing_logs(dir: &Path, names: &[&str], bases: &[i64], sums: &SealedSums, report: &mut Report) {
    let Some(first) = bases.first() else { return };
    let of_index = |name: &&str| match FileKind::of(name) {
        Some(FileKind::OffsetIndex(base) | FileKind::TimeIndex(base)) => Some(base),
        _ => None,
    };
    let indexed = names.iter().filter_map(of_index);
    let summed = sums.iter().filter_map(|(name, _)| base_offset(name, LOG_SUFFIX));
    let missing: BTreeSet<i64> =
        indexed.chain(summed).filter(|base| base > first && !bases.contains(base)).collect();
    for base in missing {
        let file = path(dir, base, LOG_SUFFIX);
        report.damage(&file, None, Remedy::RestoreFile, "it is missing");
    }
}

/// What the directory's checkpoints and the epochs say of this log lies within it.
fn check_range(
    dir: &Path,
    partition: &TopicPartition,
    facts: PartitionFacts,
    epochs: &LeaderEpochCache,
    end: i64,
    report: &mut Report,
) {
    let parent = dir.parent().unwrap_or(Path::new(""));
    let mut check = |offset: Option<i64>, name: &str, remedy, applies: bool| {
        if let Some(offset) = offset.filter(|offset| *offset > end && applies) {
            let what = format!("it says {offset} for {partition}, which ends at offset {end}");
            report.damage(&parent.join(name), None, remedy, what);
        }
    };
    // What was on the disk once must be there; the others only where nothing is to be cut off.
    check(facts.recovery_point, RECOVERY_POINT_CHECKPOINT, Remedy::RepairLog, true);
    check(facts.journal_end, JOURNAL_FILE, Remedy::RepairLog, true);
    check(facts.log_start, LOG_START_CHECKPOINT, Remedy::EditLogStart, true);
    let clean = facts.is_clean;
    check(facts.high_watermark, REPLICATION_CHECKPOINT, Remedy::DeleteCheckpoint, clean);
    let compacted_up_to = facts.compacted_up_to.filter(|end| *end < i64::MAX);
    check(compacted_up_to, CLEANER_CHECKPOINT, Remedy::DeleteCheckpoint, clean);
    if let Some(latest) = epochs.latest().filter(|latest| latest.start_offset > end && clean) {
        let file = dir.join(LEADER_EPOCH_CHECKPOINT);
        let (epoch, offset) = (latest.epoch, latest.start_offset);
        let what = format!("epoch {epoch} begins at offset {offset}, the log ends at {end}");
        report.damage(&file, None, Remedy::DeleteEpochs, what);
    }
}

/// The first segment is there: when the beginning of a log is deleted, its epochs go with it.
fn check_start(dir: &Path, first: i64, epochs: &LeaderEpochCache, report: &mut Report) {
    let known = epochs.entries().first().map_or(first, |entry| entry.start_offset);
    if known < first {
        let file = path(dir, known, LOG_SUFFIX);
        let what = format!(
            "it is missing: the log begins at offset {first}, {LEADER_EPOCH_CHECKPOINT} at {known}"
        );
        report.damage(&file, None, Remedy::RestoreFile, what);
    }
}

fn small_file(fs: &dyn Fs, dir: &Path, name: &str, end: Option<i64>, report: &mut Report) {
    let file = dir.join(name);
    let found = match FileKind::of(name) {
        Some(FileKind::ProducerSnapshot(offset)) => {
            (Remedy::DeleteSnapshot, check_snapshot(fs, &file, offset, end))
        }
        Some(FileKind::PartitionMetadata) => {
            let read = partition_metadata::read(fs, dir);
            let read = read.map(|_| ()).map_err(|error| (None, error.to_string()));
            (Remedy::DeletePartitionMetadata, read)
        }
        Some(FileKind::MetadataSnapshot) => (Remedy::RestoreFile, check_batches(fs, &file)),
        _ => return,
    };
    if let (remedy, Err((position, what))) = found {
        report.damage(&dir.join(name), position, remedy, what);
    }
}

type Found = Result<(), (Option<u64>, String)>;

fn check_snapshot(fs: &dyn Fs, file: &Path, offset: i64, end: Option<i64>) -> Found {
    let bytes = match read_file(fs, file, SNAPSHOT_BYTES_MAX) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read.map_err(|error| (None, error.to_string()))?,
    };
    let entries = snapshot::decode(&bytes).map_err(|error| (None, error.to_string()))?;
    if let Some(entry) = entries.iter().find(|entry| entry.last_data_offset() >= offset) {
        let (producer, last) = (entry.producer_id(), entry.last_data_offset());
        return Err((None, format!("producer {producer} has written offset {last} in it already")));
    }
    if let Some(end) = end.filter(|end| offset > *end) {
        return Err((None, format!("it is of offset {offset}, the log ends at {end}")));
    }
    Ok(())
}

/// The batches of a metadata snapshot, by their checksums.
fn check_batches(fs: &dyn Fs, file: &Path) -> Found {
    let mut reader = BatchReader::open(fs, file).map_err(|error| (None, error.to_string()))?;
    loop {
        let position = reader.position();
        match reader.next_batch() {
            Ok(Some(batch)) if batch.is_valid() => {}
            Ok(Some(_)) => return Err((Some(position), "the checksum does not fit".to_owned())),
            Ok(None) => return Ok(()),
            Err(error) => return Err((Some(position), error.to_string())),
        }
    }
}
