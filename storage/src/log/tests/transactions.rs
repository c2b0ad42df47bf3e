//! Transactions in one log: what is stable, what was aborted, and the index of it on the disk.

use proptest::prelude::*;
use protocol_codec::records::control::EndTransactionMarker;

use super::*;
use crate::fs::read_file;
use crate::index::txn::AbortedTxn;
use crate::log::transactions::EndTransaction;
use crate::producer_state::ProducerStateError;
use crate::segment::files::{self, OFFSET_INDEX_SUFFIX, TXN_INDEX_SUFFIX};

fn data(producer_id: i64, sequence: i32, records: usize) -> ValidatedBatch {
    let builder = BatchBuilder::new().producer(producer_id, 0, sequence).transactional(true);
    build(builder, records, 7)
}

fn end_of(producer_id: i64, committed: bool) -> EndTransaction {
    let marker = EndTransactionMarker { committed, coordinator_epoch: 1 };
    EndTransaction { producer_id, producer_epoch: 0, marker, transaction_version: 1 }
}

fn end(log: &Arc<Log>, producer_id: i64, committed: bool, acks: RequiredAcks) -> i64 {
    let end = end_of(producer_id, committed);
    log.append_end_transaction(&end, 0, acks, 9).unwrap().base_offset
}

fn commit(log: &Arc<Log>, producer_id: i64) -> i64 {
    end(log, producer_id, true, RequiredAcks::Leader)
}

fn abort(log: &Arc<Log>, producer_id: i64) -> i64 {
    end(log, producer_id, false, RequiredAcks::Leader)
}

fn aborted(producer_id: i64, first: i64, last: i64, stable: i64) -> AbortedTxn {
    AbortedTxn { producer_id, first_offset: first, last_offset: last, last_stable_offset: stable }
}

fn all_aborted(log: &Log) -> Vec<AbortedTxn> {
    log.aborted_transactions(log.log_start_offset(), i64::MAX).unwrap()
}

fn txn_index(disk: &Disk, base_offset: i64) -> Option<Vec<u8>> {
    let path = files::path(Disk::path(), base_offset, TXN_INDEX_SUFFIX);
    read_file(&disk.mem, &path, 10_000).ok()
}

/// Offsets 0..14: two transactions that overlap, of which the second ends first and is aborted,
/// and an open one behind them.
fn overlapping(log: &Arc<Log>) {
    append(log, &data(1, 0, 3));
    append(log, &data(2, 0, 4));
    append(log, &data(1, 3, 2));
    assert_eq!(abort(log, 2), 9);
    assert_eq!(commit(log, 1), 10);
    append(log, &data(3, 0, 2));
    append(log, &batch(1, 5));
}

#[test]
fn the_last_stable_offset_stops_at_the_first_open_transaction() {
    let disk = Disk::new();
    let log = disk.create();
    append(&log, &batch(2, 0));
    assert_eq!(log.last_stable_offset(), 2);
    append(&log, &data(1, 0, 3));
    append(&log, &data(2, 0, 1));
    append(&log, &batch(1, 0));
    assert_eq!((log.last_stable_offset(), log.visible_end()), (2, 7));
    commit(&log, 2);
    assert_eq!(log.last_stable_offset(), 2);
    abort(&log, 1);
    assert_eq!(log.last_stable_offset(), 9);
    // A marker without a transaction changes nothing.
    commit(&log, 1);
    assert_eq!((log.last_stable_offset(), all_aborted(&log).len()), (10, 1));
}

#[test]
fn a_transaction_is_unstable_until_readers_see_its_marker() {
    let disk = Disk::new();
    let log = disk.create();
    append(&log, &data(1, 0, 3));
    log.flush().unwrap();
    end(&log, 1, false, RequiredAcks::All);
    assert_eq!((log.visible_end(), log.last_stable_offset()), (3, 0));
    log.flush().unwrap();
    assert_eq!((log.visible_end(), log.last_stable_offset()), (4, 4));
}

