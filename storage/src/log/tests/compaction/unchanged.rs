//! What a cleaning does with segments of which all stays, a part of the front, or nothing.

use super::*;
use crate::fs::{Fault, Op, Rule};

/// A log whose segments have two batches each, one key a batch.
fn singles(disk: &Disk, keys: &[&str]) -> Arc<Log> {
    let log = disk.create();
    for pair in keys.chunks(2) {
        for key in pair {
            put(&log, BatchBuilder::new(), &[(key, Some("value"))]);
        }
        log.roll().unwrap();
    }
    put(&log, BatchBuilder::new(), &[("z", Some("value"))]);
    log.flush().unwrap();
    log
}

/// Which segments of the log are still those of `row`.
fn same(log: &Log, row: &[Arc<Segment>]) -> Vec<bool> {
    let now = log.segment_row();
    row.iter().zip(now.iter()).map(|(before, after)| Arc::ptr_eq(before, after)).collect()
}

/// A limit that every two segments together exceed.
fn without_groups() -> Disk {
    let mut disk = disk();
    disk.config.segment_bytes = 200;
    disk
}

#[test]
fn a_segment_of_which_everything_stays_is_neither_read_again_nor_written() {
    let disk = without_groups();
    let log = singles(&disk, &["a", "b", "c", "d", "c", "e"]);
    let row = log.segment_row();
    let before = committed(&log);
    disk.faulty.add(fails_when_read_again(&row[0]));
    disk.faulty.add(fails_when_read_again(&row[2]));
    let done = clean(&log, 10_000);
    disk.faulty.heal();
    assert_eq!(same(&log, &row), [true, false, true, true]);
    assert_eq!((done.records_read, done.records_kept), (6, 5));
    assert_eq!(done.bytes_written, log.segment_row()[1].size(), "of one segment alone");
    let left: Vec<Record> = before.into_iter().filter(|record| record.0 != 2).collect();
    assert_eq!(committed(&log), left);

    // Nothing changes any more, whether the keys are mapped again or the part was clean before.
    for clean_point in [0, 6] {
        log.set_clean_point(clean_point);
        let (row, files) = (log.segment_row(), disk.names());
        disk.faulty.add(failing(".cleaned"));
        assert_eq!(clean(&log, 10_000).bytes_written, 0);
        disk.faulty.heal();
        assert_eq!((same(&log, &row), disk.names()), (vec![true; 4], files));
    }
}

/// Nothing that has this in its name can be opened.
fn failing(path_contains: &str) -> Rule {
    let path_contains = path_contains.to_owned();
    Rule { path_contains, ..Rule::next(Op::Open, 1, Fault::Io) }
}

/// Batches of this small segment can be read once, all of them at the same time.
fn fails_when_read_again(segment: &Segment) -> Rule {
    let path_contains = segment.path(".log").display().to_string();
    Rule { path_contains, skip: 1, ..Rule::next(Op::Read, usize::MAX, Fault::Io) }
}

#[test]
fn a_segment_that_changes_is_read_again() {
    let disk = without_groups();
    let log = singles(&disk, &["a", "b", "c", "d", "c", "e"]);
    disk.faulty.add(fails_when_read_again(&log.segment_row()[1]));
    assert!(matches!(clean_with(&log, 10_000, &limits()), Err(CleanError::Segment(_))));
}

#[test]
fn what_stays_before_the_first_change_is_copied_as_it_is() {
    // The first batches of the segment stay, the rest changes; its buffers hold less than them.
    let mut disk = disk();
    disk.config.segment_bytes = 1 << 20;
    let log = disk.create();
    let large = "v".repeat(5000);
    for key in ["a", "b", "c", "d", "e"] {
        put(&log, BatchBuilder::new(), &[(key, Some(&large))]);
    }
    put(&log, BatchBuilder::new().producer(5, 0, 0), &[("c", Some("new")), ("f", None)]);
    log.roll().unwrap();
    put(&log, BatchBuilder::new(), &[("z", Some("value"))]);
    log.flush().unwrap();
    let before = read(&log, 0);
    let state = state(&committed(&log));
    let size = log.segment_row()[0].size();

    let done = clean(&log, 10_000);
    assert!(done.bytes_written < size - 5000 && done.bytes_written > 20_000, "{done:?}");
    let after = read(&log, 0);
    let kept = 2 * 5000;
    assert!(after[..kept] == before[..kept] && after.len() < before.len());
    assert_eq!(self::state(&committed(&log)), state);
    for offset in 0..7 {
        assert!(read(&log, offset).len() <= after.len(), "the index finds {offset}");
    }
    disk.recovery_point = log.recovery_point();
    assert!(read(&disk.open(), 0) == after);
}

