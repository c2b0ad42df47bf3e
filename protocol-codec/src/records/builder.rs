//! Building a batch: for internal topics, control batches, tests and load generators.
//!
//! The records are encoded as they come, so that a builder holds one copy of them; the header is written when
//! the batch is finished. The bytes are those that Kafka's own builder writes for the same input.

use bytes::Bytes;
use thiserror::Error;

use super::compression::{CompressError, compress};
use super::header::{
    Attributes, BATCH_OVERHEAD, BatchHeader, Compression, LOG_OVERHEAD, MAGIC_V2,
    NO_PARTITION_LEADER_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP,
    TimestampType,
};
use super::record::Header;
use super::varint::{varint_len, varlong_len, write_varint, write_varlong};

/// Why a batch could not be built.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BuildError {
    /// The batch would have more than 2^31-1 bytes or records.
    #[error("the batch is too large: at most 2147483647 bytes and records")]
    TooLarge,
    /// A timestamp lies too far from the first one for the format.
    #[error("timestamp {0} cannot be expressed relative to the first one")]
    Timestamp(i64),
    /// The records could not be compressed.
    #[error(transparent)]
    Compress(#[from] CompressError),
}

/// Collects records and makes a batch of them.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    base_offset: i64,
    leader_epoch: i32,
    attributes: Attributes,
    producer_id: i64,
    producer_epoch: i16,
    base_sequence: i32,
    base_timestamp: Option<i64>,
    max_timestamp: i64,
    count: i32,
    compression: (Compression, Option<i32>),
    // Room for the header, then the records.
    bytes: Vec<u8>,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// A builder of a plain batch: offset 0, no compression, create time, no producer.
    #[must_use]
    pub fn new() -> Self {
        Self {
            base_offset: 0,
            leader_epoch: NO_PARTITION_LEADER_EPOCH,
            attributes: Attributes::default(),
            producer_id: NO_PRODUCER_ID,
            producer_epoch: NO_PRODUCER_EPOCH,
            base_sequence: NO_SEQUENCE,
            base_timestamp: None,
            max_timestamp: NO_TIMESTAMP,
            count: 0,
            compression: (Compression::None, None),
            bytes: vec![0; BATCH_OVERHEAD],
        }
    }

    /// Sets the offset of the first record.
    #[must_use]
    pub const fn base_offset(mut self, offset: i64) -> Self {
        self.base_offset = offset;
        self
    }

    /// Sets the partition leader epoch.
    #[must_use]
    pub const fn leader_epoch(mut self, epoch: i32) -> Self {
        self.leader_epoch = epoch;
        self
    }

    /// Sets the producer and the sequence of the first record.
    #[must_use]
    pub const fn producer(mut self, id: i64, epoch: i16, base_sequence: i32) -> Self {
        self.producer_id = id;
        self.producer_epoch = epoch;
        self.base_sequence = base_sequence;
        self
    }

    /// Sets how the records are compressed, at the codec's own level if there is none.
    #[must_use]
    pub const fn compression(mut self, kind: Compression, level: Option<i32>) -> Self {
        self.compression = (kind, level);
        self.attributes = self.attributes.with_compression(kind);
        self
    }

    /// Marks the batch as part of a transaction.
    #[must_use]
    pub const fn transactional(mut self, on: bool) -> Self {
        self.attributes = self.attributes.with_transactional(on);
        self
    }

    /// Marks the batch as a control batch.
    #[must_use]
    pub const fn control(mut self, on: bool) -> Self {
        self.attributes = self.attributes.with_control(on);
        self
    }

    /// Makes the batch one of append time `at_ms`: its max timestamp, whatever the records say.
    #[must_use]
    pub const fn log_append_time(mut self, at_ms: i64) -> Self {
        self.attributes = self.attributes.with_timestamp_type(TimestampType::LogAppendTime);
        self.max_timestamp = at_ms;
        self
    }

    /// Number of records so far.
    #[must_use]
    pub const fn records_count(&self) -> i32 {
        self.count
    }

    /// Bytes of the batch so far, header included, before compression.
    #[must_use]
    pub const fn uncompressed_size(&self) -> usize {
        self.bytes.len()
    }

    /// Appends a record with the next offset.
    ///
    /// # Errors
    /// `TooLarge` and `Timestamp`; the builder is unchanged then.
    pub fn append(
        &mut self,
        timestamp_ms: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> Result<(), BuildError> {
        let base = self.base_timestamp.unwrap_or(timestamp_ms);
        let timestamp_delta =
            timestamp_ms.checked_sub(base).ok_or(BuildError::Timestamp(timestamp_ms))?;
        let offset_delta = self.count;
        let count = offset_delta.checked_add(1).ok_or(BuildError::TooLarge)?;
        let headers_count = i32::try_from(headers.len()).map_err(|_| BuildError::TooLarge)?;

        let size = 1
            + varlong_len(timestamp_delta)
            + varint_len(offset_delta)
            + nullable_len(key)
            + nullable_len(value)
            + varint_len(headers_count)
            + headers
                .iter()
                .map(|h| nullable_len(Some(h.key)) + nullable_len(h.value))
                .sum::<usize>();
        // No part of the record can be longer than the record, so its length bounds all the others.
        let length = i32::try_from(size).map_err(|_| BuildError::TooLarge)?;
        let total = self.bytes.len() - LOG_OVERHEAD + varint_len(length) + size;
        if i32::try_from(total).is_err() {
            return Err(BuildError::TooLarge);
        }

        let out = &mut self.bytes;
        out.reserve(varint_len(length) + size);
        write_varint(out, length);
        out.push(0);
        write_varlong(out, timestamp_delta);
        write_varint(out, offset_delta);
        write_nullable(out, key);
        write_nullable(out, value);
        write_varint(out, headers_count);
        for header in headers {
            write_nullable(out, Some(header.key));
            write_nullable(out, header.value);
        }

        self.base_timestamp = Some(base);
        if self.attributes.timestamp_type() == TimestampType::CreateTime {
            self.max_timestamp = self.max_timestamp.max(timestamp_ms);
        }
        self.count = count;
        Ok(())
    }

    /// Finishes the batch.
    ///
    /// A batch without records has no meaning to a consumer; it keeps offset delta -1 here.
    ///
    /// # Errors
    /// `TooLarge` and `Compress`.
    pub fn build(self) -> Result<Bytes, BuildError> {
        let mut bytes = self.bytes;
        let (kind, level) = self.compression;
        if kind != Compression::None {
            let plain = bytes.split_off(BATCH_OVERHEAD);
            compress(kind, level, &plain, &mut bytes)?;
        }
        let length = i32::try_from(bytes.len() - LOG_OVERHEAD);
        let mut header = BatchHeader {
            base_offset: self.base_offset,
            batch_length: length.map_err(|_| BuildError::TooLarge)?,
            partition_leader_epoch: self.leader_epoch,
            magic: MAGIC_V2,
            crc: 0,
            attributes: self.attributes,
            last_offset_delta: self.count - 1,
            base_timestamp: self.base_timestamp.unwrap_or(NO_TIMESTAMP),
            max_timestamp: self.max_timestamp,
            producer_id: self.producer_id,
            producer_epoch: self.producer_epoch,
            base_sequence: self.base_sequence,
            records_count: self.count,
        };
        header.crc = header.checksum(bytes.get(BATCH_OVERHEAD..).unwrap_or_default());
        if let Some(head) = bytes.first_chunk_mut::<BATCH_OVERHEAD>() {
            *head = header.to_bytes();
        }
        Ok(bytes.into())
    }
}

