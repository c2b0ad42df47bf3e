//! A batch that may be appended to a log.
//!
//! There are two ways to get one: [`validate_produce`](super::validate::validate_produce) for what clients
//! send, and [`ValidatedBatch::internal`] for what this process built itself. The header may differ from the
//! one that was received (append time, max timestamp); the records never do, so they are written from the
//! buffer in which they came: `[head, payload]`.

use bytes::Bytes;

use super::batch::{Batch, BatchView};
use super::header::{BATCH_OVERHEAD, BatchError, BatchHeader, NO_TIMESTAMP, TimestampType};

/// A batch whose bytes were checked.
#[derive(Clone, Debug)]
pub struct ValidatedBatch {
    // As it will be written, except for base offset and leader epoch, which the CRC does not cover.
    header: BatchHeader,
    payload: Bytes,
    max_timestamp_delta: i32,
    decompressed_bytes: usize,
}

impl ValidatedBatch {
    /// Takes a batch that this process built: header, size and checksum are compared, the records are
    /// trusted.
    ///
    /// # Errors
    /// The bytes are not one whole batch.
    pub fn internal(bytes: &Bytes) -> Result<Self, BatchError> {
        let batch = Batch::read(bytes)?;
        batch.view().verify_checksum()?;
        let header = *batch.header();
        header.attributes.compression()?;
        Ok(Self::assemble(header, batch.payload(), header.last_offset_delta, 0))
    }

    /// The caller has checked that `header` (but for its CRC, if it was changed) and `payload` belong together.
    pub(super) fn assemble(
        header: BatchHeader,
        payload: Bytes,
        max_timestamp_delta: i32,
        decompressed_bytes: usize,
    ) -> Self {
        debug_assert_eq!(header.size(), BATCH_OVERHEAD + payload.len());
        Self { header, payload, max_timestamp_delta, decompressed_bytes }
    }

    /// The header as it is going to be written; base offset and leader epoch are not assigned yet.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The first 61 bytes to write. The rest is [`payload`](Self::payload).
    #[must_use]
    pub fn head(&self, base_offset: i64, leader_epoch: i32) -> [u8; BATCH_OVERHEAD] {
        let assigned =
            BatchHeader { base_offset, partition_leader_epoch: leader_epoch, ..self.header };
        assigned.to_bytes()
    }

    /// What follows the header: the records, a slice of the buffer in which they came.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// Bytes of the whole batch.
    #[must_use]
    pub fn size(&self) -> usize {
        self.header.size()
    }

    /// The append time in ms that the broker gave the batch, or -1 if its records keep their own.
    #[must_use]
    pub fn log_append_time_ms(&self) -> i64 {
        match self.header.attributes.timestamp_type() {
            TimestampType::CreateTime => NO_TIMESTAMP,
            TimestampType::LogAppendTime => self.header.max_timestamp,
        }
    }

    /// Offset, relative to the base offset, of the first record with the max timestamp; of the last record
    /// where the records were not looked at. Time indexes hold the batch's *last* offset instead, as Kafka's.
    #[must_use]
    pub const fn max_timestamp_delta(&self) -> i32 {
        self.max_timestamp_delta
    }

    /// Bytes that the records took when they were decompressed for the check; 0 if they were not.
    #[must_use]
    pub const fn decompressed_bytes(&self) -> usize {
        self.decompressed_bytes
    }

    /// The batch as one buffer, with offset and epoch: a copy, for tests and the like.
    #[must_use]
    pub fn to_bytes(&self, base_offset: i64, leader_epoch: i32) -> Bytes {
        let mut bytes = Vec::with_capacity(self.size());
        bytes.extend_from_slice(&self.head(base_offset, leader_epoch));
        bytes.extend_from_slice(&self.payload);
        debug_assert!(BatchView::read(&bytes).is_ok_and(|view| view.verify_checksum().is_ok()));
        bytes.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{BatchBuilder, BatchView};

    fn batch() -> Bytes {
        let mut builder = BatchBuilder::new();
        builder.append(5, None, Some(b"a"), &[]).unwrap();
        builder.append(9, None, Some(b"b"), &[]).unwrap();
        builder.build().unwrap()
    }

    #[test]
    fn offset_and_epoch_are_assigned_without_touching_the_records() {
        let bytes = batch();
        let valid = ValidatedBatch::internal(&bytes).unwrap();
        assert_eq!(valid.payload().as_ptr(), bytes[61..].as_ptr());
        assert_eq!(valid.log_append_time_ms(), -1);
        let written = valid.to_bytes(1000, 7);
        let view = BatchView::read(&written).unwrap();
        view.verify_checksum().unwrap();
        assert_eq!((view.header().base_offset, view.header().last_offset()), (1000, 1001));
        assert_eq!(view.header().partition_leader_epoch, 7);
    }

    #[test]
    fn an_internal_batch_is_whole_and_has_its_checksum() {
        let bytes = batch();
        let cut = ValidatedBatch::internal(&bytes.slice(..bytes.len() - 1)).unwrap_err();
        assert!(matches!(cut, BatchError::Truncated { .. }));
        let mut flipped = bytes.to_vec();
        flipped[70] ^= 1;
        let flipped = ValidatedBatch::internal(&flipped.into()).unwrap_err();
        assert!(matches!(flipped, BatchError::Checksum { .. }));
    }
}
