//! What a partition remembers of its idempotent and transactional producers.
//!
//! Pure state: no I/O, no clock. `check` decides whether a batch may be appended, `update` takes
//! an appended batch over; the same `update` serves the live path and the replay of a log, so both
//! end in the same state. The bytes of its file are in [`snapshot`].
//!
//! Invariants:
//! - a producer id is known by at most one epoch, and its batches are of that epoch;
//! - at most [`BATCHES_RETAINED`] batches a producer are kept, oldest first, in sequence order;
//! - at most [`PRODUCERS_MAX`] producers are kept.

mod entry;
pub mod snapshot;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use protocol_codec::records::header::{
    BatchHeader, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, increment_sequence,
};
use thiserror::Error;

pub use entry::{BATCHES_RETAINED, BatchMetadata, ProducerStateEntry, decrement_sequence};

/// Producers kept for one partition. Each has written at least one batch, so the log on disk is
/// always larger than this state; the limit keeps a client that invents producer ids from filling
/// the memory all the same. Beyond it, those that have not written for longest are forgotten.
pub const PRODUCERS_MAX: usize = 1 << 18;

/// The fields of a batch header that concern its producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerBatch {
    pub producer_id: i64,
    pub producer_epoch: i16,
    /// [`NO_SEQUENCE`] for batches that a coordinator writes in a producer's name.
    pub base_sequence: i32,
    pub last_offset_delta: i32,
    pub max_timestamp: i64,
    pub is_transactional: bool,
}

impl ProducerBatch {
    /// Whether the batch names a producer at all.
    pub fn has_producer(&self) -> bool {
        self.producer_id != NO_PRODUCER_ID
    }

    /// Sequence of the last record; wraps to 0 after `i32::MAX`.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE {
            NO_SEQUENCE
        } else {
            increment_sequence(self.base_sequence, self.last_offset_delta)
        }
    }
}

impl From<&BatchHeader> for ProducerBatch {
    fn from(header: &BatchHeader) -> Self {
        Self {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            base_sequence: header.base_sequence,
            last_offset_delta: header.last_offset_delta,
            max_timestamp: header.max_timestamp,
            is_transactional: header.attributes.is_transactional(),
        }
    }
}

/// A transaction marker (control batch) of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTxnMarker {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub coordinator_epoch: i32,
    pub timestamp: i64,
}

/// Who appends, which decides how much is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendOrigin {
    /// A client's Produce request: everything is checked.
    Client,
    /// A coordinator of this broker: it has no sequences, only the epoch is checked.
    Coordinator,
    /// The partition's leader has checked already.
    Replication,
}

/// What to do with a batch that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Append,
    /// The batch is in the log already: answer with the old offsets, write nothing.
    Duplicate(BatchMetadata),
}

/// Why a producer's batch is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ProducerStateError {
    /// Kafka's OUT_OF_ORDER_SEQUENCE_NUMBER (45).
    #[error(
        "Out of order sequence number for producer {producer_id}: {sequence} (incoming seq. number), {last_sequence} (current end sequence number)"
    )]
    OutOfOrderSequence { producer_id: i64, sequence: i32, last_sequence: i32 },
    /// Kafka's OUT_OF_ORDER_SEQUENCE_NUMBER (45) as well: a new epoch starts at sequence 0.
    #[error(
        "Invalid sequence number for new epoch of producer {producer_id}: {epoch} (request epoch), {sequence} (seq. number), {current_epoch} (current producer epoch)"
    )]
    NewEpochNotAtZero { producer_id: i64, epoch: i16, sequence: i32, current_epoch: i16 },
    /// Kafka's INVALID_PRODUCER_EPOCH (47).
    #[error(
        "Epoch of producer {producer_id} is {epoch}, which is smaller than the last seen epoch {current_epoch}"
    )]
    InvalidProducerEpoch { producer_id: i64, epoch: i16, current_epoch: i16 },
    /// Kafka's INVALID_TXN_STATE (48).
    #[error("Expected transactional write from producer {producer_id}: its transaction is open")]
    InvalidTxnState { producer_id: i64 },
}

/// All producers that a partition knows.
#[derive(Clone, Debug, Default)]
pub struct ProducerStateManager {
    producers: HashMap<i64, ProducerStateEntry>,
}

impl ProducerStateManager {
    pub fn new() -> Self {
        Self::default()
    }

    /// The state that a snapshot holds. Producers expired at `now_ms` are left out.
    pub fn from_entries(
        entries: Vec<ProducerStateEntry>,
        now_ms: i64,
        producer_id_expiration_ms: i64,
    ) -> Self {
        let producers = entries
            .into_iter()
            .filter(|entry| !entry.is_expired(now_ms, producer_id_expiration_ms))
            .map(|entry| (entry.producer_id(), entry))
            .collect();
        Self { producers }
    }

