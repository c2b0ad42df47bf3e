//! Tests of the journal by itself: partitions are plain files here.

mod machine;
mod model;

use std::path::Path;
use std::sync::Arc;

use protocol_codec::Uuid;

use super::write::{CommitError, Dirty};
use super::*;
use crate::fs::{Fault, FaultyFs, MemFs, Op, Rule};
use machine::{Machine, Partition};

#[test]
fn what_a_commit_covered_is_back_after_a_power_cut() {
    let mut machine = Machine::new();
    let (mut a, mut b) = (machine.partition(1, 0), machine.partition(1, 1));
    machine.append(&mut a, 100);
    machine.append(&mut b, 5000);
    machine.commit(&mut [&mut a, &mut b]).unwrap();
    machine.append(&mut a, 10);

    machine.mem.crash();
    let started = machine.start();
    assert_eq!((started.segments, started.bytes_written), (2, 5100));
    assert_eq!((machine.read(&a), machine.read(&b)), (a.bytes[..100].to_vec(), b.bytes.clone()));
    assert_eq!(started.durable_ends[&a.key], 100);
    assert_eq!(started.durable_ends[&b.key], 5000);

    // Now the files hold it themselves, and the journal still knows how far they are durable.
    machine.mem.crash();
    let started = machine.start();
    assert_eq!((started.segments, started.bytes_written), (0, 0));
    assert_eq!(started.durable_ends[&a.key], 100);
    assert_eq!(machine.read(&b), b.bytes);
}

#[test]
fn a_commit_costs_one_write_and_one_sync() {
    let mut machine = Machine::new();
    let mut partitions: Vec<Partition> = (0..12).map(|n| machine.partition(1, n)).collect();
    for round in 0..3 {
        for partition in &mut partitions {
            machine.append(partition, 100);
        }
        let before = (machine.faulty.count(Op::Write), machine.faulty.count(Op::SyncData));
        machine.commit(&mut partitions.iter_mut().collect::<Vec<_>>()).unwrap();
        let after = (machine.faulty.count(Op::Write), machine.faulty.count(Op::SyncData));
        if round > 0 {
            assert_eq!((after.0 - before.0, after.1 - before.1), (1, 1));
        }
    }
}

#[test]
fn a_full_journal_says_so_and_has_room_again_when_debts_are_settled() {
    let mut machine = Machine::new();
    let (mut a, mut b) = (machine.partition(1, 0), machine.partition(1, 1));
    machine.append(&mut b, 10);
    machine.commit(&mut [&mut b]).unwrap();
    for _ in 0..500 {
        machine.append(&mut a, 1000);
        if machine.commit(&mut [&mut a]).is_err() {
            assert!(machine.journal().is_half_full());
            // One of the two does not help: the other's bytes lie before.
            machine.settle(&mut a);
            machine.journal().make_room().unwrap();
            assert!(matches!(machine.commit(&mut [&mut a]), Ok(()) | Err(CommitError::Full)));
            machine.settle(&mut b);
            machine.settle(&mut a);
            machine.journal().make_room().unwrap();
            assert!(!machine.journal().is_half_full());
        }
    }
    machine.append(&mut a, 77);
    machine.commit(&mut [&mut a]).unwrap();
    assert!(machine.mem.metadata(&machine.journal().path).unwrap().len < 80 << 10);
    machine.mem.crash();
    let started = machine.start();
    assert_eq!((machine.read(&a), machine.read(&b)), (a.bytes.clone(), b.bytes.clone()));
    // The older one was said again before it was written over.
    assert_eq!(started.durable_ends[&b.key], 10);
}

#[test]
fn a_topic_that_was_made_anew_gets_nothing_of_the_old_one() {
    let mut machine = Machine::new();
    let mut old = machine.partition(1, 0);
    machine.append(&mut old, 300);
    machine.commit(&mut [&mut old]).unwrap();
    machine.mem.remove_dir_all(&old.dir).unwrap();
    let mut new = machine.partition(2, 0);
    machine.append(&mut new, 100);
    machine.commit(&mut [&mut new]).unwrap();
    machine.mem.crash();
    let started = machine.start();
    assert_eq!(machine.read(&new), new.bytes);
    assert_eq!(started.durable_ends.len(), 1);
    assert_eq!(started.durable_ends[&new.key], 100);
}

#[test]
fn a_segment_that_was_deleted_does_not_come_back() {
    let mut machine = Machine::new();
    let mut a = machine.partition(1, 0);
    machine.append(&mut a, 300);
    machine.commit(&mut [&mut a]).unwrap();
    machine.mem.remove_file(&a.path()).unwrap();
    machine.mem.sync_dir(&a.dir).unwrap();
    machine.mem.crash();
    machine.start();
    assert!(!machine.mem.exists(&a.path()).unwrap());
}