#[test]
fn a_committed_read_ends_at_the_last_stable_offset_and_names_what_was_aborted() {
    let disk = Disk::new();
    let log = disk.create();
    overlapping(&log);
    assert_eq!((log.last_stable_offset(), log.log_end_offset()), (11, 14));
    let read = |offset| log.read_committed(offset, usize::MAX, true).unwrap();
    let bases = |read: &crate::CommittedRead| -> Vec<i64> {
        let bytes = read.slices.to_bytes().unwrap();
        split_batches(bytes).map(|batch| batch.unwrap().header().base_offset).collect()
    };
    let whole = read(0);
    assert_eq!(bases(&whole), [0, 3, 7, 9, 10]);
    assert_eq!(whole.aborted, [aborted(2, 3, 9, 0)]);
    assert_eq!(read(9).aborted, [aborted(2, 3, 9, 0)], "its marker is in the range");
    assert_eq!(read(10).aborted, []);
    let nothing = read(11);
    assert!(nothing.slices.is_empty() && nothing.aborted.is_empty());
    assert!(log.read_committed(15, 100, true).is_err());
}

#[test]
fn aborted_transactions_are_found_over_segments_and_sorted() {
    let disk = Disk::new();
    let log = disk.create();
    append(&log, &data(1, 0, 3));
    log.roll().unwrap();
    append(&log, &data(2, 0, 3));
    assert_eq!(abort(&log, 2), 6);
    log.roll().unwrap();
    append(&log, &data(3, 0, 3));
    assert_eq!(abort(&log, 1), 10);
    assert_eq!(abort(&log, 3), 11);
    log.flush().unwrap();
    let (one, two, three) = (aborted(1, 0, 10, 7), aborted(2, 3, 6, 0), aborted(3, 7, 11, 12));
    assert_eq!(log.aborted_transactions(0, 12).unwrap(), [one, two, three]);
    assert_eq!(log.aborted_transactions(0, 3).unwrap(), [one]);
    assert_eq!(log.aborted_transactions(3, 7).unwrap(), [one, two]);
    assert_eq!(log.aborted_transactions(7, 8).unwrap(), [one, three]);
    assert_eq!(log.aborted_transactions(11, 12).unwrap(), [three]);
    // What is sealed has its file; a segment without aborted transactions has none.
    assert_eq!(txn_index(&disk, 0), None);
    assert_eq!(txn_index(&disk, 3).unwrap().len(), 34);
    assert_eq!(txn_index(&disk, 7), None);
    log.close().unwrap();
    assert_eq!(txn_index(&disk, 7).unwrap().len(), 68);
    log.read(0, usize::MAX, 12, true).unwrap();
}

#[test]
fn an_index_that_is_damaged_or_missing_with_its_segments_others_is_made_anew() {
    let mut disk = Disk::new();
    let log = disk.create();
    overlapping(&log);
    log.roll().unwrap();
    abort(&log, 3);
    let wanted = all_aborted(&log);
    assert_eq!(wanted, [aborted(2, 3, 9, 0), aborted(3, 11, 14, 15)]);
    let mut log = disk.restart(log);
    assert_eq!(all_aborted(&log), wanted);
    for base in [0, 14] {
        let path = files::path(Disk::path(), base, TXN_INDEX_SUFFIX);
        let good = txn_index(&disk, base).unwrap();
        let mut flipped = good.clone();
        flipped[2] ^= 0x80;
        for damaged in [&good[..33], &[good.as_slice(), &good].concat(), &flipped] {
            log.close().unwrap();
            crate::fs::replace_file(&disk.mem, &path, damaged).unwrap();
            log = disk.restart(log);
            assert_eq!(all_aborted(&log), wanted);
        }
        log.close().unwrap();
        disk.mem.remove_file(&path).unwrap();
        disk.mem.remove_file(&files::path(Disk::path(), base, OFFSET_INDEX_SUFFIX)).unwrap();
        log = disk.restart(log);
        assert_eq!(all_aborted(&log), wanted);
    }
}

