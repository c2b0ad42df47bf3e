//! Random histories of partitions with power cuts, against what was promised.
//!
//! After each cut the files must hold everything that a commit or a sync has covered, and nothing
//! that was cut off, replaced or deleted since.

use proptest::prelude::*;

use super::*;
use crate::fs::PowerCut;

const PARTITIONS: usize = 4;

#[derive(Clone, Debug)]
enum Step {
    Append(usize, usize),
    Commit(Vec<usize>),
    Settle(usize),
    MakeRoom,
    Note(usize),
    Truncate(usize, usize),
    Replace(usize, usize),
    Remake(usize),
    CleanStop,
    PowerCut(PowerCut, u64),
    /// This write or sync of the next commit fails, and then the power goes.
    CutInCommit(Op, usize, PowerCut, u64),
    /// The same in the replay that follows a cut.
    CutInReplay(Op, usize, PowerCut, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let one = 0..PARTITIONS;
    let some = prop::collection::vec(one.clone(), 1..=PARTITIONS);
    let cut = || prop::sample::select(&PowerCut::ALL[..]);
    let op = || prop::sample::select(&[Op::Write, Op::SyncData][..]);
    prop_oneof![
        12 => (one.clone(), 1..4000_usize).prop_map(|(p, bytes)| Step::Append(p, bytes)),
        12 => some.prop_map(Step::Commit),
        3 => one.clone().prop_map(Step::Settle),
        1 => Just(Step::MakeRoom),
        1 => one.clone().prop_map(Step::Note),
        1 => (one.clone(), 0..=100_usize).prop_map(|(p, percent)| Step::Truncate(p, percent)),
        1 => (one.clone(), 1..500_usize).prop_map(|(p, bytes)| Step::Replace(p, bytes)),
        1 => one.prop_map(Step::Remake),
        1 => Just(Step::CleanStop),
        2 => (cut(), any::<u64>()).prop_map(|(cut, seed)| Step::PowerCut(cut, seed)),
        1 => (op(), 0..4_usize, cut(), any::<u64>())
            .prop_map(|(op, skip, cut, seed)| Step::CutInCommit(op, skip, cut, seed)),
        1 => (op(), 0..6_usize, cut(), any::<u64>())
            .prop_map(|(op, skip, cut, seed)| Step::CutInReplay(op, skip, cut, seed)),
    ]
}

struct World {
    machine: Machine,
    partitions: Vec<Partition>,
    lives: u8,
    /// So much of each was durable when the journal was last told, or is known to be.
    noted: Vec<i64>,
}

impl World {
    fn new() -> Self {
        let mut machine = Machine::new();
        let partitions = (0..PARTITIONS).map(|n| machine.partition(1, n as i32)).collect();
        Self { machine, partitions, lives: 1, noted: vec![0; PARTITIONS] }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Append(p, bytes) => self.machine.append(&mut self.partitions[*p], *bytes),
            Step::Commit(which) => {
                let _ = self.commit(which);
            }
            Step::Settle(p) => self.machine.settle(&mut self.partitions[*p]),
            Step::MakeRoom => self.machine.journal().make_room().unwrap(),
            Step::Note(p) => self.note(*p),
            Step::Truncate(p, percent) => self.truncate(*p, *percent),
            Step::Replace(p, bytes) => self.replace(*p, *bytes),
            Step::Remake(p) => self.remake(*p),
            Step::CleanStop => self.clean_stop(),
            Step::PowerCut(cut, seed) => {
                self.machine.mem.cut_power(*cut, *seed);
                self.restart();
            }
            Step::CutInCommit(op, skip, cut, seed) => {
                let rule = Rule { skip: *skip, ..Rule::next(*op, usize::MAX, Fault::Io) };
                self.machine.faulty.add(rule);
                for p in 0..PARTITIONS {
                    self.machine.append(&mut self.partitions[p], 100);
                }
                let _ = self.commit(&[0, 1, 2, 3]);
                self.machine.faulty.heal();
                self.machine.mem.cut_power(*cut, *seed);
                self.restart();
            }
            Step::CutInReplay(op, skip, cut, seed) => {
                self.machine.mem.cut_power(*cut, *seed);
                let rule = Rule { skip: *skip, ..Rule::next(*op, usize::MAX, Fault::Io) };
                self.machine.faulty.add(rule);
                let _ = self.machine.try_start(false);
                self.machine.faulty.heal();
                self.machine.mem.cut_power(*cut, seed.wrapping_add(1));
                self.restart();
            }
        }
    }

