//! Checkpoint files: interrupted anywhere, damaged, of logs that could not be opened.

use std::collections::BTreeMap;
use std::io::IoSlice;

use super::*;
use crate::checkpoint::offsets::{
    self, LOG_START_CHECKPOINT, RECOVERY_POINT_CHECKPOINT, REPLICATION_CHECKPOINT,
};
use crate::fs::{Fault, Op, OpenMode, PowerCut, Rule};
use crate::partition_metadata;

fn read(machine: &Machine, name: &str) -> BTreeMap<TopicPartition, i64> {
    offsets::read(&machine.mem, Path::new("/a"), name).unwrap().into_iter().collect()
}

#[test]
fn a_write_that_is_cut_off_anywhere_leaves_the_old_or_the_new_content() {
    let old: BTreeMap<_, _> = [(partition(0), 1)].into();
    let new: BTreeMap<_, _> = [(partition(0), 2), (partition(1), 7)].into();
    let dir = Path::new("/a");
    let mut outcomes = [0, 0];
    for op in [Op::Open, Op::SetLen, Op::Write, Op::SyncData, Op::Rename, Op::SyncDir] {
        for fault in [Fault::Io, Fault::NoSpace, Fault::ShortWriteThenNoSpace(3)] {
            for seed in 0..10 {
                let machine = Machine::new(&["/a"]);
                offsets::write(&machine.mem, dir, RECOVERY_POINT_CHECKPOINT, &old).unwrap();
                machine.faulty.add(Rule::next(op, 1, fault));
                let written = offsets::write(&machine.faulty, dir, RECOVERY_POINT_CHECKPOINT, &new);
                machine.mem.cut_power(PowerCut::AnyOrder, seed);
                let found = read(&machine, RECOVERY_POINT_CHECKPOINT);
                assert!(found == old || found == new, "{op:?} {fault:?} {seed}: {found:?}");
                assert!(written.is_err() || found == new, "{op:?} {fault:?} {seed}");
                outcomes[usize::from(found == new)] += 1;
            }
        }
    }
    assert!(outcomes[0] > 0, "{outcomes:?}");
}

#[test]
fn offsets_are_checkpointed_and_read_back() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    for number in 0..2 {
        append_durably(&create(&manager, number), 5);
    }
    create(&manager, 2);
    manager.get(&partition(1)).unwrap().delete_records_before(3).unwrap();
    manager.checkpoint_recovery_points();
    manager.checkpoint_log_start_offsets();
    manager.checkpoint_high_watermarks([(partition(0), 4), (partition(9), 1)]);
    assert_eq!(
        read(&machine, RECOVERY_POINT_CHECKPOINT),
        [(partition(0), 5), (partition(1), 5)].into()
    );
    assert_eq!(read(&machine, LOG_START_CHECKPOINT), [(partition(1), 3)].into());
    assert_eq!(read(&machine, REPLICATION_CHECKPOINT), [(partition(0), 4)].into());
    machine.crash(manager);
    let (manager, report) = machine.start();
    assert_eq!(report.high_watermarks, [(partition(0), 4)].into());
    assert_eq!(manager.get(&partition(1)).unwrap().log_start_offset(), 3);
}

#[test]
fn damaged_checkpoints_are_passed_over() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    append_durably(&create(&manager, 0), 5);
    manager.checkpoint_recovery_points();
    machine.crash(manager);
    for name in [RECOVERY_POINT_CHECKPOINT, LOG_START_CHECKPOINT, REPLICATION_CHECKPOINT] {
        let path = Path::new("/a").join(name);
        let file = machine.mem.open(&path, OpenMode::Create).unwrap();
        file.write_at(&[IoSlice::new(b"\x00\xff\x00\x00\x00\x00\x00\x00")], 0).unwrap();
    }
    let (manager, report) = machine.start();
    assert_eq!((report.logs, report.offline.len()), (1, 0));
    assert_eq!(manager.get(&partition(0)).unwrap().log_end_offset(), 5);
}

#[test]
fn a_failed_write_of_a_checkpoint_takes_its_directory_offline() {
    let machine = Machine::new(&["/a", "/b"]);
    let (manager, _) = machine.start();
    append_durably(&create(&manager, 0), 5);
    append_durably(&create(&manager, 1), 5);
    machine.faulty.add(Rule {
        path_contains: "/b/recovery-point".to_owned(),
        ..Rule::next(Op::SyncData, 1, Fault::Io)
    });
    manager.checkpoint_recovery_points();
    let report = manager.tick(0);
    assert_eq!(report.newly_offline.len(), 1);
    assert_eq!(report.newly_offline[0].0, Path::new("/b"));
    assert!(!report.all_offline && manager.tick(0).newly_offline.is_empty());
    assert_eq!(read(&machine, RECOVERY_POINT_CHECKPOINT).len(), 1);
}

#[test]
fn a_full_disk_is_tried_again() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    append_durably(&create(&manager, 0), 5);
    machine.faulty.add(Rule {
        path_contains: "recovery-point".to_owned(),
        ..Rule::next(Op::Write, 1, Fault::NoSpace)
    });
    manager.checkpoint_recovery_points();
    assert!(manager.dirs[0].log_dir().is_full());
    assert!(read(&machine, RECOVERY_POINT_CHECKPOINT).is_empty());
    // There is room after all: the tick sees it, and the next checkpoint is written.
    manager.tick(0);
    assert!(!manager.dirs[0].log_dir().is_full());
    manager.checkpoint_recovery_points();
    assert_eq!(read(&machine, RECOVERY_POINT_CHECKPOINT).len(), 1);
}

#[test]
fn what_is_known_of_a_log_that_could_not_be_opened_is_kept() {
    let machine = Machine::new(&["/a"]);
    let start = [(partition(0), 4), (partition(1), 2)].into();
    offsets::write(&machine.mem, Path::new("/a"), LOG_START_CHECKPOINT, &start).unwrap();
    machine.mem.create_dir_all(Path::new("/a/orders-0")).unwrap();
    partition_metadata::write(&machine.mem, Path::new("/a/orders-0"), topic_id(1)).unwrap();
    machine.mem.open(Path::new("/a/orders-0/00.log.swap"), OpenMode::Create).unwrap();
    let (manager, report) = machine.start();
    assert_eq!(report.failed.len(), 1);
    manager.checkpoint_log_start_offsets();
    assert_eq!(read(&machine, LOG_START_CHECKPOINT), [(partition(0), 4)].into());
}
