//! What the broker checks of a batch that a client produces, before it is appended.
//!
//! The checks and their order are Kafka's (`ProduceRequest`, `UnifiedLog` and `LogValidator` of 4.4), and what
//! is accepted here is readable by every consumer. Two things are stricter than Kafka: offset deltas must be
//! 0, 1, 2, ... in every batch, not only in compressed ones, and the sizes inside compressed records must add
//! up. Payloads that cannot be decompressed are `INVALID_RECORD` where Kafka says `UNKNOWN_SERVER_ERROR`.
//!
//! A batch that passes costs no allocation: its records are looked at where they are, compressed ones through
//! a fixed window.

use std::ops::ControlFlow;

use bytes::Bytes;
use thiserror::Error;

use super::batch::{Batch, BatchView};
use super::compression::DecompressError;
use super::header::{BatchError, BatchHeader, Compression, TimestampType};
use super::stream::{self, Limits, ReadError};
use super::validated::ValidatedBatch;
use crate::ErrorCode;
use check::RecordCheck;
use recompress::recompress;

mod check;
mod plain;
mod recompress;

/// The smallest batch length of any format, which decides what Kafka takes for a batch at all.
const MIN_LENGTH_OF_ANY_MAGIC: i32 = 14;
/// The first version of Produce that may carry zstd (KIP-110).
const ZSTD_FROM_VERSION: i16 = 7;

/// How far a compressed batch is looked into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CompressedCheck {
    /// Every record, by decompressing.
    #[default]
    Records,
    /// The header and the checksum only (`barnabas.validate.compressed=header`).
    Header,
}

/// What a topic, and the request, ask of a batch.
#[derive(Clone, Debug)]
pub struct ProduceRules {
    /// Version of the Produce request: zstd needs 7.
    pub produce_version: i16,
    /// `max.message.bytes`: bytes of a batch, header included.
    pub max_message_bytes: usize,
    /// `message.timestamp.type`.
    pub timestamp_type: TimestampType,
    /// `message.timestamp.before.max.ms`: how much older than now a record may be.
    pub timestamp_before_max_ms: i64,
    /// `message.timestamp.after.max.ms`: how much newer than now a record may be.
    pub timestamp_after_max_ms: i64,
    /// `cleanup.policy` has `compact`: every record needs a key.
    pub compacted: bool,
    /// `max.decompressed.message.bytes`: bytes of one record of a compressed batch.
    pub max_record_bytes: usize,
    /// Bytes that the records of one compressed batch may take.
    pub decompressed_budget: usize,
    /// How far compressed batches are looked into.
    pub compressed_check: CompressedCheck,
    /// `compression.type` and the level that belongs to it, unless it is `producer`: the batch is compressed
    /// again if its own compression is another.
    pub compression: Option<(Compression, Option<i32>)>,
}

impl Default for ProduceRules {
    /// Kafka's defaults for a topic, and the newest Produce version.
    fn default() -> Self {
        Self {
            produce_version: 13,
            max_message_bytes: 1_048_588,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            compacted: false,
            max_record_bytes: 2_147_483_639,
            decompressed_budget: 128 * 1024 * 1024,
            compressed_check: CompressedCheck::Records,
            compression: None,
        }
    }
}

/// One record that was refused (KIP-467).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRecord {
    /// Index of the record in its batch.
    pub batch_index: i32,
    /// Why, for the producer.
    pub message: String,
}

