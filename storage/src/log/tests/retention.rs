//! What retention deletes, and what it lets alone.

use parking_lot::Mutex;

use super::*;
use crate::log::locks::FreeLocks;

/// A log whose segments hold one batch each.
fn log_of(disk: &Disk, timestamps: &[i64]) -> Arc<Log> {
    let log = disk.create();
    for timestamp in timestamps {
        append(&log, &batch(1, *timestamp));
        log.roll().unwrap();
    }
    log
}

fn disk(retention_ms: i64, retention_bytes: i64) -> Disk {
    Disk::with(|config| {
        config.retention_ms = retention_ms;
        config.retention_bytes = retention_bytes;
    })
}

#[test]
fn an_append_after_the_judgement_keeps_the_active_segment() {
    let disk = disk(1_000, -1);
    let log = disk.create();
    append(&log, &batch(2, 0));
    let judged = log.deletable(&log.config(), 10_000).unwrap();
    append(&log, &batch(1, 9_999));
    assert_eq!(log.delete(&judged, 10_000, 0).unwrap(), 0);
    assert_eq!(batches(&log, 0), [0, 2]);
    // Judged anew it stays too: its newest record is not old.
    assert_eq!(log.delete_old_segments(10_000).unwrap(), 0);
    assert_eq!(log.delete_old_segments(11_000).unwrap(), 1);
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (3, 3));
}

#[test]
fn records_of_the_future_keep_their_segment_and_all_behind_it() {
    let disk = disk(1_000, -1);
    let log = log_of(&disk, &[0, 1_000_000, 10]);
    assert_eq!(log.delete_old_segments(10_000).unwrap(), 1);
    assert_eq!(log.delete_old_segments(500_000).unwrap(), 0);
    assert_eq!(log.log_start_offset(), 1);
    // The clock jumps to and fro: nothing overflows.
    assert_eq!(log.delete_old_segments(i64::MIN).unwrap(), 0);
    assert_eq!(log.delete_old_segments(i64::MAX).unwrap(), 2);
    assert_eq!(log.log_start_offset(), 3);
}

#[test]
fn a_log_of_just_its_size_is_kept() {
    let disk = disk(-1, -1);
    let log = log_of(&disk, &[0, 1, 2]);
    let of_one = log.size() / 3;
    let with = |bytes: u64| {
        let retention_bytes = i64::try_from(bytes).unwrap();
        log.update_config(LogConfig { retention_bytes, ..LogConfig::clone(&log.config()) });
        log.delete_old_segments(i64::MAX).unwrap()
    };
    assert_eq!(with(3 * of_one), 0);
    // A segment goes only if that leaves enough, as in Kafka.
    assert_eq!(with(2 * of_one + 1), 0);
    assert_eq!(with(2 * of_one), 1);
    assert_eq!(with(0), 2);
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (3, 3));
}

#[test]
fn only_a_policy_of_deletion_deletes_by_age_and_size() {
    let disk = Disk::with(|config| {
        config.retention_ms = 0;
        config.retention_bytes = 0;
        config.cleanup_policy.delete = false;
    });
    let log = log_of(&disk, &[0, 1, 2]);
    assert_eq!(log.delete_old_segments(i64::MAX).unwrap(), 0);
    log.delete_records_before(2).unwrap();
    assert_eq!(log.delete_old_segments(i64::MAX).unwrap(), 2);
}

#[test]
fn an_idle_active_segment_goes_when_it_is_old() {
    let disk = disk(1_000, -1);
    let log = disk.create();
    append(&log, &batch(1, 0));
    log.flush().unwrap();
    assert_eq!(log.delete_old_segments(1_000).unwrap(), 0);
    assert_eq!(log.delete_old_segments(1_001).unwrap(), 1);
    assert_eq!(log.segment_offsets(), [1]);
    // The empty one that took its place stays.
    assert_eq!(log.delete_old_segments(i64::MAX).unwrap(), 0);
    log.tick(i64::MAX);
    assert!(!disk.names().iter().any(|name| name.ends_with(".deleted")));
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (1, 1));
}

/// All segments go; what is known of their producer is made durable, and the log takes an append at
/// each of the syncs.
#[test]
fn appends_go_on_while_retention_syncs() {
    let disk = disk(1_000, -1);
    let log = disk.create();
    append(&log, &idempotent(7, 0, 2));
    log.roll().unwrap();
    append(&log, &idempotent(7, 2, 2));
    log.flush().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let watched = (Arc::downgrade(&log), Arc::clone(&seen));
    disk.faulty.at_each_sync(move || {
        let (log, seen) = (watched.0.upgrade().unwrap(), &watched.1);
        let free = log.free_locks();
        seen.lock().push(free);
        if free >= FreeLocks::AllButSync {
            append(&log, &batch(1, 1_000_000));
        }
    });
    assert_eq!(log.delete_old_segments(500_000).unwrap(), 2);
    disk.faulty.at_each_sync(|| {});
    let seen = seen.lock().clone();
    assert!(seen.len() >= 3 && seen.iter().all(|free| *free >= FreeLocks::AllButSync), "{seen:?}");
    let end = 4 + seen.len() as i64;
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (4, end));
    assert_eq!(batches(&log, 4), (4..end).collect::<Vec<_>>());

    // After a loss of power the producer is known, though the segments are gone; so may be the
    // appends, of which nobody was told.
    drop(log);
    disk.mem.sync_dir(Disk::path()).unwrap();
    disk.mem.crash();
    let log = disk.open();
    assert_eq!((log.log_start_offset(), log.active_producers().len()), (4, 1));
    assert_eq!(log.active_producers()[0].last_sequence(), 3);
}
