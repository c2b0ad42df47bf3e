//! What is there after a clean stop and after a power cut.

use super::*;
use crate::fs::{Fault, Op, OpenMode, Rule};

#[test]
fn after_a_clean_stop_everything_is_there_and_nothing_is_recovered() {
    let machine = Machine::new(&["/a", "/b"]);
    let (manager, report) = machine.start();
    assert_eq!((report.logs, report.clean_broker_epoch), (0, None));
    for number in 0..5 {
        append(&create(&manager, number), 3);
    }
    assert!(manager.close(EPOCH));
    assert!(!manager.close(EPOCH));
    assert!(
        manager
            .get(&partition(0))
            .unwrap()
            .append_as_leader(&batch(1), 0, RequiredAcks::Leader, 0)
            .is_err()
    );
    machine.crash(manager);

    let (manager, report) = machine.start();
    assert_eq!((report.logs, report.clean_broker_epoch), (5, Some(EPOCH)));
    assert_eq!(report.recovered_dirs, Vec::<std::path::PathBuf>::new());
    for number in 0..5 {
        assert_eq!(manager.get(&partition(number)).unwrap().log_end_offset(), 3);
        assert_eq!(manager.topic_id(&partition(number)), Some(topic_id(1)));
    }
    // The marker holds for one start only.
    assert!(!machine.names("/a").contains(&".kafka_cleanshutdown".to_owned()));
    machine.crash(manager);
    let (_, report) = machine.start();
    assert_eq!((report.recovered_dirs.len(), report.clean_broker_epoch), (2, None));
}

#[test]
fn after_a_power_cut_what_was_durable_is_there() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    let log = create(&manager, 0);
    append_durably(&log, 3);
    append(&log, 4);
    machine.crash(manager);

    let (manager, report) = machine.start();
    assert_eq!(report.recovered_dirs, [Path::new("/a")]);
    let log = manager.get(&partition(0)).unwrap();
    assert_eq!(log.log_end_offset(), 3);
    assert_eq!(manager.topic_id(&partition(0)), Some(topic_id(1)));
}

#[test]
fn progress_is_told_of_each_log() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    for number in 0..4 {
        append(&create(&manager, number), 1);
    }
    drop(manager);
    let told = Mutex::new(Vec::new());
    let progress = |progress: RecoveryProgress<'_>| {
        assert!(progress.recovering && progress.total == 4 && progress.dir == Path::new("/a"));
        told.lock().push((progress.done, progress.partition.partition));
    };
    let fs = Arc::new(machine.faulty.clone());
    LogManager::open(machine.config.clone(), machine.data_dirs(), fs, 0, &progress).unwrap();
    let mut told = told.into_inner();
    told.sort_unstable();
    assert_eq!(told.iter().map(|(done, _)| *done).collect::<Vec<_>>(), [1, 2, 3, 4]);
    told.sort_unstable_by_key(|(_, partition)| *partition);
    assert_eq!(told.iter().map(|(_, partition)| *partition).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn a_directory_that_cannot_be_closed_is_not_marked() {
    let machine = Machine::new(&["/a", "/b"]);
    let (manager, _) = machine.start();
    append(&create(&manager, 0), 1);
    append(&create(&manager, 1), 1);
    machine.faulty.add(Rule {
        path_contains: "/a/orders-".to_owned(),
        ..Rule::next(Op::SyncData, 1, Fault::Io)
    });
    assert!(!manager.close(EPOCH));
    machine.crash(manager);
    assert!(!machine.names("/a").contains(&".kafka_cleanshutdown".to_owned()));
    let (_, report) = machine.start();
    assert_eq!(report.recovered_dirs, [Path::new("/a")]);
    assert_eq!(report.clean_broker_epoch, None);
}

#[test]
fn a_damaged_log_is_kept_as_failed_and_the_others_are_served() {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    for number in 0..2 {
        let log = create(&manager, number);
        append_durably(&log, 2);
        append_durably(&log, 2);
    }
    manager.checkpoint_recovery_points();
    machine.crash(manager);
    let file = Path::new("/a/orders-0/00000000000000000000.log");
    let file = machine.mem.open(file, OpenMode::ReadWrite).unwrap();
    file.set_len(10).unwrap();
    for _ in 0..2 {
        let (manager, report) = machine.start();
        assert_eq!(report.logs, 1);
        assert_eq!(report.failed.len(), 1);
        assert_eq!(report.failed[0].0, partition(0));
        assert!(manager.get(&partition(0)).is_none());
        let again =
            manager.get_or_create(&partition(0), topic_id(1), LogConfig::default(), Placement::Any);
        assert!(matches!(again, Err(CreateLogError::Failed { .. })));
        append(&manager.get(&partition(1)).unwrap(), 1);
        // The damaged log has to be looked at at every start.
        assert!(!manager.close(EPOCH));
    }
}

#[test]
fn other_folders_are_left_alone() {
    let machine = Machine::new(&["/a"]);
    for folder in ["lost+found", "photos", "orders-0.00ff-stray", "orders-1.00ff-future"] {
        machine.mem.create_dir_all(&Path::new("/a").join(folder)).unwrap();
    }
    let before = machine.names("/a");
    let (manager, report) = machine.start();
    assert_eq!(report.unknown_folders, [Path::new("/a/photos")]);
    assert!(manager.close(EPOCH));
    let after = machine.names("/a");
    assert!(before.iter().all(|name| after.contains(name)), "{after:?}");
}

#[test]
fn a_real_disk_does_as_well() {
    let disk = tempfile::tempdir().unwrap();
    let fs: Arc<dyn Fs> = Arc::new(crate::fs::RealFs);
    let start = || {
        let config = DataDirsConfig {
            log_dirs: vec![disk.path().to_owned()],
            metadata_dir: None,
            node_id: 1,
            cluster_id: None,
        };
        let data_dirs = DataDirs::open(&config, &*fs).unwrap();
        std::fs::create_dir_all(disk.path().join("__cluster_metadata-1")).unwrap();
        let config = LogManagerConfig::default();
        LogManager::open(config, data_dirs, Arc::clone(&fs), 0, &|_| {}).unwrap()
    };
    let (manager, _) = start();
    for number in 0..3 {
        append_durably(&create(&manager, number), 2);
    }
    manager.delete(&partition(2), 0).unwrap();
    let described = manager.describe_dirs();
    assert!(described[0].usable_bytes > 0 && described[0].total_bytes >= described[0].usable_bytes);
    assert_eq!(described[0].logs.len(), 2);
    assert!(manager.close(EPOCH));
    drop(manager);
    let (manager, report) = start();
    assert_eq!((report.logs, report.clean_broker_epoch), (2, Some(EPOCH)));
    assert_eq!(create(&manager, 1).log_end_offset(), 2);
    drop(manager);
    // Without a clean stop, as after kill -9.
    let (manager, report) = start();
    assert_eq!((report.logs, report.recovered_dirs.len()), (2, 1));
    assert_eq!(create(&manager, 1).log_end_offset(), 2);
}
