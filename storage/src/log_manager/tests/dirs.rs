//! Several log directories: where new logs go, and what happens when one fails.

use super::*;
use crate::fs::{Fault, Op, Rule};
use crate::partition_metadata;

fn dir_of(manager: &LogManager, number: i32) -> String {
    let log = manager.get(&partition(number)).unwrap();
    log.path().parent().unwrap().display().to_string()
}

fn create_in(
    manager: &LogManager,
    number: i32,
    placement: Placement,
) -> Result<Arc<Log>, CreateLogError> {
    manager.get_or_create(&partition(number), topic_id(1), LogConfig::default(), placement)
}

#[test]
fn new_logs_go_to_the_directory_with_the_fewest() {
    let machine = Machine::new(&["/a", "/b", "/c"]);
    let (manager, _) = machine.start();
    for number in 0..4 {
        create(&manager, number);
    }
    let dirs: Vec<String> = (0..4).map(|number| dir_of(&manager, number)).collect();
    assert_eq!(dirs, ["/a", "/b", "/c", "/a"]);
    manager.delete(&partition(2), 0).unwrap();
    create(&manager, 5);
    assert_eq!(dir_of(&manager, 5), "/c");
    // One that is full comes last.
    manager.dirs[1].log_dir().set_full(true);
    for number in 6..9 {
        create(&manager, number);
        assert_ne!(dir_of(&manager, number), "/b");
    }
}

#[test]
fn a_new_log_costs_no_disk_access() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    let opened = machine.faulty.count(Op::Open);
    let names = machine.names("/a");
    for number in 0..100 {
        create(&manager, number);
    }
    assert_eq!((machine.faulty.count(Op::Open), machine.names("/a")), (opened, names));
    // The same log is found again.
    assert!(Arc::ptr_eq(&create(&manager, 7), &create(&manager, 7)));
    assert_eq!(manager.logs().len(), 100);
}

#[test]
fn a_log_is_put_where_the_metadata_has_it_or_nowhere() {
    let machine = Machine::new(&["/a", "/b"]);
    let (manager, _) = machine.start();
    let ids = manager.online_directory_ids();
    for number in 0..3 {
        create_in(&manager, number, Placement::In(ids[1])).unwrap();
        assert_eq!(dir_of(&manager, number), "/b");
        assert_eq!(manager.directory_id(&partition(number)), Some(ids[1]));
    }
    let missing = create_in(&manager, 3, Placement::In(topic_id(9)));
    assert!(matches!(missing, Err(CreateLogError::DirectoryOffline { .. })));
    manager.dirs[1].log_dir().take_offline("test");
    let offline = create_in(&manager, 3, Placement::In(ids[1]));
    assert!(matches!(offline, Err(CreateLogError::DirectoryOffline { .. })));
    create_in(&manager, 3, Placement::Any).unwrap();
    assert_eq!(dir_of(&manager, 3), "/a");
    manager.dirs[0].log_dir().take_offline("test");
    assert!(manager.all_offline());
    assert!(matches!(create_in(&manager, 4, Placement::Any), Err(CreateLogError::AllOffline)));
}

#[test]
fn one_directory_that_fails_at_the_start_leaves_the_others() {
    let machine = Machine::new(&["/a", "/b"]);
    let (manager, _) = machine.start();
    for number in 0..4 {
        append_durably(&create(&manager, number), 1);
    }
    drop(manager);
    machine.faulty.add(Rule {
        path_contains: "/b/orders-3".to_owned(),
        ..Rule::next(Op::Open, usize::MAX, Fault::Io)
    });
    let (manager, report) = machine.start();
    assert_eq!(report.logs, 2);
    assert_eq!(report.offline.len(), 1);
    assert_eq!(report.offline[0].0, Path::new("/b"));
    assert!(report.may_miss_logs);
    assert!(manager.get(&partition(0)).is_some() && manager.get(&partition(2)).is_some());
    // What was opened there before is not served either, and not begun anew elsewhere.
    assert!(manager.get(&partition(1)).is_none());
    assert!(matches!(create_in(&manager, 3, Placement::Any), Err(CreateLogError::Failed { .. })));
    assert!(manager.tick(0).newly_offline.is_empty());
    append(&manager.get(&partition(0)).unwrap(), 1);
    assert!(!manager.all_offline());
    // Only what is online is closed and marked.
    manager.close(EPOCH);
    assert!(machine.names("/a").contains(&".kafka_cleanshutdown".to_owned()));
    assert!(!machine.names("/b").contains(&".kafka_cleanshutdown".to_owned()));
}

#[test]
fn a_new_directory_of_an_old_node_is_told() {
    let mut machine = Machine::new(&["/a"]);
    assert!(!machine.start().1.may_miss_logs);
    machine.dirs.push("/b");
    assert!(machine.start().1.may_miss_logs);
    assert!(!machine.start().1.may_miss_logs);
}

#[test]
fn without_any_directory_there_is_nothing_to_open() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    append_durably(&create(&manager, 0), 1);
    drop(manager);
    machine.faulty.add(Rule {
        path_contains: "/a/orders-0".to_owned(),
        ..Rule::next(Op::Open, usize::MAX, Fault::Io)
    });
    let error = machine.try_start().unwrap_err().to_string();
    assert!(error.starts_with("All log directories are offline: "), "{error}");
}

#[test]
fn a_partition_in_two_directories_is_not_served_from_either() {
    let machine = Machine::new(&["/a", "/b"]);
    for dir in ["/a/orders-0", "/b/orders-0", "/b/orders-1"] {
        machine.mem.create_dir_all(Path::new(dir)).unwrap();
        partition_metadata::write(&machine.mem, Path::new(dir), topic_id(1)).unwrap();
    }
    let (manager, report) = machine.start();
    assert_eq!((report.logs, report.failed.len()), (1, 1));
    assert!(report.failed[0].1.reason.starts_with("it is also in /"));
    assert!(manager.get(&partition(0)).is_none() && manager.get(&partition(1)).is_some());
}

#[test]
fn directories_are_described() {
    let machine = Machine::new(&["/a", "/b"]);
    let (manager, _) = machine.start();
    for number in [2, 0, 1] {
        append(&create(&manager, number), 3);
    }
    manager.dirs[1].log_dir().take_offline("broken");
    let described = manager.describe_dirs();
    let a = &described[0];
    assert_eq!((a.path.as_path(), a.offline_reason.as_ref()), (Path::new("/a"), None));
    assert!(a.total_bytes > 0 && a.usable_bytes > 0);
    assert_eq!(a.directory_id, manager.directory_id(&partition(2)));
    let logs: Vec<_> = a.logs.iter().map(|l| (l.partition.partition, l.log_end_offset)).collect();
    assert_eq!(logs, [(1, 3), (2, 3)]);
    assert!(a.logs.iter().all(|log| log.size > 0 && log.topic_id == Some(topic_id(1))));
    let b = &described[1];
    assert_eq!((b.offline_reason.as_deref(), b.total_bytes, b.logs.len()), (Some("broken"), -1, 0));
}
