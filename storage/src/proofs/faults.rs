//! Full and broken disks. Of two log directories one fails; whatever happens there, nothing that
//! was acknowledged is lost, what can be read is right, nothing panics, and the partitions of the
//! other directory notice nothing.

use proptest::prelude::*;

use super::histories::power_cut;
use super::power::Power;
use super::prover::{Cases, example, is_long, prove, report, seed};
use super::steps::{Step, Weights, steps};
use super::world::{Least, World};
use crate::fs::{Fault, Op, PowerCut, Rule};

const DIRS: &[&str] = &["/a", "/b"];
/// Not the one with the metadata.
const FAILING: &str = "/b";

/// A world in which an operation on the failing disk ends so, after `skip` that go well.
fn world(op: Op, skip: usize, times: usize, fault: Fault) -> World {
    let mut world = World::with(DIRS, &|fs| fs, Power::default());
    world.failing = Some(FAILING);
    let path_contains = format!("{FAILING}/");
    world.machine.faulty.add(Rule { op, path_contains, skip, times, fault });
    world
}

const WITHOUT_STOPS: Weights = Weights { restart: 0, ..Weights::EVEN };

/// From the write number `at` on the disk is full, until there is room again.
fn fill_the_disk(history: &[Step], at: usize, fault: Fault) {
    let mut world = world(Op::Write, at, usize::MAX - 1, fault);
    history.iter().for_each(|step| world.run(step));
    world.heal();
    world.make_what_is_missing();
    for partition in &world.partitions {
        assert_eq!(partition.log.failure(), None, "a full disk passes");
    }
    // Without a restart.
    world.must_go_on();
}

#[test]
fn the_disk_is_full_at_every_write_of_a_history() {
    let histories = if is_long() { 100 } else { 2 };
    let mut runs = 0;
    let first = seed();
    report(&format!("full disk: histories from BARNABAS_SEED={first} on"));
    for number in 0..histories {
        let history = example(&steps(WITHOUT_STOPS, 60), first.wrapping_add(number));
        let mut calm = World::with(DIRS, &|fs| fs, Power::default());
        let before = calm.machine.faulty.count(Op::Write);
        history.iter().for_each(|step| calm.run(step));
        let writes = calm.machine.faulty.count(Op::Write) - before;
        for at in 0..writes {
            fill_the_disk(&history, at, Fault::NoSpace);
            fill_the_disk(&history, at, Fault::ShortWriteThenNoSpace(1 + at % 90));
            runs += 2;
        }
    }
    report(&format!("full disk: {runs} runs of {histories} histories of seed {first}"));
}

/// What fails, and how it ends.
type Failure = (Vec<Step>, usize, (PowerCut, u64));

fn failure() -> impl Strategy<Value = Failure> {
    (steps(Weights::EVEN, 60), 0..150_usize, (power_cut(), any::<u64>()))
}

fn fail_at(op: Op) {
    let cases = Cases { short: 250, long: 10_000 };
    let name = format!("failed {op:?}");
    prove(&name, cases, failure, |(history, at, (kind, seed))| {
        let mut world = world(op, at, 1, Fault::Io);
        history.iter().for_each(|step| world.run(step));
        world.heal();
        world.power().turn_off();
        world.machine.mem.cut_power(kind, seed);
        world.start(Power::default(), Least::Promised);
        world.check();
        world.must_go_on();
    });
}

#[test]
fn a_write_fails() {
    fail_at(Op::Write);
}

#[test]
fn a_read_fails() {
    fail_at(Op::Read);
}

#[test]
fn a_sync_of_a_file_fails() {
    fail_at(Op::SyncData);
}

#[test]
fn a_sync_of_a_directory_fails() {
    fail_at(Op::SyncDir);
}

#[test]
fn a_rename_fails() {
    fail_at(Op::Rename);
}

#[test]
fn a_removal_fails() {
    fail_at(Op::Remove);
}

#[test]
fn an_open_fails() {
    fail_at(Op::Open);
}

#[test]
fn a_new_length_fails() {
    fail_at(Op::SetLen);
}