    /// Whether `batch` may be appended, as Kafka 4.4's leader decides it: a batch that is among the
    /// last [`BATCHES_RETAINED`] is a duplicate, an older epoch is refused, a new epoch starts at
    /// sequence 0, otherwise the sequence continues the last one. A producer that is not known
    /// (expired, or its data deleted) may start with any sequence (KIP-360).
    pub fn check(
        &self,
        batch: &ProducerBatch,
        origin: AppendOrigin,
    ) -> Result<Verdict, ProducerStateError> {
        if !batch.has_producer() || origin == AppendOrigin::Replication {
            return Ok(Verdict::Append);
        }
        let Some(entry) = self.producers.get(&batch.producer_id) else {
            return Ok(Verdict::Append);
        };
        if origin == AppendOrigin::Client
            && let Some(original) = entry.find_duplicate(batch)
        {
            return Ok(Verdict::Duplicate(original));
        }
        if batch.producer_epoch < entry.producer_epoch() {
            return Err(ProducerStateError::InvalidProducerEpoch {
                producer_id: batch.producer_id,
                epoch: batch.producer_epoch,
                current_epoch: entry.producer_epoch(),
            });
        }
        if origin == AppendOrigin::Client {
            check_sequence(entry, batch)?;
        }
        if entry.current_txn_first_offset().is_some() && !batch.is_transactional {
            return Err(ProducerStateError::InvalidTxnState { producer_id: batch.producer_id });
        }
        Ok(Verdict::Append)
    }

    /// Takes over a data batch that lies in the log at `base_offset`. Does nothing for a batch
    /// without a producer.
    pub fn update(&mut self, batch: &ProducerBatch, base_offset: i64) {
        if !batch.has_producer() {
            return;
        }
        self.make_room_for(batch.producer_id);
        self.producers
            .entry(batch.producer_id)
            .or_insert_with(|| ProducerStateEntry::empty(batch.producer_id))
            .add_batch(batch, base_offset);
    }

    /// Takes over a transaction marker. Returns the first offset of the transaction it ends, none
    /// if the producer had none open in this partition.
    pub fn end_transaction(&mut self, marker: &EndTxnMarker) -> Option<i64> {
        self.make_room_for(marker.producer_id);
        self.producers
            .entry(marker.producer_id)
            .or_insert_with(|| ProducerStateEntry::empty(marker.producer_id))
            .end_transaction(marker)
    }

    /// Forgets producers without an open transaction whose last batch is at least
    /// `producer_id_expiration_ms` old.
    pub fn remove_expired(&mut self, now_ms: i64, producer_id_expiration_ms: i64) {
        self.producers.retain(|_, entry| !entry.is_expired(now_ms, producer_id_expiration_ms));
    }

    /// Forgets everybody: the log was truncated fully.
    pub fn clear(&mut self) {
        self.producers = HashMap::new();
    }

    pub fn entry(&self, producer_id: i64) -> Option<&ProducerStateEntry> {
        self.producers.get(&producer_id)
    }

    /// All producers, in no particular order.
    pub fn active_producers(&self) -> impl Iterator<Item = &ProducerStateEntry> {
        self.producers.values()
    }

    /// Lowest first offset of the open transactions, if there are any.
    pub fn first_undecided_offset(&self) -> Option<i64> {
        self.producers.values().filter_map(ProducerStateEntry::current_txn_first_offset).min()
    }

    pub fn len(&self) -> usize {
        self.producers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    /// Keeps [`PRODUCERS_MAX`]: drops a sixteenth at once, so that the search for the oldest is
    /// paid once in many batches.
    fn make_room_for(&mut self, producer_id: i64) {
        if self.producers.len() < PRODUCERS_MAX || self.producers.contains_key(&producer_id) {
            return;
        }
        let mut by_age: Vec<(i64, i64)> = self
            .producers
            .values()
            .filter(|entry| entry.current_txn_first_offset().is_none())
            .map(|entry| (entry.last_data_offset(), entry.producer_id()))
            .collect();
        by_age.sort_unstable();
        for (_, oldest) in by_age.into_iter().take(PRODUCERS_MAX / 16) {
            self.producers.remove(&oldest);
        }
    }
}

fn check_sequence(
    entry: &ProducerStateEntry,
    batch: &ProducerBatch,
) -> Result<(), ProducerStateError> {
    if batch.producer_epoch != entry.producer_epoch() {
        // An entry without an epoch has only been created, nothing was written with it.
        if batch.base_sequence != 0 && entry.producer_epoch() != NO_PRODUCER_EPOCH {
            return Err(ProducerStateError::NewEpochNotAtZero {
                producer_id: batch.producer_id,
                epoch: batch.producer_epoch,
                sequence: batch.base_sequence,
                current_epoch: entry.producer_epoch(),
            });
        }
        return Ok(());
    }
    let last_sequence = entry.last_sequence();
    if batch.base_sequence == increment_sequence(last_sequence, 1) {
        return Ok(());
    }
    Err(ProducerStateError::OutOfOrderSequence {
        producer_id: batch.producer_id,
        sequence: batch.base_sequence,
        last_sequence,
    })
}