#[test]
fn a_recovery_makes_the_indexes_anew_and_finds_the_open_transactions() {
    let disk = Disk::new();
    let log = disk.create();
    overlapping(&log);
    log.roll().unwrap();
    append(&log, &data(2, 4, 1));
    abort(&log, 2);
    log.flush().unwrap();
    let wanted = all_aborted(&log);
    let good = txn_index(&disk, 0).unwrap();
    // The file of a transaction that never was, and of a segment that had none.
    for base in [0, 14] {
        let path = files::path(Disk::path(), base, TXN_INDEX_SUFFIX);
        let wrong = [good.as_slice(), &good].concat();
        crate::fs::replace_file(&disk.mem, &path, &wrong).unwrap();
    }
    drop(log);
    let log = disk.open();
    assert_eq!(all_aborted(&log), wanted);
    assert_eq!((log.last_stable_offset(), log.log_end_offset()), (11, 16));
    assert_eq!(txn_index(&disk, 0).unwrap(), good);
    abort(&log, 3);
    assert_eq!(log.last_stable_offset(), 17);
}

#[test]
fn a_transaction_whose_marker_is_cut_off_is_open_again() {
    let disk = Disk::new();
    let log = disk.create();
    overlapping(&log);
    log.truncate_to(10).unwrap();
    assert_eq!((log.last_stable_offset(), all_aborted(&log)), (0, vec![aborted(2, 3, 9, 0)]));
    log.truncate_to(9).unwrap();
    assert_eq!((log.last_stable_offset(), all_aborted(&log)), (0, vec![]));
    abort(&log, 1);
    assert_eq!((log.last_stable_offset(), all_aborted(&log)), (3, vec![aborted(1, 0, 9, 3)]));
    log.truncate_fully_and_start_at(20).unwrap();
    assert_eq!((log.last_stable_offset(), all_aborted(&log)), (20, vec![]));
}

#[test]
fn a_marker_that_is_not_seen_yet_stays_so_when_what_follows_it_is_cut() {
    let disk = Disk::new();
    let log = disk.create();
    append(&log, &batch(2, 0));
    append(&log, &data(1, 0, 2));
    log.flush().unwrap();
    end(&log, 1, false, RequiredAcks::All);
    // Its snapshot knows the producer, and nothing of the marker.
    log.roll().unwrap();
    append(&log, &batch(5, 0));
    append(&log, &batch(5, 0));
    log.truncate_to(10).unwrap();
    assert_eq!((log.visible_end(), log.last_stable_offset()), (4, 2));
    log.flush().unwrap();
    assert_eq!((log.visible_end(), log.last_stable_offset()), (10, 10));
}

#[test]
fn the_index_goes_with_its_segment() {
    let disk = Disk::with(|config| config.file_delete_delay_ms = 0);
    let log = disk.create();
    overlapping(&log);
    log.roll().unwrap();
    append(&log, &batch(1, 0));
    log.flush().unwrap();
    assert!(txn_index(&disk, 0).is_some());
    log.delete_records_before(12).unwrap();
    // Within the open transaction: what is left of it is not stable either.
    assert_eq!(log.last_stable_offset(), 12);
    log.delete_records_before(14).unwrap();
    assert_eq!((log.delete_old_segments(0).unwrap(), all_aborted(&log)), (1, vec![]));
    log.tick(1);
    assert_eq!(txn_index(&disk, 0), None);
    assert_eq!((log.last_stable_offset(), log.log_end_offset()), (14, 15));
}

#[test]
fn markers_of_zombies_are_refused_and_come_one_way_only() {
    let disk = Disk::new();
    let log = disk.create();
    append(&log, &data(1, 0, 1));
    let zombie = EndTransaction { producer_epoch: -1, ..end_of(1, true) };
    let refused = log.append_end_transaction(&zombie, 0, RequiredAcks::Leader, 0).unwrap_err();
    let AppendError::Producer(ProducerStateError::InvalidProducerEpoch { .. }) = refused else {
        panic!("{refused}");
    };
    commit(&log, 1);
    let marker = EndTransactionMarker { committed: true, coordinator_epoch: 0 };
    let old = EndTransaction { marker, ..end_of(1, true) };
    let refused = log.append_end_transaction(&old, 0, RequiredAcks::Leader, 0).unwrap_err();
    let AppendError::Producer(ProducerStateError::TransactionCoordinatorFenced { .. }) = refused
    else {
        panic!("{refused}");
    };
    let control = ValidatedBatch::internal(&marker.to_batch(0, 1, 0).unwrap()).unwrap();
    log.append_as_leader(&control, 0, RequiredAcks::Leader, 0).unwrap_err();
    assert_eq!(log.log_end_offset(), 2);
    // What a coordinator writes in a producer's name is a part of his transaction.
    let offsets = build(BatchBuilder::new().producer(1, 0, -1).transactional(true), 1, 0);
    log.append_as_coordinator(&offsets, 0, RequiredAcks::Leader, 0).unwrap();
    assert_eq!(log.last_stable_offset(), 2);
    abort(&log, 1);
    assert_eq!(all_aborted(&log), [aborted(1, 2, 3, 4)]);
}

