//! Compaction beside appends, reads, rolls, deleted records, retention, the deletion of the
//! partition itself and `kill -9`: before random operations of a cleaning the log is compared with
//! the truth and something happens to it, wherever no lock of the log forbids that. And the other
//! way round: everything is cleaned before random operations of a reader.

use bytes::Bytes;
use proptest::prelude::*;

use super::histories::power_cut;
use super::machine::{Layer, Machine};
use super::mutants::{Lie, LyingFs};
use super::pauses::take_turns;
use super::power::{Cut, Power};
use super::prover::{Cases, prove, try_to_prove};
use super::steps::{Beside, Kind, PARTITIONS, Step, Weights, beside, steps};
use super::world::World;
use crate::{FoundOffset, Log};

const GROWING: Weights = Weights { checkpoint: 1, restart: 0, ..Weights::EVEN };

/// Steps, and those that happen beside the cleaning after them.
type Chapter = (Vec<Step>, Vec<Beside>);

fn chapters() -> impl Strategy<Value = Vec<Chapter>> {
    prop::collection::vec((steps(GROWING, 50), beside()), 1..4)
}

/// So that there is something to clean.
fn roll_all(world: &mut World) {
    (0..PARTITIONS).for_each(|partition| world.run(&Step::Roll(partition)));
    world.run(&Step::Sync);
}

/// With few descriptors files are closed all the time, and opened again by their names.
fn files() -> impl Strategy<Value = usize> {
    prop_oneof![Just(usize::MAX), 1..8_usize]
}

fn world(layer: Layer<'_>, power: Power, open_files_max: usize) -> World {
    let mut machine = Machine::new(&["/a"], layer);
    machine.compact();
    machine.config.open_files_max = open_files_max;
    World::of(machine, power)
}

fn run(world: &mut World, chapters: Vec<Chapter>) {
    for (steps, beside) in chapters {
        steps.iter().for_each(|step| world.run(step));
        roll_all(world);
        world.run(&Step::CompactBeside(1_500, beside));
    }
}

#[test]
fn what_happens_beside_a_cleaning_is_as_right_as_before_and_after_it() {
    let cases = Cases { short: 400, long: 4_000 };
    let histories = || (chapters(), files());
    prove("histories beside cleanings", cases, histories, |(chapters, files)| {
        let mut world = world(&|fs| fs, Power::default(), files);
        run(&mut world, chapters);
        world.must_go_on();
        world.must_compact();
    });
}

#[test]
fn the_power_goes_while_things_happen_beside_a_cleaning() {
    let cases = Cases { short: 400, long: 4_000 };
    let cut = || (0..300_u64, any::<bool>(), power_cut(), any::<u64>());
    let outages = || (chapters(), files(), cut());
    prove("power cuts beside cleanings", cases, outages, |(chapters, files, cut)| {
        let (at, is_done, kind, seed) = cut;
        let power = Power::until_cleaning(Cut { at, paths: &[], is_done });
        let mut world = world(&|fs| fs, power, files);
        run(&mut world, chapters);
        world.cut_power(kind, seed);
        world.check();
        world.must_go_on();
        world.must_compact();
    });
}

/// What a reader asks for.
#[derive(Clone, Copy, Debug)]
enum Question {
    /// From this share of the log on, in percent.
    Records(i64),
    Committed(i64),
    Time(i64),
    LatestTime,
}

#[derive(Debug, PartialEq)]
enum Answer {
    Records(Bytes),
    Committed(Bytes, Vec<(i64, i64)>),
    Found(Option<FoundOffset>),
}

fn ask(log: &Log, question: Question) -> Answer {
    let (start, end) = (log.log_start_offset(), log.visible_end());
    let offset = |percent| start + (end - start) * percent / 100;
    match question {
        Question::Records(percent) => {
            Answer::Records(super::truth::read(log, offset(percent), end))
        }
        Question::Committed(percent) => {
            let read = log.read_committed(offset(percent), usize::MAX, true).unwrap();
            let aborted = read.aborted.iter().map(|txn| (txn.first_offset, txn.last_offset));
            Answer::Committed(read.slices.to_bytes().unwrap(), aborted.collect())
        }
        Question::Time(timestamp) => Answer::Found(log.offset_for_timestamp(timestamp).unwrap()),
        Question::LatestTime => Answer::Found(log.max_timestamp_offset().unwrap()),
    }
}

fn question() -> impl Strategy<Value = Question> {
    prop_oneof![
        4 => (0..100_i64).prop_map(Question::Records),
        4 => (0..100_i64).prop_map(Question::Committed),
        1 => (0..1_000_i64).prop_map(Question::Time),
        1 => Just(Question::LatestTime),
    ]
}

/// A history, whom is asked for what after it, and after how many operations there is a cleaning.
type Reading = (Vec<Step>, usize, Question, Vec<usize>, usize, bool);

fn reading() -> impl Strategy<Value = Reading> {
    let gaps = prop::collection::vec(0..15_usize, 1..3);
    (steps(GROWING, 80), 0..PARTITIONS, question(), gaps, files(), any::<bool>())
}

fn read_beside_cleanings(layer: Layer<'_>, reading: Reading) {
    let (steps, partition, question, gaps, files, is_restarted) = reading;
    let mut world = world(layer, Power::default(), files);
    steps.iter().for_each(|step| world.run(step));
    roll_all(&mut world);
    if is_restarted {
        // No file is open then, no index in memory.
        world.run(&Step::Restart);
    }
    let log = std::sync::Arc::clone(&world.partitions[partition].log);
    let mut gaps = gaps.into_iter();
    let first = gaps.next().unwrap_or(0);
    let mut right = Vec::new();
    let found = take_turns(
        first,
        || ask(&log, question),
        || {
            if !world.has_room_for(&Step::Compact(0)) {
                return Some(0);
            }
            right.push(ask(&log, question));
            world.run(&Step::Compact(1_500));
            gaps.next()
        },
    );
    right.push(ask(&log, question));
    assert!(right.contains(&found), "{found:?} is none of {right:?}");
}

#[test]
fn a_reader_gets_what_was_there_before_a_cleaning_or_after_it() {
    let cases = Cases { short: 800, long: 8_000 };
    prove("readers beside cleanings", cases, reading, |reading| {
        read_beside_cleanings(&|fs| fs, reading);
    });
}

#[test]
fn replaced_segments_that_are_not_kept_open_are_caught() {
    let cases = Cases { short: 800, long: 800 };
    let lie = Lie::ReadsByName;
    let proven = try_to_prove("readers by name", cases, reading, move |reading| {
        read_beside_cleanings(&|inner| std::sync::Arc::new(LyingFs { inner, lie }), reading);
    });
    assert!(proven.is_err(), "nobody notices");
}

#[test]
fn nothing_is_lost_by_kill_9_at_any_operation_of_a_cleaning() {
    for after in 0..150 {
        let mut world = world(&|fs| fs, Power::default(), 1);
        let (partition, kind, all) = (0, Kind::Plain, false);
        for timestamp in 0..20 {
            world.run(&Step::Append { partition, kind, records: 3, all, timestamp });
        }
        roll_all(&mut world);
        world.run(&Step::Append { partition, kind, records: 1, all, timestamp: 5 });
        world.run(&Step::CompactBeside(1_500, vec![Beside { after, step: Step::Kill }]));
        world.must_go_on();
        world.must_compact();
    }
}
