//! Append, read, roll, timestamps, retention, truncation.

use super::*;
use crate::log::read::ReadError;
use crate::log::timestamps::FoundOffset;

#[test]
fn a_new_log_is_empty_and_has_no_files() {
    let disk = Disk::new();
    let log = disk.create();
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.visible_end()), (0, 0, 0));
    assert!(log.read(0, 100, i64::MAX, true).unwrap().is_empty());
    assert!(matches!(
        log.read(1, 100, i64::MAX, true).unwrap_err(),
        ReadError::OffsetOutOfRange { offset: 1, log_start_offset: 0, log_end_offset: 0 }
    ));
    assert_eq!(log.offset_for_timestamp(0).unwrap(), None);
    assert_eq!(log.max_timestamp_offset().unwrap(), None);
    log.tick(0);
    log.close().unwrap();
    assert!(!disk.mem.exists(Disk::path()).unwrap());
}

#[test]
fn what_is_appended_is_read_with_its_offsets_and_epoch() {
    let disk = Disk::new();
    let log = disk.create();
    for number in 0..10 {
        let appended = log.append_as_leader(&batch(3, number), 5, RequiredAcks::Leader, 0).unwrap();
        assert_eq!((appended.base_offset, appended.last_offset), (number * 3, number * 3 + 2));
        assert_eq!((appended.log_append_time_ms, appended.duplicate), (-1, false));
    }
    for offset in 0..30 {
        let first = offset / 3 * 3;
        let expected: Vec<i64> = (first..30).step_by(3).collect();
        assert_eq!(batches(&log, offset), expected);
    }
    let all = split_batches(read(&log, 0)).map(Result::unwrap);
    assert!(all.into_iter().all(|batch| batch.header().partition_leader_epoch == 5));
    assert_eq!(log.end_offset_for_epoch(5).end_offset, 30);
    assert_eq!(log.epoch_for_offset(29), Some(5));
}

#[test]
fn a_read_keeps_to_its_limits() {
    let disk = Disk::new();
    let log = disk.create();
    let size = batch(2, 0).size();
    for _ in 0..10 {
        append(&log, &batch(2, 0));
    }
    let read = |offset, max, bound, one| log.read(offset, max, bound, one).unwrap().len();
    assert_eq!(read(0, usize::MAX, i64::MAX, false), 10 * size);
    assert_eq!(read(4, 3 * size, i64::MAX, false), 3 * size);
    // The last batch may be cut, as in Kafka, but the first one never is.
    assert_eq!(read(4, 3 * size - 1, i64::MAX, false), 3 * size - 1);
    assert_eq!(read(4, size - 1, i64::MAX, true), size);
    assert_eq!(read(4, size - 1, i64::MAX, false), 0);
    assert_eq!(read(18, size - 1, i64::MAX, true), size);
    assert_eq!(read(4, 0, i64::MAX, true), size);
    // Upper bounds: nothing at or after them.
    assert_eq!(read(4, usize::MAX, 8, false), 2 * size);
    assert_eq!(read(5, usize::MAX, 6, false), size);
    assert_eq!(read(8, usize::MAX, 8, true), 0);
    assert_eq!(read(18, usize::MAX, 18, true), 0);
    assert_eq!(read(16, usize::MAX, 18, true), size);
    assert_eq!(read(20, usize::MAX, i64::MAX, true), 0);
}

#[test]
fn segments_roll_by_size_and_reads_go_across_them() {
    let size = batch(2, 0).size();
    let disk = Disk::with(|config| config.segment_bytes = (3 * size) as i32);
    let log = disk.create();
    for _ in 0..10 {
        append(&log, &batch(2, 0));
    }
    assert_eq!(log.segment_offsets(), [0, 6, 12, 18]);
    assert_eq!(log.size(), 10 * size as u64);
    for offset in 0..20 {
        assert_eq!(batches(&log, offset).len(), 10 - offset as usize / 2);
    }
    let slices = log.read(4, 2 * size, i64::MAX, false).unwrap();
    assert_eq!(slices.regions.len(), 2);
    assert_eq!(log.read(4, usize::MAX, 14, true).unwrap().len(), 5 * size);
    assert_eq!(log.read(4, usize::MAX, 6, true).unwrap().len(), size);

    log.context.sync_queue.run_pending();
    for offset in 0..20 {
        assert_eq!(batches(&log, offset).len(), 10 - offset as usize / 2);
    }
    let expected =
        ["000.index", "000.log", "000.timeindex", "006.index", "006.log", "006.snapshot"];
    let names = disk.names();
    for (name, end) in names.iter().zip(expected) {
        assert!(name.ends_with(end), "{names:?}");
    }
    assert!(names.contains(&"leader-epoch-checkpoint".to_owned()));
}

