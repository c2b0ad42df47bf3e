//! Random histories of one log against a simple model: a list of batches.
//!
//! After every step the log must show what the model says, and after a power cut it must hold a
//! prefix of what was written that has everything in it that was acknowledged.

use proptest::prelude::*;

use super::*;
use crate::fs::{Fault, Op, PowerCut, Rule};

#[derive(Clone, Debug)]
enum Step {
    Append {
        records: usize,
        all: bool,
        timestamp: i64,
    },
    AppendIdempotent {
        records: usize,
        all: bool,
    },
    /// The producer repeats its last batch.
    Repeat,
    /// The next append meets a full disk.
    AppendWithoutSpace {
        written: usize,
    },
    Sync,
    Roll,
    Checkpoint,
    /// To this share of the log, in percent.
    Truncate(i64),
    DeleteRecords(i64),
    Retention,
    CleanRestart,
    Kill,
    PowerCut(PowerCut, u64),
}

fn power_cut() -> impl Strategy<Value = PowerCut> {
    prop::sample::select(&PowerCut::ALL)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..4_usize, any::<bool>(), 0..1000_i64)
            .prop_map(|(records, all, timestamp)| Step::Append { records, all, timestamp }),
        6 => (1..4_usize, any::<bool>())
            .prop_map(|(records, all)| Step::AppendIdempotent { records, all }),
        2 => Just(Step::Repeat),
        1 => (1..100_usize).prop_map(|written| Step::AppendWithoutSpace { written }),
        4 => Just(Step::Sync),
        1 => Just(Step::Roll),
        2 => Just(Step::Checkpoint),
        1 => (0..=110_i64).prop_map(Step::Truncate),
        1 => (0..=110_i64).prop_map(Step::DeleteRecords),
        1 => Just(Step::Retention),
        1 => Just(Step::CleanRestart),
        1 => Just(Step::Kill),
        3 => (power_cut(), any::<u64>()).prop_map(|(kind, seed)| Step::PowerCut(kind, seed)),
    ]
}

#[derive(Clone, Debug)]
struct ModelBatch {
    base: i64,
    records: i64,
    timestamp: i64,
    all: bool,
    sequence: Option<i32>,
}

impl ModelBatch {
    fn end(&self) -> i64 {
        self.base + self.records
    }
}

struct World {
    disk: Disk,
    log: Arc<Log>,
    batches: Vec<ModelBatch>,
    start: i64,
    end: i64,
    /// Everything before this was acknowledged as durable.
    acked: Arc<AtomicI64>,
}

