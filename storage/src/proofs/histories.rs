//! Random histories of several partitions against the truth: after every step each log shows what
//! was written to it, and after every start it holds what it must.

use proptest::prelude::*;

use super::prover::{Cases, prove};
use super::steps::{Step, Weights, steps};
use super::world::World;
use crate::fs::PowerCut;

/// A part of a history, and the power cut that ends it.
pub(super) type Chapter = (Vec<Step>, Option<(PowerCut, u64)>);

/// Histories in parts of up to so many steps.
pub(super) fn chapters(weights: Weights, steps_max: usize) -> impl Strategy<Value = Vec<Chapter>> {
    let cut = (power_cut(), any::<u64>());
    prop::collection::vec((steps(weights, steps_max), prop::option::of(cut)), 1..4)
}

/// Runs them, and sees whether the logs take more.
pub(super) fn live_through(world: &mut World, chapters: Vec<Chapter>) {
    for (steps, cut) in chapters {
        steps.iter().for_each(|step| world.run(step));
        if let Some((kind, seed)) = cut {
            world.cut_power(kind, seed);
            world.check();
        }
    }
    world.must_go_on();
}

pub(super) fn power_cut() -> impl Strategy<Value = PowerCut> {
    prop::sample::select(&PowerCut::ALL)
}

#[test]
fn logs_are_lists_of_batches_whatever_happens() {
    let cases = Cases { short: 10_000, long: 100_000 };
    let chapters = || chapters(Weights { truncate: 1, ..Weights::EVEN }, 30);
    prove("histories", cases, chapters, |chapters| live_through(&mut World::new(), chapters));
}
