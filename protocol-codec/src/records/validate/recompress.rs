//! Compressing a batch again, for topics whose `compression.type` is not `producer`.

use bytes::Bytes;

use super::{Found, ProduceRules, RecordError};
use crate::records::ValidatedBatch;
use crate::records::compression::{compress, decompress};
use crate::records::header::{BATCH_OVERHEAD, BatchHeader, Compression, LOG_OVERHEAD};
use crate::records::stream::ReadError;

/// The checked batch with the same records in another compression. It is a copy, and its size is compared
/// with the topic's limit again.
pub(super) fn recompress(
    mut header: BatchHeader,
    payload: &Bytes,
    (kind, level): (Compression, Option<i32>),
    found: &Found,
    rules: &ProduceRules,
) -> Result<ValidatedBatch, RecordError> {
    let from = header.attributes.compression().unwrap_or_default();
    let plain = decompress(from, payload, rules.decompressed_budget).map_err(ReadError::from)?;
    let mut packed = Vec::new();
    compress(kind, level, &plain, &mut packed)
        .map_err(|error| RecordError::Recompress(error.to_string()))?;
    let (size, max) = (BATCH_OVERHEAD + packed.len(), rules.max_message_bytes);
    if size > max {
        return Err(RecordError::TooLarge { size, max });
    }
    let length = i32::try_from(size - LOG_OVERHEAD);
    header.batch_length = length.map_err(|_| RecordError::TooLarge { size, max })?;
    header.attributes = header.attributes.with_compression(kind);
    header.crc = header.checksum(&packed);
    Ok(found.batch(header, packed.into()))
}
