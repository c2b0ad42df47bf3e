//! Everything that does not consist of batches.

use std::io::Write;
use std::path::Path;

use storage::checkpoint::offsets;
use storage::clean_shutdown;
use storage::fs::{Fs, read_file};
use storage::inspect::rows::{Row, RowKind, Rows};
use storage::leader_epoch_cache::LeaderEpochCache;
use storage::meta_properties::MetaProperties;
use storage::partition_metadata;
use storage::producer_state::snapshot;
use storage::sealed_sums::SealedSums;

use super::{Dump, Failed};
use crate::cli::output::Value;

/// Larger than any of these files is.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// Shows an index.
pub(super) fn rows<W: Write>(
    fs: &dyn Fs,
    dump: &mut Dump<'_, W>,
    kind: RowKind,
    base: i64,
) -> Result<(), Failed> {
    let mut rows = Rows::open(fs, dump.file, kind, base).map_err(Failed::file)?;
    while let Some((position, row)) = rows.next_row().map_err(Failed::file)? {
        let padding = match row {
            Row::Offset { position: at, .. } => at == 0,
            Row::Time { timestamp, .. } => timestamp == 0,
            Row::Txn { .. } => false,
        };
        if padding && rows.is_padding_from(position).map_err(Failed::file)? {
            return Ok(dump.remark("Nothing but zeros follows: room for more entries")?);
        }
        match row {
            Row::Offset { offset, position } => {
                let fields = [("offset", Value::from(offset)), ("position", Value::from(position))];
                dump.line("offsetIndexEntry", &fields)?;
            }
            Row::Time { timestamp, offset } => {
                let fields =
                    [("timestamp", Value::from(timestamp)), ("offset", Value::from(offset))];
                dump.line("timeIndexEntry", &fields)?;
            }
            Row::Txn { version, producer_id, first_offset, last_offset, last_stable_offset } => {
                let fields = [
                    ("version", Value::from(version)),
                    ("producerId", Value::from(producer_id)),
                    ("firstOffset", Value::from(first_offset)),
                    ("lastOffset", Value::from(last_offset)),
                    ("lastStableOffset", Value::from(last_stable_offset)),
                ];
                dump.line("abortedTransaction", &fields)?;
            }
        }
    }
    match rows.excess() {
        0 => Ok(()),
        excess => {
            let what = format!("damaged: {excess} bytes follow the last whole entry");
            Err(Failed::File(Some(rows.end() - excess), what))
        }
    }
}

fn read(fs: &dyn Fs, file: &Path) -> Result<Vec<u8>, Failed> {
    read_file(fs, file, FILE_BYTES_MAX).map_err(Failed::file)
}

fn damaged(error: impl std::fmt::Display) -> Failed {
    Failed::file(format!("damaged: {error}"))
}

/// Shows a producer snapshot.
pub(super) fn producers<W: Write>(fs: &dyn Fs, dump: &mut Dump<'_, W>) -> Result<(), Failed> {
    for entry in snapshot::decode(&read(fs, dump.file)?).map_err(damaged)? {
        let fields = [
            ("producerId", Value::from(entry.producer_id())),
            ("producerEpoch", Value::from(entry.producer_epoch())),
            ("coordinatorEpoch", Value::from(entry.coordinator_epoch())),
            ("currentTxnFirstOffset", Value::from(entry.current_txn_first_offset())),
            ("lastTimestamp", Value::from(entry.last_timestamp())),
            ("lastSequence", Value::from(entry.last_sequence())),
            ("lastOffset", Value::from(entry.last_data_offset())),
            ("offsetDelta", Value::from(entry.last_offset_delta())),
        ];
        dump.line("producer", &fields)?;
    }
    Ok(())
}

/// Shows the leader epochs.
pub(super) fn epochs<W: Write>(fs: &dyn Fs, dump: &mut Dump<'_, W>) -> Result<(), Failed> {
    let epochs = LeaderEpochCache::decode(&read(fs, dump.file)?).map_err(damaged)?;
    for entry in epochs.entries() {
        let fields =
            [("epoch", Value::from(entry.epoch)), ("startOffset", Value::from(entry.start_offset))];
        dump.line("leaderEpoch", &fields)?;
    }
    Ok(())
}

/// Shows a checkpoint of a log directory, sorted.
pub(super) fn offsets<W: Write>(fs: &dyn Fs, dump: &mut Dump<'_, W>) -> Result<(), Failed> {
    let mut offsets: Vec<_> =
        offsets::decode(&read(fs, dump.file)?).map_err(damaged)?.into_iter().collect();
    offsets.sort_unstable();
    for (partition, offset) in offsets {
        let fields = [
            ("topic", Value::from(&*partition.topic)),
            ("partition", Value::from(partition.partition)),
            ("offset", Value::from(offset)),
        ];
        dump.line("checkpoint", &fields)?;
    }
    Ok(())
}

/// Shows the id of a partition's topic.
pub(super) fn partition_metadata<W: Write>(
    fs: &dyn Fs,
    dump: &mut Dump<'_, W>,
) -> Result<(), Failed> {
    let id = partition_metadata::decode(&read(fs, dump.file)?).map_err(damaged)?;
    let fields = [("version", Value::from(0_i32)), ("topicId", Value::from(id))];
    Ok(dump.line("partitionMetadata", &fields)?)
}

/// Shows whose a log directory is.
pub(super) fn meta_properties<W: Write>(fs: &dyn Fs, dump: &mut Dump<'_, W>) -> Result<(), Failed> {
    let meta = MetaProperties::decode(&read(fs, dump.file)?).map_err(damaged)?;
    let fields = [
        ("version", Value::from(1_i32)),
        ("clusterId", Value::from(meta.cluster_id)),
        ("nodeId", Value::from(meta.node_id)),
        ("directoryId", Value::from(meta.directory_id)),
    ];
    Ok(dump.line("metaProperties", &fields)?)
}

/// Shows the marker of a clean stop.
pub(super) fn clean_shutdown<W: Write>(fs: &dyn Fs, dump: &mut Dump<'_, W>) -> Result<(), Failed> {
    let dir = dump.file.parent().unwrap_or(Path::new(""));
    let marker = clean_shutdown::read(fs, dir).map_err(Failed::file)?;
    let epoch = marker.and_then(|marker| marker.broker_epoch);
    Ok(dump.line("cleanShutdown", &[("brokerEpoch", Value::from(epoch))])?)
}

/// Shows the sums of sealed files.
pub(super) fn sealed_sums<W: Write>(fs: &dyn Fs, dump: &mut Dump<'_, W>) -> Result<(), Failed> {
    let sums = SealedSums::decode(&read(fs, dump.file)?).map_err(damaged)?;
    for (name, sum) in sums.iter() {
        let fields = [
            ("name", Value::from(name)),
            ("bytes", Value::from(sum.bytes)),
            ("crc", Value::from(format!("{:08x}", sum.crc))),
        ];
        dump.line("sealedFile", &fields)?;
    }
    Ok(())
}
