//! Do the proofs of compaction fail when it breaks a promise? As in `mutants.rs` some mutants are
//! file systems that lie. Others are the cleaner's own filter, told something wrong.

use std::collections::HashMap;

use bytes::Bytes;
use protocol_codec::records::split_batches;

use super::compacted_truth::{Past, Shown, parse};
use super::compaction::{COMPACTING, compacted, outage_of_cleaning, survive_cleaning};
use super::machine::DELETE_RETENTION_MS;
use super::mutants::{Lie, LyingFs};
use super::power::Power;
use super::power_cuts::{Outage, survive};
use super::prover::{Cases, try_to_prove};
use super::steps::{Kind, Step};
use super::truth::{Batch, IDEMPOTENT_PRODUCER, TRANSACTIONAL_PRODUCER, Truth};
use crate::AbortedTxn;
use crate::cleaner::filter::{Filter, LastRecord, Left, Rules};
use crate::cleaner::offset_map::OffsetMap;
use crate::cleaner::transactions::CleanedTransactions;

const CASES: Cases = Cases { short: 2_000, long: 2_000 };

fn must_be_caught(lie: Lie) {
    let property = move |outage: Outage| {
        survive_cleaning(&|inner| std::sync::Arc::new(LyingFs { inner, lie }), &outage);
    };
    let proven =
        try_to_prove(&format!("{lie:?} of cleanings"), CASES, outage_of_cleaning, property);
    assert!(proven.is_err(), "{lie:?} is not noticed");
}

#[test]
fn a_swap_before_the_sync_of_the_cleaned_file_is_caught() {
    must_be_caught(Lie::SyncsNothing(".cleaned"));
}

#[test]
fn segments_replaced_without_a_sync_of_their_names_are_caught() {
    must_be_caught(Lie::SyncsNoNamesOfSwaps);
}

#[test]
fn replaced_segments_that_stay_are_caught() {
    must_be_caught(Lie::RenamesNothing(".deleted"));
}

#[test]
fn a_forgotten_tombstone_horizon_is_caught() {
    let property = |outage: Outage| {
        let mut world = compacted(&["/a"], &|fs| fs, Power::default());
        world.machine.config.default_log_config.delete_retention_ms = 0;
        world.run(&Step::Restart);
        survive(&mut world, &outage);
    };
    let outages = || super::power_cuts::outage(COMPACTING, 200);
    assert!(try_to_prove("no tombstone horizon", CASES, outages, property).is_err());
}

/// What a cleaner believes of a log.
struct Belief {
    /// The offset of each key that stays.
    map: OffsetMap,
    last_records: HashMap<i64, LastRecord>,
    aborted: Vec<AbortedTxn>,
    delete_retention_ms: i64,
}

/// A log of keys that come again and again, tombstones among them, and what is aborted of it.
fn log() -> Truth {
    let mut world = compacted(&["/a"], &|fs| fs, Power::default());
    let partition = 0;
    for number in 0..16 {
        let kinds = [Kind::Plain, Kind::Idempotent, Kind::Transactional];
        let (kind, timestamp) = (kinds[number % 3], 3 * number as i64);
        world.run(&Step::Append { partition, kind, records: 3, all: false, timestamp });
        let committed = number % 2 == 0;
        world.run(&Step::EndTransaction { partition, committed, all: false });
    }
    // All that is above has been overtaken then.
    for timestamp in [0, 3, 6] {
        world.run(&Step::Append {
            partition,
            kind: Kind::Plain,
            records: 3,
            all: false,
            timestamp,
        });
    }
    for (committed, timestamp) in [(false, 0), (true, 4)] {
        let kind = Kind::Transactional;
        world.run(&Step::Append { partition, kind, records: 3, all: false, timestamp });
        world.run(&Step::EndTransaction { partition, committed, all: false });
    }
    world.partitions[0].truth.clone()
}

fn truth_about(truth: &Truth) -> Belief {
    let (aborted, _) = truth.transactions(i64::MAX);
    let mut map = OffsetMap::new(1 << 20, 0.9, 1 << 10);
    let is_aborted = |batch: &Batch| {
        batch.producer() == Some(TRANSACTIONAL_PRODUCER)
            && aborted.iter().any(|(first, last)| (*first..*last).contains(&batch.base))
    };
    for batch in truth.batches.iter().filter(|batch| !batch.is_marker() && !is_aborted(batch)) {
        for shown in parse(batch.bytes.clone()).unwrap() {
            shown.records.iter().for_each(|record| map.put(record.key(), record.offset));
        }
    }
    map.set_latest_offset(truth.end - 1);
    map.settle();
    let last_of = |producer: i64| {
        let last = truth.batches.iter().rev().find(|batch| batch.producer() == Some(producer));
        let last_data_offset = last.map(|batch| batch.end() - 1);
        (producer, LastRecord { last_data_offset, producer_epoch: 0 })
    };
    let txn = |(first_offset, last_offset): &(i64, i64)| AbortedTxn {
        first_offset: *first_offset,
        producer_id: TRANSACTIONAL_PRODUCER,
        last_offset: *last_offset,
        last_stable_offset: 0,
    };
    Belief {
        map,
        last_records: [IDEMPOTENT_PRODUCER, TRANSACTIONAL_PRODUCER].map(last_of).into(),
        aborted: aborted.iter().map(txn).collect(),
        delete_retention_ms: DELETE_RETENTION_MS,
    }
}

