//! Compaction together with all else that happens to logs: random histories, power cuts at the
//! changes that a cleaning makes, and disks that fail under it.

use proptest::prelude::*;

use super::histories::{chapters, live_through, power_cut};
use super::machine::{Layer, Machine};
use super::power::{Cut, Power};
use super::power_cuts::{Outage, outage, survive};
use super::prover::{Cases, prove};
use super::steps::{Kind, Step, Weights, steps};
use super::world::{Least, World};
use crate::fs::{Fault, Fs as _, Op, PowerCut, Rule};
use crate::segment::files::DELETED_SUFFIX;

pub(super) const COMPACTING: Weights = Weights { compact: 4, ..Weights::EVEN };

pub(super) fn compacted(dirs: &'static [&'static str], layer: Layer<'_>, power: Power) -> World {
    let mut machine = Machine::new(dirs, layer);
    machine.compact();
    World::of(machine, power)
}

#[test]
fn what_compaction_leaves_is_right_whatever_happens() {
    let cases = Cases { short: 1_000, long: 20_000 };
    let chapters = || chapters(Weights { truncate: 1, ..COMPACTING }, 60);
    prove("compacted histories", cases, chapters, |chapters| {
        let mut world = compacted(&["/a"], &|fs| fs, Power::default());
        live_through(&mut world, chapters);
        world.must_compact();
    });
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

/// What lies before the start of a log passes for clean; the power must not bring it back.
#[test]
fn deleted_records_do_not_come_back_as_clean_ones() {
    let append = |partition, kind, records, timestamp| Step::Append {
        partition,
        kind,
        records,
        all: false,
        timestamp,
    };
    let abort = || Step::EndTransaction { partition: 2, committed: false, all: false };
    let first = vec![
        append(2, Kind::Plain, 1, 0),
        append(2, Kind::Plain, 1, 160),
        append(2, Kind::Plain, 2, 280),
        append(2, Kind::Plain, 3, 0),
    ];
    let second = vec![
        append(2, Kind::Transactional, 2, 160),
        abort(),
        append(1, Kind::Plain, 1, 0),
        Step::Restart,
        Step::Roll(1),
        Step::Compact(381),
        append(2, Kind::Transactional, 2, 0),
        abort(),
        Step::Sync,
        append(2, Kind::Plain, 2, 0),
        Step::DeleteRecords(2, 87),
        Step::Compact(0),
    ];
    let mut world = compacted(&["/a"], &|fs| fs, Power::default());
    let cut = Some((PowerCut::NothingUnsynced, 0));
    live_through(&mut world, vec![(first, None), (second, cut)]);
    world.must_compact();
}

/// Its start, which lies behind all that was durable, outlives the power; what is known of producers
/// does not, as in Kafka.
#[test]
fn a_cleaned_log_that_begins_anew_knows_no_producers() {
    let append =
        |kind, records| Step::Append { partition: 1, kind, records, all: false, timestamp: 0 };
    let abort = || Step::EndTransaction { partition: 1, committed: false, all: false };
    let before = vec![
        append(Kind::Transactional, 1),
        append(Kind::Plain, 1),
        append(Kind::Plain, 1),
        append(Kind::Plain, 1),
        append(Kind::Plain, 1),
        Step::Tick(3),
        append(Kind::Plain, 2),
        abort(),
        Step::Restart,
        Step::Compact(98),
        append(Kind::Plain, 2),
        Step::DeleteRecords(1, 90),
        Step::Compact(0),
    ];
    let after = vec![abort(), append(Kind::Transactional, 1)];
    let mut world = compacted(&["/a"], &|fs| fs, Power::default());
    let cut = Some((PowerCut::NothingUnsynced, 0));
    live_through(&mut world, vec![(before, cut), (after, None)]);
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

/// Not the journal, which has its room from the start.
fn of_failing_partitions(rule: Rule) -> Rule {
    Rule { path_contains: format!("{FAILING}/topic"), ..rule }
}

/// Does the steps; operations fail on one of two disks, but only while logs are cleaned.
fn fail_while_cleaning(history: &[Step], rules: impl IntoIterator<Item = Rule>) -> World {
    let mut world = compacted(DIRS, &|fs| fs, Power::default());
    world.failing = Some(FAILING);
    let mut rules: Vec<Rule> = rules.into_iter().map(of_failing_partitions).collect();
    for step in history {
        let is_first = matches!(step, Step::Compact(_)) && world.partitions_are_dirty();
        if is_first {
            rules.drain(..).for_each(|rule| world.machine.faulty.add(rule));
        }
        world.run(step);
        if is_first {
            world.machine.faulty.heal();
        }
    }
    world.heal();
    world
}

fn fail_at(name: &str, rules: &(dyn Fn(usize) -> Vec<Rule> + Sync)) {
    let cases = Cases { short: 100, long: 5_000 };
    let cut = || (power_cut(), any::<u64>());
    let failures = || (failure(), cut());
    prove(name, cases, failures, |((history, skip), (kind, seed))| {
        let mut world = fail_while_cleaning(&history, rules(skip));
        world.power().turn_off();
        world.machine.mem.cut_power(kind, seed);
        world.start(Power::default(), Least::Promised);
        world.check();
        world.must_go_on();
        world.must_compact();
    });
}

#[test]
fn an_operation_of_a_cleaning_fails() {
    for op in [Op::Open, Op::Read, Op::Write, Op::SetLen, Op::SyncData, Op::SyncDir, Op::Rename] {
        let name = format!("failed {op:?} of cleanings");
        fail_at(&name, &|skip| vec![Rule { skip, ..Rule::next(op, 1, Fault::Io) }]);
    }
}

/// After a failed write, or when there is no room for it.
#[test]
fn what_a_cleaning_has_begun_cannot_be_thrown_away() {
    for fault in [Fault::Io, Fault::NoSpace] {
        fail_at(&format!("failed removals after {fault:?} of cleanings"), &|skip| {
            let failed_write = Rule { skip, ..Rule::next(Op::Write, 1, fault) };
            vec![failed_write, Rule::next(Op::Remove, 1, Fault::Io)]
        });
    }
}

/// It stays until the next start, and does no harm.
#[test]
fn what_a_cleaning_has_replaced_cannot_be_removed() {
    let cases = Cases { short: 100, long: 5_000 };
    let history = || steps(Weights { restart: 0, ..COMPACTING }, 60);
    prove("failed removals after cleanings", cases, history, |history| {
        let mut world = compacted(&["/a"], &|fs| fs, Power::default());
        let rule = Rule::next(Op::Remove, usize::MAX, Fault::Io);
        world.machine.faulty.add(Rule { path_contains: DELETED_SUFFIX.to_owned(), ..rule });
        history.iter().for_each(|step| world.run(step));
        world.run(&Step::EndTransaction { partition: 0, committed: true, all: true });
        for step in [Step::Sync, Step::Roll(0), Step::Sync, Step::Compact(10_000)] {
            // The same key twice.
            world.must_append(0);
            world.run(&step);
        }
        world.run(&Step::Tick(10_000));
        assert!(has_deleted_files(&world));
        world.heal();
        world.run(&Step::Restart);
        assert!(!has_deleted_files(&world));
        world.must_go_on();
        world.must_compact();
    });
}

fn has_deleted_files(world: &World) -> bool {
    world.partitions.iter().any(|partition| {
        let names = world.machine.mem.list(partition.log.path()).unwrap_or_default();
        names.iter().any(|entry| entry.name.ends_with(DELETED_SUFFIX))
    })
}

/// The log does not open then; the next start has all of it.
#[test]
fn a_removal_fails_at_the_start_after_a_cleaning() {
    let cases = Cases { short: 100, long: 5_000 };
    let cut = || (0..150_u64, any::<bool>(), power_cut(), any::<u64>());
    let history = || (steps(COMPACTING, 80), 0..8_usize, cut());
    prove("failed removals after power cuts", cases, history, |(history, skip, cut)| {
        let (at, is_done, kind, seed) = cut;
        let cut = Power::until_cleaning(Cut { at, paths: &[], is_done });
        let mut world = compacted(DIRS, &|fs| fs, cut);
        history.iter().for_each(|step| world.run(step));
        world.failing = Some(FAILING);
        let rule = Rule { skip, ..Rule::next(Op::Remove, 1, Fault::Io) };
        world.machine.faulty.add(of_failing_partitions(rule));
        world.cut_power(kind, seed);
        world.heal();
        world.cut_power(kind, seed.wrapping_add(1));
        world.check();
        world.must_go_on();
        world.must_compact();
    });
}

#[test]
fn the_disk_is_full_while_logs_are_cleaned() {
    let cases = Cases { short: 200, long: 10_000 };
    prove("full disk of cleanings", cases, failure, |(history, skip)| {
        let rule = Rule { skip, ..Rule::next(Op::Write, usize::MAX - 1, Fault::NoSpace) };
        let mut world = fail_while_cleaning(&history, [rule]);
        for partition in &world.partitions {
            assert_eq!(partition.log.failure(), None, "a full disk passes");
        }
        world.make_what_is_missing();
        // Without a restart.
        world.run(&Step::Tick(NO_SPACE_WAIT_MS));
        world.must_compact();
    });
}

/// The only snapshot that outlives the power cut knows a transaction as open whose marker a cleaning
/// has emptied since.
#[test]
fn a_transaction_does_not_come_back_after_its_marker_is_cleaned() {
    let append = |partition, kind, records| Step::Append {
        partition,
        kind,
        records,
        all: false,
        timestamp: 0,
    };
    let history = [
        append(1, Kind::Transactional, 1),
        append(0, Kind::Plain, 1),
        append(0, Kind::Plain, 1),
        Step::Roll(1),
        Step::EndTransaction { partition: 1, committed: false, all: false },
        Step::DeleteRecords(1, 50),
        append(1, Kind::Plain, 1),
        append(1, Kind::Plain, 2),
        Step::Tick(94),
        Step::Retention(1, 200),
        append(1, Kind::Plain, 3),
        append(1, Kind::Plain, 1),
        append(1, Kind::Plain, 3),
        Step::Sync,
        Step::Compact(8),
        Step::Tick(860),
        Step::Roll(1),
        Step::Sync,
        Step::Compact(640),
        append(0, Kind::Plain, 1),
    ];
    // One write of the first cleaning fails.
    let failed = Rule { skip: 2, ..Rule::next(Op::Write, 1, Fault::Io) };
    for seed in (0..50).chain([2_541_153_526_474_839_998]) {
        for kind in PowerCut::ALL {
            let mut world = fail_while_cleaning(&history, [failed.clone()]);
            world.power().turn_off();
            world.machine.mem.cut_power(kind, seed);
            world.start(Power::default(), Least::Promised);
            world.check();
            world.must_go_on();
        }
    }
}
