//! Deleted partitions, strays, and names that are used again.

use std::io::IoSlice;

use super::*;
use crate::fs::{Fault, Op, OpenMode, PowerCut, Rule, write_all_at};

fn with_id(manager: &LogManager, id: u8) -> Result<Arc<Log>, CreateLogError> {
    manager.get_or_create(&partition(0), topic_id(id), LogConfig::default(), Placement::Any)
}

fn folders(machine: &Machine, end: &str) -> usize {
    machine.names("/a").iter().filter(|name| name.ends_with(end)).count()
}

#[test]
fn a_deleted_log_goes_after_its_delay() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    let log = create(&manager, 0);
    append(&log, 3);
    assert!(manager.delete(&partition(0), 1_000).unwrap());
    assert!(!manager.delete(&partition(0), 1_000).unwrap());
    assert!(manager.get(&partition(0)).is_none());
    assert!(log.append_as_leader(&batch(1), 0, RequiredAcks::Leader, 0).is_err());
    assert_eq!((folders(&machine, "-delete"), folders(&machine, "orders-0")), (1, 0));
    manager.tick(60_999);
    assert_eq!(folders(&machine, "-delete"), 1);
    manager.tick(61_000);
    assert_eq!(folders(&machine, "-delete"), 0);
}

#[test]
fn a_log_without_files_is_deleted_without_a_trace() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    create(&manager, 0);
    let names = machine.names("/a");
    assert!(manager.delete(&partition(0), 0).unwrap());
    assert_eq!(machine.names("/a"), names);
}

#[test]
fn a_removal_that_a_stop_cut_off_goes_on() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    append(&create(&manager, 0), 3);
    manager.delete(&partition(0), 0).unwrap();
    assert!(manager.close(EPOCH));
    drop(manager);
    let (manager, report) = machine.start();
    assert_eq!((report.logs, folders(&machine, "-delete")), (0, 1));
    manager.tick(0);
    assert_eq!(folders(&machine, "-delete"), 0);
}

/// The names of its files may reach the disk before the new name of their folder: it would be there
/// again, without some of its records.
#[test]
fn a_partition_that_was_removed_does_not_come_back_in_part() {
    for seed in 0..100 {
        let machine = Machine::new(&["/a"]);
        let (manager, _) = machine.start();
        let log = create(&manager, 0);
        append_durably(&log, 3);
        log.roll().unwrap();
        append_durably(&log, 3);
        manager.delete(&partition(0), 0).unwrap();
        manager.tick(60_000);
        assert_eq!(folders(&machine, "-delete"), 0);
        machine.mem.cut_power(PowerCut::AnyOrder, seed);
        drop((log, manager));
        assert_eq!(folders(&machine, "orders-0"), 0, "it is back with seed {seed}");
        let (_, report) = machine.start();
        assert_eq!((report.logs, report.failed.len()), (0, 0));
    }
}

#[test]
fn a_topic_that_is_made_again_begins_at_zero_also_after_a_power_cut() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    let old = with_id(&manager, 1).unwrap();
    append_durably(&old, 10);
    old.delete_records_before(5).unwrap();
    manager.checkpoint_recovery_points();
    manager.checkpoint_log_start_offsets();
    manager.delete(&partition(0), 0).unwrap();

    let new = with_id(&manager, 2).unwrap();
    append_durably(&new, 3);
    machine.crash(manager);
    let (manager, report) = machine.start();
    assert_eq!(report.logs, 1);
    let log = manager.get(&partition(0)).unwrap();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (0, 3));
    assert_eq!(manager.topic_id(&partition(0)), Some(topic_id(2)));
}

#[test]
fn a_damaged_log_of_another_topic_is_not_in_the_way() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    let log = with_id(&manager, 1).unwrap();
    append_durably(&log, 3);
    append_durably(&log, 3);
    manager.checkpoint_recovery_points();
    machine.crash(manager);
    let file = Path::new("/a/orders-0/00000000000000000000.log");
    machine.mem.open(file, OpenMode::ReadWrite).unwrap().set_len(10).unwrap();

    let (manager, report) = machine.start();
    assert_eq!(report.failed[0].1.topic_id, Some(topic_id(1)));
    let strays = manager.strays(|_, id| id == Some(topic_id(2)));
    assert_eq!((strays.len(), strays[0].topic_id), (1, Some(topic_id(1))));
    assert!(matches!(with_id(&manager, 1), Err(CreateLogError::Failed { .. })));
    assert!(matches!(
        with_id(&manager, 2),
        Err(CreateLogError::InconsistentTopicId { found, .. }) if found == topic_id(1)
    ));
    let aside = manager.set_aside(&partition(0)).unwrap().unwrap();
    assert!(machine.mem.exists(&aside.join("00000000000000000000.log")).unwrap());
    append_durably(&with_id(&manager, 2).unwrap(), 1);
    machine.crash(manager);
    let (manager, report) = machine.start();
    assert_eq!((report.logs, report.failed.len()), (1, 0));
    assert_eq!(manager.topic_id(&partition(0)), Some(topic_id(2)));
}