#[test]
fn what_was_cut_off_or_replaced_is_not_applied_again() {
    for is_cut in [true, false] {
        let mut machine = Machine::new();
        let (mut a, mut pin) = (machine.partition(1, 0), machine.partition(1, 1));
        machine.append(&mut pin, 10);
        machine.append(&mut a, 300);
        machine.commit(&mut [&mut pin, &mut a]).unwrap();
        machine.settle(&mut a);
        if is_cut {
            machine.journal().forget_all(a.key, &a.topic, 0).unwrap();
        } else {
            machine.journal().forget_segments(a.key, &a.topic, 1).unwrap();
        }
        machine.rewrite(&mut a, 50);
        machine.mem.crash();
        let started = machine.start();
        assert_eq!(machine.read(&a), a.bytes);
        assert_eq!(machine.read(&pin), pin.bytes);
        assert_eq!(started.durable_ends[&a.key], if is_cut { 0 } else { 300 });
    }
}

#[test]
fn without_being_told_a_replay_would_spoil_a_file_that_was_rewritten() {
    let mut machine = Machine::new();
    let mut a = machine.partition(1, 0);
    machine.append(&mut a, 300);
    machine.commit(&mut [&mut a]).unwrap();
    machine.settle(&mut a);
    machine.rewrite(&mut a, 50);
    machine.start();
    assert_ne!(machine.read(&a), a.bytes, "the test above shows something");
}

#[test]
fn after_a_clean_stop_nothing_in_the_journal_counts() {
    for kafkas_marker in [false, true] {
        let mut machine = Machine::new();
        let mut a = machine.partition(1, 0);
        machine.append(&mut a, 300);
        machine.commit(&mut [&mut a]).unwrap();
        if !kafkas_marker {
            machine.settle(&mut a);
            machine.journal().close().unwrap();
            assert!(machine.commit(&mut [&mut a]).is_err(), "nothing is written to a closed one");
        }
        machine.rewrite(&mut a, 50);
        let started = machine.start_after(kafkas_marker);
        assert_eq!(started.durable_ends.len(), 0);
        assert_eq!(machine.read(&a), a.bytes);
        // Not even after another crash.
        machine.mem.crash();
        machine.start();
        assert_eq!(machine.read(&a), a.bytes);
    }
}

#[test]
fn one_that_is_not_wanted_any_more_is_replayed_and_closed() {
    let mut machine = Machine::new();
    let mut a = machine.partition(1, 0);
    machine.append(&mut a, 300);
    machine.commit(&mut [&mut a]).unwrap();
    machine.mem.crash();
    machine.capacity = None;
    let started = machine.start();
    assert!(started.journal.is_none());
    assert_eq!((started.durable_ends[&a.key], machine.read(&a)), (300, a.bytes.clone()));
    machine.rewrite(&mut a, 50);
    assert_eq!(machine.start().segments, 0);
    assert_eq!(machine.read(&a), a.bytes);
}

#[test]
fn a_frame_that_was_durable_and_is_damaged_is_an_error_and_a_torn_one_is_not() {
    let mut machine = Machine::new();
    let mut a = machine.partition(1, 0);
    for _ in 0..3 {
        machine.append(&mut a, 300);
        machine.commit(&mut [&mut a]).unwrap();
    }
    let frame = |number: u64| 4096 + number * 4096 + 100;
    machine.flip(frame(2));
    assert_eq!(machine.start().durable_ends[&a.key], 600, "the newest may be torn");
    drop(machine);

    let mut machine = Machine::new();
    let mut a = machine.partition(1, 0);
    for _ in 0..3 {
        machine.append(&mut a, 300);
        machine.commit(&mut [&mut a]).unwrap();
    }
    machine.flip(frame(1));
    let text = machine.try_start(false).unwrap_err().to_string();
    assert!(text.contains("barnabas-journal is damaged at position 8192"), "{text}");
    machine.flip(frame(1));
    machine.flip(24);
    assert!(matches!(machine.try_start(false), Err(JournalError::Damaged { position: 0, .. })));
}

#[test]
fn a_newer_format_is_refused() {
    let mut machine = Machine::new();
    let mut a = machine.partition(1, 0);
    machine.append(&mut a, 1);
    machine.commit(&mut [&mut a]).unwrap();
    machine.flip_to(19, 2);
    let text = machine.try_start(false).unwrap_err().to_string();
    assert!(text.contains("format version 2"), "{text}");
}

