//! What a log knows of transactions: where the undecided begins, which ones were aborted, and the
//! markers that end them.
//!
//! Producer state holds what is open (see [`crate::producer_state`]); the transaction index of
//! each segment holds what was aborted by a marker in it. An entry is in the index before the
//! last stable offset passes the marker, so whoever reads up to that offset finds all entries
//! that concern him.
//!
//! An index that is missing beside the others, damaged, or of a segment that a recovery has
//! walked, is made anew from the log.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use protocol_codec::records::control::EndTransactionMarker;
use protocol_codec::records::{BatchHeader, ValidatedBatch};

use super::append::{AppendError, Appended, RequiredAcks};
use super::read::{ReadEnd, ReadError, Slices};
use super::{Log, Writer, producers};
use crate::fs::Fs;
use crate::index::txn::AbortedTxn;
use crate::producer_state::{EndTxnMarker, ProducerStateManager};
use crate::segment::{Segment, SegmentError};

/// The end of a transaction, as its coordinator asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTransaction {
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub marker: EndTransactionMarker,
    /// The finalized `transaction.version` under which the transaction was made: it decides which
    /// epochs the marker may have.
    pub transaction_version: i16,
}

/// What a reader with `read_committed` gets: records up to the last stable offset, and the
/// transactions among them that are to be skipped, by first offset.
#[derive(Clone, Debug, Default)]
pub struct CommittedRead {
    pub slices: Slices,
    pub aborted: Vec<AbortedTxn>,
    /// Where it stops.
    pub last_stable_offset: i64,
}

impl Log {
    /// What a reader with `read_committed` may see: everything before it is decided. Never beyond
    /// [`Log::visible_end`] as it was before the call.
    pub fn last_stable_offset(&self) -> i64 {
        // In this order: a transaction that begins lowers the second before it raises the first.
        let visible_end = self.visible_end();
        let first_unstable = self.first_unstable.load(Ordering::Acquire);
        visible_end.min(first_unstable.max(self.log_start_offset()))
    }

    /// As [`Log::read`] for readers with `read_committed`.
    pub fn read_committed(
        &self,
        offset: i64,
        max_bytes: usize,
        min_one_batch: bool,
    ) -> Result<CommittedRead, ReadError> {
        let bound = self.last_stable_offset();
        // One row for both: what is aborted in a segment that has left the row is not found.
        self.look_at_segments(|segments| {
            let read = self.read_from(segments, offset, max_bytes, bound, min_one_batch)?;
            self.with_aborted(segments, offset, bound, read)
        })
    }

    fn with_aborted(
        &self,
        segments: &[Arc<Segment>],
        offset: i64,
        bound: i64,
        (slices, end): (Slices, Option<ReadEnd>),
    ) -> Result<CommittedRead, ReadError> {
        let Some(end) = end else {
            return Ok(CommittedRead { last_stable_offset: bound, ..CommittedRead::default() });
        };
        // As Kafka, which names a few transactions too many: what costs little to find out.
        let upper = match end.segment.offset_bound(self.fs(), end.position)? {
            Some(offset) => offset,
            None => end.next_base.unwrap_or_else(|| self.log_end_offset()),
        };
        let aborted = self.aborted_in(segments, offset, upper)?;
        Ok(CommittedRead { slices, aborted, last_stable_offset: bound })
    }

    /// The aborted transactions that have records in `from..to`, by first offset. Whatever is
    /// before the last stable offset has its entry.
    pub fn aborted_transactions(
        &self,
        from: i64,
        to: i64,
    ) -> Result<Vec<AbortedTxn>, SegmentError> {
        self.look_at_segments(|segments| self.aborted_in(segments, from, to))
    }

