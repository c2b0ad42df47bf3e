//! Checkpoints of a running log, and the recovery from them.

use std::io::IoSlice;

use super::*;
use crate::fs::{OpenMode, PowerCut, read_file, write_all_at};

const LOG: &str = "/logs/topic-0/00000000000000000000.log";
const SAVED: &str = "/logs/topic-0/barnabas-active";

fn overwrite(disk: &Disk, path: &str, position: u64, bytes: &[u8]) {
    let file = disk.mem.open(Path::new(path), OpenMode::ReadWrite).unwrap();
    write_all_at(&*file, &mut [IoSlice::new(bytes)], position).unwrap();
}

/// A log of more bytes than a checkpoint is worth, checkpointed, with two batches behind it, as a
/// process leaves it that was killed. Returns the offset of the checkpoint.
fn checkpointed() -> (Disk, i64) {
    let mut disk = Disk::new();
    let log = disk.create();
    append(&log, &idempotent(1, 0, 2));
    append(&log, &idempotent(1, 2, 2));
    for number in 0..4 {
        append(&log, &batch(20_000, number));
    }
    log.checkpoint().unwrap();
    let offset = log.log_end_offset();
    assert_eq!((log.recovery_point(), log.durable_end()), (offset, offset));
    disk.recovery_point = offset;
    append(&log, &batch(3, 1_000_000));
    append(&log, &idempotent(2, 0, 3));
    (disk, offset)
}

/// Everything is there, found by offset and by time, and continues.
fn check(log: &Arc<Log>, offset: i64) {
    assert_eq!(log.log_end_offset(), offset + 6);
    for from in [offset - 30_000, offset - 1, offset, offset + 2] {
        assert!(batches(log, from).last().is_some_and(|last| *last == offset + 3), "{from}");
    }
    let found = log.offset_for_timestamp(1_000_001).unwrap().unwrap();
    assert_eq!(found.offset, offset + 1);
    assert!(append(log, &idempotent(1, 2, 2)).duplicate);
    assert!(append(log, &idempotent(2, 0, 3)).duplicate);
    assert_eq!(append(log, &idempotent(2, 3, 1)).base_offset, offset + 6);
}

#[test]
fn a_recovery_walks_only_what_came_after_a_checkpoint() {
    let (disk, offset) = checkpointed();
    // In the midst of what was durable: whoever walks there cannot but notice.
    let third = 2 * idempotent(1, 0, 2).size() as u64;
    overwrite(&disk, LOG, third, &[0xff; 100]);
    let (log, recovery) = disk.try_open().unwrap();
    assert_eq!((recovery.segments_scanned, recovery.bytes_cut), (1, 0));
    assert_eq!(log.log_end_offset(), offset + 6);
    assert_eq!(log.active_producers().len(), 2);
    assert_eq!(batches(&log, offset), [offset, offset + 3]);
    // The same without what was saved.
    disk.mem.remove_file(Path::new(SAVED)).unwrap();
    assert!(matches!(disk.try_open(), Err(OpenLogError::DurableDataDamaged { .. })));
}

#[test]
fn it_finds_what_a_whole_walk_finds() {
    let (disk, offset) = checkpointed();
    check(&disk.open(), offset);
    let (disk, offset) = checkpointed();
    disk.mem.remove_file(Path::new(SAVED)).unwrap();
    check(&disk.open(), offset);
}

#[test]
fn what_was_saved_badly_is_not_believed() {
    let (disk, _) = checkpointed();
    let good = read_file(&disk.mem, Path::new(SAVED), 1 << 20).unwrap();
    for position in (0..good.len()).step_by(good.len() / 50) {
        let (disk, offset) = checkpointed();
        overwrite(&disk, SAVED, position as u64, &[good[position] ^ 0x10]);
        let log = disk.open();
        assert_eq!(
            (log.log_end_offset(), batches(&log, offset)),
            (offset + 6, vec![offset, offset + 3])
        );
    }
    for seed in 0..20 {
        let (disk, offset) = checkpointed();
        disk.mem.cut_power(PowerCut::AnyOrder, seed);
        assert!(disk.open().log_end_offset() >= offset, "{seed}");
    }
    // Of a file that fits by its numbers, but not where the batches are.
    let (mut disk, offset) = checkpointed();
    disk.recovery_point = 0;
    let other = Disk::new();
    let log = other.create();
    for number in 0..3 {
        append(&log, &batch(20_000, number));
    }
    log.checkpoint().unwrap();
    let foreign = read_file(&other.mem, Path::new(SAVED), 1 << 20).unwrap();
    let file = disk.mem.open(Path::new(SAVED), OpenMode::ReadWrite).unwrap();
    file.set_len(foreign.len() as u64).unwrap();
    overwrite(&disk, SAVED, 0, &foreign);
    assert_eq!(disk.open().log_end_offset(), offset + 6);
}

