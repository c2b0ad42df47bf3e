//! Faults that pass: no space for a new folder, no descriptor to sync with.

use super::*;
use crate::Unwritable;
use crate::fs::{Fault, Op, OpenMode, Rule};

const METADATA: &str = "/a/orders-0/partition.metadata";

/// Appends and waits until it is durable, in the journal if that is its way.
fn try_durably(log: &Arc<Log>, records: usize) -> bool {
    let appended = log.append_as_leader(&batch(records), 0, RequiredAcks::All, 0).unwrap();
    let (done, durable) = mpsc::channel();
    let done = move |result: Result<_, _>| done.send(result.is_ok()).unwrap();
    log.when_durable(appended.last_offset + 1, Box::new(done));
    durable.recv().unwrap()
}

fn fail(machine: &Machine, op: Op, path: &str, skip: usize, times: usize, fault: Fault) {
    let path_contains = path.to_owned();
    machine.faulty.add(Rule { op, path_contains, skip, times, fault });
}

/// All that was acknowledged is there after a power cut, and whose it is.
fn check_after_a_power_cut(machine: &Machine, manager: Arc<LogManager>, end: i64) {
    machine.crash(manager);
    let (manager, report) = machine.start();
    assert_eq!((report.failed.len(), report.offline.len()), (0, 0));
    assert_eq!(manager.get(&partition(0)).unwrap().log_end_offset(), end);
    assert_eq!(create(&manager, 0).log_end_offset(), end);
}

#[test]
fn a_folder_that_a_full_disk_left_half_made_is_finished_by_the_next_append() {
    for op in [Op::Open, Op::Write] {
        let machine = Machine::new(&["/a"]);
        let (manager, _) = machine.start();
        let log = create(&manager, 0);
        fail(&machine, op, METADATA, 0, 1, Fault::NoSpace);
        assert!(log.append_as_leader(&batch(1), 0, RequiredAcks::All, 0).is_err());
        assert!(manager.dirs[0].log_dir().is_full() && manager.dirs[0].is_online());
        for _ in 0..3 {
            assert!(try_durably(&log, 2), "{op:?}");
        }
        check_after_a_power_cut(&machine, manager, 6);
        assert_eq!(machine.start().0.topic_id(&partition(0)), Some(topic_id(1)));
    }
}

#[test]
fn a_folder_that_was_left_half_made_is_in_nobodys_way() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    fail(&machine, Op::Write, METADATA, 0, 1, Fault::NoSpace);
    let log = create(&manager, 0);
    assert!(log.append_as_leader(&batch(1), 0, RequiredAcks::All, 0).is_err());
    drop((log, manager));
    // Its topic was deleted and made again meanwhile.
    let (manager, report) = machine.start();
    assert_eq!(report.failed.len(), 0);
    let config = LogConfig::default();
    let log = manager.get_or_create(&partition(0), topic_id(2), config, Placement::Any).unwrap();
    assert!(try_durably(&log, 2) && try_durably(&log, 2));
    machine.crash(manager);
    let (manager, _) = machine.start();
    assert_eq!(manager.topic_id(&partition(0)), Some(topic_id(2)));
    assert_eq!(manager.get(&partition(0)).unwrap().log_end_offset(), 4);
}

/// The journal is of no use to a folder that does not say whose it is.
#[test]
fn a_log_whose_id_cannot_be_written_keeps_what_it_acknowledges() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    append_durably(&create(&manager, 0), 1);
    assert!(manager.close(EPOCH));
    drop(manager);
    machine.mem.open(Path::new(METADATA), OpenMode::ReadWrite).unwrap().set_len(3).unwrap();
    let (manager, _) = machine.start();
    fail(&machine, Op::Write, METADATA, 0, 1, Fault::NoSpace);
    let log = create(&manager, 0);
    for _ in 0..3 {
        assert!(try_durably(&log, 2));
    }
    check_after_a_power_cut(&machine, manager, 7);
}

#[test]
fn a_sync_that_finds_no_descriptor_is_made_with_one_that_is_freed() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    // The file is written first.
    fail(&machine, Op::Open, METADATA, 1, 2, Fault::NoDescriptor);
    fail(&machine, Op::SyncDir, "/a/orders-0", 0, 2, Fault::NoDescriptor);
    let log = create(&manager, 0);
    assert!(try_durably(&log, 2) && try_durably(&log, 2));
    assert!(manager.dirs[0].is_online() && log.failure().is_none());
    check_after_a_power_cut(&machine, manager, 4);
}

#[test]
fn a_sync_that_finds_no_descriptor_is_neither_a_success_nor_a_failed_disk() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    let other = create(&manager, 1);
    assert!(try_durably(&other, 1));
    fail(&machine, Op::SyncDir, "/a/orders-0", 0, usize::MAX, Fault::NoDescriptor);
    let log = create(&manager, 0);
    assert!(!try_durably(&log, 2));
    assert!(matches!(log.failure(), Some(Unwritable::LogFailed { .. })), "{:?}", log.failure());
    assert_eq!((log.durable_end(), log.visible_end()), (0, 0));
    assert!(manager.dirs[0].is_online() && try_durably(&other, 1));
    // Not marked as clean: a start looks at it again.
    assert!(!manager.close(EPOCH));
    machine.faulty.heal();
    drop((log, other, manager));
    let (manager, report) = machine.start();
    assert_eq!((report.recovered_dirs.len(), report.failed.len()), (1, 0));
    assert!(try_durably(&create(&manager, 0), 1));
}