    fn aborted_in(
        &self,
        segments: &[Arc<Segment>],
        from: i64,
        to: i64,
    ) -> Result<Vec<AbortedTxn>, SegmentError> {
        let after = segments.partition_point(|segment| segment.base_offset() <= from);
        let mut aborted = Vec::new();
        for (number, segment) in segments.iter().enumerate().skip(after.saturating_sub(1)) {
            self.know_aborted(segments, number)?;
            let collected = segment.collect_aborted(from, to);
            let collected = collected.map_err(|error| segment.io_error(error))?;
            aborted.extend(collected.aborted);
            if collected.complete {
                break;
            }
        }
        aborted.sort_unstable_by_key(|txn| txn.first_offset);
        Ok(aborted)
    }

    /// Appends the marker that ends a transaction of a producer in this partition.
    pub fn append_end_transaction(
        self: &Arc<Self>,
        end: &EndTransaction,
        leader_epoch: i32,
        acks: RequiredAcks,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let batch = end.marker.to_batch(now_ms, end.producer_id, end.producer_epoch);
        let batch = batch.map_err(|error| AppendError::Marker(error.to_string()))?;
        let batch = ValidatedBatch::internal(&batch);
        let batch = batch.map_err(|error| AppendError::Marker(error.to_string()))?;
        self.append_marker(&batch, end, leader_epoch, acks, now_ms)
    }

    /// Makes the transaction index of the active segment ready for another entry.
    pub(super) fn prepare_for_marker(&self, writer: &Writer) -> Result<(), SegmentError> {
        let segments = self.segments.load();
        self.know_aborted(&segments, segments.len().saturating_sub(1))?;
        writer.active.hold_aborted().map_err(|error| writer.active.io_error(error))
    }

    /// Sees to it that the transaction index of a segment is known.
    pub(super) fn know_aborted(
        &self,
        segments: &[Arc<Segment>],
        number: usize,
    ) -> Result<(), SegmentError> {
        know_aborted(self.fs(), &self.path, segments, number)
    }
}

impl Writer {
    /// Takes over a marker that lies in the active segment.
    pub(super) fn end_transaction(
        &mut self,
        header: &BatchHeader,
        marker: EndTransactionMarker,
        offset: i64,
    ) {
        let state = producer_marker(header, marker);
        let completed = self.producers.end_transaction(&state, offset);
        if let Some(completed) = completed.filter(|_| !marker.committed) {
            self.active.push_aborted(completed.into());
        }
    }
}

/// A marker as producer state takes it.
pub(super) fn producer_marker(header: &BatchHeader, marker: EndTransactionMarker) -> EndTxnMarker {
    EndTxnMarker {
        producer_id: header.producer_id,
        producer_epoch: header.producer_epoch,
        coordinator_epoch: marker.coordinator_epoch,
        timestamp: header.max_timestamp,
    }
}

/// Makes the stale transaction indexes anew: those of segments that were walked and hold control
/// batches. To be called before the segments are sealed.
pub(super) fn rebuild_stale(
    fs: &dyn Fs,
    dir: &Path,
    segments: &[Arc<Segment>],
) -> Result<(), SegmentError> {
    for (number, segment) in segments.iter().enumerate() {
        if segment.is_aborted_stale() {
            know_aborted(fs, dir, segments, number)?;
        }
    }
    Ok(())
}

fn know_aborted(
    fs: &dyn Fs,
    dir: &Path,
    segments: &[Arc<Segment>],
    number: usize,
) -> Result<(), SegmentError> {
    let Some(segment) = segments.get(number) else { return Ok(()) };
    segment.know_aborted(fs, || {
        let (before, from) = segments.split_at_checked(number).unwrap_or_default();
        let mut producers = producers::state_before(fs, dir, before, segment.base_offset())?;
        aborted_in(fs, from.get(..1).unwrap_or_default(), &mut producers)
    })
}

/// The transactions that are aborted in `segments`, with the producers as they are before.
fn aborted_in(
    fs: &dyn Fs,
    segments: &[Arc<Segment>],
    producers: &mut ProducerStateManager,
) -> Result<Vec<AbortedTxn>, SegmentError> {
    let mut aborted = Vec::new();
    let from = segments.first().map_or(0, |segment| segment.base_offset());
    producers::replay(fs, segments, from, producers, &mut |txn| aborted.push(txn))?;
    Ok(aborted)
}