#[test]
fn segments_roll_by_the_time_of_their_records() {
    let disk = Disk::with(|config| config.segment_ms = 100);
    let log = disk.create();
    append(&log, &batch(1, 1000));
    append(&log, &batch(1, 1100));
    append(&log, &batch(1, 500));
    assert_eq!(log.segment_offsets(), [0]);
    append(&log, &batch(1, 1101));
    assert_eq!(log.segment_offsets(), [0, 3]);
    // Without timestamps the clock counts.
    let log = Disk::with(|config| config.segment_ms = 100).create();
    for (now_ms, segments) in [(0, 1), (100, 1), (101, 2)] {
        log.append_as_leader(&batch(1, -1), 0, RequiredAcks::None, now_ms).unwrap();
        assert_eq!(log.segment_count(), segments);
    }
}

#[test]
fn segments_roll_when_an_index_is_full() {
    let disk = Disk::with(|config| {
        config.index_interval_bytes = 0;
        config.segment_index_bytes = 24;
    });
    let log = disk.create();
    for at in 0..7 {
        append(&log, &batch(1, at));
    }
    // The first batch has no entry; two entries are all that 24 bytes of time index hold.
    assert_eq!(log.segment_offsets(), [0, 3, 6]);
}

#[test]
fn jitter_rolls_earlier_and_always_at_the_same_time() {
    let log = Disk::with(|config| {
        config.segment_ms = 1000;
        config.segment_jitter_ms = 500;
    })
    .create();
    let config = log.config();
    let jitter = log.jitter_ms(0, &config);
    assert!((0..500).contains(&jitter));
    assert_eq!(jitter, log.jitter_ms(0, &config));
    assert!((1..20).any(|base| log.jitter_ms(base, &config) != jitter));
}

#[test]
fn too_large_batches_are_refused() {
    let size = batch(1, 0).size();
    let log = Disk::with(|config| config.max_message_bytes = size as i32 - 1).create();
    let refused = log.append_as_leader(&batch(1, 0), 0, RequiredAcks::None, 0).unwrap_err();
    assert!(matches!(refused, AppendError::BatchTooLarge { .. }));
    let log = Disk::with(|config| config.segment_bytes = size as i32 - 1).create();
    let refused = log.append_as_leader(&batch(1, 0), 0, RequiredAcks::None, 0).unwrap_err();
    assert!(matches!(refused, AppendError::BatchLargerThanSegment { .. }));
    assert_eq!(log.log_end_offset(), 0);
}

#[test]
fn a_producer_may_repeat_but_not_skip() {
    let mut disk = Disk::new();
    let log = disk.create();
    append(&log, &idempotent(9, 0, 2));
    let second = append(&log, &idempotent(9, 2, 3));
    let again = append(&log, &idempotent(9, 2, 3));
    assert!(again.duplicate);
    assert_eq!((again.base_offset, again.last_offset), (second.base_offset, second.last_offset));
    assert_eq!(log.log_end_offset(), 5);
    let skipped = log.append_as_leader(&idempotent(9, 6, 1), 0, RequiredAcks::All, 0);
    assert!(matches!(skipped.unwrap_err(), AppendError::Producer(_)));

    // Both after a clean restart and after a crash.
    let log = disk.restart(log);
    assert!(append(&log, &idempotent(9, 2, 3)).duplicate);
    let log = disk.open();
    assert!(append(&log, &idempotent(9, 2, 3)).duplicate);
    assert_eq!(append(&log, &idempotent(9, 5, 1)).base_offset, 5);
    assert_eq!(log.active_producers().len(), 1);
}