fn nullable_len(field: Option<&[u8]>) -> usize {
    match field {
        None => 1,
        Some(bytes) => varint_len(length_of(bytes)) + bytes.len(),
    }
}

fn write_nullable(out: &mut Vec<u8>, field: Option<&[u8]>) {
    match field {
        None => write_varint(out, -1),
        Some(bytes) => {
            write_varint(out, length_of(bytes));
            out.extend_from_slice(bytes);
        }
    }
}

// Fields that are too long make the record too long, which is refused before anything is written.
fn length_of(bytes: &[u8]) -> i32 {
    i32::try_from(bytes.len()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Batch, RecordView};

    fn records(batch: &Batch) -> Vec<RecordView<'_>> {
        batch.view().records().unwrap().map(Result::unwrap).collect()
    }

    #[test]
    fn what_was_appended_is_read_back() {
        let mut builder = BatchBuilder::new()
            .base_offset(100)
            .leader_epoch(3)
            .producer(9, 2, i32::MAX)
            .transactional(true);
        let header = Header { key: b"trace", value: None };
        builder.append(1000, Some(b"k"), Some(b"v"), &[header, header]).unwrap();
        builder.append(900, None, Some(b""), &[]).unwrap();
        builder.append(1100, Some(b""), None, &[]).unwrap();
        assert_eq!(builder.records_count(), 3);
        let batch = Batch::read(&builder.build().unwrap()).unwrap();
        batch.view().verify_checksum().unwrap();

        let head = batch.header();
        assert_eq!((head.base_offset, head.last_offset(), head.next_offset()), (100, 102, 103));
        assert_eq!((head.base_timestamp, head.max_timestamp), (1000, 1100));
        assert_eq!((head.producer_id, head.producer_epoch, head.last_sequence()), (9, 2, 1));
        assert!(head.attributes.is_transactional() && head.has_producer_id());
        assert_eq!(head.partition_leader_epoch, 3);

        let records = records(&batch);
        assert_eq!(records[0].headers.len(), 2);
        assert_eq!((records[1].timestamp_delta, records[1].offset_delta), (-100, 1));
        assert_eq!((records[1].key, records[1].value), (None, Some(b"".as_slice())));
        assert_eq!((records[2].key, records[2].value), (Some(b"".as_slice()), None));
    }

    #[test]
    fn log_append_time_is_the_max_timestamp() {
        let mut builder = BatchBuilder::new().log_append_time(50);
        builder.append(1000, None, None, &[]).unwrap();
        let batch = Batch::read(&builder.build().unwrap()).unwrap();
        assert_eq!(batch.header().attributes.timestamp_type(), TimestampType::LogAppendTime);
        assert_eq!((batch.header().base_timestamp, batch.header().max_timestamp), (1000, 50));
    }

    #[test]
    fn a_timestamp_out_of_reach_is_refused_and_leaves_the_builder_as_it_was() {
        let mut builder = BatchBuilder::new();
        builder.append(i64::MIN, None, None, &[]).unwrap();
        let before = builder.uncompressed_size();
        assert_eq!(builder.append(1, None, None, &[]), Err(BuildError::Timestamp(1)));
        assert_eq!((builder.uncompressed_size(), builder.records_count()), (before, 1));
    }

    #[test]
    fn an_empty_batch_is_a_header() {
        let batch = Batch::read(&BatchBuilder::new().build().unwrap()).unwrap();
        assert_eq!(batch.bytes().len(), BATCH_OVERHEAD);
        assert_eq!((batch.header().records_count, batch.header().last_offset_delta), (0, -1));
        assert_eq!(records(&batch), []);
    }
}
