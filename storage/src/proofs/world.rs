//! A node with several partitions, to which steps happen.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use protocol_codec::Uuid;
use protocol_codec::records::control::EndTransactionMarker;
use protocol_codec::records::{BatchBuilder, ValidatedBatch};

use super::machine::{KEYS, Layer, Machine, Process};
use super::power::Power;
use super::steps::{Kind, PARTITIONS, Step};
use super::truth::{Batch, IDEMPOTENT_PRODUCER, TRANSACTIONAL_PRODUCER, Truth, What};
use crate::fs::PowerCut;
use crate::log::retention::DeleteRecordsError;
use crate::log::transactions::EndTransaction;
use crate::{Appended, CreateLogError, Log, LogConfig, Placement, RequiredAcks, TopicPartition};

const BROKER_EPOCH: i64 = 17;

#[derive(Debug)]
pub(super) struct World {
    pub(super) machine: Machine,
    pub(super) process: Process,
    pub(super) partitions: Vec<Partition>,
    pub(super) now_ms: i64,
    topics: u8,
    /// No process runs: the power went while one was started.
    is_down: bool,
    /// The time by which a cleaner goes that is at work.
    pub(super) cleaning_ms: Option<i64>,
    /// The log directory whose disk may fail: a step there that does is no wonder.
    pub(super) failing: Option<&'static str>,
}

