//! What one partition's log must show: a list of batches, and how far it was acknowledged.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::{Bytes, BytesMut};
use protocol_codec::records::split_batches;

use super::compacted_truth::Past;
use crate::Log;
use crate::log::retention::DeleteRecordsError;

pub(super) const IDEMPOTENT_PRODUCER: i64 = 5;
pub(super) const TRANSACTIONAL_PRODUCER: i64 = 6;

#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) base: i64,
    pub(super) records: i64,
    /// Of the first record; each of the others is 1 later.
    pub(super) timestamp: i64,
    pub(super) epoch: i32,
    pub(super) all: bool,
    pub(super) what: What,
    /// As it lies on the disk.
    pub(super) bytes: Bytes,
    /// The records that compaction has taken from it, as bits.
    pub(super) gone: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Plain,
    Data { producer: i64, sequence: i32 },
    End { committed: bool },
}

impl Batch {
    pub(super) fn end(&self) -> i64 {
        self.base + self.records
    }

    pub(super) fn is_marker(&self) -> bool {
        matches!(self.what, What::End { .. })
    }

    /// Of a batch of data that has one.
    pub(super) fn producer(&self) -> Option<i64> {
        match self.what {
            What::Data { producer, .. } => Some(producer),
            _ => None,
        }
    }

    /// The places in it of the records that are left.
    fn left(&self) -> impl Iterator<Item = i64> {
        (0..self.records).filter(|at| self.gone >> at & 1 == 0)
    }
}

/// One log as it must be.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    pub(super) start: i64,
    pub(super) end: i64,
    /// Those before `start` may be gone.
    pub(super) batches: Vec<Batch>,
    /// What of them was ever compacted.
    pub(super) past: Past,
    /// Everything before it was acknowledged as durable.
    acked: Arc<AtomicI64>,
    /// Where the last `acks=all` batch ends that a reader has seen.
    seen: i64,
    /// It was truncated, and not opened again since: what is decided but not yet durable is then
    /// taken for stable.
    was_cut: bool,
    /// Its append failed, but it may be there after a restart.
    pub(super) maybe: Option<Batch>,
}

impl Truth {
    /// Everything before this must survive whatever happens to the power.
    pub(super) fn promised(&self) -> i64 {
        self.acked.load(Ordering::Relaxed).max(self.seen)
    }

    /// Asks to be told when everything before `end` is durable.
    pub(super) fn wait(&self, log: &Arc<Log>, end: i64) {
        let acked = Arc::clone(&self.acked);
        let told = move |answer: Result<crate::Durable, _>| {
            if let Ok(durable) = answer {
                assert!(durable.end() >= end);
                acked.fetch_max(end, Ordering::Relaxed);
            }
        };
        log.when_durable(end, Box::new(told));
    }

    pub(super) fn push(&mut self, batch: Batch) {
        assert_eq!(batch.base, self.end);
        self.end = batch.end();
        self.batches.push(batch);
    }

    pub(super) fn next_sequence(&self, of: i64) -> i32 {
        let of_batch = |batch: &Batch| match batch.what {
            What::Data { producer, sequence } if producer == of => {
                Some(sequence + batch.records as i32)
            }
            _ => None,
        };
        self.written().filter_map(of_batch).last().unwrap_or(0)
    }

    /// All batches as they were written.
    pub(super) fn written(&self) -> impl Iterator<Item = &Batch> {
        let bound = self.past.bound();
        self.past.batches().chain(self.batches.iter().filter(move |batch| batch.base >= bound))
    }

    /// The first offset of the transaction that is open when everything before `bound` counts.
    pub(super) fn open_transaction(&self, bound: i64) -> Option<i64> {
        self.transactions(bound).1
    }

    /// First and last offset of all aborted transactions, and the first one of the open one.
    pub(super) fn transactions(&self, bound: i64) -> (Vec<(i64, i64)>, Option<i64>) {
        let (mut aborted, mut open) = (Vec::new(), None);
        for batch in self.written() {
            match batch.what {
                What::Data { producer: TRANSACTIONAL_PRODUCER, .. } => {
                    open.get_or_insert(batch.base);
                }
                What::End { committed } if batch.end() <= bound => {
                    let first = open.take();
                    aborted.extend(first.filter(|_| !committed).map(|first| (first, batch.base)));
                }
                _ => {}
            }
        }
        (aborted, open)
    }

    /// An offset in the log, or a little beyond its end.
    pub(super) fn share(&self, percent: i64) -> i64 {
        self.start + (self.end - self.start) * percent / 100
    }