#[test]
fn a_segment_of_which_nothing_stays_becomes_empty_but_for_what_a_producer_needs() {
    let disk = without_groups();
    let log = singles(&disk, &["a", "b", "a", "b"]);
    put(&log, BatchBuilder::new().producer(5, 0, 0), &[("c", Some("value"))]);
    put(&log, BatchBuilder::new(), &[("c", Some("value"))]);
    log.roll().unwrap();
    put(&log, BatchBuilder::new(), &[("y", Some("value"))]);
    log.flush().unwrap();
    let row = log.segment_row();
    let before: Vec<Record> = committed(&log).into_iter().filter(|record| record.0 > 1).collect();

    disk.faulty.add(fails_when_read_again(&row[0]));
    let done = clean(&log, 10_000);
    disk.faulty.heal();
    assert_eq!((done.records_read, done.records_kept), (7, 4));
    assert_eq!(same(&log, &row), [false, true, false, true, true]);
    assert_eq!(log.segment_row()[0].size(), 0);
    let left: Vec<Record> = before.into_iter().filter(|record| record.0 != 5).collect();
    assert_eq!(committed(&log), left);
    // A header is left of the producer's batch.
    let batches: Vec<_> = split_batches(read(&log, 5)).map(Result::unwrap).collect();
    assert_eq!((batches[0].header().producer_id, batches[0].header().records_count), (5, 0));
}

#[test]
fn a_segment_of_nothing_but_overtaken_batches_of_a_producer_keeps_the_last_one_empty() {
    let mut disk = without_groups();
    let log = disk.create();
    for sequence in 0..2 {
        put(&log, BatchBuilder::new().producer(5, 0, sequence), &[("a", Some("value"))]);
    }
    log.roll().unwrap();
    put(&log, BatchBuilder::new(), &[("a", Some("value"))]);
    log.roll().unwrap();
    put(&log, BatchBuilder::new(), &[("z", Some("value"))]);
    log.flush().unwrap();

    assert_eq!(clean(&log, 10_000).records_kept, 1);
    let batches: Vec<_> = split_batches(read(&log, 0)).map(Result::unwrap).collect();
    let left: Vec<_> = batches
        .iter()
        .map(|batch| (batch.header().base_offset, batch.header().records_count))
        .collect();
    assert_eq!(left, [(1, 0), (2, 1), (3, 1)]);
    let log = disk.restart(log);
    put(&log, BatchBuilder::new().producer(5, 0, 2), &[("b", Some("value"))]);
}

#[test]
fn batches_of_all_sizes_are_cleaned() {
    let mut disk = disk();
    disk.config.segment_bytes = 4 << 20;
    let log = disk.create();
    let mut wanted = BTreeMap::new();
    for (number, bytes) in [10, 5000, 150_000, 4000, 70_000, 1, 64_000, 300_000].iter().enumerate()
    {
        let value = number.to_string().repeat(*bytes);
        let key = format!("key-{}", number % 6);
        put(&log, BatchBuilder::new(), &[(&key, Some(&value))]);
        wanted.insert(key, value);
    }
    log.roll().unwrap();
    put(&log, BatchBuilder::new(), &[("z", Some("value"))]);
    wanted.insert("z".to_owned(), "value".to_owned());
    log.flush().unwrap();
    let size = log.segment_row()[0].size();
    let done = clean(&log, 10_000);
    assert_eq!((done.map_bytes_read, done.records_kept), (size, 6));
    assert!(state(&committed(&log)) == wanted);
}

#[test]
fn markers_and_aborted_transactions_that_stay_are_found_where_they_were() {
    let mut disk = without_groups();
    disk.config.segment_bytes = 290;
    let log = disk.create();
    let transactional =
        |id, sequence| BatchBuilder::new().transactional(true).producer(id, 0, sequence);
    put(&log, transactional(5, 0), &[("a", Some("1"))]);
    put(&log, transactional(6, 0), &[("a", Some("aborted"))]);
    log.roll().unwrap();
    put(&log, BatchBuilder::new(), &[("b", Some("1"))]);
    end_transaction(&log, 5, true);
    end_transaction(&log, 6, false);
    log.roll().unwrap();
    // The last batch of a producer would stay, even if empty.
    put(&log, transactional(6, 1), &[("z", Some("value"))]);
    end_transaction(&log, 6, true);
    log.flush().unwrap();
    let (before, row) = (committed(&log), log.segment_row());
    let aborted = log.aborted_transactions(0, 10).unwrap();
    assert_eq!(aborted.len(), 1);

    clean(&log, 10_000);
    assert_eq!(same(&log, &row), [false, true, true], "the aborted record goes, its marker stays");
    assert_eq!(
        (committed(&log), log.aborted_transactions(0, 10).unwrap()),
        (before.clone(), aborted)
    );
    let log = disk.restart(log);
    assert_eq!(committed(&log), before);
    // Of the transaction nothing was left: its marker gets a horizon, and goes.
    log.set_clean_point(0);
    let row = log.segment_row();
    clean(&log, 10_000);
    assert_eq!(same(&log, &row), [true, false, true]);
    log.set_clean_point(0);
    clean(&log, 20_000);
    assert_eq!((committed(&log), log.aborted_transactions(0, 10).unwrap()), (before, Vec::new()));
}