#[derive(Clone, Debug)]
enum Step {
    Data(i64),
    End(i64, bool),
    Roll,
    Truncate(i64),
    CleanRestart,
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..4_i64).prop_map(Step::Data),
        4 => (1..4_i64, any::<bool>()).prop_map(|(id, committed)| Step::End(id, committed)),
        2 => Just(Step::Roll),
        1 => (0..120_i64).prop_map(Step::Truncate),
        1 => Just(Step::CleanRestart),
        1 => Just(Step::Kill),
    ]
}

/// What is in the log: every entry is one record. No producer ends what he has not begun.
#[derive(Default)]
struct Model(Vec<(i64, Option<bool>)>);

impl Model {
    fn first_open(&self, producer_id: i64) -> Option<i64> {
        let mut first = None;
        for (offset, (id, end)) in self.0.iter().enumerate() {
            if *id == producer_id {
                first = if end.is_some() { None } else { first.or(Some(offset as i64)) };
            }
        }
        first
    }

    fn stable(&self) -> i64 {
        let open = (1..4).filter_map(|id| self.first_open(id)).min();
        open.unwrap_or(self.0.len() as i64)
    }

    fn aborted(&self) -> Vec<AbortedTxn> {
        let mut found = Vec::new();
        for (offset, (id, end)) in self.0.iter().enumerate() {
            let before = Self(self.0[..offset].to_vec());
            if let (Some(false), Some(first)) = (end, before.first_open(*id)) {
                let stable = Self(self.0[..=offset].to_vec()).stable();
                found.push(aborted(*id, first, offset as i64, stable));
            }
        }
        found.sort_unstable_by_key(|txn| txn.first_offset);
        found
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn histories_of_transactions(steps in prop::collection::vec(step(), 1..60)) {
        let mut disk = Disk::new();
        let mut log = disk.create();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Data(id) => {
                    // Without a sequence, as a coordinator writes: this is not about sequences.
                    let builder = BatchBuilder::new().producer(id, 0, -1).transactional(true);
                    let batch = build(builder, 1, 7);
                    log.append_as_coordinator(&batch, 0, RequiredAcks::Leader, 0).unwrap();
                    model.0.push((id, None));
                }
                Step::End(id, committed) => {
                    end(&log, id, committed, RequiredAcks::Leader);
                    model.0.push((id, Some(committed)));
                }
                Step::Roll => drop(log.roll().unwrap()),
                Step::Truncate(percent) => {
                    let to = model.0.len() as i64 * percent / 100;
                    log.truncate_to(to).unwrap();
                    model.0.truncate(to as usize);
                }
                Step::CleanRestart if !model.0.is_empty() => log = disk.restart(log),
                Step::Kill if !model.0.is_empty() => {
                    disk.recovery_point = log.recovery_point();
                    log = disk.open();
                }
                Step::CleanRestart | Step::Kill => {}
            }
            let len = model.0.len() as i64;
            prop_assert_eq!(log.log_end_offset(), len);
            prop_assert_eq!(log.last_stable_offset(), model.stable());
            let wanted = model.aborted();
            prop_assert_eq!(&all_aborted(&log), &wanted);
            let (from, to) = (len / 3, len * 2 / 3);
            let found = log.aborted_transactions(from, to).unwrap();
            for txn in wanted.iter().filter(|txn| txn.last_offset >= from && txn.first_offset < to) {
                prop_assert!(found.contains(txn), "{txn:?} of {found:?}");
            }
        }
    }
}
