//! Histories that failed once, as small as they became: each stays, whatever the random ones are.

use super::power_cuts::{self, Outage, survive};
use super::steps::{Kind, Step};
use super::world::World;
use crate::fs::PowerCut;

fn append(kind: Kind, records: usize, all: bool) -> Step {
    Step::Append { partition: 2, kind, records, all, timestamp: 0 }
}

/// A clean stop leaves the indexes of the active segment as they are then. What comes after it is
/// not in them, and they must not be believed once the segment is no longer the last one.
#[test]
fn an_abort_after_a_clean_stop_is_found_when_the_next_segment_begins_at_the_recovery_point() {
    for seed in (0..200).chain([3_061_569_632_829_849_886]) {
        let mut world = World::new();
        let steps = [
            append(Kind::Plain, 2, false),
            append(Kind::Transactional, 3, false),
            Step::Restart,
            append(Kind::Plain, 1, true),
            append(Kind::Plain, 1, false),
            Step::EndTransaction { partition: 2, committed: false, all: false },
            Step::Sync,
            Step::Checkpoint,
            append(Kind::Plain, 2, false),
        ];
        steps.iter().for_each(|step| world.run(step));
        assert_eq!(world.partitions[2].log.segment_offsets(), [0, 8]);
        world.cut_power(PowerCut::InOrder, seed);
        world.check();
        world.must_go_on();
    }
}

/// Of a producer whose records are deleted, and whose marker is not, the sequence is known as long
/// as there is a snapshot: one that a power cut cannot take.
#[test]
fn a_producers_sequence_outlives_its_deleted_records() {
    for kind in PowerCut::ALL {
        let mut world = World::new();
        let before = [
            append(Kind::Transactional, 1, false),
            Step::Roll(2),
            Step::DeleteRecords(2, 100),
            append(Kind::Plain, 1, false),
            Step::Sync,
        ];
        before.iter().for_each(|step| world.run(step));
        world.cut_power(kind, 0);
        let after = [
            Step::Retention(2, 200),
            Step::EndTransaction { partition: 2, committed: false, all: false },
            Step::Kill,
            append(Kind::Transactional, 1, false),
        ];
        after.iter().for_each(|step| world.run(step));
        world.must_go_on();
    }
}

/// What a start has no file for it need not write back, but the file may come back when the power
/// goes once more: a deleted folder, or a segment that retention has deleted.
#[test]
fn what_was_deleted_before_a_kill_comes_back_whole_or_not_at_all() {
    let durable = || [append(Kind::Plain, 1, true), Step::Sync];
    let one_segment: Vec<_> = durable().into_iter().chain(durable()).collect();
    let two_segments: Vec<_> =
        one_segment.iter().cloned().chain([Step::Roll(2)]).chain(one_segment.clone()).collect();
    let rolled = one_segment.iter().cloned().chain([Step::Roll(2)]).collect();
    for before in [one_segment, two_segments, rolled] {
        for deletion in [Step::Delete(2), Step::Retention(2, 0), Step::DeleteRecords(2, 100)] {
            let steps: Vec<_> = before.iter().cloned().chain([deletion, Step::Kill]).collect();
            for (at, kind) in (0..60).flat_map(|at| PowerCut::ALL.map(|kind| (at, kind))) {
                let steps = steps.clone();
                let outage = Outage { steps, at, is_done: true, kind, seed: at, again_at: None };
                survive(&mut power_cuts::world(&outage, &[]), &outage);
            }
        }
    }
}