#[derive(Debug)]
pub(super) struct Partition {
    pub(super) name: TopicPartition,
    topic_id: Uuid,
    /// Its log directory.
    directory_id: Uuid,
    epoch: i32,
    pub(super) log: Arc<Log>,
    pub(super) truth: Truth,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(&["/a"], &|fs| fs, Power::default())
    }

    /// With these log directories, a layer over the disks, and this power for the first process.
    pub(super) fn with(dirs: &'static [&'static str], layer: Layer<'_>, power: Power) -> Self {
        Self::of(Machine::new(dirs, layer), power)
    }

    pub(super) fn of(machine: Machine, power: Power) -> Self {
        let (process, _) = machine.start(Power::default(), 0).unwrap();
        let mut world = Self {
            machine,
            process,
            partitions: Vec::new(),
            now_ms: 0,
            topics: 0,
            is_down: false,
            cleaning_ms: None,
            failing: None,
        };
        for number in 0..PARTITIONS {
            let name = TopicPartition::new(format!("topic{number}").as_str(), 0);
            let topic_id = world.new_topic_id();
            let log = world.log_of(&name, topic_id, Placement::Any).unwrap();
            let directory_id = world.process.manager.directory_id(&name).unwrap();
            let truth = Truth::default();
            let partition = Partition { name, topic_id, directory_id, epoch: 0, log, truth };
            world.partitions.push(partition);
        }
        // The first start of all is not the history's.
        assert!(world.process.manager.close(BROKER_EPOCH));
        world.start(power, Least::All);
        world
    }

    fn new_topic_id(&mut self) -> Uuid {
        self.topics += 1;
        Uuid::from_bytes([self.topics; 16])
    }

    pub(super) fn power(&self) -> &Power {
        &self.process.power
    }

    /// Does a step and compares all that it concerns with the truth.
    pub(super) fn run(&mut self, step: &Step) {
        if self.is_down || self.power().is_off() {
            return;
        }
        match *step {
            Step::Append { partition, kind, records, all, timestamp } => {
                self.append(partition, kind, records, all, timestamp);
            }
            Step::EndTransaction { partition, committed, all } => {
                self.end_transaction(partition, committed, all);
            }
            Step::Repeat(partition) => self.repeat(partition),
            Step::Lead(partition) => self.lead(partition),
            Step::Sync => self.sync(),
            // Of what an earlier process has left, no step is one of this process.
            Step::Roll(at)
            | Step::Truncate(at, _)
            | Step::DeleteRecords(at, _)
            | Step::Retention(at, _)
                if !self.is_served(at) => {}
            Step::Roll(partition) => {
                let rolled = self.partitions[partition].log.roll();
                self.tolerate(partition, rolled);
            }
            Step::Truncate(partition, percent) => self.truncate(partition, percent),
            Step::DeleteRecords(partition, percent) => self.delete_records(partition, percent),
            Step::Retention(partition, bytes) => self.retain(partition, bytes),
            Step::Delete(partition) => self.delete(partition),
            Step::Tick(ms) => {
                self.now_ms += ms;
                self.process.manager.tick(self.now_ms);
            }
            Step::Compact(ms) => self.compact(ms, &[]),
            Step::CompactBeside(ms, ref beside) => self.compact(ms, beside),
            Step::Look => {}
            Step::Checkpoint => self.checkpoint(),
            Step::Restart => self.restart(),
            Step::Kill => self.kill(),
        }
        self.check();
    }

    /// Compares every partition with the truth that can be.
    pub(super) fn check(&mut self) {
        let is_off = self.is_down || self.power().is_off();
        let power = self.power().clone();
        let failing = self.failing;
        for Partition { log, truth, .. } in &mut self.partitions {
            truth.note_seen(log.visible_end());
            if is_off || log.failure().is_some() {
                continue;
            }
            if failing.is_some_and(|dir| log.dir().path() == Path::new(dir)) {
                truth.check_what_can_be_read(log);
            } else if let Some(cleaning_ms) = self.cleaning_ms {
                // A reader may have to sync what it closes: the power does not go at that.
                power.change_work();
                truth.check_beside_cleaner(log, cleaning_ms);
                power.change_work();
            } else {
                truth.check(log);
            }
        }
    }

    /// Whether an error of this partition is right.
    pub(super) fn may_fail(&self, partition: usize) -> bool {
        let dir = self.partitions[partition].log.dir().path();
        self.power().is_off() || self.failing.is_some_and(|failing| dir == Path::new(failing))
    }

    /// Whether the process has this log. While a disk or the power fails it may not have opened it:
    /// what is left then is the log of an earlier process, which still knows duplicates.
    fn is_served(&self, at: usize) -> bool {
        let Partition { name, log, .. } = &self.partitions[at];
        let is_served =
            self.process.manager.get(name).is_some_and(|found| Arc::ptr_eq(&found, log));
        assert!(is_served || self.may_fail(at), "{name} is not served");
        is_served
    }

    /// The value, if there is one. An error is only right while a disk or the power fails.
    fn tolerate<T, E: Display>(&self, partition: usize, result: Result<T, E>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(_) if self.may_fail(partition) => None,
            Err(error) => panic!("partition {partition}: {error}"),
        }
    }

    fn append(&mut self, at: usize, kind: Kind, records: usize, all: bool, timestamp: i64) {
        let producer = match kind {
            Kind::Plain => None,
            Kind::Idempotent => Some(IDEMPOTENT_PRODUCER),
            Kind::Transactional => Some(TRANSACTIONAL_PRODUCER),
        };
        let truth = &self.partitions[at].truth;
        let what = producer.map_or(What::Plain, |producer| {
            let sequence = truth.next_sequence(producer);
            What::Data { producer, sequence }
        });
        let batch = self.batch(what, records, timestamp);
        self.append_batch(at, &batch, what, timestamp, all, |log, epoch, acks, now_ms| {
            log.append_as_leader(&batch, epoch, acks, now_ms)
        });
    }

    fn end_transaction(&mut self, at: usize, committed: bool, all: bool) {
        if self.partitions[at].truth.open_transaction(i64::MAX).is_none() {
            return;
        }
        let marker = EndTransactionMarker { committed, coordinator_epoch: 1 };
        let (producer_id, producer_epoch, transaction_version) = (TRANSACTIONAL_PRODUCER, 0, 1);
        let end = EndTransaction { producer_id, producer_epoch, marker, transaction_version };
        let timestamp = self.now_ms;
        let batch = marker.to_batch(timestamp, producer_id, producer_epoch).unwrap();
        let batch = ValidatedBatch::internal(&batch).unwrap();
        let what = What::End { committed };
        self.append_batch(at, &batch, what, timestamp, all, |log, epoch, acks, now_ms| {
            log.append_end_transaction(&end, epoch, acks, now_ms)
        });
    }

    fn append_batch<E: Display>(
        &mut self,
        at: usize,
        batch: &ValidatedBatch,
        what: What,
        timestamp: i64,
        all: bool,
        append: impl FnOnce(&Arc<Log>, i32, RequiredAcks, i64) -> Result<Appended, E>,
    ) {
        if !self.is_served(at) {
            return;
        }
        let Partition { log, truth, epoch, .. } = &self.partitions[at];
        let (epoch, base) = (*epoch, truth.end);
        let records = i64::from(batch.header().records_count);
        let bytes = batch.to_bytes(base, epoch);
        let written = Batch { base, records, timestamp, epoch, all, what, bytes, gone: 0 };
        let acks = if all { RequiredAcks::All } else { RequiredAcks::Leader };
        let appended = append(log, epoch, acks, self.now_ms);
        let appended = self.tolerate(at, appended);
        let Partition { log, truth, .. } = &mut self.partitions[at];
        let Some(appended) = appended else {
            truth.maybe.get_or_insert(written);
            return;
        };
        assert_eq!((appended.base_offset, appended.duplicate), (base, false));
        truth.maybe = None;
        truth.push(written);
        if all {
            truth.wait(log, truth.end);
        }
    }

    fn repeat(&mut self, at: usize) {
        let Partition { log, truth, epoch, .. } = &self.partitions[at];
        let of_producer =
            |batch: &&Batch| matches!(batch.what, What::Data { producer: IDEMPOTENT_PRODUCER, .. });
        let last = truth.written().filter(of_producer).last();
        let Some(last) = last.filter(|last| last.base >= truth.start).cloned() else { return };
        let again = self.batch(last.what, last.records as usize, last.timestamp);
        let appended = log.append_as_leader(&again, *epoch, RequiredAcks::All, self.now_ms);
        let Some(appended) = self.tolerate(at, appended) else { return };
        assert!(appended.duplicate);
        assert_eq!((appended.base_offset, appended.last_offset), (last.base, last.end() - 1));
        let Partition { log, truth, .. } = &self.partitions[at];
        truth.wait(log, last.end());
    }

    fn lead(&mut self, at: usize) {
        let partition = &mut self.partitions[at];
        partition.epoch += 1;
        partition.log.begin_leader_epoch(partition.epoch);
    }

    /// Does everything that is queued.
    pub(super) fn sync(&self) {
        for partition in &self.partitions {
            partition.log.sync_queue().run_pending();
        }
    }

    fn truncate(&mut self, at: usize, percent: i64) {
        let Partition { log, truth, .. } = &self.partitions[at];
        let (offset, first_base) = (truth.share(percent), log.segment_offsets()[0]);
        if offset < truth.past.known() {
            // What a cleaner goes by is on all replicas: nobody truncates it.
            return;
        }
        let did = self.tolerate(at, log.truncate_to(offset));
        let truth = &mut self.partitions[at].truth;
        match did {
            Some(did) => {
                assert_eq!(did, offset < truth.end);
                if did {
                    truth.cut(offset, first_base);
                }
                // Whoever truncates sees to it that no start believes an older checkpoint.
                self.checkpoint();
            }
            None => truth.promise_less(
                truth.batches.iter().rev().find(|b| b.end() <= offset).map_or(0, Batch::end),
            ),
        }
    }

    fn delete_records(&mut self, at: usize, percent: i64) {
        let Partition { log, truth, .. } = &self.partitions[at];
        let offset = truth.share(percent);
        let deleted = log.delete_records_before(offset);
        if let Err(DeleteRecordsError::OffsetOutOfRange { limit, .. }) = deleted {
            assert!(offset > limit && limit == log.visible_end());
            return;
        }
        let Some(start) = self.tolerate(at, deleted) else { return };
        let truth = &mut self.partitions[at].truth;
        assert_eq!(start, truth.start.max(offset));
        truth.start = start;
    }

    fn retain(&mut self, at: usize, retention_bytes: i64) {
        let Partition { log, truth, .. } = &self.partitions[at];
        let config = self.machine.log_config();
        log.update_config(LogConfig { retention_bytes, ..config.clone() });
        let deleted = log.delete_old_segments(self.now_ms);
        self.tolerate(at, deleted);
        log.update_config(config);
        let start = log.log_start_offset();
        assert!(truth.start <= start && start <= log.visible_end());
        self.partitions[at].truth.start = start;
    }

    fn delete(&mut self, at: usize) {
        let name = self.partitions[at].name.clone();
        let deleted = self.process.manager.delete(&name, self.now_ms);
        let deleted = self.tolerate(at, deleted);
        let topic_id = self.new_topic_id();
        let partition = &mut self.partitions[at];
        (partition.topic_id, partition.epoch, partition.truth) = (topic_id, 0, Truth::default());
        if deleted.is_some()
            && let Some(log) = self.tolerate(at, self.log_in_place(at))
        {
            self.partitions[at].log = log;
        }
    }

    fn checkpoint(&self) {
        let manager = &self.process.manager;
        manager.checkpoint_recovery_points();
        manager.checkpoint_log_start_offsets();
        let visible = self.partitions.iter().map(|p| (p.name.clone(), p.log.visible_end()));
        manager.checkpoint_high_watermarks(visible);
    }

    fn restart(&mut self) {
        let is_clean = self.process.manager.close(BROKER_EPOCH);
        if self.power().is_off() {
            return;
        }
        assert!(is_clean || self.failing.is_some(), "the process does not stop cleanly");
        self.power().kill();
        self.start(self.power().of_next_process(), Least::All);
    }

    /// The disks work again.
    pub(super) fn heal(&mut self) {
        self.machine.faulty.heal();
        self.failing = None;
    }

    /// A topic that could not be made again on a full disk is made now.
    pub(super) fn make_what_is_missing(&mut self) {
        for at in 0..PARTITIONS {
            self.partitions[at].log = self.log_in_place(at).unwrap();
        }
    }

    /// Stops cleanly and does not start again.
    pub(super) fn stop(&self) {
        assert!(self.process.manager.close(BROKER_EPOCH));
    }

    fn kill(&mut self) {
        self.power().kill();
        self.start(self.power().of_next_process(), Least::All);
    }

    /// The power goes, and comes back.
    pub(super) fn cut_power(&mut self, kind: PowerCut, seed: u64) {
        self.power().turn_off();
        self.machine.mem.cut_power(kind, seed);
        self.start(Power::default(), Least::Promised);
    }

    /// Starts a process on what the last one has left; every log must open.
    pub(super) fn start(&mut self, power: Power, least: Least) {
        let (process, report) = match self.machine.start(power.clone(), self.now_ms) {
            Ok(started) => started,
            Err(_) if power.is_off() => {
                self.is_down = true;
                return;
            }
            Err(error) => panic!("the node does not start: {error}"),
        };
        self.process = process;
        self.is_down = power.is_off();
        if self.is_down {
            return;
        }
        if self.failing.is_none() {
            assert!(report.failed.is_empty(), "a log does not open: {:?}", report.failed);
            assert!(report.offline.is_empty(), "a directory is offline: {:?}", report.offline);
        }
        for at in 0..self.partitions.len() {
            let Partition { name, directory_id, .. } = &self.partitions[at];
            let placement = Placement::In(*directory_id);
            let lost = self.process.manager.check_not_lost(name, placement);
            let log = match lost.and_then(|()| self.log_in_place(at)) {
                Err(CreateLogError::InconsistentTopicId { .. }) => {
                    // Its topic was deleted, which the disk had not done yet.
                    let set_aside = self.process.manager.set_aside(name);
                    self.tolerate(at, set_aside);
                    self.log_in_place(at)
                }
                found => found,
            };
            let Some(log) = self.tolerate(at, log) else { continue };
            let may_fail = self.may_fail(at);
            let truth = &mut self.partitions[at].truth;
            let least = match least {
                Least::All => truth.end,
                Least::Promised => truth.promised(),
            };
            let deleted = truth.reopened(&log, least, may_fail);
            self.partitions[at].log = log;
            self.tolerate(at, deleted);
        }
    }

    /// The log of a partition in the directory that was chosen for it once.
    fn log_in_place(&self, at: usize) -> Result<Arc<Log>, CreateLogError> {
        let Partition { name, topic_id, directory_id, .. } = &self.partitions[at];
        self.log_of(name, *topic_id, Placement::In(*directory_id))
    }

    fn log_of(
        &self,
        name: &TopicPartition,
        topic_id: Uuid,
        placement: Placement,
    ) -> Result<Arc<Log>, CreateLogError> {
        self.process.manager.get_or_create(name, topic_id, self.machine.log_config(), placement)
    }

    /// In compacted logs some records are tombstones.
    fn batch(&self, what: What, records: usize, timestamp: i64) -> ValidatedBatch {
        let mut builder = BatchBuilder::new();
        if let What::Data { producer, sequence } = what {
            builder = builder.producer(producer, 0, sequence);
            builder = builder.transactional(producer == TRANSACTIONAL_PRODUCER);
        }
        for at in 0..records {
            let number = timestamp + at as i64;
            let key = format!("k{}", number % KEYS as i64);
            let value = format!("value{at:02} of{timestamp:06}");
            let is_tombstone = self.machine.is_compacted() && number % 4 == 3;
            let value = Some(value.as_bytes()).filter(|_| !is_tombstone);
            builder.append(number, Some(key.as_bytes()), value, &[]).unwrap();
        }
        ValidatedBatch::internal(&builder.build().unwrap()).unwrap()
    }

    pub(super) fn must_append(&mut self, partition: usize) {
        let (kind, timestamp) = (Kind::Plain, 0);
        self.run(&Step::Append { partition, kind, records: 1, all: true, timestamp });
    }

    /// Every partition takes a batch, and keeps it over a clean stop.
    pub(super) fn must_go_on(&mut self) {
        (0..PARTITIONS).for_each(|partition| self.must_append(partition));
        self.run(&Step::Sync);
        for partition in &self.partitions {
            assert_eq!(partition.truth.promised(), partition.truth.end, "{}", partition.name);
        }
        self.run(&Step::Restart);
    }
}

/// What a log must still hold after a start.
#[derive(Clone, Copy, Debug)]
pub(super) enum Least {
    /// Everything that was written.
    All,
    /// What was acknowledged, or seen by a reader who was to see it only when it was durable.
    Promised,
}