#[test]
fn a_full_disk_passes_and_a_broken_one_is_final() {
    let mut machine = Machine::new();
    let mut a = machine.partition(1, 0);
    machine.append(&mut a, 300);
    let only_journal = |rule: Rule| Rule { path_contains: JOURNAL_FILE.to_owned(), ..rule };
    for skip in 0..3 {
        let rule = Rule { skip, ..Rule::next(Op::Write, 1, Fault::NoSpace) };
        machine.faulty.add(only_journal(rule));
        assert!(matches!(machine.commit(&mut [&mut a]), Err(CommitError::Full)), "{skip}");
    }
    machine.commit(&mut [&mut a]).unwrap();
    machine.append(&mut a, 300);
    machine.faulty.add(only_journal(Rule::next(Op::SyncData, 1, Fault::Io)));
    let error = machine.commit(&mut [&mut a]).unwrap_err().to_string();
    assert!(error.contains("cannot sync /logs/barnabas-journal"), "{error}");
    // Never again, though the disk would say yes now.
    let syncs = machine.faulty.count(Op::SyncData);
    assert!(machine.commit(&mut [&mut a]).is_err());
    machine.journal().close().unwrap();
    assert_eq!(machine.faulty.count(Op::SyncData), syncs);
    machine.mem.crash();
    machine.start();
    assert_eq!(machine.read(&a), a.bytes[..300]);
}

#[test]
fn a_header_that_a_full_disk_cut_off_is_no_damage() {
    for written in [1, 43, 44, 4095] {
        for was_closed in [false, true] {
            let mut machine = Machine::new();
            let mut a = machine.partition(1, 0);
            if was_closed {
                machine.append(&mut a, 300);
                machine.commit(&mut [&mut a]).unwrap();
                machine.settle(&mut a);
                machine.journal().close().unwrap();
                machine.start_after(true);
            }
            machine.append(&mut a, 300);
            machine.faulty.add(Rule {
                path_contains: JOURNAL_FILE.to_owned(),
                ..Rule::next(Op::Write, 1, Fault::ShortWriteThenNoSpace(written))
            });
            assert!(matches!(machine.commit(&mut [&mut a]), Err(CommitError::Full)), "{written}");
            machine.faulty.heal();
            let started = machine.try_start(false).unwrap();
            assert_eq!(started.segments, 0, "after {written} bytes");
            machine.commit(&mut [&mut a]).unwrap();
            machine.mem.crash();
            machine.start();
            assert!(machine.read(&a) == a.bytes, "after {written} bytes");
        }
    }
}

#[test]
fn a_disk_without_room_for_what_is_written_over_passes() {
    for fault in [Fault::NoSpace, Fault::ShortWriteThenNoSpace(30)] {
        let mut machine = Machine::new();
        let mut a = machine.partition(1, 0);
        for _ in 0..2 {
            machine.append(&mut a, 300);
            machine.commit(&mut [&mut a]).unwrap();
        }
        machine.settle(&mut a);
        let on_journal = |rule: Rule| Rule { path_contains: JOURNAL_FILE.to_owned(), ..rule };
        // The frame that would make room, then the header of a journal that begins anew.
        machine.faulty.add(on_journal(Rule::next(Op::Write, 1, Fault::NoSpace)));
        machine.faulty.add(on_journal(Rule::next(Op::Write, 1, fault)));
        machine.journal().make_room().unwrap();
        machine.faulty.heal();
        machine.mem.crash();
        assert_eq!(machine.start().segments, 0, "{fault:?}");
        machine.rewrite(&mut a, 200);
        machine.append(&mut a, 100);
        machine.commit(&mut [&mut a]).unwrap();
        machine.mem.crash();
        machine.start();
        assert!(machine.read(&a) == a.bytes, "{fault:?}");
    }
}

#[test]
fn a_journal_without_descriptors_passes() {
    let mut machine = Machine::new();
    let mut a = machine.partition(1, 0);
    machine.append(&mut a, 300);
    for op in [Op::Open, Op::SyncDir] {
        machine.faulty.add(Rule::next(op, 1, Fault::NoDescriptor));
        assert!(matches!(machine.commit(&mut [&mut a]), Err(CommitError::Full)), "{op:?}");
    }
    machine.commit(&mut [&mut a]).unwrap();
    machine.mem.crash();
    machine.start();
    assert!(machine.read(&a) == a.bytes);
}

#[test]
fn a_replay_that_is_cut_off_is_done_again() {
    let mut steps = 0;
    for (op, skip) in
        [Op::Write, Op::SyncData].into_iter().flat_map(|op| (0..8).map(move |n| (op, n)))
    {
        let mut machine = Machine::new();
        let (mut a, mut b) = (machine.partition(1, 0), machine.partition(1, 1));
        for _ in 0..2 {
            machine.append(&mut a, 100);
            machine.append(&mut b, 100);
            machine.commit(&mut [&mut a, &mut b]).unwrap();
        }
        machine.mem.crash();
        machine.faulty.add(Rule { skip, ..Rule::next(op, usize::MAX, Fault::Io) });
        steps += usize::from(machine.try_start(false).is_err());
        machine.faulty.heal();
        machine.mem.crash();
        let started = machine.start();
        assert_eq!((machine.read(&a), machine.read(&b)), (a.bytes.clone(), b.bytes.clone()));
        assert!(started.durable_ends.values().all(|end| *end == 200), "{op:?} {skip}");
    }
    assert!(steps >= 8, "only {steps} starts were cut off");
}