#[test]
fn a_log_of_another_topic_is_told_apart_and_set_aside() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    append(&with_id(&manager, 1).unwrap(), 3);
    append(&create(&manager, 1), 1);
    let strays = manager.strays(|partition, _| partition.partition == 1);
    assert_eq!(strays.len(), 1);
    assert_eq!(
        (strays[0].topic_id, strays[0].path.as_path()),
        (Some(topic_id(1)), Path::new("/a/orders-0"))
    );
    assert!(manager.strays(|_, id| id == Some(topic_id(1))).is_empty());

    assert!(matches!(
        with_id(&manager, 2),
        Err(CreateLogError::InconsistentTopicId { found, .. }) if found == topic_id(1)
    ));
    let aside = manager.set_aside(&partition(0)).unwrap().unwrap();
    assert!(machine.mem.exists(&aside.join("00000000000000000000.log")).unwrap());
    assert_eq!(manager.set_aside(&partition(0)).unwrap(), None);
    assert_eq!(with_id(&manager, 2).unwrap().log_end_offset(), 0);
    // Nobody ever removes it.
    manager.tick(i64::MAX);
    assert!(machine.mem.exists(&aside).unwrap());
}

#[test]
fn a_log_without_partition_metadata_gets_its_id_from_the_metadata() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    append(&with_id(&manager, 1).unwrap(), 3);
    assert!(manager.close(EPOCH));
    drop(manager);
    machine.mem.remove_file(Path::new("/a/orders-0/partition.metadata")).unwrap();
    let (manager, _) = machine.start();
    assert_eq!(manager.topic_id(&partition(0)), None);
    assert_eq!(with_id(&manager, 3).unwrap().log_end_offset(), 3);
    assert!(manager.close(EPOCH));
    drop(manager);
    let (manager, _) = machine.start();
    assert_eq!(manager.topic_id(&partition(0)), Some(topic_id(3)));
}

/// A power cut may leave what was never synced: a folder with records and without a topic id, or a
/// folder alone. The topic may have been deleted since, and made again.
#[test]
fn a_folder_that_a_power_cut_left_without_a_topic_id_is_not_that_of_a_topic() {
    for (blank, records) in [("", 3), ("\0\0\0\0", 3), ("", 0)] {
        let machine = Machine::new(&["/a"]);
        let (manager, _) = machine.start();
        append(&with_id(&manager, 1).unwrap(), 3);
        drop(manager);
        let metadata = Path::new("/a/orders-0/partition.metadata");
        let file = machine.mem.open(metadata, OpenMode::Create).unwrap();
        file.set_len(0).unwrap();
        write_all_at(&*file, &mut [IoSlice::new(blank.as_bytes())], 0).unwrap();
        if records == 0 {
            let log = Path::new("/a/orders-0/00000000000000000000.log");
            machine.mem.open(log, OpenMode::ReadWrite).unwrap().set_len(0).unwrap();
        }
        let (manager, report) = machine.start();
        assert_eq!((report.logs, report.failed.len()), (0, 0));
        assert_eq!(with_id(&manager, 2).unwrap().log_end_offset(), 0);
        manager.tick(i64::MAX);
        let names = machine.names("/a");
        assert!(!names.iter().any(|name| name == "orders-0" || name.ends_with("-delete")));
        assert_eq!(names.iter().any(|name| name.ends_with("-stray")), records > 0, "{names:?}");
    }
}

#[test]
fn a_topic_id_that_found_no_room_is_written_again_before_any_record() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    let log = with_id(&manager, 1).unwrap();
    machine.faulty.add(Rule {
        path_contains: "partition.metadata".to_owned(),
        ..Rule::next(Op::Write, 1, Fault::ShortWriteThenNoSpace(5))
    });
    assert!(log.append_as_leader(&batch(1), 0, RequiredAcks::All, 0).is_err());
    machine.faulty.heal();
    append_durably(&log, 3);
    machine.crash(manager);
    let (manager, _) = machine.start();
    assert_eq!(manager.topic_id(&partition(0)), Some(topic_id(1)));
    assert_eq!(manager.get(&partition(0)).unwrap().log_end_offset(), 3);
}