    fn commit(&mut self, which: &[usize]) -> Result<(), CommitError> {
        let mut parts: Vec<&mut Partition> = Vec::new();
        let mut numbers = Vec::new();
        for (number, partition) in self.partitions.iter_mut().enumerate() {
            if which.contains(&number) && partition.bytes.len() > partition.durable {
                parts.push(partition);
                numbers.push(number);
            }
        }
        self.machine.commit(&mut parts)?;
        for number in numbers {
            self.noted[number] = self.partitions[number].durable as i64;
        }
        Ok(())
    }

    fn note(&mut self, p: usize) {
        self.machine.settle(&mut self.partitions[p]);
        let partition = &self.partitions[p];
        let end = partition.durable as i64;
        self.machine.journal().note(partition.key, &partition.topic, end);
        if self.machine.journal().write_notes().is_ok() {
            self.noted[p] = end;
        }
    }

    /// As a log does it: what stays is synced, the journal forgets, and then the file is cut.
    fn truncate(&mut self, p: usize, percent: usize) {
        self.machine.settle(&mut self.partitions[p]);
        let partition = &mut self.partitions[p];
        if self.machine.journal().forget_all(partition.key, &partition.topic, 0).is_err() {
            return;
        }
        self.noted[p] = 0;
        let kept = partition.bytes.len() * percent / 100;
        self.machine.cut(partition, kept);
    }

    fn replace(&mut self, p: usize, bytes: usize) {
        self.machine.settle(&mut self.partitions[p]);
        let partition = &mut self.partitions[p];
        if self.machine.journal().forget_all(partition.key, &partition.topic, 0).is_err() {
            return;
        }
        self.noted[p] = 0;
        self.machine.rewrite(partition, bytes);
    }

    fn remake(&mut self, p: usize) {
        let old = &self.partitions[p];
        self.machine.journal().remove(old.key);
        self.machine.mem.remove_dir_all(&old.dir).unwrap();
        self.lives += 1;
        self.partitions[p] = self.machine.partition(self.lives, p as i32);
        self.noted[p] = 0;
    }

    fn clean_stop(&mut self) {
        for partition in &mut self.partitions {
            self.machine.settle(partition);
        }
        self.machine.journal().close().unwrap();
        let started = self.machine.start_after(true);
        assert!(started.durable_ends.is_empty());
        self.noted = vec![0; PARTITIONS];
        self.check(&started);
    }

    fn restart(&mut self) {
        let started = self.machine.start();
        self.check(&started);
        for partition in &mut self.partitions {
            // As recovery does it: what is good is kept and synced, the rest is cut off.
            let there = self.machine.read(partition);
            let good = there.iter().zip(&partition.bytes).take_while(|(a, b)| a == b).count();
            partition.bytes.truncate(good.max(partition.durable));
            let kept = partition.bytes.len();
            self.machine.cut(partition, kept);
            partition.durable = kept;
        }
    }

    fn check(&mut self, started: &Started) {
        for (p, partition) in self.partitions.iter().enumerate() {
            let there = self.machine.read(partition);
            assert!(there.len() >= partition.durable, "{p}: {} {}", there.len(), partition.durable);
            assert_eq!(there[..partition.durable], partition.bytes[..partition.durable], "{p}");
            for (at, byte) in there.iter().enumerate().skip(partition.durable) {
                let written = partition.bytes.get(at).copied().unwrap_or(0);
                assert!(*byte == written || *byte == 0, "{p}: a stale byte at {at}");
            }
            let known = started.durable_ends.get(&partition.key).copied().unwrap_or(0);
            assert!(known >= self.noted[p], "{p}: {known} {}", self.noted[p]);
            assert!(known <= partition.bytes.len() as i64, "{p}: {known} is not there");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_promise_is_broken(steps in prop::collection::vec(step(), 1..120)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
        world.machine.mem.crash();
        world.restart();
    }
}
