//! Full disks and broken ones.

use super::*;
use crate::fs::{Fault, Op, Rule};

fn refused(log: &Arc<Log>) -> AppendError {
    log.append_as_leader(&batch(2, 0), 0, RequiredAcks::All, 0).unwrap_err()
}

#[test]
fn a_full_disk_refuses_appends_until_space_is_back() {
    let disk = Disk::new();
    let log = disk.create();
    append_all(&log, &batch(2, 0));
    let rule = Rule::next(Op::Write, usize::MAX, Fault::ShortWriteThenNoSpace(30));
    disk.faulty.add(Rule { path_contains: ".log".to_owned(), times: usize::MAX - 1, ..rule });
    assert!(matches!(refused(&log), AppendError::NoSpace { .. }));
    assert!(log.dir().is_full() && !log.dir().is_offline());
    // The part that was written is gone again.
    let len = disk.mem.metadata(&Disk::path().join("00000000000000000000.log")).unwrap().len;
    assert_eq!(len, log.size());
    // No write is tried while it is full; reads and syncs go on.
    let writes = disk.faulty.count(Op::Write);
    assert!(matches!(refused(&log), AppendError::NoSpace { .. }));
    assert_eq!(disk.faulty.count(Op::Write), writes);
    disk.faulty.heal();
    log.flush().unwrap();
    assert_eq!(batches(&log, 0), [0]);

    assert_eq!(append_all(&log, &batch(2, 0)).base_offset, 2);
    assert!(!log.dir().is_full());
    assert_eq!(batches(&disk.open(), 0), [0, 2]);
}

#[test]
fn every_write_of_a_history_may_meet_a_full_disk() {
    let size = batch(2, 0).size();
    for skip in 0..25 {
        let mut disk = Disk::with(|config| config.segment_bytes = (2 * size) as i32);
        let log = disk.create();
        disk.faulty.add(Rule { skip, ..Rule::next(Op::Write, 1, Fault::NoSpace) });
        let mut acked = Vec::new();
        for _ in 0..8 {
            if let Ok(appended) = log.append_as_leader(&batch(2, 0), 0, RequiredAcks::All, 0) {
                log.flush().unwrap();
                acked.push(appended.base_offset);
            }
        }
        assert!(acked.len() >= 7 && !log.dir().is_offline(), "{skip}");
        assert_eq!(batches(&log, 0), acked);
        disk.mem.crash();
        disk.recovery_point = log.recovery_point();
        assert_eq!(batches(&disk.open(), 0), acked, "{skip}");
    }
}

#[test]
fn a_log_opens_on_a_full_disk() {
    let size = batch(2, 0).size();
    let mut disk = Disk::with(|config| config.segment_bytes = (2 * size) as i32);
    let log = disk.create();
    for _ in 0..7 {
        append(&log, &batch(2, 0));
    }
    disk.faulty.add(Rule::next(Op::Write, usize::MAX, Fault::NoSpace));
    let log = disk.open();
    assert_eq!(batches(&log, 0).len(), 7);
    assert!(matches!(refused(&log), AppendError::NoSpace { .. }));
    disk.faulty.heal();
    append(&log, &batch(2, 0));
    disk.recovery_point = log.recovery_point();
    assert_eq!(batches(&disk.open(), 0).len(), 8);
}

#[test]
fn a_failed_write_takes_the_directory_offline() {
    let disk = Disk::new();
    let log = disk.create();
    append(&log, &batch(2, 0));
    disk.faulty.add(Rule::next(Op::Write, 1, Fault::Io));
    assert!(matches!(refused(&log), AppendError::Write { .. }));
    assert!(matches!(refused(&log), AppendError::Unwritable(Unwritable::DirOffline { .. })));
    assert!(log.failure().is_some());
    // What is there can still be read.
    assert_eq!(batches(&log, 0), [0]);
}

#[test]
fn a_partial_write_that_cannot_be_cut_off_takes_the_directory_offline() {
    let disk = Disk::new();
    let log = disk.create();
    append(&log, &batch(2, 0));
    disk.faulty.add(Rule::next(Op::Write, 1, Fault::ShortWriteThenNoSpace(30)));
    disk.faulty.add(Rule::next(Op::SetLen, 1, Fault::Io));
    assert!(matches!(refused(&log), AppendError::NoSpace { .. }));
    assert!(log.dir().is_offline());
    disk.faulty.heal();
    let (log, recovery) = disk.try_open().unwrap();
    assert_eq!((log.log_end_offset(), recovery.bytes_cut), (2, 30));
}

#[test]
fn every_sync_of_a_history_may_fail_and_no_ack_is_lost() {
    let size = batch(2, 0).size();
    for op in [Op::SyncData, Op::SyncDir] {
        for skip in 0..30 {
            let disk = Disk::with(|config| config.segment_bytes = (2 * size) as i32);
            let log = disk.create();
            disk.faulty.add(Rule { skip, ..Rule::next(op, 1, Fault::Io) });
            let mut acked = Vec::new();
            for _ in 0..8 {
                let Ok(appended) = log.append_as_leader(&batch(2, 0), 0, RequiredAcks::All, 0)
                else {
                    break;
                };
                if log.flush().is_ok() {
                    acked.push(appended.base_offset);
                }
            }
            disk.faulty.heal();
            disk.mem.crash();
            if !acked.is_empty() {
                let found = batches(&disk.open(), 0);
                assert!(found.starts_with(&acked), "{op:?} {skip}: {found:?} {acked:?}");
            }
        }
    }
}

#[test]
fn a_failed_read_names_the_file_and_fails_nothing_else() {
    let disk = Disk::new();
    let log = disk.create();
    for _ in 0..3 {
        append(&log, &batch(2, 0));
    }
    disk.faulty.add(Rule::next(Op::Read, 1, Fault::Io));
    let error = log.read(0, 1000, i64::MAX, true).unwrap_err();
    assert!(error.to_string().contains("00000000000000000000.log"), "{error}");
    assert!(log.failure().is_none());
    assert_eq!(batches(&log, 0), [0, 2, 4]);
}

#[test]
fn a_panic_under_the_lock_fails_the_log() {
    let disk = Disk::new();
    let log = disk.create();
    append(&log, &batch(2, 0));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _writer = log.lock_writer();
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    assert!(matches!(refused(&log), AppendError::Unwritable(Unwritable::LogFailed { .. })));
    assert_eq!(batches(&log, 0), [0]);
    assert!(!log.dir().is_offline());
}