impl World {
    fn new() -> Self {
        let disk = Disk::with(|config| {
            config.segment_bytes = 450;
            config.index_interval_bytes = 100;
            config.file_delete_delay_ms = 0;
        });
        let log = disk.create();
        Self { disk, log, batches: Vec::new(), start: 0, end: 0, acked: Arc::default() }
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Append { records, all, timestamp } => {
                self.append(&batch(records, timestamp), all, timestamp, None);
            }
            Step::AppendIdempotent { records, all } => {
                let sequence = self.next_sequence();
                self.append(&idempotent(5, sequence, records), all, 7, Some(sequence));
            }
            Step::Repeat => self.repeat(),
            Step::AppendWithoutSpace { written } => self.append_without_space(written),
            Step::Sync => self.log.context.sync_queue.run_pending(),
            Step::Roll => drop(self.log.roll().unwrap()),
            Step::Checkpoint => self.checkpoint(),
            Step::Truncate(percent) => self.truncate(self.share(percent)),
            Step::DeleteRecords(percent) => self.delete_records(self.share(percent)),
            Step::Retention => self.retain(),
            Step::CleanRestart => {
                self.log.close().unwrap();
                self.checkpoint();
                self.acked.store(self.end, Ordering::Relaxed);
                self.disk.clean = true;
                self.reopen(self.end).unwrap();
                self.disk.clean = false;
            }
            Step::Kill => self.reopen(self.end).unwrap(),
            Step::PowerCut(kind, seed) => {
                self.disk.mem.cut_power(kind, seed);
                self.reopen(self.acked.load(Ordering::Relaxed)).unwrap();
            }
        }
        self.check();
    }

    /// An offset in the log, or a little beyond its end.
    fn share(&self, percent: i64) -> i64 {
        self.start + (self.end - self.start) * percent / 100
    }

    fn next_sequence(&self) -> i32 {
        let last = self.batches.iter().rev().find_map(|b| Some((b.sequence?, b.records as i32)));
        last.map_or(0, |(sequence, records)| sequence + records)
    }

    fn append(&mut self, batch: &ValidatedBatch, all: bool, timestamp: i64, sequence: Option<i32>) {
        let acks = if all { RequiredAcks::All } else { RequiredAcks::Leader };
        let appended = self.log.append_as_leader(batch, 0, acks, 0).unwrap();
        assert_eq!((appended.base_offset, appended.duplicate), (self.end, false));
        let records = i64::from(batch.header().records_count);
        self.batches.push(ModelBatch { base: self.end, records, timestamp, all, sequence });
        self.end += records;
        if all {
            self.wait(self.end);
        }
    }

    fn wait(&self, end: i64) {
        let acked = Arc::clone(&self.acked);
        let done = move |answer: Result<crate::Durable, _>| {
            if let Ok(durable) = answer {
                assert!(durable.end() >= end);
                acked.fetch_max(end, Ordering::Relaxed);
            }
        };
        self.log.when_durable(end, Box::new(done));
    }

    fn repeat(&mut self) {
        let last = self.batches.iter().rev().find(|batch| batch.sequence.is_some()).cloned();
        let Some(last) = last.filter(|last| last.base >= self.start) else { return };
        let batch = idempotent(5, last.sequence.unwrap(), last.records as usize);
        let appended = self.log.append_as_leader(&batch, 0, RequiredAcks::All, 0).unwrap();
        assert!(appended.duplicate);
        assert_eq!((appended.base_offset, appended.last_offset), (last.base, last.end() - 1));
        self.wait(last.end());
    }

    fn append_without_space(&mut self, written: usize) {
        let rule = Rule::next(Op::Write, 1, Fault::ShortWriteThenNoSpace(written));
        self.disk.faulty.add(Rule { path_contains: ".log".to_owned(), ..rule });
        let result = self.log.append_as_leader(&batch(2, 1), 0, RequiredAcks::All, 0);
        assert!(matches!(result, Err(AppendError::NoSpace { .. })), "{result:?}");
        self.disk.faulty.heal();
    }

    fn checkpoint(&mut self) {
        self.disk.recovery_point = self.log.recovery_point();
        self.disk.log_start_offset = self.log.log_start_offset();
    }

    fn truncate(&mut self, offset: i64) {
        let first_base = self.log.segment_offsets()[0];
        let did = self.log.truncate_to(offset).unwrap();
        assert_eq!(did, offset < self.end);
        if did {
            self.batches.retain(|batch| batch.end() <= offset);
            if offset < first_base {
                self.batches.clear();
                (self.start, self.end) = (offset, offset);
            } else {
                let end = self.batches.last().map_or(first_base, ModelBatch::end);
                self.end = end.max(first_base);
                self.start = self.start.min(self.end);
            }
            self.acked.fetch_min(self.end, Ordering::Relaxed);
        }
        self.checkpoint();
    }

    fn delete_records(&mut self, offset: i64) {
        match self.log.delete_records_before(offset) {
            Ok(start) => {
                assert_eq!(start, self.start.max(offset));
                self.start = start;
            }
            Err(_) => assert!(offset > self.log.visible_end()),
        }
    }

    fn retain(&mut self) {
        let config =
            LogConfig { retention_bytes: 600, retention_ms: -1, ..self.disk.config.clone() };
        self.log.update_config(config);
        let visible = self.log.visible_end();
        self.log.delete_old_segments(0).unwrap();
        let start = self.log.log_start_offset();
        assert!(self.start <= start && start <= visible);
        self.start = start;
        self.log.tick(0);
    }

    /// Opens the log again, which must have at least what lies before `least`.
    fn reopen(&mut self, least: i64) -> Result<(), OpenLogError> {
        // A process that has ended writes nothing more.
        self.log.mark_deleted();
        let exists = self.disk.mem.exists(Disk::path()).unwrap();
        let (log, end) = if exists {
            let log = self.disk.try_open()?.0;
            let end = log.log_end_offset();
            (log, end)
        } else {
            (self.disk.recovery_point, self.disk.log_start_offset) = (0, 0);
            (self.disk.create(), 0)
        };
        assert!(end >= least, "ends at {end}, {least} was acknowledged");
        assert!(end <= self.end, "ends at {end}, {} was written", self.end);
        self.batches.retain(|batch| batch.end() <= end);
        let start = log.log_start_offset();
        assert!(start <= self.start && start >= self.disk.log_start_offset.min(end));
        (self.start, self.end, self.log) = (start, end, log);
        self.acked.store(least.min(end), Ordering::Relaxed);
        Ok(())
    }

    fn check(&self) {
        let log = &self.log;
        assert_eq!((log.log_start_offset(), log.log_end_offset()), (self.start, self.end));
        assert!(log.recovery_point() <= log.durable_end() && log.durable_end() <= self.end);
        let durable = log.durable_end();
        let undurable = self.batches.iter().find(|batch| batch.all && batch.end() > durable);
        let visible = undurable.map_or(self.end, |batch| batch.base);
        assert_eq!(log.visible_end(), visible, "durable to {durable}");

        for offset in [self.start, (self.start + visible) / 2, visible] {
            let seen = batches(log, offset);
            let expected: Vec<i64> = self
                .batches
                .iter()
                .filter(|batch| batch.end() > offset && batch.base < visible)
                .map(|batch| batch.base)
                .collect();
            assert_eq!(seen, expected, "from {offset} to {visible}");
        }
        assert!(log.read(self.end + 1, 10, i64::MAX, true).is_err());
        self.check_timestamps();
    }

    fn check_timestamps(&self) {
        let records = self
            .batches
            .iter()
            .flat_map(|batch| (0..batch.records).map(|at| (batch.base + at, batch.timestamp + at)));
        let records: Vec<_> = records.filter(|(offset, _)| *offset >= self.start).collect();
        for timestamp in [0, 5, 300, 700] {
            let wanted = records.iter().find(|(_, found)| *found >= timestamp);
            let found = self.log.offset_for_timestamp(timestamp).unwrap();
            assert_eq!(found.map(|found| (found.offset, found.timestamp)), wanted.copied());
        }
    }
}

proptest! {
    // 256 histories; PROPTEST_CASES asks for more.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_is_a_list_of_batches(steps in prop::collection::vec(step(), 1..80)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
    }
}