/// Why a batch was refused. [`RecordError::code`] has Kafka's code.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum RecordError {
    /// No whole batch is there.
    #[error("produce requests must have at least one record batch per partition")]
    NoBatch,
    /// The bytes are not a batch, or not with this checksum.
    #[error(transparent)]
    Corrupt(BatchError),
    /// A batch of the formats before v2.
    #[error("produce requests are only allowed to contain record batches with magic version 2")]
    OldMagic,
    /// More than one batch.
    #[error("produce requests are only allowed to contain exactly one record batch per partition")]
    ManyBatches,
    /// A compression that does not exist, or not in this version.
    #[error("{0}")]
    Compression(&'static str),
    /// The base offset is not 0.
    #[error("the baseOffset of the record batch should be 0, but it is {0}")]
    BaseOffset(i64),
    /// The batch is larger than the topic allows.
    #[error(
        "the record batch size is {size} bytes which exceeds the maximum configured value of {max}"
    )]
    TooLarge {
        /// Bytes of the batch.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// Last offset delta and number of records do not fit each other or are not positive.
    #[error(
        "inconsistent batch offset range [0, {last_offset_delta}] and count of records {count}"
    )]
    Count {
        /// The last offset delta of the header.
        last_offset_delta: i32,
        /// The number of records of the header.
        count: i32,
    },
    /// A control batch: only brokers write those.
    #[error("clients are not allowed to write control records")]
    Control,
    /// An idempotent batch without a sequence.
    #[error("invalid sequence number {sequence} in record batch with producerId {producer_id}")]
    Sequence {
        /// The base sequence of the header.
        sequence: i32,
        /// The producer id of the header.
        producer_id: i64,
    },
    /// The records are not well-formed, cannot be decompressed, or are larger than allowed.
    #[error(transparent)]
    Records(#[from] ReadError),
    /// A record's offset delta is not its index.
    #[error("record {index} of the batch has offset delta {found}")]
    OffsetDelta {
        /// Index of the record.
        index: i32,
        /// Its offset delta.
        found: i32,
    },
    /// The batch could not be compressed as the topic asks.
    #[error("the batch could not be compressed as the topic asks: {0}")]
    Recompress(String),
    /// Single records were refused, and the batch with them.
    #[error("{}", refused_message(*.timestamp, *.total, .records))]
    Refused {
        /// Whether a timestamp is among the reasons, which decides the code.
        timestamp: bool,
        /// How many records were refused.
        total: usize,
        /// The first of them.
        records: Vec<RefusedRecord>,
    },
}

impl RecordError {
    /// Kafka's error code for the partition of the response.
    #[must_use]
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Corrupt(_) => ErrorCode::CorruptMessage,
            Self::TooLarge { .. }
            | Self::Records(ReadError::Decompress(DecompressError::TooLarge { .. })) => {
                ErrorCode::MessageTooLarge
            }
            Self::Compression(_) => ErrorCode::UnsupportedCompressionType,
            Self::Refused { timestamp: true, .. } => ErrorCode::InvalidTimestamp,
            _ => ErrorCode::InvalidRecord,
        }
    }

    /// The records that the response names.
    #[must_use]
    pub fn refused_records(&self) -> &[RefusedRecord] {
        match self {
            Self::Refused { records, .. } => records,
            _ => &[],
        }
    }
}

fn refused_message(timestamp: bool, total: usize, records: &[RefusedRecord]) -> String {
    if timestamp {
        return "One or more records have been rejected due to invalid timestamp".to_owned();
    }
    let first: Vec<_> = records.iter().take(3).map(|record| record.message.as_str()).collect();
    format!(
        "One or more records have been rejected due to {total} record errors in total, \
         and only showing the first three errors at most: {}",
        first.join("; ")
    )
}

/// Checks what a Produce request holds for one partition: exactly one batch, which fits `rules`.
///
/// The header of the result has the timestamps that Kafka would write: `now_ms` for topics with append time,
/// otherwise the largest timestamp of the records, whatever the producer claimed.
///
/// # Errors
/// The reason why the batch is refused, with Kafka's code.
pub fn validate_produce(
    records: &Bytes,
    rules: &ProduceRules,
    now_ms: i64,
) -> Result<ValidatedBatch, RecordError> {
    let batch = one_batch(records, rules)?;
    let view = batch.view();
    check_header(&view, rules)?;
    let compression = view.header().attributes.compression().map_err(|_| {
        RecordError::Compression("the compression type of the record batch is unknown")
    })?;
    let found = check_records(&view, compression, rules, now_ms)?;

    let mut header = *view.header();
    stamp(&mut header, &found, rules, now_ms);
    let payload = batch.payload();
    if header != *view.header() {
        header.crc = header.checksum(&payload);
    }
    match rules.compression {
        Some((kind, level)) if kind != compression => {
            recompress(header, &payload, (kind, level), &found, rules)
        }
        _ => Ok(found.batch(header, payload)),
    }
}

/// What the walk over the records found.
#[derive(Clone, Copy, Debug)]
struct Found {
    max_timestamp: i64,
    max_timestamp_delta: i32,
    decompressed_bytes: usize,
}

