//! What waits for a sync, what readers see before it, and what a power cut leaves.

use std::sync::mpsc;

use super::*;
use crate::fs::{Fault, Op, Rule};
use crate::log::durable::{Durable, NotDurable};
use crate::log::sync_queue::SyncThreads;

type Answer = Result<i64, NotDurable>;

fn wait_for(log: &Arc<Log>, end: i64) -> mpsc::Receiver<Answer> {
    let (sender, receiver) = mpsc::channel();
    log.when_durable(
        end,
        Box::new(move |answer| sender.send(answer.map(|durable| durable.end())).unwrap()),
    );
    receiver
}

#[test]
fn readers_see_an_acks_all_batch_after_its_sync() {
    let log = Disk::new().create();
    append(&log, &batch(2, 0));
    assert_eq!(log.visible_end(), 2);
    append_all(&log, &batch(2, 0));
    append(&log, &batch(2, 0));
    append_all(&log, &batch(2, 0));
    assert_eq!((log.visible_end(), log.log_end_offset(), log.durable_end()), (2, 8, 0));
    assert_eq!(batches(&log, 0), [0]);

    let told = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&told);
    log.set_on_visible(Arc::new(move |partition| hears.lock().push(partition.to_string())));
    let first = wait_for(&log, 4);
    let second = wait_for(&log, 8);
    assert!(first.try_recv().is_err());
    log.context.sync_queue.run_pending();
    assert_eq!((first.try_recv(), second.try_recv()), (Ok(Ok(8)), Ok(Ok(8))));
    assert_eq!((log.visible_end(), log.durable_end()), (8, 8));
    assert_eq!(*told.lock(), ["topic-0"]);
    // What is durable is answered at once.
    assert_eq!(wait_for(&log, 8).try_recv(), Ok(Ok(8)));
}

#[test]
fn what_comes_during_a_sync_waits_for_the_next() {
    let log = Disk::new().create();
    append_all(&log, &batch(2, 0));
    let plan = log.lock_writer().plan_sync();
    append_all(&log, &batch(2, 0));
    assert_eq!(log.visible_end(), 0);
    log.sync_files(&plan).unwrap();
    log.publish_durable(plan).call(&log);
    assert_eq!((log.durable_end(), log.visible_end(), log.log_end_offset()), (2, 2, 4));
    log.flush().unwrap();
    assert_eq!((log.durable_end(), log.visible_end()), (4, 4));
}

#[test]
fn a_duplicate_waits_for_the_original() {
    let log = Disk::new().create();
    append_all(&log, &idempotent(3, 0, 2));
    let again = append_all(&log, &idempotent(3, 0, 2));
    assert!(again.duplicate);
    let answer = wait_for(&log, again.last_offset + 1);
    assert!(answer.try_recv().is_err());
    log.context.sync_queue.run_pending();
    assert_eq!(answer.try_recv(), Ok(Ok(2)));
}

#[test]
fn an_ack_covers_every_earlier_byte_across_segments() {
    let size = batch(2, 0).size();
    let mut disk = Disk::with(|config| config.segment_bytes = (2 * size) as i32);
    let log = disk.create();
    for _ in 0..6 {
        append(&log, &batch(2, 0));
    }
    append_all(&log, &batch(2, 0));
    let ack = wait_for(&log, 14);
    append(&log, &batch(2, 0));
    log.context.sync_queue.run_pending();
    assert_eq!(ack.try_recv(), Ok(Ok(16)));
    append(&log, &batch(2, 0));

    disk.mem.crash();
    disk.recovery_point = log.recovery_point();
    assert_eq!(disk.recovery_point, 16);
    let log = disk.open();
    assert_eq!(batches(&log, 0), [0, 2, 4, 6, 8, 10, 12, 14]);
}

#[test]
fn the_first_ack_makes_the_names_durable_too() {
    let disk = Disk::new();
    let log = disk.create();
    append(&log, &batch(2, 0));
    disk.mem.crash();
    assert!(!disk.mem.exists(Disk::path()).unwrap());

    let log = disk.create();
    append_all(&log, &batch(2, 0));
    log.flush().unwrap();
    disk.mem.crash();
    assert_eq!(batches(&disk.open(), 0), [0]);
}

#[test]
fn flush_messages_syncs_inside_the_append() {
    let disk = Disk::with(|config| config.flush_messages = 3);
    let log = disk.create();
    append(&log, &batch(2, 0));
    assert_eq!(log.durable_end(), 0);
    append(&log, &batch(1, 0));
    assert_eq!(log.durable_end(), 3);
}