#[test]
fn timestamps_are_found_to_the_record() {
    let size = batch(2, 0).size();
    let mut disk = Disk::with(|config| config.segment_bytes = (4 * size) as i32);
    let log = disk.create();
    // Records 0 to 19 with timestamps 100, 101, 110, 111, ... and one batch out of order.
    for number in 0..10 {
        append(&log, &batch(2, 100 + number * 10));
    }
    append(&log, &batch(2, 50));
    let check = |log: &Log| {
        for (timestamp, offset, found) in [
            (0, 0, 100),
            (100, 0, 100),
            (101, 1, 101),
            (102, 2, 110),
            (185, 18, 190),
            (191, 19, 191),
        ] {
            let wanted = FoundOffset { timestamp: found, offset, leader_epoch: 0 };
            assert_eq!(log.offset_for_timestamp(timestamp).unwrap(), Some(wanted));
        }
        assert_eq!(log.offset_for_timestamp(192).unwrap(), None);
        let max = FoundOffset { timestamp: 191, offset: 19, leader_epoch: 0 };
        assert_eq!(log.max_timestamp_offset().unwrap(), Some(max));
    };
    check(&log);
    log.context.sync_queue.run_pending();
    check(&log);
    let log = disk.restart(log);
    check(&log);
    check(&disk.open());

    assert_eq!(log.delete_records_before(19).unwrap(), 19);
    assert_eq!(log.offset_for_timestamp(0).unwrap().map(|found| found.offset), Some(19));
}

#[test]
fn retention_by_time_size_and_start() {
    let size = batch(2, 0).size() as i64;
    let disk = Disk::with(|config| {
        config.segment_bytes = (2 * size) as i32;
        config.retention_ms = 1000;
        config.file_delete_delay_ms = 60;
    });
    let log = disk.create();
    for number in 0..10 {
        append(&log, &batch(2, number * 100));
    }
    assert_eq!(log.segment_offsets(), [0, 4, 8, 12, 16]);
    // By time: the second segment's largest timestamp is 301.
    assert_eq!(log.delete_old_segments(1301).unwrap(), 1);
    assert_eq!(log.delete_old_segments(1302).unwrap(), 1);
    assert_eq!((log.log_start_offset(), log.segment_offsets()), (8, vec![8, 12, 16]));
    assert!(log.read(7, 100, i64::MAX, true).is_err());
    let deleted = |disk: &Disk| disk.names().iter().filter(|n| n.ends_with(".deleted")).count();
    assert!(deleted(&disk) > 0);
    log.tick(1301 + 60);
    log.tick(1302 + 60);
    assert_eq!(deleted(&disk), 0);
    assert_eq!(batches(&log, 8).len(), 6);

    // By size: as many as keep at least the limit.
    log.update_config(LogConfig {
        retention_bytes: 3 * size,
        retention_ms: -1,
        ..disk.config.clone()
    });
    assert_eq!(log.delete_old_segments(0).unwrap(), 1);
    assert_eq!(log.segment_offsets(), [12, 16]);

    // By start offset.
    log.update_config(LogConfig { retention_ms: -1, ..disk.config.clone() });
    assert_eq!(log.delete_records_before(15).unwrap(), 15);
    assert_eq!(log.delete_old_segments(0).unwrap(), 0);
    assert_eq!(log.delete_records_before(17).unwrap(), 17);
    assert_eq!(log.delete_records_before(3).unwrap(), 17);
    assert!(log.delete_records_before(21).is_err());
    assert_eq!(log.delete_old_segments(0).unwrap(), 1);
    assert_eq!((log.log_start_offset(), log.segment_offsets()), (17, vec![16]));
}

