//! A world's logs are compacted: what each may have lost of its batches is looked up afterwards,
//! and taken over into its truth. Until the next cleaning no byte of it may change.

use std::path::Path;
use std::sync::Arc;

use super::compacted_truth::{Shown, parse};
use super::machine::{COMPACTION_LAG_MS, Clock, DELETE_RETENTION_MS};
use super::pauses::take_turns;
use super::steps::{Beside, PARTITIONS, Step};
use super::truth::{Batch, Truth, read};
use super::world::{Partition, World};
use crate::Log;
use crate::cleaner::choose::cleanable;
use crate::cleaner::threads::Stop;
use crate::log::locks::FreeLocks;

impl World {
    /// Time goes by, and one cleaner thread does all that is due, while `beside` happens.
    pub(super) fn compact(&mut self, ms: i64, mut beside: &[Beside]) {
        if !self.machine.is_compacted() {
            return;
        }
        self.now_ms += ms;
        let now_ms = self.now_ms;
        let clean_points: Vec<_> = self.partitions.iter().map(|p| p.log.clean_point()).collect();
        self.power().change_work();
        // A log that fails ends a round, and is let alone in the next one.
        let mut rounds = 0..PARTITIONS + 1;
        loop {
            for partition in &mut self.partitions {
                partition.truth.give_to_cleaner(&partition.log, now_ms);
            }
            if !self.clean_dirtiest(now_ms, &mut beside) && rounds.next().is_none() {
                break;
            }
        }
        self.power().change_work();
        if self.power().is_off() {
            return;
        }
        for (at, clean_before) in clean_points.into_iter().enumerate() {
            let may_fail = self.may_fail(at);
            let partition = &mut self.partitions[at];
            let log = &partition.log;
            if log.failure().is_some() {
                assert!(may_fail, "the cleaning of {} has failed", partition.name);
            } else if may_fail {
                partition.truth.take_over_what_can_be_read(log);
            } else {
                assert_eq!(dirty_bytes(log, now_ms), Some(0), "it is not clean");
                let clean = log.clean_point().filter(|_| log.clean_point() != clean_before);
                // The start of a log counts as clean too, whatever it hides of a batch.
                let clean = clean.filter(|clean| *clean > log.log_start_offset());
                partition.truth.take_over_clean(log, now_ms, clean.unwrap_or(0));
            }
        }
    }

    /// One round of a cleaner; takes from `beside` what has happened in it.
    fn clean_dirtiest(&mut self, now_ms: i64, beside: &mut &[Beside]) -> bool {
        let manager = Arc::clone(&self.process.manager);
        let work = move || manager.clean_dirtiest(0, &Stop::default(), &Clock(now_ms));
        let Some(first) = beside.first() else { return work() };
        self.cleaning_ms = Some(now_ms);
        let is_cleaned = take_turns(first.after, work, || {
            let (next, rest) = beside.split_first()?;
            if self.power().is_off() {
                return None;
            }
            if !self.has_room_for(&next.step) {
                // Before the next operation, perhaps.
                return Some(0);
            }
            self.run(&next.step);
            *beside = rest;
            rest.first().map(|next| next.after)
        });
        self.cleaning_ms = None;
        is_cleaned
    }

    /// Whether a step, and the comparison after it, need no lock that a cleaner holds.
    pub(super) fn has_room_for(&self, step: &Step) -> bool {
        let free = self.partitions.iter().map(|partition| partition.log.free_locks());
        let free = free.min().unwrap_or(FreeLocks::All);
        match step {
            // The locks die with their process.
            Step::Kill => true,
            Step::Look
            | Step::Append { .. }
            | Step::EndTransaction { .. }
            | Step::Repeat(_)
            | Step::Lead(_)
            | Step::Roll(_)
            | Step::DeleteRecords(..) => free >= FreeLocks::AllButSync,
            _ => free == FreeLocks::All && !self.process.manager.is_checkpointing(),
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

    /// A cleaner is at work: the log shows what it has left so far, and nothing else than this.
    pub(super) fn check_beside_cleaner(&mut self, log: &Log, cleaning_ms: i64) {
        self.give_to_cleaner(log, cleaning_ms);
        self.take_over(parse(read(log, self.start, log.visible_end())).unwrap());
        self.check(log);
        self.past.is_unfinished = true;
    }

    /// What lies before `end` was cleaned at this time.
    fn take_over_clean(&mut self, log: &Log, now_ms: i64, end: i64) {
        let shown = parse(read(log, self.start, log.visible_end())).unwrap();
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