    /// The log was cut at `offset`, which lies in it.
    pub(super) fn cut(&mut self, offset: i64, first_base: i64) {
        self.past.cut(offset);
        self.batches.retain(|batch| batch.end() <= offset);
        self.end = self
            .batches
            .last()
            .map_or(first_base, Batch::end)
            .max(first_base)
            .max(self.past.bound());
        self.start = self.start.min(self.end);
        self.was_cut = true;
        self.promise_less(self.end);
    }

    /// What lies at and after `end` is no longer promised: it was asked to go.
    pub(super) fn promise_less(&mut self, end: i64) {
        self.acked.fetch_min(end, Ordering::Relaxed);
        self.seen = self.seen.min(end);
    }

    /// A reader may have read up to here.
    pub(super) fn note_seen(&mut self, visible: i64) {
        let seen = self.batches.iter().rev().find(|batch| batch.all && batch.end() <= visible);
        self.seen = self.seen.max(seen.map_or(0, Batch::end));
    }

    /// The log was opened again: it must hold what lies before `least`, and what was written from
    /// there on without a gap. Its disk may fail. Returns what became of asking again for what had
    /// been deleted to be deleted.
    pub(super) fn reopened(
        &mut self,
        log: &Arc<Log>,
        least: i64,
        may_fail: bool,
    ) -> Result<(), DeleteRecordsError> {
        let (start, end) = (log.log_start_offset(), log.log_end_offset());
        if let Some(maybe) = self.maybe.take()
            && end > self.end
        {
            self.push(maybe);
        }
        assert!(end >= least, "it ends at {end}, {least} was promised");
        assert!(end <= self.end, "it ends at {end}, {} was written", self.end);
        self.past.cut(end);
        self.batches.retain(|batch| batch.end() <= end);
        let is_whole = self.batches.last().is_none_or(|batch| batch.end() == end);
        assert!(is_whole || start == end, "it ends at {end}, inside of a batch");
        assert!(start <= self.start, "it begins at {start}, {} was asked for", self.start);
        let old_start = self.start.min(end);
        if self.past.is_unfinished && may_fail {
            self.take_over_what_can_be_read(log);
        } else if self.past.is_unfinished {
            self.take_over_opened(log, start);
        } else if !may_fail && self.past.bound() > 0 && start < old_start {
            let is_same = read(log, old_start, end) == self.bytes(old_start, end);
            assert!(is_same, "other bytes than were left by compaction");
            self.take_over_opened(log, start);
        }
        let mut deleted = Ok(());
        if start < old_start {
            if !may_fail {
                self.check_deleted(log, start);
            }
            deleted = log.delete_records_before(old_start).map(|_| ());
        }
        // What was lost before the log's start was lost with all that was known of producers.
        let is_begun_anew = start == end && log.segment_offsets() == [end] && end > least;
        if is_begun_anew && log.active_producers().is_empty() {
            self.batches.clear();
            self.past.forget();
        }
        (self.start, self.end, self.seen) = (old_start, end, self.seen.min(end));
        self.acked = Arc::new(AtomicI64::new(least.min(end)));
        self.was_cut = false;
        deleted
    }

    /// What had been deleted may be there again, or a part of it, but nothing else.
    fn check_deleted(&self, log: &Log, start: i64) {
        let mut found = read(log, start, log.visible_end());
        for batch in self.batches.iter().filter(|batch| batch.end() > start) {
            if found.starts_with(&batch.bytes) {
                found = found.slice(batch.bytes.len()..);
            } else {
                assert!(batch.base < self.start, "the batch at {} is gone", batch.base);
            }
        }
        assert!(found.is_empty(), "{} bytes were never written", found.len());
    }