impl Found {
    fn batch(&self, header: BatchHeader, payload: Bytes) -> ValidatedBatch {
        let Self { max_timestamp_delta, decompressed_bytes, .. } = *self;
        ValidatedBatch::assemble(header, payload, max_timestamp_delta, decompressed_bytes)
    }
}

fn one_batch(records: &Bytes, rules: &ProduceRules) -> Result<Batch, RecordError> {
    let batch = Batch::read(records).map_err(|error| match error {
        BatchError::Truncated { .. } => RecordError::NoBatch,
        BatchError::UnsupportedMagic { magic: 0 | 1 } => RecordError::OldMagic,
        error => RecordError::Corrupt(error),
    })?;
    if rules.produce_version < ZSTD_FROM_VERSION
        && batch.header().attributes.compression() == Ok(Compression::Zstd)
    {
        return Err(RecordError::Compression(
            "produce requests before version 7 are not allowed to use ZStandard compression",
        ));
    }
    let rest = records.get(batch.bytes().len()..).unwrap_or_default();
    match BatchView::read(rest) {
        Ok(_) | Err(BatchError::UnsupportedMagic { magic: 0 | 1 }) => Err(RecordError::ManyBatches),
        Err(BatchError::InvalidLength { length }) if length >= MIN_LENGTH_OF_ANY_MAGIC => {
            Err(RecordError::ManyBatches)
        }
        // As in Kafka, what is left of a batch that was cut is no batch; it is left out.
        Err(BatchError::Truncated { .. }) => Ok(batch),
        Err(error) => Err(RecordError::Corrupt(error)),
    }
}

fn check_header(view: &BatchView<'_>, rules: &ProduceRules) -> Result<(), RecordError> {
    let header = view.header();
    if header.base_offset != 0 {
        return Err(RecordError::BaseOffset(header.base_offset));
    }
    let (size, max) = (header.size(), rules.max_message_bytes);
    if size > max {
        return Err(RecordError::TooLarge { size, max });
    }
    view.verify_checksum().map_err(RecordError::Corrupt)?;
    let (last_offset_delta, count) = (header.last_offset_delta, header.records_count);
    if count <= 0 || last_offset_delta != count - 1 {
        return Err(RecordError::Count { last_offset_delta, count });
    }
    if header.attributes.is_control() {
        return Err(RecordError::Control);
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        let (sequence, producer_id) = (header.base_sequence, header.producer_id);
        return Err(RecordError::Sequence { sequence, producer_id });
    }
    Ok(())
}

fn check_records(
    view: &BatchView<'_>,
    compression: Compression,
    rules: &ProduceRules,
    now_ms: i64,
) -> Result<Found, RecordError> {
    let header = view.header();
    let mut check = RecordCheck::new(header, rules, now_ms);
    let decompressed_bytes = match (compression, rules.compressed_check) {
        (Compression::None, _) => {
            plain::check(view, &mut check)?;
            0
        }
        // A record without a key would break compaction, so compacted topics are looked into.
        (_, CompressedCheck::Header) if !rules.compacted => {
            check.header_only(header);
            0
        }
        (kind, _) => {
            let limits =
                Limits { total: rules.decompressed_budget, record: rules.max_record_bytes };
            stream::walk(view.payload(), kind, header.records_count, limits, |shape| {
                check.record(shape.timestamp_delta, shape.offset_delta, shape.has_key)?;
                Ok::<_, RecordError>(ControlFlow::Continue(()))
            })?
        }
    };
    let (max_timestamp, max_timestamp_delta) = check.finish()?;
    Ok(Found { max_timestamp, max_timestamp_delta, decompressed_bytes })
}

fn stamp(header: &mut BatchHeader, found: &Found, rules: &ProduceRules, now_ms: i64) {
    let max_timestamp = match rules.timestamp_type {
        TimestampType::CreateTime => found.max_timestamp,
        TimestampType::LogAppendTime => now_ms,
    };
    let unchanged = header.attributes.timestamp_type() == rules.timestamp_type
        && header.max_timestamp == max_timestamp;
    if !unchanged {
        header.max_timestamp = max_timestamp;
        header.attributes =
            header.attributes.with_timestamp_type(rules.timestamp_type).without_unused_bits();
    }
}

#[cfg(test)]
mod tests;
