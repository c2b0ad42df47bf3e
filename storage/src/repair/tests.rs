//! Tests of `repair` on the file system in memory: what it would do, does, and leaves behind.

use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol_codec::Uuid;
use protocol_codec::records::{BatchBuilder, ValidatedBatch};

use super::*;
use crate::data_dirs::{DataDirs, DataDirsConfig};
use crate::fs::{Fault, FaultyFs, MemFs, Op, OpenMode, PowerCut, Rule, read_file};
use crate::log::append::RequiredAcks;
use crate::{Log, LogConfig, LogManager, LogManagerConfig, Placement, RecoveryReport};

const FOLDER: &str = "/logs/orders-0";
const SECOND: &str = "/logs/orders-0/00000000000000000008.log";

fn start(fs: &Arc<dyn Fs>) -> (LogManager, RecoveryReport) {
    let dirs = DataDirsConfig {
        log_dirs: vec!["/logs".into()],
        metadata_dir: None,
        node_id: 1,
        cluster_id: None,
    };
    let data_dirs = DataDirs::open(&dirs, &**fs).unwrap();
    fs.create_dir_all(Path::new("/logs/__cluster_metadata-1")).unwrap();
    LogManager::open(LogManagerConfig::default(), data_dirs, Arc::clone(fs), 0, &|_| {}).unwrap()
}

fn log(manager: &LogManager) -> Arc<Log> {
    let partition = TopicPartition::new("orders", 0);
    let config = LogConfig { index_interval_bytes: 100, ..LogConfig::default() };
    manager.get_or_create(&partition, Uuid::ONE, config, Placement::Any).unwrap()
}

fn append(log: &Arc<Log>, records: usize) -> i64 {
    let mut batch = BatchBuilder::new();
    for at in 0..records {
        batch.append(at as i64, None, Some(b"some value"), &[]).unwrap();
    }
    let batch = ValidatedBatch::internal(&batch.build().unwrap()).unwrap();
    log.append_as_leader(&batch, 0, RequiredAcks::All, 0).unwrap().base_offset
}

/// Three segments of four batches of two records, all of it durable, stopped cleanly.
fn stopped() -> (MemFs, Arc<dyn Fs>) {
    let mem = MemFs::new();
    let fs: Arc<dyn Fs> = Arc::new(mem.clone());
    let (manager, _) = start(&fs);
    let log = log(&manager);
    for number in 0..12 {
        if number % 4 == 0 {
            log.roll().unwrap();
        }
        append(&log, 2);
    }
    assert!(manager.close(1));
    drop((log, manager));
    mem.sync_dir(Path::new("/")).unwrap();
    (mem, fs)
}

fn size_of_batch(mem: &MemFs) -> u64 {
    mem.metadata(Path::new(SECOND)).unwrap().len / 4
}

fn content(mem: &MemFs, path: &str) -> Vec<u8> {
    read_file(mem, Path::new(path), 1 << 20).unwrap()
}

fn overwrite(mem: &MemFs, path: &str, position: u64, bytes: &[u8]) {
    let file = mem.open(Path::new(path), OpenMode::ReadWrite).unwrap();
    file.write_at(&[IoSlice::new(bytes)], position).unwrap();
    file.sync_data().unwrap();
}

/// All files below the log directory, but for its lock.
fn everything(mem: &MemFs) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for dir in ["/logs", FOLDER] {
        for entry in mem.list(Path::new(dir)).unwrap() {
            if !entry.is_dir && entry.name != ".lock" {
                let path = Path::new(dir).join(entry.name);
                let bytes = read_file(mem, &path, 1 << 20).unwrap();
                all.push((path, bytes));
            }
        }
    }
    all
}

fn plan(fs: &Arc<dyn Fs>) -> Repair {
    Repair::plan(fs, Path::new("/logs")).unwrap()
}