    /// The log must show this.
    pub(super) fn check(&self, log: &Log) {
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (self.start, self.end));
        let durable = log.durable_end();
        assert!(log.recovery_point() <= durable && durable <= self.end);
        assert!(self.acked.load(Ordering::Relaxed) <= durable);
        let undurable = self.batches.iter().find(|batch| batch.all && batch.end() > durable);
        let visible = undurable.map_or(self.end, |batch| batch.base);
        assert_eq!(log.visible_end(), visible, "durable to {durable}");
        for offset in [self.start, (self.start + visible) / 2, visible] {
            assert!(
                read(log, offset, visible) == self.bytes(offset, visible),
                "other bytes from {offset} to {visible}"
            );
        }
        assert!(log.read(self.end + 1, 10, i64::MAX, true).is_err());
        self.check_epochs(log);
        self.check_timestamps(log);
        self.check_transactions(log, visible);
    }

    /// While the disk fails: what can be read is right.
    pub(super) fn check_what_can_be_read(&mut self, log: &Log) {
        if self.past.is_unfinished {
            self.take_over_what_can_be_read(log);
        }
        if self.past.is_unfinished {
            return;
        }
        let visible = log.visible_end();
        for offset in [self.start, (self.start + visible) / 2] {
            let read = log.read(offset, usize::MAX, visible, true).map(|read| read.to_bytes());
            if let Ok(Ok(bytes)) = read {
                assert!(bytes == self.bytes(offset, visible), "other bytes from {offset}");
            }
        }
    }

    /// Whether readers of the whole log get what was written, wherever it begins.
    pub(super) fn is_what_readers_get(&self, log: &Log) -> bool {
        let (start, visible) = (log.log_start_offset(), log.visible_end());
        read(log, start, visible) == self.bytes(start, visible)
    }

    /// Whether readers get every record at its offset, whatever the leader epochs.
    pub(super) fn is_right_but_for_epochs(&self, log: &Log) -> bool {
        let without_epochs = |bytes: Bytes| -> Vec<Bytes> {
            let batches = split_batches(bytes).map(|batch| batch.unwrap());
            let without = |batch: protocol_codec::records::Batch| {
                let header = batch.header();
                let mut bytes = BytesMut::from(&header.base_offset.to_be_bytes()[..]);
                bytes.extend_from_slice(&batch.payload());
                bytes.freeze()
            };
            batches.map(without).collect()
        };
        let found = read(log, self.start, log.visible_end());
        without_epochs(found) == without_epochs(self.bytes(self.start, self.end))
    }

    fn bytes(&self, from: i64, to: i64) -> Bytes {
        let asked = self.batches.iter().filter(|batch| batch.end() > from && batch.base < to);
        let bytes: BytesMut = asked.flat_map(|batch| batch.bytes.iter().copied()).collect();
        bytes.freeze()
    }

    fn check_epochs(&self, log: &Log) {
        let live = self.batches.iter().filter(|batch| batch.base >= self.start);
        for batch in live.clone().take(1).chain(live.last()) {
            assert_eq!(log.epoch_for_offset(batch.base), Some(batch.epoch), "at {}", batch.base);
        }
    }

    fn check_timestamps(&self, log: &Log) {
        let records = self
            .batches
            .iter()
            .flat_map(|batch| batch.left().map(|at| (batch.base + at, batch.timestamp + at)));
        let records: Vec<_> = records.filter(|(offset, _)| *offset >= self.start).collect();
        for timestamp in [0, 300] {
            let wanted = records.iter().find(|(_, found)| *found >= timestamp);
            let found = log.offset_for_timestamp(timestamp).unwrap();
            assert_eq!(found.map(|found| (found.offset, found.timestamp)), wanted.copied());
        }
    }

    /// What began before the log's start may be forgotten, or not.
    fn check_transactions(&self, log: &Log, visible: i64) {
        let (aborted, open) = self.transactions(visible);
        if !self.was_cut && open.is_none_or(|first| first >= self.start) {
            let stable = open.map_or(visible, |first| first.min(visible));
            assert_eq!(log.last_stable_offset(), stable);
        }
        let found = log.aborted_transactions(self.start, log.last_stable_offset()).unwrap();
        let found: Vec<_> = found.iter().map(|txn| (txn.first_offset, txn.last_offset)).collect();
        // When compaction has taken all its records it may be forgotten, or not yet.
        let is_there = |offsets: Range<i64>| {
            let mut batches = self.batches.iter().filter(|batch| offsets.contains(&batch.base));
            batches.any(|batch| {
                batch.producer() == Some(TRANSACTIONAL_PRODUCER) && batch.left().count() > 0
            })
        };
        let is_due = |txn: &&(i64, i64)| txn.0 >= self.start && is_there(txn.0..txn.1);
        let all = self.transactions(i64::MAX).0;
        let is_right = |(first, last): &(i64, i64)| {
            let began = |txn: &(i64, i64)| txn.0.max(self.start)..*first;
            all.iter().any(|txn| txn.1 == *last && (txn.0 == *first || !is_there(began(txn))))
        };
        let is_found = |txn: &(i64, i64)| found.iter().any(|(_, last)| *last == txn.1);
        assert!(
            found.iter().all(is_right) && aborted.iter().filter(is_due).all(is_found),
            "aborted: {found:?} found, {aborted:?} in truth"
        );
    }
}

/// Everything that a reader gets from `offset` on.
pub(super) fn read(log: &Log, offset: i64, bound: i64) -> Bytes {
    log.read(offset, usize::MAX, bound, true).unwrap().to_bytes().unwrap()
}
