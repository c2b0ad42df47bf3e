//! A clock that is set back, or far ahead.

use super::*;

const DAY_MS: i64 = 86_400_000;
const NOW: i64 = 20_000 * DAY_MS;

fn of_time(timestamp: i64, producer: Option<i64>) -> ValidatedBatch {
    let mut builder = BatchBuilder::new();
    if let Some(producer) = producer {
        builder = builder.producer(producer, 0, 0);
    }
    builder.append(timestamp, None, Some(b"value"), &[]).unwrap();
    ValidatedBatch::internal(&builder.build().unwrap()).unwrap()
}

fn kept_a_day(manager: &LogManager) -> Arc<Log> {
    let config = LogConfig { retention_ms: DAY_MS, flush_ms: 1_000, ..LogConfig::default() };
    manager.get_or_create(&partition(0), topic_id(1), config, Placement::Any).unwrap()
}

/// As in Kafka, where retention compares the records' times with the clock: ahead of time it deletes
/// what is old by the clock, and a clock that is set back deletes nothing.
#[test]
fn retention_deletes_nothing_because_the_clock_is_set_back() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    let log = kept_a_day(&manager);
    log.append_as_leader(&of_time(NOW, None), 0, RequiredAcks::Leader, NOW).unwrap();
    log.flush().unwrap();
    for now_ms in [NOW, NOW - 10_000 * DAY_MS, 0, NOW + DAY_MS / 2] {
        manager.tick(now_ms);
        assert_eq!(log.log_start_offset(), 0, "at {now_ms}");
    }
    // What was written while the clock was behind is old when it is right again, and not before.
    manager.tick(NOW + 2 * DAY_MS);
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (1, 1));
}

#[test]
fn a_deleted_partition_is_removed_after_its_delay_though_the_clock_is_set_back() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    append(&create(&manager, 0), 3);
    manager.delete(&partition(0), NOW).unwrap();
    let is_there = || machine.names("/a").iter().any(|name| name.ends_with("-delete"));
    manager.tick(NOW - 300 * DAY_MS);
    manager.tick(NOW - 300 * DAY_MS + 59_999);
    assert!(is_there());
    manager.tick(NOW - 300 * DAY_MS + 60_000);
    assert!(!is_there());
}

#[test]
fn deleted_segments_are_removed_after_their_delay_though_the_clock_is_set_back() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    let log = kept_a_day(&manager);
    log.append_as_leader(&of_time(NOW, None), 0, RequiredAcks::Leader, NOW).unwrap();
    log.flush().unwrap();
    assert_eq!(log.delete_old_segments(NOW + 2 * DAY_MS).unwrap(), 1);
    let deleted =
        || machine.names("/a/orders-0").iter().filter(|name| name.ends_with(".deleted")).count();
    manager.tick(NOW);
    manager.tick(NOW + 59_999);
    assert!(deleted() > 0);
    manager.tick(NOW + 60_000);
    assert_eq!(deleted(), 0);
}

#[test]
fn a_producer_is_forgotten_only_when_its_last_record_is_old() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    let log = kept_a_day(&manager);
    let of_producer = of_time(NOW, Some(5));
    log.append_as_leader(&of_producer, 0, RequiredAcks::Leader, NOW).unwrap();
    for now_ms in [NOW, NOW - DAY_MS, 0, 700_000, NOW + DAY_MS - 1] {
        manager.tick(now_ms);
        assert_eq!(log.active_producers().len(), 1, "at {now_ms}");
    }
    manager.tick(NOW + 2 * DAY_MS);
    assert!(log.active_producers().is_empty());
}

#[test]
fn records_are_synced_after_flush_ms_though_the_clock_is_set_back() {
    let mut machine = Machine::new(&["/a"]);
    machine.config.sync_threads_per_data_dir = 0;
    let (manager, _) = machine.start();
    let log = kept_a_day(&manager);
    log.append_as_leader(&of_time(NOW, None), 0, RequiredAcks::Leader, NOW).unwrap();
    manager.tick(NOW + 999);
    log.sync_queue().run_pending();
    assert_eq!(log.durable_end(), 0);
    manager.tick(NOW - 300 * DAY_MS);
    log.sync_queue().run_pending();
    assert_eq!(log.durable_end(), 1);
}