#[test]
fn retention_lets_a_sync_finish() {
    let size = batch(2, 0).size() as i32;
    let disk = Disk::with(|config| {
        config.segment_bytes = 2 * size;
        config.retention_ms = 1000;
    });
    let log = disk.create();
    for number in 0..6 {
        append(&log, &batch(2, number * 100));
    }
    let syncing = log.sync_lock.lock();
    let plan = log.lock_writer().plan_sync();
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| done.send(log.delete_old_segments(1400).unwrap()).unwrap());
        let early = is_done.recv_timeout(std::time::Duration::from_millis(200));
        log.sync_files(&plan).unwrap();
        log.publish_durable(plan).call(&log);
        drop(syncing);
        assert!(early.is_err(), "segments went while they were synced");
        assert_eq!(is_done.recv().unwrap(), 2);
    });
    let unsealed = log.lock_writer().unsealed.len();
    assert_eq!(unsealed, 0, "no index is written for what is deleted");
}

#[test]
fn offsets_go_on_after_retention_took_everything() {
    let mut disk = Disk::with(|config| config.retention_ms = 10);
    let log = disk.create();
    append(&log, &batch(5, 0));
    log.flush().unwrap();
    assert_eq!(log.delete_old_segments(1000).unwrap(), 1);
    assert_eq!((log.log_start_offset(), log.log_end_offset(), log.size()), (5, 5, 0));
    assert_eq!(log.delete_old_segments(1000).unwrap(), 0);
    // Even if nothing else was synced or checkpointed.
    disk.mem.crash();
    let log = disk.open();
    assert_eq!(log.log_end_offset(), 5);
    assert_eq!(log.delete_old_segments(1000).unwrap(), 1);
    assert_eq!(append(&log, &batch(1, 0)).base_offset, 5);
    let log = disk.restart(log);
    assert_eq!((log.log_start_offset(), batches(&log, 5)), (5, vec![5]));
}

#[test]
fn truncation_cuts_batches_producers_epochs_and_waiters() {
    let size = batch(2, 0).size();
    let mut disk = Disk::with(|config| config.segment_bytes = (2 * size) as i32);
    let log = disk.create();
    for number in 0..10_i32 {
        let batch = idempotent(1, number * 2, 2);
        log.append_as_leader(&batch, number / 3, RequiredAcks::Leader, 0).unwrap();
    }
    log.context.sync_queue.run_pending();
    assert!(!log.truncate_to(20).unwrap());
    assert!(log.truncate_to(11).unwrap());
    // Offset 11 lies in the batch 10..12, which goes whole.
    assert_eq!((log.log_end_offset(), log.visible_end(), log.durable_end()), (10, 10, 10));
    assert_eq!(batches(&log, 0), [0, 2, 4, 6, 8]);
    assert_eq!(log.latest_epoch().unwrap().epoch, 1);
    assert_eq!(log.active_producers()[0].last_sequence(), 9);
    assert_eq!(append(&log, &idempotent(1, 10, 2)).base_offset, 10);
    assert_eq!(batches(&log, 0), [0, 2, 4, 6, 8, 10]);
    assert_eq!(batches(&disk.open(), 0), [0, 2, 4, 6, 8, 10]);
    let log = disk.restart(log);
    assert_eq!(batches(&log, 0), [0, 2, 4, 6, 8, 10]);

    log.truncate_fully_and_start_at(100).unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (100, 100));
    assert_eq!(append(&log, &batch(1, 0)).base_offset, 100);
    disk.recovery_point = 0;
    let log = disk.open();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (100, 101));
    assert!(log.truncate_to(50).unwrap());
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (50, 50));
}

#[test]
fn explicit_roll_and_closed_log() {
    let log = Disk::new().create();
    assert_eq!(log.roll().unwrap(), 0);
    append(&log, &batch(1, 0));
    assert_eq!(log.roll().unwrap(), 1);
    assert_eq!(log.roll().unwrap(), 1);
    assert_eq!(log.segment_count(), 2);
    log.close().unwrap();
    log.close().unwrap();
    assert!(log.roll().is_err());
    assert_eq!(batches(&log, 0), [0]);
    assert!(matches!(
        log.append_as_leader(&batch(1, 0), 0, RequiredAcks::None, 0).unwrap_err(),
        AppendError::Unwritable(Unwritable::Closed(_))
    ));
}
