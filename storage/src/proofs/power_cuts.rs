//! The power goes at any change of the disk: in the middle of a batch, between a rename and the
//! sync of its directory, during a clean stop, during a recovery. What was acknowledged is there
//! afterwards, what a reader has seen with `acks=all` too, and every log opens.

use proptest::prelude::*;

use super::histories::power_cut;
use super::power::{Cut, Power};
use super::prover::{Cases, prove};
use super::steps::{Step, Weights, steps};
use super::world::World;
use crate::fs::PowerCut;

/// A history, when the power goes in it, and what the disk makes of it.
#[derive(Clone, Debug)]
pub(super) struct Outage {
    pub(super) steps: Vec<Step>,
    pub(super) at: u64,
    pub(super) is_done: bool,
    pub(super) kind: PowerCut,
    pub(super) seed: u64,
    /// The power goes once more during the start after it.
    pub(super) again_at: Option<u64>,
}

pub(super) fn outage(weights: Weights, changes: u64) -> impl Strategy<Value = Outage> {
    let again = prop::option::of(0..40_u64);
    let cut = (0..changes, any::<bool>(), power_cut(), any::<u64>(), again);
    (steps(weights, 40), cut).prop_map(|(steps, (at, is_done, kind, seed, again_at))| Outage {
        steps,
        at,
        is_done,
        kind,
        seed,
        again_at,
    })
}

/// Runs the history on `world`, whose power goes in it.
pub(super) fn survive(world: &mut World, outage: &Outage) {
    outage.steps.iter().for_each(|step| world.run(step));
    world.check();
    if let Some(at) = outage.again_at {
        world.power().turn_off();
        world.machine.mem.cut_power(outage.kind, outage.seed);
        let cut = Cut { at, paths: &[], is_done: outage.is_done };
        world.start(Power::until(cut), super::world::Least::Promised);
    }
    world.cut_power(outage.kind, outage.seed.wrapping_add(1));
    world.check();
    world.must_go_on();
}

pub(super) fn world(outage: &Outage, paths: &'static [&'static str]) -> World {
    let power = Power::until(Cut { at: outage.at, paths, is_done: outage.is_done });
    World::with(&["/a"], &|fs| fs, power)
}

fn prove_for(name: &str, weights: Weights, changes: u64, paths: &'static [&'static str]) {
    let cases = Cases { short: 300, long: 20_000 };
    prove(
        name,
        cases,
        || outage(weights, changes),
        |outage| {
            survive(&mut world(&outage, paths), &outage);
        },
    );
}

#[test]
fn the_power_goes_at_a_change_of_anything() {
    prove_for("power cuts anywhere", Weights::EVEN, 300, &[]);
}

#[test]
fn the_power_goes_at_a_change_of_a_partition() {
    prove_for("power cuts of partitions", Weights::EVEN, 200, &["/topic"]);
}

#[test]
fn the_power_goes_at_a_change_of_a_checkpoint_or_marker() {
    let weights = Weights { checkpoint: 12, restart: 4, cut_log: 2, ..Weights::EVEN };
    prove_for("power cuts of checkpoints", weights, 60, &["checkpoint", "cleanshutdown"]);
}

#[test]
fn the_power_goes_at_a_change_of_the_journal() {
    let weights = Weights { checkpoint: 1, restart: 2, cut_log: 2, ..Weights::EVEN };
    prove_for("power cuts of the journal", weights, 40, &["journal"]);
}
