//! Folders that are missing although they held durable records.

use super::*;
use crate::checkpoint::offsets::{self, REPLICATION_CHECKPOINT};
use crate::repair::{LogRepair, Repair};
use crate::verify::{Options, Remedy, verify};

/// Two durable logs, of the first of which the folder has been removed since the stop.
fn lost() -> Machine {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    for number in 0..2 {
        append_durably(&create(&manager, number), 5);
    }
    manager.checkpoint_recovery_points();
    assert!(manager.close(EPOCH));
    drop(manager);
    machine.mem.remove_dir_all(Path::new("/a/orders-0")).unwrap();
    machine
}

fn check(manager: &LogManager, number: i32) -> Result<(), String> {
    let checked = manager.check_not_lost(&partition(number), Placement::Any);
    checked.map_err(|error| error.to_string())
}

#[test]
fn a_partition_whose_folder_is_missing_stays_offline_until_it_is_back() {
    let machine = lost();
    for _ in 0..2 {
        let (manager, report) = machine.start();
        assert_eq!((report.logs, report.failed.len()), (1, 0));
        assert_eq!(check(&manager, 1), Ok(()));
        let said = check(&manager, 0).unwrap_err();
        for part in ["/a/orders-0", "before offset 5", "barnabas storage repair /a"] {
            assert!(said.contains(part), "{said}");
        }
        let config = LogConfig::default();
        let made = manager.get_or_create(&partition(0), topic_id(1), config, Placement::Any);
        assert!(matches!(made, Err(CreateLogError::Failed { .. })), "{made:?}");
        // What is known of it is kept, over any stop.
        manager.checkpoint_recovery_points();
        assert!(!manager.close(EPOCH));
    }
    let (manager, _) = machine.start();
    assert!(check(&manager, 0).is_err());
    // A topic that is deleted has lost nothing.
    assert!(manager.delete(&partition(0), 0).unwrap());
    assert_eq!(create(&manager, 0).log_end_offset(), 0);
    assert!(manager.close(EPOCH));
}

#[test]
fn a_partition_that_belongs_elsewhere_or_is_new_is_not_lost() {
    let machine = lost();
    let (manager, _) = machine.start();
    let elsewhere = manager.check_not_lost(&partition(0), Placement::In(topic_id(9)));
    assert!(elsewhere.is_ok(), "{elsewhere:?}");
    // A topic of that name is made after the start.
    assert_eq!(create(&manager, 0).log_end_offset(), 0);
    assert_eq!(check(&manager, 0), Ok(()));
    assert!(manager.close(EPOCH));
    drop(manager);
    let (manager, _) = machine.start();
    assert_eq!(check(&manager, 0), Ok(()));
}

/// The checkpoints forget a deleted partition before its folder is gone, whatever a crash leaves.
#[test]
fn a_deleted_partition_is_never_missed() {
    for (tick, kill) in [(false, false), (false, true), (true, false), (true, true)] {
        let machine = Machine::new(&["/a"]);
        let high_watermarks = [(partition(0), 5)].into();
        let path = Path::new("/a");
        offsets::write(&machine.mem, path, REPLICATION_CHECKPOINT, &high_watermarks).unwrap();
        let (manager, _) = machine.start();
        append_durably(&create(&manager, 0), 5);
        manager.checkpoint_recovery_points();
        manager.delete(&partition(0), 0).unwrap();
        if tick {
            manager.tick(i64::MAX);
        }
        if kill {
            drop(manager);
        } else {
            machine.crash(manager);
        }
        // The topic was made again, and nothing had been done for it yet. The deletion itself may be
        // lost with the power; then the folder is there.
        let (manager, _) = machine.start();
        assert_eq!(check(&manager, 0), Ok(()), "tick {tick}, kill {kill}");
    }
}

#[test]
fn a_missing_folder_is_reported_and_forgotten_by_a_repair() {
    let machine = lost();
    let fs: Arc<dyn Fs> = Arc::new(machine.mem.clone());
    let report = verify(&fs, Path::new("/a"), Options::default(), &mut |_| {}).unwrap();
    assert_eq!(report.damages.len(), 1, "{:?}", report.damages);
    assert_eq!(report.damages[0].remedy, Remedy::RepairLog);
    assert!(report.damages[0].what.contains("it says 5 for orders-0"), "{}", report.damages[0]);

    let repair = Repair::plan(&fs, Path::new("/a")).unwrap();
    let [planned] = &repair.partitions[..] else { panic!("{:?}", repair.partitions) };
    let log = Some(LogRepair::Forget { checkpoint: "recovery-point-offset-checkpoint", end: 5 });
    assert_eq!((&planned.partition, &planned.log), (&partition(0), &log));
    repair.apply(&mut |_, _| {}).unwrap();
    drop(repair);
    assert!(Repair::plan(&fs, Path::new("/a")).unwrap().is_nothing());
    let (manager, _) = machine.start();
    assert_eq!(check(&manager, 0), Ok(()));
    assert_eq!(create(&manager, 0).log_end_offset(), 0);
    assert_eq!(create(&manager, 1).log_end_offset(), 5);
}
