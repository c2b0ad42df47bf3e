//! Reads `__cluster_metadata-0`, the metadata log of an Apache Kafka node that has stopped.
//!
//! ```text
//! 00000000000000000123-0000000002.checkpoint   snapshot: everything before offset 123, epoch 2
//! 00000000000000000000.log                     the log, in segments
//! ```
//!
//! The newest snapshot that is whole (every CRC right, header first, footer last) is read, then the
//! log from its end on. Snapshots that are not whole are passed over and told of: an older one with
//! more of the log says the same. The log is read to its end. That is what Kafka itself would take
//! for committed where this node is the only voter: it leads alone, so what it has written counts.
//! Where there are other voters the end may not be committed; whoever calls looks at the voters.
//!
//! Nothing is ever written here. A gap or damage in the log is an error: after a clean stop there
//! is none.

use std::path::{Path, PathBuf};

use protocol_codec::metadata_records::{MetadataRecord, QuorumRecord};
use protocol_codec::records::{Batch, RecordView};
use thiserror::Error;

use crate::SegmentError;
use crate::batch_file::{BatchFile, segments};
use crate::fs::Fs;
use crate::segment::files::base_offset;

const SNAPSHOT_SUFFIX: &str = ".checkpoint";
const EPOCH_DIGITS: usize = 10;

/// What one batch may grow to; Kafka does not compress them.
const DECOMPRESSED_BATCH_BYTES_MAX: usize = 64 << 20;

/// Why the metadata cannot be read.
#[derive(Debug, Error)]
pub enum KafkaMetadataError {
    #[error(transparent)]
    Segment(#[from] SegmentError),
    #[error("{} ends at offset {end}, but {} begins at offset {start}", dir.display(), next.display())]
    Gap { dir: PathBuf, end: i64, next: PathBuf, start: i64 },
    #[error("{} holds neither a whole snapshot nor a log", .0.display())]
    Empty(PathBuf),
}

/// One record, in the order in which it counts.
#[derive(Clone, Debug, PartialEq)]
pub enum KafkaRecord {
    /// A fact about the cluster.
    Metadata(MetadataRecord),
    /// A control record about the quorum.
    Quorum(QuorumRecord),
}

/// All that the metadata log says.
#[derive(Debug)]
pub struct KafkaMetadataLog {
    pub records: Vec<KafkaRecord>,
    /// The offset after the last record.
    pub end_offset: i64,
    /// Epoch of the last leader that wrote.
    pub epoch: i32,
    /// Snapshots that are not whole, with the reason.
    pub passed_over: Vec<SegmentError>,
}

impl KafkaMetadataLog {
    /// Reads the folder `dir`.
    pub fn read(fs: &dyn Fs, dir: &Path) -> Result<Self, KafkaMetadataError> {
        let (snapshots, segments) = (snapshots(fs, dir)?, segments(fs, dir)?);
        let mut log =
            Self { records: Vec::new(), end_offset: 0, epoch: 0, passed_over: Vec::new() };
        let mut has_snapshot = false;
        for (end_offset, epoch, path) in snapshots.into_iter().rev() {
            match read_snapshot(fs, &path) {
                Ok(records) => {
                    has_snapshot = true;
                    log = Self { records, end_offset, epoch, ..log };
                    break;
                }
                Err(error @ SegmentError::Io { .. }) => return Err(error.into()),
                Err(error) => log.passed_over.push(error),
            }
        }
        if !has_snapshot && segments.is_empty() {
            return Err(KafkaMetadataError::Empty(dir.to_owned()));
        }
        for (_, path) in segments {
            log.read_segment(fs, dir, &path)?;
        }
        Ok(log)
    }

