//! A world's logs are compacted: what each may have lost of its batches is looked up afterwards,
//! and taken over into its truth. Until the next cleaning no byte of it may change.

use std::path::Path;
use std::sync::Arc;

use super::compacted_truth::{Shown, parse};
use super::machine::{COMPACTION_LAG_MS, Clock, DELETE_RETENTION_MS};
use super::steps::{PARTITIONS, Step};
use super::truth::{Batch, Truth, read};
use super::world::{Partition, World};
use crate::Log;
use crate::cleaner::choose::cleanable;
use crate::cleaner::threads::Stop;

impl World {
    /// Time goes by, and one cleaner thread does all that is due.
    pub(super) fn compact(&mut self, ms: i64) {
        if !self.machine.is_compacted() {
            return;
        }
        self.now_ms += ms;
        let is_dirty = |partition: &Partition| dirty_bytes(&partition.log, self.now_ms) > Some(0);
        let was_dirty: Vec<bool> = self.partitions.iter().map(is_dirty).collect();
        self.power().change_work();
        let (manager, clock) = (Arc::clone(&self.process.manager), Clock(self.now_ms));
        // A log that fails ends a round, and is let alone in the next one.
        let mut rounds = 0..PARTITIONS + 1;
        loop {
            for partition in &mut self.partitions {
                partition.truth.give_to_cleaner(&partition.log, self.now_ms);
            }
            if !manager.clean_dirtiest(0, &Stop::default(), &clock) && rounds.next().is_none() {
                break;
            }
        }
        self.power().change_work();
        if self.power().is_off() {
            return;
        }
        for (at, was_dirty) in was_dirty.into_iter().enumerate() {
            let may_fail = self.may_fail(at);
            let partition = &mut self.partitions[at];
            let log = &partition.log;
            if log.failure().is_some() {
                assert!(may_fail, "the cleaning of {} has failed", partition.name);
            } else if may_fail {
                partition.truth.take_over_what_can_be_read(log);
            } else {
                assert_eq!(dirty_bytes(log, self.now_ms), Some(0), "it is not clean");
                partition.truth.take_over_clean(log, self.now_ms, was_dirty);
            }
        }
    }

    /// On the failing disk too.
    pub(super) fn partitions_are_dirty(&self) -> bool {
        let is_dirty = |partition: &Partition| dirty_bytes(&partition.log, self.now_ms) > Some(0);
        let failing = |partition: &Partition| {
            self.failing.is_some_and(|dir| partition.log.dir().path() == Path::new(dir))
        };
        self.partitions.iter().any(|partition| failing(partition) && is_dirty(partition))
    }

    /// Every log can be cleaned up to its last segment, if no transaction is open.
    pub(super) fn must_compact(&mut self) {
        for partition in 0..PARTITIONS {
            self.run(&Step::EndTransaction { partition, committed: true, all: true });
            self.must_append(partition);
            self.run(&Step::Roll(partition));
            self.must_append(partition);
        }
        self.run(&Step::Sync);
        self.run(&Step::Compact(10_000));
        for partition in &self.partitions {
            let active = partition.log.segment_offsets().last().copied();
            assert_eq!(partition.log.clean_point(), active, "{}", partition.name);
        }
        self.run(&Step::Restart);
    }
}

/// Unless the disk fails.
fn dirty_bytes(log: &Log, now_ms: i64) -> Option<u64> {
    Some(cleanable(&log.facts(now_ms).ok()?, now_ms).cleanable_bytes)
}

impl Truth {
    /// A cleaner may now take what is settled: not the active segment, an open transaction, what
    /// is not on the disk, or what is young.
    fn give_to_cleaner(&mut self, log: &Log, now_ms: i64) {
        if log.failure().is_some() {
            return;
        }
        let active = log.segment_offsets().last().copied().unwrap();
        let stable = self.open_transaction(log.visible_end()).unwrap_or(i64::MAX);
        let clean = log.clean_point().unwrap_or(0);
        let is_young = |batch: &&Batch| batch.latest() > now_ms - COMPACTION_LAG_MS;
        let dirty = self.batches.iter().filter(|batch| batch.base >= clean);
        let young = dirty.filter(|batch| batch.base >= self.start).find(is_young);
        let young = young.map_or(i64::MAX, |batch| batch.base);
        let bound = active.min(stable).min(log.durable_end()).min(young);
        self.past.give(&self.batches, bound, now_ms, DELETE_RETENTION_MS);
    }

    fn take_over_clean(&mut self, log: &Log, now_ms: i64, was_dirty: bool) {
        let shown = parse(read(log, self.start, log.visible_end())).unwrap();
        let end = log.clean_point().filter(|_| was_dirty).unwrap_or(0);
        self.past.decide(&self.transactions(i64::MAX));
        self.past.is_clean(&self.cleaned(&shown), end, now_ms).unwrap();
        self.take_over(shown);
    }

    pub(super) fn take_over_what_can_be_read(&mut self, log: &Log) {
        let read = log.read(self.start, usize::MAX, log.visible_end(), true);
        if let Ok(Ok(bytes)) = read.map(|read| read.to_bytes()) {
            self.take_over(parse(bytes).unwrap());
        }
    }

    /// A log was opened that begins at `start`, not after the start in the truth.
    pub(super) fn take_over_opened(&mut self, log: &Log, start: i64) {
        self.take_over(parse(read(log, start, log.visible_end())).unwrap());
    }

    fn cleaned(&self, shown: &[Shown]) -> Vec<Shown> {
        let bound = self.past.bound();
        shown.iter().filter(|batch| batch.header.base_offset < bound).cloned().collect()
    }

    /// What is shown, once it has been judged, is the truth.
    fn take_over(&mut self, shown: Vec<Shown>) {
        let cleaned = self.cleaned(&shown);
        self.past.decide(&self.transactions(i64::MAX));
        self.past.judge(&cleaned, self.start, DELETE_RETENTION_MS).unwrap();
        let bound = self.past.bound();
        let later = self.batches.iter().filter(|batch| batch.base >= bound).cloned();
        let first = cleaned.first().map_or(bound, |batch| batch.header.base_offset);
        // Before the log's start, where nobody looks.
        let hidden = self.batches.iter().filter(|batch| batch.base < first.min(bound));
        let hidden = hidden.filter(|batch| batch.end() <= self.start).cloned();
        let remnant = |batch: &Batch| {
            let shown = cleaned.iter().find(|shown| shown.header.base_offset == batch.base)?;
            Some(batch.with_only(shown))
        };
        let cleaned = self.past.batches().filter_map(remnant);
        self.batches = hidden.chain(cleaned).chain(later).collect();
        self.past.is_unfinished = false;
    }
}

impl Batch {
    /// The time of the last record.
    fn latest(&self) -> i64 {
        self.timestamp + self.records - 1
    }

    fn with_only(&self, shown: &Shown) -> Self {
        let is_there = |offset: i64| shown.records.iter().any(|record| record.offset == offset);
        let gone = (0..self.records).filter(|at| !is_there(self.base + at));
        let gone = gone.fold(0, |gone, at| gone | 1 << at);
        Self { bytes: shown.bytes.clone(), gone, ..self.clone() }
    }
}
