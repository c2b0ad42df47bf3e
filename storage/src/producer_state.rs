//! What a partition remembers of its idempotent and transactional producers.
//!
//! Pure state: no I/O, no clock. `check` decides whether a batch may be appended, `update` takes
//! an appended batch over; the same `update` serves the live path and the replay of a log, so both
//! end in the same state. The bytes of its file are in [`snapshot`].
//!
//! Invariants:
//! - a producer id is known by at most one epoch, and its batches are of that epoch;
//! - at most [`BATCHES_RETAINED`] batches a producer are kept, oldest first, in sequence order;
//! - at most [`PRODUCERS_MAX`] producers are kept, beside those with an open transaction;
//! - a transaction is `ongoing` from its first batch to its marker, and `unreplicated` from there
//!   until readers may see the marker. The first offset of all these is the first unstable one:
//!   what lies before it is decided.

mod entry;
pub mod snapshot;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};

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

/// A transaction that a marker has just ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedTxn {
    pub producer_id: i64,
    /// Its first record in this partition.
    pub first_offset: i64,
    /// The marker.
    pub last_offset: i64,
    /// Up to here everything is decided now: the first offset of the transactions that are still
    /// open, or the offset after the marker.
    pub last_stable_offset: i64,
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
    /// Kafka's TRANSACTION_COORDINATOR_FENCED (52).
    #[error(
        "Invalid coordinator epoch for producer {producer_id}: {epoch} (zombie), {current_epoch} (current)"
    )]
    TransactionCoordinatorFenced { producer_id: i64, epoch: i32, current_epoch: i32 },
}

/// All producers that a partition knows.
#[derive(Clone, Debug, Default)]
pub struct ProducerStateManager {
    producers: HashMap<i64, ProducerStateEntry>,
    /// Open transactions: first offset and producer.
    ongoing: BTreeMap<i64, i64>,
    /// Ended ones whose marker readers do not see yet: first offset and the marker's.
    unreplicated: BTreeMap<i64, i64>,
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
        let producers: HashMap<i64, ProducerStateEntry> = entries
            .into_iter()
            .filter(|entry| !entry.is_expired(now_ms, producer_id_expiration_ms))
            .map(|entry| (entry.producer_id(), entry))
            .collect();
        let open = |entry: &ProducerStateEntry| {
            entry.current_txn_first_offset().map(|first| (first, entry.producer_id()))
        };
        let ongoing = producers.values().filter_map(open).collect();
        Self { producers, ongoing, unreplicated: BTreeMap::new() }
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

    /// Whether a marker may be appended, as Kafka 4.4 decides it: not by an older epoch of the
    /// producer, nor by an older coordinator. With `transaction_version` 2 every transaction has
    /// its own epoch (KIP-890), so the marker's must be newer than that of the transaction; the
    /// same again is let through where there is no transaction to end (a repeated request), or
    /// no newer epoch.
    pub fn check_marker(
        &self,
        marker: &EndTxnMarker,
        transaction_version: i16,
    ) -> Result<(), ProducerStateError> {
        let producer_id = marker.producer_id;
        let Some(entry) = self.producers.get(&producer_id) else { return Ok(()) };
        let (epoch, current_epoch) = (marker.producer_epoch, entry.producer_epoch());
        let is_repeated = epoch == current_epoch
            && (entry.current_txn_first_offset().is_none() || epoch == i16::MAX);
        let is_newer = epoch > current_epoch
            || epoch == current_epoch && (transaction_version < 2 || is_repeated);
        if !is_newer {
            return Err(ProducerStateError::InvalidProducerEpoch {
                producer_id,
                epoch,
                current_epoch,
            });
        }
        let (epoch, current_epoch) = (marker.coordinator_epoch, entry.coordinator_epoch());
        if epoch < current_epoch {
            return Err(ProducerStateError::TransactionCoordinatorFenced {
                producer_id,
                epoch,
                current_epoch,
            });
        }
        Ok(())
    }

    /// Takes over a data batch that lies in the log at `base_offset`. Does nothing for a batch
    /// without a producer.
    pub fn update(&mut self, batch: &ProducerBatch, base_offset: i64) {
        if !batch.has_producer() {
            return;
        }
        self.make_room_for(batch.producer_id);
        let entry = self
            .producers
            .entry(batch.producer_id)
            .or_insert_with(|| ProducerStateEntry::empty(batch.producer_id));
        let was_open = entry.current_txn_first_offset().is_some();
        entry.add_batch(batch, base_offset);
        if let Some(first) = entry.current_txn_first_offset().filter(|_| !was_open) {
            self.ongoing.insert(first, batch.producer_id);
        }
    }

    /// Takes over a transaction marker that lies in the log at `offset`. Returns the transaction
    /// it ends, none if the producer had none open in this partition.
    pub fn end_transaction(&mut self, marker: &EndTxnMarker, offset: i64) -> Option<CompletedTxn> {
        self.make_room_for(marker.producer_id);
        let first_offset = self
            .producers
            .entry(marker.producer_id)
            .or_insert_with(|| ProducerStateEntry::empty(marker.producer_id))
            .end_transaction(marker)?;
        self.ongoing.remove(&first_offset);
        self.unreplicated.insert(first_offset, offset);
        Some(CompletedTxn {
            producer_id: marker.producer_id,
            first_offset,
            last_offset: offset,
            last_stable_offset: self.first_undecided_offset().unwrap_or(offset + 1),
        })
    }

    /// Takes over from an earlier state which transactions have a marker before `end` that readers
    /// may not see yet.
    pub fn take_over_unreplicated(&mut self, earlier: &Self, end: i64) {
        let kept = earlier.unreplicated.iter().filter(|(_, marker)| **marker < end);
        self.unreplicated.extend(kept.map(|(first, marker)| (*first, *marker)));
    }

    /// Readers may see everything before `high_watermark` now.
    pub fn on_high_watermark(&mut self, high_watermark: i64) {
        if !self.unreplicated.is_empty() {
            self.unreplicated.retain(|_, marker| *marker >= high_watermark);
        }
    }

    /// The first offset that belongs to a transaction which is open, or whose marker readers do
    /// not see yet. None: everything is decided.
    pub fn first_unstable_offset(&self) -> Option<i64> {
        let first = |map: &BTreeMap<i64, i64>| map.first_key_value().map(|(first, _)| *first);
        [first(&self.ongoing), first(&self.unreplicated)].into_iter().flatten().min()
    }

    /// Forgets producers without an open transaction whose last batch is at least
    /// `producer_id_expiration_ms` old.
    pub fn remove_expired(&mut self, now_ms: i64, producer_id_expiration_ms: i64) {
        self.producers.retain(|_, entry| !entry.is_expired(now_ms, producer_id_expiration_ms));
    }

    /// Forgets everybody: the log was truncated fully.
    pub fn clear(&mut self) {
        *self = Self::new();
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
        self.ongoing.first_key_value().map(|(first, _)| *first)
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
