//! Compaction together with all else that happens to logs: random histories, power cuts at the
//! changes that a cleaning makes, and disks that fail under it.

use proptest::prelude::*;

use super::histories::power_cut;
use super::machine::{Layer, Machine};
use super::power::{Cut, Power};
use super::power_cuts::{Outage, outage, survive};
use super::prover::{Cases, prove};
use super::steps::{Kind, Step, Weights, steps};
use super::world::{Least, World};
use crate::fs::{Fault, Op, PowerCut, Rule};

pub(super) const COMPACTING: Weights = Weights { compact: 4, ..Weights::EVEN };

pub(super) fn compacted(dirs: &'static [&'static str], layer: Layer<'_>, power: Power) -> World {
    let mut machine = Machine::new(dirs, layer);
    machine.compact();
    World::of(machine, power)
}

#[test]
fn what_compaction_leaves_is_right_whatever_happens() {
    let cases = Cases { short: 1_000, long: 200_000 };
    let cut = || (power_cut(), any::<u64>());
    let weights = Weights { truncate: 1, ..COMPACTING };
    let chapter = || (steps(weights, 60), prop::option::of(cut()));
    prove(
        "compacted histories",
        cases,
        || prop::collection::vec(chapter(), 1..4),
        |chapters| {
            let mut world = compacted(&["/a"], &|fs| fs, Power::default());
            for (steps, cut) in chapters {
                steps.iter().for_each(|step| world.run(step));
                if let Some((kind, seed)) = cut {
                    world.cut_power(kind, seed);
                    world.check();
                }
            }
            world.must_go_on();
            world.must_compact();
        },
    );
}

/// The marker is visible when the cleaner comes, but not durable.
#[test]
fn a_transaction_is_compacted_only_once_its_marker_is_durable() {
    let append = |kind, records, timestamp| {
        let (partition, all) = (2, false);
        Step::Append { partition, kind, records, all, timestamp }
    };
    let history = [
        append(Kind::Transactional, 2, 428),
        append(Kind::Plain, 3, 0),
        append(Kind::Transactional, 3, 0),
        append(Kind::Plain, 3, 0),
        append(Kind::Plain, 1, 44),
        Step::Sync,
        Step::EndTransaction { partition: 2, committed: false, all: false },
        Step::Tick(352),
        Step::Compact(177),
    ];
    let mut world = compacted(&["/a"], &|fs| fs, Power::default());
    history.iter().for_each(|step| world.run(step));
    world.cut_power(PowerCut::NothingUnsynced, 0);
    world.check();
    world.must_go_on();
    world.must_compact();
}

/// A later batch of its producer is in the log when the cleaner comes, but not durable.
#[test]
fn the_last_batch_of_a_producer_goes_only_once_a_later_one_is_durable() {
    let append =
        |partition, kind, all| Step::Append { partition, kind, records: 1, all, timestamp: 0 };
    let mut world = compacted(&["/a"], &|fs| fs, Power::default());
    let history = [
        append(2, Kind::Transactional, false),
        Step::EndTransaction { partition: 2, committed: false, all: false },
        Step::Roll(2),
        Step::Sync,
        append(2, Kind::Transactional, true),
        Step::Compact(540),
    ];
    history.iter().for_each(|step| world.run(step));
    world.cut_power(PowerCut::NothingUnsynced, 0);
    world.check();
    world.run(&append(2, Kind::Transactional, false));
}

/// Outages at changes that are made while logs are cleaned.
pub(super) fn outage_of_cleaning() -> impl Strategy<Value = Outage> {
    outage(COMPACTING, 200)
}

pub(super) fn survive_cleaning(layer: Layer<'_>, outage: &Outage) {
    let cut = Cut { at: outage.at, paths: &[], is_done: outage.is_done };
    let mut world = compacted(&["/a"], layer, Power::until_cleaning(cut));
    survive(&mut world, outage);
    world.must_compact();
}

#[test]
fn the_power_goes_at_a_change_of_a_cleaning() {
    let cases = Cases { short: 300, long: 20_000 };
    prove("power cuts of cleanings", cases, outage_of_cleaning, |outage| {
        survive_cleaning(&|fs| fs, &outage);
    });
}

const DIRS: &[&str] = &["/a", "/b"];
/// Not the one with the metadata.
const FAILING: &str = "/b";
/// A full disk is not tried again before that.
const NO_SPACE_WAIT_MS: i64 = 300_000;

/// A history, and which operation fails after its first cleaning has begun.
fn failure() -> impl Strategy<Value = (Vec<Step>, usize)> {
    (steps(Weights { restart: 0, ..COMPACTING }, 120), 0..40_usize)
}

/// Does the steps; an operation fails on one of two disks, but only while logs are cleaned.
fn fail_while_cleaning(history: &[Step], rule: Rule) -> World {
    let mut world = compacted(DIRS, &|fs| fs, Power::default());
    world.failing = Some(FAILING);
    // Not the journal, which has its room from the start.
    let mut rule = Some(Rule { path_contains: format!("{FAILING}/topic"), ..rule });
    for step in history {
        let is_first = matches!(step, Step::Compact(_)) && world.partitions_are_dirty();
        if let Some(rule) = rule.take_if(|_| is_first) {
            world.machine.faulty.add(rule);
        }
        world.run(step);
        if is_first {
            world.machine.faulty.heal();
        }
    }
    world.heal();
    world
}

fn fail_at(op: Op) {
    let cases = Cases { short: 100, long: 5_000 };
    let name = format!("failed {op:?} of cleanings");
    let cut = || (power_cut(), any::<u64>());
    prove(
        &name,
        cases,
        || (failure(), cut()),
        |((history, skip), (kind, seed))| {
            let rule = Rule { skip, ..Rule::next(op, 1, Fault::Io) };
            let mut world = fail_while_cleaning(&history, rule);
            world.power().turn_off();
            world.machine.mem.cut_power(kind, seed);
            world.start(Power::default(), Least::Promised);
            world.check();
            world.must_go_on();
            world.must_compact();
        },
    );
}

#[test]
fn an_operation_of_a_cleaning_fails() {
    for op in [Op::Open, Op::Read, Op::Write, Op::SetLen, Op::SyncData, Op::SyncDir, Op::Rename] {
        fail_at(op);
    }
}

#[test]
fn the_disk_is_full_while_logs_are_cleaned() {
    let cases = Cases { short: 200, long: 10_000 };
    prove("full disk of cleanings", cases, failure, |(history, skip)| {
        let rule = Rule { skip, ..Rule::next(Op::Write, usize::MAX - 1, Fault::NoSpace) };
        let mut world = fail_while_cleaning(&history, rule);
        for partition in &world.partitions {
            assert_eq!(partition.log.failure(), None, "a full disk passes");
        }
        world.make_what_is_missing();
        // Without a restart.
        world.run(&Step::Tick(NO_SPACE_WAIT_MS));
        world.must_compact();
    });
}