#[test]
fn a_cut_takes_back_what_was_saved() {
    let (disk, offset) = checkpointed();
    let log = disk.open();
    assert!(disk.names().contains(&"barnabas-active".to_owned()));
    log.truncate_to(offset - 1).unwrap();
    assert!(!disk.names().contains(&"barnabas-active".to_owned()));
    // Nor is it written by a checkpoint that the cut has overtaken.
    log.checkpoint().unwrap();
    log.truncate_fully_and_start_at(7).unwrap();
    assert!(!disk.names().contains(&"barnabas-active".to_owned()));
}

#[test]
fn old_snapshots_of_checkpoints_are_removed() {
    let disk = Disk::new();
    let log = disk.create();
    for number in 0..3 {
        for _ in 0..3 {
            append(&log, &batch(20_000, number));
        }
        log.checkpoint().unwrap();
        let snapshots = disk.names().into_iter().filter(|name| name.ends_with(".snapshot"));
        assert_eq!(
            snapshots.collect::<Vec<_>>(),
            [format!("{:020}.snapshot", log.log_end_offset())]
        );
    }
    // A little more is not worth it.
    append(&log, &batch(3, 0));
    let before = read_file(&disk.mem, Path::new(SAVED), 1 << 20).unwrap();
    log.checkpoint().unwrap();
    assert_eq!(log.recovery_point(), log.log_end_offset());
    assert_eq!(read_file(&disk.mem, Path::new(SAVED), 1 << 20).unwrap(), before);
}

#[test]
fn an_epoch_is_written_down_with_its_first_record() {
    let mut disk = Disk::new();
    let log = disk.create();
    let written = |disk: &Disk| {
        let path = Disk::path().join("leader-epoch-checkpoint");
        String::from_utf8(read_file(&disk.mem, &path, 1000).unwrap()).unwrap()
    };
    log.append_as_leader(&batch(2, 1), 3, RequiredAcks::Leader, 0).unwrap();
    log.flush().unwrap();
    log.begin_leader_epoch(7);
    log.flush().unwrap();
    assert_eq!(written(&disk), "0\n1\n3 0\n");
    assert_eq!(log.latest_epoch().map(|latest| latest.start_offset), Some(2));
    log.append_as_leader(&batch(1, 2), 7, RequiredAcks::Leader, 0).unwrap();
    log.begin_leader_epoch(8);
    log.flush().unwrap();
    assert_eq!(written(&disk), "0\n2\n3 0\n7 2\n");
    let log = disk.restart(log);
    assert_eq!(log.latest_epoch().map(|latest| (latest.epoch, latest.start_offset)), Some((7, 2)));
}

/// Its epoch begins at the end then, as if it had no record yet.
#[test]
fn an_epoch_whose_records_were_all_deleted_is_written_down_with_its_next_one() {
    let mut disk = Disk::new();
    let log = disk.create();
    append(&log, &batch(1, 1));
    log.roll().unwrap();
    log.delete_records_before(1).unwrap();
    log.flush().unwrap();
    let epoch = log.latest_epoch().unwrap().epoch;
    append(&log, &batch(1, 2));
    let log = disk.restart(log);
    assert_eq!(log.epoch_for_offset(1), Some(epoch));
}

#[test]
fn a_small_log_without_producers_is_closed_without_a_snapshot() {
    let snapshots = |disk: &Disk| {
        disk.names().into_iter().filter(|name| name.ends_with(".snapshot")).collect::<Vec<_>>()
    };
    let mut disk = Disk::new();
    let log = disk.create();
    append(&log, &batch(3, 1));
    let log = disk.restart(log);
    assert_eq!(snapshots(&disk), Vec::<String>::new());
    append(&log, &idempotent(1, 0, 2));
    let log = disk.restart(log);
    assert_eq!(snapshots(&disk), ["00000000000000000005.snapshot"]);
    assert!(append(&log, &idempotent(1, 0, 2)).duplicate);
    // To read a large one again would take a start long.
    let mut disk = Disk::new();
    let log = disk.create();
    append(&log, &batch(20_000, 1));
    drop(disk.restart(log));
    assert_eq!(snapshots(&disk), ["00000000000000020000.snapshot"]);
}
