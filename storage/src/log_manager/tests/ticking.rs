//! Regular work: what it costs, and that it is done.

use std::sync::atomic::AtomicI64;
use std::time::Duration;

use super::*;
use crate::fs::Op;

const OPS: [Op; 8] =
    [Op::Open, Op::Write, Op::Read, Op::SyncData, Op::SyncDir, Op::SetLen, Op::Rename, Op::Remove];

fn accesses(machine: &Machine) -> Vec<usize> {
    OPS.iter().map(|op| machine.faulty.count(*op)).collect()
}

#[test]
fn idle_logs_cost_no_disk_access() {
    let machine = Machine::new(&["/a", "/b"]);
    let (manager, _) = machine.start();
    for number in 0..10 {
        append_durably(&create(&manager, number), 1);
    }
    for number in 10..200 {
        create(&manager, number);
    }
    // Everything is due for the first time, and written.
    manager.tick(0);
    manager.tick(400_000);
    let before = accesses(&machine);
    for round in 2..20 {
        manager.tick(round * 400_000);
    }
    assert_eq!(accesses(&machine), before);
}

#[test]
fn retention_and_checkpoints_come_in_their_time() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    let config = LogConfig { retention_bytes: 0, ..LogConfig::default() };
    let log = manager.get_or_create(&partition(0), topic_id(1), config, Placement::Any).unwrap();
    append_durably(&log, 5);
    manager.tick(0);
    assert!(!machine.names("/a").contains(&"recovery-point-offset-checkpoint".to_owned()));
    manager.tick(60_000);
    assert!(machine.names("/a").contains(&"recovery-point-offset-checkpoint".to_owned()));
    assert_eq!(log.log_start_offset(), 0);
    manager.tick(300_000);
    assert_eq!(log.log_start_offset(), 5);
}

/// Expiry goes by the timestamps of records. A producer that writes old ones must be known when it
/// sends a batch again, so the check comes as rarely as Kafka's.
#[test]
fn producers_of_old_records_are_known_until_the_check_is_due() {
    const TODAY: i64 = 1_000 * 86_400_000;
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    let log = create(&manager, 0);
    let mut builder = BatchBuilder::new().producer(5, 0, 0);
    builder.append(7, None, Some(b"of long ago"), &[]).unwrap();
    let old = ValidatedBatch::internal(&builder.build().unwrap()).unwrap();
    log.append_as_leader(&old, 0, RequiredAcks::Leader, TODAY).unwrap();
    manager.tick(TODAY);
    manager.tick(TODAY + 599_999);
    assert!(log.append_as_leader(&old, 0, RequiredAcks::Leader, TODAY).unwrap().duplicate);
    manager.tick(TODAY + 600_000);
    assert!(log.active_producers().is_empty());
}

#[test]
fn what_no_topic_knows_of_is_let_alone_by_retention() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    append_durably(&create(&manager, 0), 5);
    assert!(manager.close(EPOCH));
    drop(manager);
    let mut machine = machine;
    machine.config.default_log_config = LogConfig { retention_bytes: 0, ..LogConfig::default() };
    let (manager, _) = machine.start();
    let log = manager.get(&partition(0)).unwrap();
    manager.tick(0);
    manager.tick(300_000);
    assert_eq!(log.log_start_offset(), 0);
    // Its topic is known after all.
    let config = machine.config.default_log_config.clone();
    manager.get_or_create(&partition(0), topic_id(1), config, Placement::Any).unwrap();
    manager.tick(600_000);
    assert_eq!(log.log_start_offset(), 5);
}

#[test]
fn the_managers_own_thread_ticks_and_ends_with_it() {
    let machine = Machine::new(&["/a", "/b"]);
    let (manager, _) = machine.start();
    let now_ms = Arc::new(AtomicI64::new(0));
    let clock = {
        let now_ms = Arc::clone(&now_ms);
        move || now_ms.fetch_add(1, Ordering::Relaxed)
    };
    let (reported, reports) = mpsc::channel();
    let on_report = move |report| {
        // The test has gone on when nobody listens any more.
        let _ = reported.send(report);
    };
    manager.start_ticking(clock, on_report).unwrap();
    manager.dirs[1].log_dir().take_offline("broken");
    let report = reports.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(report.newly_offline, [("/b".into(), "broken".to_owned())]);
    // Closing joins the thread, which gives its end of the channel up.
    manager.close(EPOCH);
    assert!(reports.recv().is_err());
}

#[test]
fn a_manager_that_is_dropped_ends_its_thread() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    let (reported, reports) = mpsc::channel::<()>();
    let on_report = move |_| {
        let _ = reported.send(());
    };
    manager.start_ticking(|| 0, on_report).unwrap();
    drop(manager);
    assert!(reports.recv().is_err());
}

#[test]
fn a_checkpoint_syncs_what_a_recovery_would_have_to_walk_far_in() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    let (small, large) = (create(&manager, 0), create(&manager, 1));
    append(&small, 3);
    for _ in 0..4 {
        append(&large, 30_000);
    }
    manager.checkpoint_logs();
    // The small one is left to a recovery.
    assert_eq!((small.recovery_point(), large.recovery_point()), (0, 120_000));
    drop((small, large));
    machine.crash(manager);
    let (manager, report) = machine.start();
    assert!(report.failed.is_empty());
    assert_eq!(manager.get(&partition(1)).unwrap().log_end_offset(), 120_000);
}