fn clean(bytes: Bytes, belief: &Belief, now_ms: i64) -> Bytes {
    let rules = Rules {
        map: &belief.map,
        last_records: &belief.last_records,
        high_watermark: i64::MAX,
        delete_retention_ms: belief.delete_retention_ms,
        now_ms,
        decompressed_bytes_max: 1 << 20,
    };
    let (mut transactions, mut out) = (CleanedTransactions::default(), Vec::new());
    transactions.add_aborted(belief.aborted.iter().copied());
    for batch in split_batches(bytes) {
        let batch = batch.unwrap();
        let view = batch.view();
        let done = Filter::default().filter(&view, &rules, &mut transactions, &mut out).unwrap();
        if done.left == Left::Whole {
            out.extend_from_slice(view.bytes());
        }
    }
    out.into()
}

/// Two cleanings by a cleaner that is told what `lie` makes of the truth.
fn judge(lie: impl Fn(&mut Belief, &Truth)) -> Result<(), String> {
    let truth = log();
    let mut belief = truth_about(&truth);
    lie(&mut belief, &truth);
    let mut past = Past::default();
    let mut bytes: Vec<u8> = Vec::new();
    truth.batches.iter().for_each(|batch| bytes.extend_from_slice(&batch.bytes));
    let mut bytes = Bytes::from(bytes);
    for now_ms in [10_000, 10_000 + DELETE_RETENTION_MS - 1, 10_000 + DELETE_RETENTION_MS] {
        past.give(&truth.batches, truth.end, now_ms, DELETE_RETENTION_MS);
        past.decide(&truth.transactions(i64::MAX));
        bytes = clean(bytes, &belief, now_ms);
        let shown: Vec<Shown> = parse(bytes.clone())?;
        past.judge(&shown, 0, DELETE_RETENTION_MS)?;
        past.is_clean(&shown, truth.end, now_ms)?;
    }
    Ok(())
}

fn must_be_judged_wrong(lie: impl Fn(&mut Belief, &Truth), because: &str) {
    let error = judge(lie).unwrap_err();
    assert!(error.contains(because), "{error}");
}

#[test]
fn a_filter_that_believes_the_truth_is_right() {
    judge(|_, _| {}).unwrap();
}

#[test]
fn the_older_of_two_values_is_caught() {
    let keep_the_first = |belief: &mut Belief, truth: &Truth| {
        belief.map = OffsetMap::new(1 << 20, 0.9, 1 << 10);
        for batch in truth.batches.iter().rev().filter(|batch| !batch.is_marker()) {
            let shown = parse(batch.bytes.clone()).unwrap();
            for record in shown.iter().flat_map(|batch| &batch.records).rev() {
                belief.map.put(record.key(), record.offset);
            }
        }
        belief.map.set_latest_offset(truth.end - 1);
        belief.map.settle();
    };
    must_be_judged_wrong(keep_the_first, "was written before");
    let keep_none = |belief: &mut Belief, truth: &Truth| {
        let last = truth.end - 1;
        let data = truth.batches.iter().rev().find(|batch| !batch.is_marker()).unwrap();
        for record in &parse(data.bytes.clone()).unwrap()[0].records {
            belief.map.put(record.key(), last);
        }
        belief.map.set_latest_offset(last);
        belief.map.settle();
    };
    must_be_judged_wrong(keep_none, "is gone");
}

#[test]
fn tombstones_that_go_at_once_are_caught() {
    must_be_judged_wrong(|belief, _| belief.delete_retention_ms = 0, "too early");
}

#[test]
fn producers_that_are_forgotten_are_caught() {
    must_be_judged_wrong(|belief, _| belief.last_records.clear(), "the last of its producer");
}

#[test]
fn aborted_records_that_stay_are_caught() {
    must_be_judged_wrong(|belief, _| belief.aborted.clear(), "should be gone");
}

#[test]
fn transactions_taken_for_aborted_are_caught() {
    let abort_all = |belief: &mut Belief, truth: &Truth| {
        belief.aborted.clear();
        let mut first = None;
        for batch in &truth.batches {
            if batch.producer() == Some(TRANSACTIONAL_PRODUCER) {
                first.get_or_insert(batch.base);
            } else if let Some(first_offset) = first.take_if(|_| batch.is_marker()) {
                let (last_offset, last_stable_offset) = (batch.base, 0);
                let producer_id = TRANSACTIONAL_PRODUCER;
                let txn = AbortedTxn { first_offset, producer_id, last_offset, last_stable_offset };
                belief.aborted.push(txn);
            }
        }
    };
    must_be_judged_wrong(abort_all, "is gone");
}