fn apply(repair: &Repair) -> Vec<PathBuf> {
    let mut kept = Vec::new();
    repair.apply(&mut |_, files| kept.extend_from_slice(files)).unwrap();
    kept
}

/// Damages the second batch of the second segment.
fn damage(mem: &MemFs) -> u64 {
    let position = size_of_batch(mem);
    overwrite(mem, SECOND, position + 70, b"!");
    position
}

#[test]
fn a_sound_directory_needs_nothing() {
    let (mem, fs) = stopped();
    let before = everything(&mem);
    let repair = plan(&fs);
    assert!(repair.is_nothing() && repair.left.is_empty());
    assert!(apply(&repair).is_empty());
    assert_eq!(everything(&mem), before);
}

#[test]
fn a_damaged_log_is_cut_and_what_is_cut_is_kept() {
    let (mem, fs) = stopped();
    let third = "/logs/orders-0/00000000000000000016.log";
    let position = damage(&mem);
    let (second, last) = (content(&mem, SECOND), content(&mem, third));
    let before = everything(&mem);

    let repair = plan(&fs);
    assert_eq!(everything(&mem), before, "a plan changes nothing");
    let [partition] = repair.partitions.as_slice() else { panic!() };
    let Some(LogRepair::Cut(cut)) = &partition.log else { panic!() };
    assert_eq!((cut.offset, cut.lost.clone(), cut.position), (10, 10..24, position));
    assert_eq!(
        (cut.segment.as_path(), &*cut.later),
        (Path::new(SECOND), &[PathBuf::from(third)][..])
    );
    assert_eq!(cut.bytes, 7 * position);

    let kept = apply(&repair);
    drop(repair);
    let wanted = [format!("{SECOND}.cut-{position}"), format!("{third}.cut-0")];
    assert_eq!(kept, wanted.clone().map(PathBuf::from));
    mem.crash();
    assert_eq!(content(&mem, &wanted[0]), second[position as usize..]);
    assert_eq!(content(&mem, &wanted[1]), last);

    // The crash has emptied snapshots, which are not synced.
    assert!(plan(&fs).partitions.iter().all(|partition| partition.log.is_none()));
    let (manager, report) = start(&fs);
    assert!(report.failed.is_empty(), "{report:?}");
    let log = log(&manager);
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (0, 10));
    assert_eq!(append(&log, 1), 10);
    log.flush().unwrap();
    assert!(manager.close(2));
    drop((log, manager));
    assert!(plan(&fs).is_nothing());
}

#[test]
fn a_log_that_is_too_short_or_gone_goes_on_without_what_is_lost() {
    // Cut at a batch's end: nothing is damaged, but for the promise.
    let (mem, fs) = stopped();
    let last = Path::new("/logs/orders-0/00000000000000000016.log");
    let short = 2 * size_of_batch(&mem);
    let file = mem.open(last, OpenMode::ReadWrite).unwrap();
    file.set_len(short).unwrap();
    file.sync_data().unwrap();
    mem.remove_file(Path::new("/logs/.kafka_cleanshutdown")).unwrap();
    let (manager, report) = start(&fs);
    assert!(report.failed[0].1.reason.contains("the log ends at offset 20"), "{report:?}");
    drop(manager);
    let repair = plan(&fs);
    assert_eq!(repair.partitions[0].log, Some(LogRepair::Accept { end: 20, lost: 20..24 }));
    apply(&repair);
    drop(repair);
    let (manager, _) = start(&fs);
    assert_eq!(log(&manager).log_end_offset(), 20);
    drop(manager);

    let (mem, fs) = stopped();
    for name in mem.list(Path::new(FOLDER)).unwrap() {
        if name.name.starts_with("0000") {
            mem.remove_file(&Path::new(FOLDER).join(name.name)).unwrap();
        }
    }
    let (manager, report) = start(&fs);
    assert!(report.failed[0].1.reason.contains("holds no segments"), "{report:?}");
    drop(manager);
    let repair = plan(&fs);
    assert_eq!(repair.partitions[0].log, Some(LogRepair::BeginAnew { lost: 0..24 }));
    apply(&repair);
    drop(repair);
    mem.crash();
    let (manager, _) = start(&fs);
    let log = log(&manager);
    assert_eq!((log.log_start_offset(), append(&log, 1)), (24, 24));
}