    /// Adds what comes after the end so far. Batches that the snapshot covers are passed over.
    fn read_segment(
        &mut self,
        fs: &dyn Fs,
        dir: &Path,
        path: &Path,
    ) -> Result<(), KafkaMetadataError> {
        let mut file = BatchFile::open(fs, path)?;
        while let Some(batch) = file.next_batch()? {
            let header = batch.header();
            if header.last_offset() < self.end_offset {
                continue;
            }
            if header.base_offset > self.end_offset {
                let (end, start) = (self.end_offset, header.base_offset);
                let (dir, next) = (dir.to_owned(), path.to_owned());
                return Err(KafkaMetadataError::Gap { dir, end, next, start });
            }
            for (offset, record) in records_of(&file, &batch)? {
                if offset >= self.end_offset {
                    self.records.push(record);
                }
            }
            self.end_offset = header.next_offset();
            self.epoch = header.partition_leader_epoch;
        }
        Ok(())
    }
}

/// The snapshots by the offset and epoch in their names, in order. Unfinished ones
/// (`.checkpoint.part`) and deleted ones have other names.
fn snapshots(fs: &dyn Fs, dir: &Path) -> Result<Vec<(i64, i32, PathBuf)>, SegmentError> {
    let io = |source| SegmentError::Io { path: dir.to_owned(), source };
    let mut snapshots = Vec::new();
    for entry in fs.list(dir).map_err(io)? {
        let id = entry.name.strip_suffix(SNAPSHOT_SUFFIX).and_then(|id| id.split_once('-'));
        let Some((offset, epoch)) = id.filter(|(_, epoch)| epoch.len() == EPOCH_DIGITS) else {
            continue;
        };
        if let (Some(offset), Ok(epoch)) = (base_offset(offset, ""), epoch.parse()) {
            snapshots.push((offset, epoch, dir.join(&entry.name)));
        }
    }
    snapshots.sort_unstable();
    Ok(snapshots)
}

/// The records of a snapshot that is whole.
fn read_snapshot(fs: &dyn Fs, path: &Path) -> Result<Vec<KafkaRecord>, SegmentError> {
    let mut file = BatchFile::open(fs, path)?;
    let mut records = Vec::new();
    while let Some(batch) = file.next_batch()? {
        records.extend(records_of(&file, &batch)?.into_iter().map(|(_, record)| record));
    }
    match records.first() {
        Some(KafkaRecord::Quorum(QuorumRecord::SnapshotHeader(_))) => {}
        _ => return Err(file.damaged(&"a snapshot without its header")),
    }
    match records.last() {
        Some(KafkaRecord::Quorum(QuorumRecord::SnapshotFooter(_))) => Ok(records),
        _ => Err(file.damaged(&"the snapshot ends without its footer")),
    }
}

/// The records of a batch with their offsets.
fn records_of(file: &BatchFile, batch: &Batch) -> Result<Vec<(i64, KafkaRecord)>, SegmentError> {
    let view = batch.view();
    let plain =
        view.plain_records(DECOMPRESSED_BATCH_BYTES_MAX).map_err(|error| file.damaged(&error))?;
    let is_control = batch.header().attributes.is_control();
    let mut records = Vec::new();
    for record in &plain {
        let record = record.map_err(|error| file.damaged(&error))?;
        let offset = batch.header().offset_of(record.offset_delta);
        let at = |error: &dyn std::fmt::Display| file.damaged(&format!("offset {offset}: {error}"));
        let record = if is_control {
            KafkaRecord::Quorum(QuorumRecord::decode(&record).map_err(|error| at(&error))?)
        } else {
            KafkaRecord::Metadata(metadata_record(&record).map_err(|error| at(&error))?)
        };
        records.push((offset, record));
    }
    Ok(records)
}

fn metadata_record(
    record: &RecordView<'_>,
) -> Result<MetadataRecord, protocol_codec::wire::DecodeError> {
    let value = bytes::Bytes::copy_from_slice(record.value.unwrap_or_default());
    MetadataRecord::decode(value).map(|(record, _)| record)
}

#[cfg(test)]
mod tests;
