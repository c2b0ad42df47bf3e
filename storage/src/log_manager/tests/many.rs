//! Many logs in one directory: they are made durable together.

use super::*;
use crate::fs::{Fault, Op, Rule};

/// Enough logs to be synced together.
const MANY: i32 = SYNC_TOGETHER_LOGS_MIN as i32 + 8;

fn many(machine: &Machine) -> Arc<LogManager> {
    let (manager, _) = machine.start();
    for number in 0..MANY {
        let log = create(&manager, number);
        log.append_as_leader(&batch(2), number, RequiredAcks::Leader, 0).unwrap();
    }
    manager
}

fn syncs(machine: &Machine) -> [usize; 3] {
    [Op::SyncData, Op::SyncDir, Op::SyncAll].map(|op| machine.faulty.count(op))
}

#[test]
fn many_logs_are_stopped_with_one_sync_and_are_all_there() {
    let machine = Machine::new(&["/a"]);
    let manager = many(&machine);
    let before = syncs(&machine);
    let waiting = create(&manager, 0);
    let (done, durable) = mpsc::channel();
    waiting.when_durable(2, Box::new(move |result| done.send(result.is_ok()).unwrap()));
    assert!(manager.close(EPOCH));
    assert!(durable.recv().unwrap());
    let after = syncs(&machine);
    assert_eq!(after[2] - before[2], 1);
    assert!(after[0] - before[0] < 10 && after[1] - before[1] < 10, "{before:?} {after:?}");
    machine.crash(manager);

    let (manager, report) = machine.start();
    assert_eq!((report.logs, report.recovered_dirs.len()), (MANY as usize, 0));
    for number in 0..MANY {
        let log = manager.get(&partition(number)).unwrap();
        assert_eq!((log.log_end_offset(), log.recovery_point()), (2, 2));
        assert_eq!(log.latest_epoch().unwrap().epoch, number);
    }
}

#[test]
fn many_logs_are_recovered_with_one_sync() {
    let machine = Machine::new(&["/a"]);
    drop(many(&machine));
    let before = syncs(&machine);
    let (manager, report) = machine.start();
    assert_eq!((report.logs, report.recovered_dirs.len()), (MANY as usize, 1));
    let after = syncs(&machine);
    assert_eq!(after[2] - before[2], 1);
    assert!(after[0] - before[0] < 10 && after[1] - before[1] < 10, "{before:?} {after:?}");
    // Readers see it, so it must be durable, and whose it is too.
    machine.crash(manager);
    let (manager, _) = machine.start();
    for number in 0..MANY {
        assert_eq!(manager.get(&partition(number)).unwrap().log_end_offset(), 2);
        assert_eq!(manager.topic_id(&partition(number)), Some(topic_id(1)));
    }
}

/// Making and removing files is what file systems are slow at: a stop overwrites what is there.
#[test]
fn a_stop_after_a_recovery_makes_and_removes_no_files() {
    let machine = Machine::new(&["/a"]);
    assert!(many(&machine).close(EPOCH));
    drop(many(&machine));
    let (manager, _) = machine.start();
    for number in 0..MANY {
        // After an unclean stop each partition gets a new one.
        create(&manager, number).begin_leader_epoch(MANY + number);
    }
    let folders = || (0..MANY).map(|number| machine.names(&format!("/a/orders-{number}")));
    let before: Vec<_> = folders().collect();
    let counted = || [Op::Rename, Op::Remove].map(|op| machine.faulty.count(op));
    let counts = counted();
    assert!(manager.close(EPOCH));
    let after = counted();
    assert_eq!(folders().collect::<Vec<_>>(), before);
    assert!(after.iter().zip(counts).all(|(after, before)| after - before < 10), "{after:?}");
    machine.crash(manager);

    let (manager, report) = machine.start();
    assert_eq!((report.logs, report.recovered_dirs.len()), (MANY as usize, 0));
    for number in 0..MANY {
        let log = manager.get(&partition(number)).unwrap();
        // An epoch without a record is begun again.
        assert_eq!((log.log_end_offset(), log.latest_epoch().unwrap().epoch), (4, number));
        log.begin_leader_epoch(MANY + number);
        assert_eq!(log.latest_epoch().unwrap().start_offset, 4);
    }
}

#[test]
fn a_failed_sync_of_many_logs_takes_their_directory_offline() {
    let machine = Machine::new(&["/a", "/b"]);
    machine.mem.create_dir_all(Path::new("/b")).unwrap();
    let (manager, _) = machine.start();
    for number in 0..2 * MANY {
        append(&create(&manager, number), 1);
    }
    let fail = || {
        machine
            .faulty
            .add(Rule { path_contains: "/a".to_owned(), ..Rule::next(Op::SyncAll, 1, Fault::Io) });
    };
    fail();
    let log = manager.logs().into_iter().find(|log| log.path().starts_with("/a")).unwrap();
    let (done, durable) = mpsc::channel();
    let flushing = Arc::clone(&log);
    assert!(!manager.close(EPOCH));
    flushing.when_durable(1, Box::new(move |result| done.send(result.is_ok()).unwrap()));
    assert!(!durable.recv().unwrap());
    assert!(!machine.names("/a").contains(&".kafka_cleanshutdown".to_owned()));
    assert!(machine.names("/b").contains(&".kafka_cleanshutdown".to_owned()));
    drop((manager, log, flushing));

    fail();
    let (_, report) = machine.start();
    assert_eq!((report.logs, report.offline.len()), (MANY as usize, 1));
    assert_eq!(report.offline[0].0, Path::new("/a"));
}