#[test]
fn flush_ms_syncs_at_the_tick() {
    let disk = Disk::with(|config| config.flush_ms = 50);
    let log = disk.create();
    log.append_as_leader(&batch(1, 0), 0, RequiredAcks::Leader, 1000).unwrap();
    log.tick(1049);
    log.context.sync_queue.run_pending();
    assert_eq!(log.durable_end(), 0);
    log.tick(1050);
    log.context.sync_queue.run_pending();
    assert_eq!(log.durable_end(), 1);
}

#[test]
fn a_failed_sync_is_final_and_tells_all_who_wait() {
    let disk = Disk::new();
    let log = disk.create();
    append_all(&log, &batch(2, 0));
    disk.faulty.add(Rule::next(Op::SyncData, 1, Fault::Io));
    let waits = wait_for(&log, 2);
    log.context.sync_queue.run_pending();
    let answer = waits.try_recv().unwrap();
    assert!(matches!(answer, Err(NotDurable::Unwritable(Unwritable::DirOffline { .. }))));
    assert_eq!((log.durable_end(), log.visible_end()), (0, 0));
    assert!(log.dir().offline_reason().unwrap().contains("00000000000000000000.log"));

    // Never again, though the disk would say yes now.
    let syncs = disk.faulty.count(Op::SyncData);
    assert!(wait_for(&log, 2).try_recv().unwrap().is_err());
    assert!(log.flush().is_err());
    assert!(log.close().is_err());
    assert_eq!(disk.faulty.count(Op::SyncData), syncs);
    let refused = log.append_as_leader(&batch(1, 0), 0, RequiredAcks::None, 0);
    assert!(matches!(refused, Err(AppendError::Unwritable(_))));
}

#[test]
fn a_sync_of_a_directory_that_fails_is_final_too() {
    let disk = Disk::new();
    let log = disk.create();
    append_all(&log, &batch(2, 0));
    disk.faulty.add(Rule::next(Op::SyncDir, 1, Fault::Io));
    assert!(log.flush().is_err());
    assert!(log.dir().is_offline());
    assert_eq!(log.visible_end(), 0);
}

#[test]
fn those_who_wait_are_told_of_a_truncation_and_a_deletion() {
    let log = Disk::new().create();
    append_all(&log, &batch(2, 0));
    append_all(&log, &batch(2, 0));
    let (kept, cut) = (wait_for(&log, 2), wait_for(&log, 4));
    log.truncate_to(2).unwrap();
    assert_eq!(cut.try_recv(), Ok(Err(NotDurable::Truncated(2))));
    assert!(kept.try_recv().is_err());
    log.mark_deleted();
    assert!(kept.try_recv().unwrap().is_err());
}

#[test]
fn a_full_disk_at_the_indexes_holds_back_the_recovery_point_only() {
    let size = batch(2, 0).size();
    let disk = Disk::with(|config| config.segment_bytes = (2 * size) as i32);
    let log = disk.create();
    for _ in 0..3 {
        append_all(&log, &batch(2, 0));
    }
    let rule = Rule::next(Op::Write, 1, Fault::NoSpace);
    disk.faulty.add(Rule { path_contains: ".timeindex".to_owned(), ..rule });
    log.flush().unwrap();
    assert_eq!((log.durable_end(), log.recovery_point()), (6, 0));
    log.flush().unwrap();
    assert_eq!(log.recovery_point(), 6);
}

#[test]
fn threads_share_one_sync_between_many_appends() {
    const APPENDS: i64 = 200;
    let disk = Disk::new();
    let log = disk.create();
    let threads = SyncThreads::start(&log.context.sync_queue, 2).unwrap();
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..APPENDS / 4 {
                    let appended = append_all(&log, &batch(1, 0));
                    let (end, sender) = (appended.last_offset + 1, sender.clone());
                    let done = move |answer: Result<Durable, _>| {
                        sender.send(answer.unwrap().end() >= end).unwrap();
                    };
                    log.when_durable(end, Box::new(done));
                }
            });
        }
    });
    for _ in 0..APPENDS {
        assert!(receiver.recv().unwrap());
    }
    drop(threads);
    assert_eq!((log.durable_end(), log.visible_end()), (APPENDS, APPENDS));
    assert!(disk.faulty.count(Op::SyncData) <= APPENDS as usize);
}
