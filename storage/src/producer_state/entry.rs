//! One producer of one partition: its epoch and its last few batches.

use protocol_codec::records::header::{NO_PRODUCER_EPOCH, NO_SEQUENCE, NO_TIMESTAMP};

use super::{EndTxnMarker, ProducerBatch};

/// Batches kept for each producer: as many as a client may have in flight
/// (`max.in.flight.requests.per.connection` with idempotence), so that every retry is recognised.
pub const BATCHES_RETAINED: usize = 5;

const NO_COORDINATOR_EPOCH: i32 = -1;

/// `sequence` - `count`, the inverse of [`increment_sequence`](protocol_codec::records::header::increment_sequence): 0 comes after `i32::MAX`.
pub fn decrement_sequence(sequence: i32, count: i32) -> i32 {
    sequence.wrapping_sub(count) & i32::MAX
}

/// A batch that lies in the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchMetadata {
    pub last_sequence: i32,
    pub last_offset: i64,
    /// Last offset minus base offset, hence also last minus first sequence.
    pub offset_delta: i32,
    /// The batch's max timestamp.
    pub timestamp: i64,
}

impl BatchMetadata {
    pub fn first_sequence(&self) -> i32 {
        decrement_sequence(self.last_sequence, self.offset_delta)
    }

    pub fn base_offset(&self) -> i64 {
        self.last_offset - i64::from(self.offset_delta)
    }
}

/// What is known of one producer. The batches are kept in place, so that a producer costs one
/// entry of the map and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerStateEntry {
    producer_id: i64,
    producer_epoch: i16,
    coordinator_epoch: i32,
    last_timestamp: i64,
    current_txn_first_offset: Option<i64>,
    batches: [BatchMetadata; BATCHES_RETAINED],
    batches_len: usize,
}

impl ProducerStateEntry {
    /// A producer that has written nothing yet.
    pub fn empty(producer_id: i64) -> Self {
        Self {
            producer_id,
            producer_epoch: NO_PRODUCER_EPOCH,
            coordinator_epoch: NO_COORDINATOR_EPOCH,
            last_timestamp: NO_TIMESTAMP,
            current_txn_first_offset: None,
            batches: [BatchMetadata::default(); BATCHES_RETAINED],
            batches_len: 0,
        }
    }

    /// A producer as a snapshot describes it: with its last batch only.
    pub fn from_snapshot(
        producer_id: i64,
        producer_epoch: i16,
        coordinator_epoch: i32,
        last_timestamp: i64,
        current_txn_first_offset: Option<i64>,
        last_batch: Option<BatchMetadata>,
    ) -> Self {
        let mut entry = Self {
            producer_epoch,
            coordinator_epoch,
            last_timestamp,
            current_txn_first_offset,
            ..Self::empty(producer_id)
        };
        if let Some(batch) = last_batch {
            entry.push_batch(batch);
        }
        entry
    }

    pub fn producer_id(&self) -> i64 {
        self.producer_id
    }

    pub fn producer_epoch(&self) -> i16 {
        self.producer_epoch
    }

    /// Epoch of the coordinator that wrote the last transaction marker, -1 if there was none.
    pub fn coordinator_epoch(&self) -> i32 {
        self.coordinator_epoch
    }

    /// Max timestamp of the last batch or marker, -1 if there was none.
    pub fn last_timestamp(&self) -> i64 {
        self.last_timestamp
    }

    pub fn current_txn_first_offset(&self) -> Option<i64> {
        self.current_txn_first_offset
    }

    /// The batches of the current epoch that are remembered, oldest first.
    pub fn batches(&self) -> &[BatchMetadata] {
        self.batches.get(..self.batches_len).unwrap_or_default()
    }

    /// [`NO_SEQUENCE`] if the current epoch has written nothing.
    pub fn last_sequence(&self) -> i32 {
        self.batches().last().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    /// -1 if the current epoch has written nothing.
    pub fn last_data_offset(&self) -> i64 {
        self.batches().last().map_or(-1, |batch| batch.last_offset)
    }

    pub fn last_offset_delta(&self) -> i32 {
        self.batches().last().map_or(0, |batch| batch.offset_delta)
    }

    /// A remembered batch with exactly the epoch and sequences of `batch`.
    pub(super) fn find_duplicate(&self, batch: &ProducerBatch) -> Option<BatchMetadata> {
        if batch.producer_epoch != self.producer_epoch {
            return None;
        }
        let (first, last) = (batch.base_sequence, batch.last_sequence());
        let same =
            |known: &&BatchMetadata| known.first_sequence() == first && known.last_sequence == last;
        self.batches().iter().find(same).copied()
    }

    pub(super) fn add_batch(&mut self, batch: &ProducerBatch, base_offset: i64) {
        self.change_epoch(batch.producer_epoch);
        self.push_batch(BatchMetadata {
            last_sequence: batch.last_sequence(),
            last_offset: base_offset.saturating_add(batch.last_offset_delta.into()),
            offset_delta: batch.last_offset_delta,
            timestamp: batch.max_timestamp,
        });
        self.last_timestamp = batch.max_timestamp;
        if batch.is_transactional && self.current_txn_first_offset.is_none() {
            self.current_txn_first_offset = Some(base_offset);
        }
    }

    pub(super) fn end_transaction(&mut self, marker: &EndTxnMarker) -> Option<i64> {
        self.change_epoch(marker.producer_epoch);
        self.coordinator_epoch = marker.coordinator_epoch;
        self.last_timestamp = marker.timestamp;
        self.current_txn_first_offset.take()
    }

    pub(super) fn is_expired(&self, now_ms: i64, producer_id_expiration_ms: i64) -> bool {
        // A batch may carry any timestamp, hence the saturating subtraction.
        self.current_txn_first_offset.is_none()
            && now_ms.saturating_sub(self.last_timestamp) >= producer_id_expiration_ms
    }

    /// Another epoch starts its sequences anew.
    fn change_epoch(&mut self, producer_epoch: i16) {
        if self.producer_epoch != producer_epoch {
            self.producer_epoch = producer_epoch;
            self.batches_len = 0;
        }
    }

    fn push_batch(&mut self, batch: BatchMetadata) {
        if self.batches_len == BATCHES_RETAINED {
            self.batches.rotate_left(1);
            self.batches_len -= 1;
        }
        if let Some(place) = self.batches.get_mut(self.batches_len) {
            *place = batch;
            self.batches_len += 1;
        }
    }
}