#[test]
fn what_the_log_tells_is_made_anew() {
    let (mem, fs) = stopped();
    for name in ["00000000000000000000.index", "00000000000000000008.timeindex"] {
        overwrite(&mem, &format!("{FOLDER}/{name}"), 0, &[0xff; 8]);
    }
    for name in ["00000000000000000016.snapshot", "leader-epoch-checkpoint", "partition.metadata"] {
        overwrite(&mem, &format!("{FOLDER}/{name}"), 0, b"?????");
    }
    let repair = plan(&fs);
    let names: Vec<_> =
        repair.partitions[0].files.iter().map(|file| file.path.file_name().unwrap()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    assert_eq!(repair.partitions[0].log, None);
    apply(&repair);
    drop(repair);
    let (manager, report) = start(&fs);
    assert!(report.failed.is_empty());
    let log = log(&manager);
    assert_eq!((log.log_end_offset(), log.latest_epoch().unwrap().epoch), (24, 0));
    assert!(manager.close(2));
    drop((log, manager));
    let after = plan(&fs).partitions;
    assert!(after.is_empty(), "{after:?}");
}

#[test]
fn without_room_to_keep_it_nothing_is_cut() {
    let (mem, _) = stopped();
    damage(&mem);
    let before = content(&mem, SECOND);
    let faulty = FaultyFs::new(Arc::new(mem.clone()));
    let fs: Arc<dyn Fs> = Arc::new(faulty.clone());
    faulty.add(Rule {
        path_contains: ".cut-".to_owned(),
        ..Rule::next(Op::Write, 1, Fault::NoSpace)
    });
    let error = plan(&fs).apply(&mut |_, _| panic!("nothing is done")).unwrap_err();
    assert!(matches!(error, RepairError::NoRoom(_)), "{error}");
    assert_eq!(content(&mem, SECOND), before);
    faulty.heal();
    assert_eq!(apply(&plan(&fs)).len(), 2);
}

#[test]
fn a_repair_that_is_cut_off_anywhere_goes_on() {
    let mut faults = 0;
    for op in [Op::Open, Op::Write, Op::SyncData, Op::SyncDir, Op::SetLen, Op::Rename, Op::Remove] {
        for skip in 0.. {
            let (mem, _) = stopped();
            let position = damage(&mem) as usize;
            let second = content(&mem, SECOND);
            let faulty = FaultyFs::new(Arc::new(mem.clone()));
            let fs: Arc<dyn Fs> = Arc::new(faulty.clone());
            let repair = plan(&fs);
            faulty.add(Rule { skip, ..Rule::next(op, 1, Fault::Io) });
            let failed = repair.apply(&mut |_, _| {}).is_err();
            drop(repair);
            faulty.heal();
            mem.cut_power(PowerCut::AnyOrder, skip as u64);
            apply(&plan(&fs));
            let (manager, report) = start(&fs);
            assert!(report.failed.is_empty(), "{op:?} {skip}: {report:?}");
            assert_eq!(log(&manager).log_end_offset(), 10, "{op:?} {skip}");
            let kept = everything(&mem).into_iter().any(|(path, bytes)| {
                path.to_string_lossy().contains(".cut-") && bytes == second[position..]
            });
            assert!(kept, "{op:?} {skip}");
            if !failed {
                break;
            }
            faults += 1;
        }
    }
    assert!(faults > 15, "{faults}");
}

#[test]
fn only_a_log_directory_is_repaired() {
    let (_, fs) = stopped();
    let error = Repair::plan(&fs, Path::new(FOLDER)).unwrap_err();
    assert!(error.to_string().contains("is no log directory"), "{error}");
}
