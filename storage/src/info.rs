//! `barnabas storage info`: what a log directory is and holds, without opening it. It reads only,
//! and little: of each partition the names, the small files, and the end of the last segment. After
//! an unclean stop that is the end as it will be when the journal has been written back.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol_codec::Uuid;

use crate::TopicPartition;
use crate::checkpoint::offsets::{
    self, LOG_START_CHECKPOINT, RECOVERY_POINT_CHECKPOINT, REPLICATION_CHECKPOINT,
};
use crate::clean_shutdown::{self, CleanShutdown};
use crate::data_dirs::{KAFKA_METADATA_FOLDER, METADATA_FOLDER};
use crate::dir_lock;
use crate::fs::{DiskSpace, Fs, OpenMode, read_at_most, read_file};
use crate::inspect::batches::BatchReader;
use crate::inspect::rows::{Row, RowKind, Rows};
use crate::journal::JOURNAL_FILE;
use crate::journal::pending::Pending;
use crate::leader_epoch_cache::{LEADER_EPOCH_CHECKPOINT, LeaderEpochCache};
use crate::meta_properties::MetaProperties;
use crate::partition_metadata;
use crate::segment::files::{LOG_SUFFIX, OFFSET_INDEX_SUFFIX, base_offset, path};

const EPOCHS_BYTES_MAX: u64 = 16 << 20;

/// A log directory.
#[derive(Clone, Debug)]
pub struct DirInfo {
    pub path: PathBuf,
    /// None without a `meta.properties` that can be read.
    pub meta: Option<MetaProperties>,
    /// The marker of a clean stop, if it is there.
    pub clean: Option<CleanShutdown>,
    /// The process that uses the directory.
    pub used_by: Option<i32>,
    pub space: Option<DiskSpace>,
    pub journal: Option<JournalInfo>,
    /// Our own metadata lies here.
    pub has_metadata: bool,
    /// Metadata of a Kafka lies here.
    pub has_kafka_metadata: bool,
    /// Sorted by name.
    pub partitions: Vec<PartitionInfo>,
    /// What could not be read.
    pub problems: Vec<String>,
}

/// The redo journal, by its first block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalInfo {
    pub bytes: u64,
    pub version: u32,
    /// False after a clean stop: nothing in it counts.
    pub is_open: bool,
}

/// One partition's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionInfo {
    pub partition: TopicPartition,
    pub topic_id: Option<Uuid>,
    pub segments: usize,
    /// Bytes of the `.log` files.
    pub bytes: u64,
    pub log_start_offset: i64,
    /// None if the end cannot be read.
    pub log_end_offset: Option<i64>,
    pub recovery_point: Option<i64>,
    pub high_watermark: Option<i64>,
    pub leader_epoch: Option<i32>,
}

/// Describes the log directory `dir`.
///
/// # Errors
/// It cannot be listed.
pub fn describe(fs: &Arc<dyn Fs>, dir: &Path) -> io::Result<DirInfo> {
    let entries = fs.list(dir)?;
    let mut problems = Vec::new();
    let used_by = dir_lock::holder(&**fs, dir).unwrap_or_default();
    let pending = match used_by {
        Some(_) => Pending::nothing(fs),
        None => Pending::look(fs, dir).unwrap_or_else(|error| {
            problems.push(error.to_string());
            Pending::nothing(fs)
        }),
    };
    let fs = &*pending.fs;
    let meta = MetaProperties::read(fs, dir).unwrap_or_else(|error| {
        problems.push(format!("meta.properties: {error}"));
        None
    });
    let mut read = |name: &'static str| match offsets::read(fs, dir, name) {
        Ok(offsets) => offsets,
        Err(error) => {
            problems.push(format!("{name}: {error}"));
            HashMap::new()
        }
    };
    let recovery_points = read(RECOVERY_POINT_CHECKPOINT);
    let log_starts = read(LOG_START_CHECKPOINT);
    let high_watermarks = read(REPLICATION_CHECKPOINT);
    let mut partitions = Vec::new();
    for entry in entries.iter().filter(|entry| entry.is_dir && entry.name != METADATA_FOLDER) {
        let Some(partition) = TopicPartition::from_dir_name(&entry.name) else { continue };
        match describe_partition(fs, &dir.join(&entry.name), partition) {
            Ok(mut info) => {
                info.recovery_point = recovery_points.get(&info.partition).copied();
                info.high_watermark = high_watermarks.get(&info.partition).copied();
                let start = log_starts.get(&info.partition).copied().unwrap_or(0);
                info.log_start_offset = info.log_start_offset.max(start);
                partitions.push(info);
            }
            // Deleted meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => problems.push(format!("{}: {error}", entry.name)),
        }
    }
    partitions.sort_unstable_by(|a, b| a.partition.cmp(&b.partition));
    let has = |name: &str| entries.iter().any(|entry| entry.name == name);
    Ok(DirInfo {
        path: dir.to_owned(),
        meta,
        clean: clean_shutdown::read(fs, dir).unwrap_or_default(),
        used_by,
        space: fs.space(dir).ok(),
        journal: journal(fs, dir),
        has_metadata: has(METADATA_FOLDER),
        has_kafka_metadata: has(KAFKA_METADATA_FOLDER),
        partitions,
        problems,
    })
}

