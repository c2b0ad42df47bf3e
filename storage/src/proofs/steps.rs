//! What can happen to a node's logs, and random sequences of it.

use std::ops::Range;

use proptest::prelude::*;
use proptest::strategy::Union;

/// Partitions of a world.
pub(super) const PARTITIONS: usize = 3;

/// What is appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Plain,
    Idempotent,
    Transactional,
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Append {
        partition: usize,
        kind: Kind,
        records: usize,
        all: bool,
        timestamp: i64,
    },
    EndTransaction {
        partition: usize,
        committed: bool,
        all: bool,
    },
    /// The idempotent producer sends its last batch again.
    Repeat(usize),
    /// A new leader epoch.
    Lead(usize),
    /// Everything that is queued gets to the disk.
    Sync,
    Roll(usize),
    /// To this share of the log, in percent.
    Truncate(usize, i64),
    DeleteRecords(usize, i64),
    /// Of what is more than this many bytes.
    Retention(usize, i64),
    /// The partition's topic is deleted and made again.
    Delete(usize),
    /// Time goes by, and regular work is done.
    Tick(i64),
    /// Time goes by, and the cleaner compacts what is due: in compacted worlds only.
    Compact(i64),
    /// The same, and these happen while it is at it.
    CompactBeside(i64, Vec<Beside>),
    /// Nothing but the comparison that follows every step.
    Look,
    Checkpoint,
    /// The process stops, and starts again.
    Restart,
    /// `kill -9`, and a start.
    Kill,
}

/// A step beside a cleaning.
#[derive(Clone, Debug)]
pub(super) struct Beside {
    /// So many operations of the cleaning come first, since it began or since the last such step.
    /// More of them if there is a lock that it would have to wait for.
    pub(super) after: usize,
    pub(super) step: Step,
}

/// The relative frequency of some steps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weights {
    pub(super) checkpoint: u32,
    pub(super) restart: u32,
    pub(super) cut_log: u32,
    /// None where a step may be cut short: whoever truncates must lower the checkpoint of the
    /// recovery point first, and nobody does either yet.
    pub(super) truncate: u32,
    pub(super) compact: u32,
}

impl Weights {
    pub(super) const EVEN: Self =
        Self { checkpoint: 2, restart: 1, cut_log: 1, truncate: 0, compact: 0 };
}

fn append() -> impl Strategy<Value = Step> {
    let kind = prop_oneof![
        3 => Just(Kind::Plain),
        2 => Just(Kind::Idempotent),
        2 => Just(Kind::Transactional),
    ];
    (0..PARTITIONS, kind, 1..4_usize, any::<bool>(), 0..1000_i64).prop_map(
        |(partition, kind, records, all, timestamp)| Step::Append {
            partition,
            kind,
            records,
            all,
            timestamp,
        },
    )
}

fn end_transaction() -> impl Strategy<Value = Step> {
    (0..PARTITIONS, any::<bool>(), any::<bool>())
        .prop_map(|(partition, committed, all)| Step::EndTransaction { partition, committed, all })
}

fn partition() -> Range<usize> {
    0..PARTITIONS
}

fn cut_log() -> impl Strategy<Value = Step> {
    prop_oneof![
        (partition(), 0..=110_i64).prop_map(|(p, share)| Step::DeleteRecords(p, share)),
        (partition(), 200..1500_i64).prop_map(|(p, bytes)| Step::Retention(p, bytes)),
    ]
}

/// What can happen while a log is cleaned. A process that stops cleanly ends its cleaners first.
pub(super) fn beside() -> impl Strategy<Value = Vec<Beside>> {
    let step = prop_oneof![
        6 => append(),
        3 => end_transaction(),
        1 => partition().prop_map(Step::Repeat),
        1 => partition().prop_map(Step::Lead),
        3 => Just(Step::Sync),
        3 => partition().prop_map(Step::Roll),
        4 => cut_log(),
        2 => partition().prop_map(Step::Delete),
        1 => (1..8_000_i64).prop_map(Step::Tick),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Kill),
        4 => Just(Step::Look),
    ];
    let beside = (0..40_usize, step).prop_map(|(after, step)| Beside { after, step });
    prop::collection::vec(beside, 1..20)
}

fn step(weights: Weights) -> impl Strategy<Value = Step> {
    let truncate = (partition(), 0..=110_i64).prop_map(|(p, share)| Step::Truncate(p, share));
    let weighed = [
        (16, append().boxed()),
        (3, end_transaction().boxed()),
        (2, partition().prop_map(Step::Repeat).boxed()),
        (1, partition().prop_map(Step::Lead).boxed()),
        (5, Just(Step::Sync).boxed()),
        (2, partition().prop_map(Step::Roll).boxed()),
        (2 * weights.cut_log, cut_log().boxed()),
        (weights.truncate, truncate.boxed()),
        (1, partition().prop_map(Step::Delete).boxed()),
        (1, (1..8_000_i64).prop_map(Step::Tick).boxed()),
        (weights.compact, (0..2_000_i64).prop_map(Step::Compact).boxed()),
        (weights.checkpoint, Just(Step::Checkpoint).boxed()),
        (weights.restart, Just(Step::Restart).boxed()),
        (weights.restart, Just(Step::Kill).boxed()),
    ];
    let wanted = weighed.into_iter().filter(|(weight, _)| *weight > 0).collect();
    Union::new_weighted(wanted)
}

/// Histories of up to `max` steps.
pub(super) fn steps(weights: Weights, max: usize) -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(weights), 1..max)
}
