//! The bytes of a producer snapshot file, exactly Kafka's (`ProducerSnapshot`, version 1).
//!
//! ```text
//! version: int16 = 1 | crc: uint32 | count: int32 | count x entry (46 bytes)
//! entry: producer id i64, epoch i16, last sequence i32, last offset i64, offset delta i32,
//!        timestamp i64, coordinator epoch i32, current transaction's first offset i64 (-1: none)
//! ```
//! All big-endian. The CRC-32C covers everything after it. Only the last batch of a producer is
//! kept. Entries are written in order of producer id (Kafka's order is that of a hash map), so
//! that equal states give equal files.

use protocol_codec::records::header::crc32c;
use thiserror::Error;

use super::{BatchMetadata, ProducerStateEntry, ProducerStateManager};
use crate::fields::Fields;

const VERSION: i16 = 1;
const CRC_END: usize = 6;
const HEADER_LEN: usize = 10;
const ENTRY_LEN: usize = 46;

/// Why bytes are not a producer snapshot.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SnapshotError {
    #[error("Snapshot is too short: {len} bytes")]
    TooShort { len: usize },
    #[error("Snapshot contained an unknown file version {version}")]
    UnknownVersion { version: i16 },
    #[error(
        "Snapshot is corrupt (CRC is no longer valid). Stored crc: {stored}. Computed crc: {computed}"
    )]
    Crc { stored: u32, computed: u32 },
    #[error("Snapshot announces {count} entries in {len} bytes")]
    Count { count: i32, len: usize },
}

/// The file content for `state`.
pub fn encode(state: &ProducerStateManager) -> Vec<u8> {
    let mut entries: Vec<&ProducerStateEntry> = state.active_producers().collect();
    entries.sort_unstable_by_key(|entry| entry.producer_id());

    let mut body = Vec::with_capacity(HEADER_LEN - CRC_END + entries.len() * ENTRY_LEN);
    // PRODUCERS_MAX keeps the count far below i32::MAX.
    let count = i32::try_from(entries.len()).unwrap_or(i32::MAX);
    body.extend_from_slice(&count.to_be_bytes());
    for entry in entries {
        body.extend_from_slice(&entry.producer_id().to_be_bytes());
        body.extend_from_slice(&entry.producer_epoch().to_be_bytes());
        body.extend_from_slice(&entry.last_sequence().to_be_bytes());
        body.extend_from_slice(&entry.last_data_offset().to_be_bytes());
        body.extend_from_slice(&entry.last_offset_delta().to_be_bytes());
        body.extend_from_slice(&entry.last_timestamp().to_be_bytes());
        body.extend_from_slice(&entry.coordinator_epoch().to_be_bytes());
        body.extend_from_slice(&entry.current_txn_first_offset().unwrap_or(-1).to_be_bytes());
    }

    let mut file = Vec::with_capacity(CRC_END + body.len());
    file.extend_from_slice(&VERSION.to_be_bytes());
    file.extend_from_slice(&crc32c(&body).to_be_bytes());
    file.extend_from_slice(&body);
    file
}

/// The producers that `file` holds. Bytes after the last entry are covered by the CRC and, as in
/// Kafka, otherwise ignored.
pub fn decode(file: &[u8]) -> Result<Vec<ProducerStateEntry>, SnapshotError> {
    let len = file.len();
    let too_short = SnapshotError::TooShort { len };
    let mut fields = Fields(file);
    let version = i16::from_be_bytes(fields.take().ok_or(too_short)?);
    if version != VERSION {
        return Err(SnapshotError::UnknownVersion { version });
    }
    let stored = u32::from_be_bytes(fields.take().ok_or(too_short)?);
    let computed = crc32c(fields.0);
    if stored != computed {
        return Err(SnapshotError::Crc { stored, computed });
    }
    let count = i32::from_be_bytes(fields.take().ok_or(too_short)?);
    let wrong_count = SnapshotError::Count { count, len };
    let entries_len = usize::try_from(count).map_err(|_| wrong_count)?;
    // Checked before anything is allocated for the entries.
    if entries_len > fields.0.len() / ENTRY_LEN {
        return Err(wrong_count);
    }
    (0..entries_len).map(|_| decode_entry(&mut fields).ok_or(wrong_count)).collect()
}

fn decode_entry(fields: &mut Fields<'_>) -> Option<ProducerStateEntry> {
    let producer_id = i64::from_be_bytes(fields.take()?);
    let producer_epoch = i16::from_be_bytes(fields.take()?);
    let last_sequence = i32::from_be_bytes(fields.take()?);
    let last_offset = i64::from_be_bytes(fields.take()?);
    let offset_delta = i32::from_be_bytes(fields.take()?);
    let timestamp = i64::from_be_bytes(fields.take()?);
    let coordinator_epoch = i32::from_be_bytes(fields.take()?);
    let txn_first_offset = i64::from_be_bytes(fields.take()?);
    let last_batch = (last_offset >= 0).then_some(BatchMetadata {
        last_sequence,
        last_offset,
        offset_delta,
        timestamp,
    });
    Some(ProducerStateEntry::from_snapshot(
        producer_id,
        producer_epoch,
        coordinator_epoch,
        timestamp,
        (txn_first_offset >= 0).then_some(txn_first_offset),
        last_batch,
    ))
}