fn describe_partition(
    fs: &dyn Fs,
    dir: &Path,
    partition: TopicPartition,
) -> io::Result<PartitionInfo> {
    let names = fs.list(dir)?.into_iter().map(|entry| entry.name);
    let bases: Vec<i64> = names.filter_map(|name| base_offset(&name, LOG_SUFFIX)).collect();
    let mut bytes = 0;
    for base in &bases {
        bytes += fs.metadata(&path(dir, *base, LOG_SUFFIX))?.len;
    }
    let epochs = read_file(fs, &dir.join(LEADER_EPOCH_CHECKPOINT), EPOCHS_BYTES_MAX);
    let epochs = epochs.ok().and_then(|bytes| LeaderEpochCache::decode(&bytes).ok());
    Ok(PartitionInfo {
        partition,
        topic_id: partition_metadata::read(fs, dir).unwrap_or_default(),
        segments: bases.len(),
        bytes,
        log_start_offset: bases.first().copied().unwrap_or(0),
        log_end_offset: bases.last().map_or(Some(0), |base| log_end(fs, dir, *base).ok()),
        recovery_point: None,
        high_watermark: None,
        leader_epoch: epochs.and_then(|epochs| epochs.latest()).map(|latest| latest.epoch),
    })
}

/// Where the segment ends, found from its last index entry on. An unfinished write at its end does
/// not count.
fn log_end(fs: &dyn Fs, dir: &Path, base: i64) -> io::Result<i64> {
    let mut reader = BatchReader::open(fs, &path(dir, base, LOG_SUFFIX))?;
    let mut end = base;
    if let Some(position) = last_indexed(fs, dir, base, reader.end()) {
        reader.skip_to(position);
    }
    while let Ok(Some((_, header))) = reader.next_header() {
        end = header.next_offset();
    }
    Ok(end)
}

fn last_indexed(fs: &dyn Fs, dir: &Path, base: i64, bytes: u64) -> Option<u64> {
    let index = path(dir, base, OFFSET_INDEX_SUFFIX);
    let mut rows = Rows::open(fs, &index, RowKind::Offset, base).ok()?;
    let mut last = None;
    while let Ok(Some((_, Row::Offset { position, .. }))) = rows.next_row() {
        // Kafka's indexes end with zeros while they are written.
        if position == 0 || u64::from(position) >= bytes {
            break;
        }
        last = Some(u64::from(position));
    }
    last
}

fn journal(fs: &dyn Fs, dir: &Path) -> Option<JournalInfo> {
    let file = fs.open(&dir.join(JOURNAL_FILE), OpenMode::Read).ok()?;
    let mut head = [0; 24];
    read_at_most(&*file, &mut head, 0).ok()?;
    let [magic @ .., v0, v1, v2, v3, s0, s1, s2, s3] = head;
    (magic == *b"barnabas-journal").then(|| JournalInfo {
        bytes: file.len().unwrap_or(0),
        version: u32::from_be_bytes([v0, v1, v2, v3]),
        is_open: u32::from_be_bytes([s0, s1, s2, s3]) != 0,
    })
}
