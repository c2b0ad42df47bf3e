//! Opening after clean stops, crashes and damage.

use std::io::IoSlice;

use super::*;
use crate::fs::{Fault, Op, OpenMode, Rule, write_all_at};
use crate::log::recover::kept;

const LOG: &str = "/logs/topic-0/00000000000000000000.log";

fn overwrite(disk: &Disk, path: &str, position: u64, bytes: &[u8]) {
    let file = disk.mem.open(Path::new(path), OpenMode::ReadWrite).unwrap();
    write_all_at(&*file, &mut [IoSlice::new(bytes)], position).unwrap();
}

/// Five batches of two records, as a process leaves them that was killed.
fn killed() -> (Disk, u64) {
    let disk = Disk::new();
    let log = disk.create();
    for number in 0..5 {
        log.append_as_leader(&batch(2, number), number as i32, RequiredAcks::Leader, 0).unwrap();
    }
    (disk, batch(2, 0).size() as u64)
}

#[test]
fn a_killed_process_loses_nothing() {
    let (disk, _) = killed();
    let (log, recovery) = disk.try_open().unwrap();
    assert_eq!(recovery, LogRecovery { segments_scanned: 1, ..LogRecovery::default() });
    assert_eq!(batches(&log, 0), [0, 2, 4, 6, 8]);
    assert_eq!((log.durable_end(), log.visible_end()), (10, 10));
    assert_eq!(log.end_offset_for_epoch(2).end_offset, 6);
    assert_eq!(log.latest_epoch().unwrap().epoch, 4);
    // It was synced, since readers see it.
    disk.mem.crash();
    assert_eq!(batches(&disk.open(), 0), [0, 2, 4, 6, 8]);
}

#[test]
fn a_clean_stop_is_believed() {
    let (mut disk, size) = killed();
    let log = disk.open();
    let log = disk.restart(log);
    assert_eq!(batches(&log, 0), [0, 2, 4, 6, 8]);
    assert_eq!(log.latest_epoch().unwrap().epoch, 4);
    log.close().unwrap();

    // No checksum is compared then: the damage shows to whoever reads the records.
    overwrite(&disk, LOG, size + 70, b"!");
    disk.clean = true;
    let (log, recovery) = disk.try_open().unwrap();
    assert_eq!((recovery.segments_scanned, log.log_end_offset()), (0, 10));
}

/// A partition without records has no files yet; leading it must not want to write any.
#[test]
fn a_log_that_was_led_but_never_written_stops_cleanly() {
    let disk = Disk::new();
    let log = disk.create();
    log.begin_leader_epoch(3);
    log.flush().unwrap();
    log.close().unwrap();
    assert_eq!(log.context.dir.offline_reason(), None);
    assert!(disk.mem.list(Disk::path()).is_err(), "no directory was made");
}

#[test]
fn a_torn_write_is_cut_off() {
    for torn in [b"".as_slice(), b"\0\0\0\0\0\0", &[0; 500], &[7; 100]] {
        let (disk, size) = killed();
        overwrite(&disk, LOG, 5 * size, torn);
        let (log, recovery) = disk.try_open().unwrap();
        assert_eq!(recovery.bytes_cut, torn.len() as u64);
        assert_eq!((log.log_end_offset(), log.size()), (10, 5 * size));
        assert_eq!(append(&log, &batch(1, 0)).base_offset, 10);
        assert_eq!(batches(&disk.open(), 0), [0, 2, 4, 6, 8, 10]);
    }
    // The last batch itself, at every length.
    for len in 0..killed().1 {
        let (disk, size) = killed();
        let file = disk.mem.open(Path::new(LOG), OpenMode::ReadWrite).unwrap();
        file.set_len(4 * size + len).unwrap();
        let (log, recovery) = disk.try_open().unwrap();
        assert_eq!((log.log_end_offset(), recovery.bytes_cut), (8, len));
    }
}

/// Bytes of `path`.
fn content(disk: &Disk, path: &str) -> Vec<u8> {
    crate::fs::read_file(&disk.mem, Path::new(path), 100_000).unwrap()
}

#[test]
fn damage_in_what_was_durable_is_refused_and_nothing_is_touched() {
    for position in [0, 8, 16, 17, 23, 62, 80] {
        let (mut disk, size) = killed();
        overwrite(&disk, LOG, 2 * size + position, &[0xee]);
        let (before, names) = (content(&disk, LOG), disk.names());
        disk.durable_end = 5;
        let error = disk.try_open().unwrap_err();
        assert!(matches!(error, OpenLogError::DurableDataDamaged { durable_end: 5, .. }));
        let text = error.to_string();
        assert!(text.contains(&format!("{LOG} is damaged at position {}", 2 * size)), "{text}");
        assert!(text.contains("`barnabas storage repair /logs --dry-run`"), "{text}");
        assert_eq!((content(&disk, LOG), disk.names()), (before, names));
    }
}

#[test]
fn a_hole_in_what_was_never_durable_is_cut_and_kept() {
    for position in [0, 8, 16, 17, 23, 62, 80] {
        let (mut disk, size) = killed();
        overwrite(&disk, LOG, 2 * size + position, &[0xee]);
        let before = content(&disk, LOG);
        disk.durable_end = 4;
        let (log, recovery) = disk.try_open().unwrap();
        assert_eq!((log.log_end_offset(), log.size()), (4, 2 * size));
        assert_eq!((recovery.bytes_cut, recovery.bytes_kept), (3 * size, 3 * size));
        assert_eq!(log.latest_epoch().unwrap().epoch, 1);
        let kept = format!("{LOG}.cut-{}", 2 * size);
        // They are durable, and neither a restart nor a clean-up takes them away.
        disk.mem.crash();
        let log = disk.open();
        log.close().unwrap();
        disk.open();
        assert_eq!(content(&disk, &kept), before[2 * size as usize..]);
    }
    // The leader epoch alone is not covered by any checksum.
    let (disk, size) = killed();
    overwrite(&disk, LOG, 2 * size + 12, &[0xee]);
    assert_eq!(disk.open().log_end_offset(), 10);
}

#[test]
fn what_was_cut_at_the_same_place_before_is_not_overwritten() {
    let (disk, size) = killed();
    let torn = |bytes: &[u8]| {
        overwrite(&disk, LOG, 5 * size, bytes);
        assert_eq!(disk.open().log_end_offset(), 10);
    };
    torn(b"first");
    torn(b"second");
    // As if a crash had come between keeping and cutting.
    torn(b"second");
    torn(&[b"third".as_slice(), &[0; 300]].concat());
    torn(&[0; 300]);
    let kept = |number: &str| content(&disk, &format!("{LOG}.cut-{}{number}", 5 * size));
    assert_eq!((kept(""), kept("-2")), (b"first".to_vec(), b"second".to_vec()));
    assert!(kept("-3").starts_with(b"third\0") && kept("-3").len() < 100);
    let count = || disk.names().iter().filter(|name| name.contains(".cut-")).count();
    assert_eq!(count(), 3, "zeros hold nothing");
    for number in 0..2 * kept::FILES_MAX {
        torn(format!("again {number}").as_bytes());
    }
    assert_eq!(count(), kept::FILES_MAX);
}

#[test]
fn without_space_the_torn_end_is_cut_all_the_same() {
    let (disk, size) = killed();
    overwrite(&disk, LOG, 5 * size, b"torn");
    disk.faulty.add(Rule {
        path_contains: ".cut-".to_owned(),
        ..Rule::next(Op::Write, 1, Fault::NoSpace)
    });
    let (log, recovery) = disk.try_open().unwrap();
    assert_eq!((log.log_end_offset(), recovery.bytes_cut, recovery.bytes_kept), (10, 4, 0));
    assert!(!disk.names().iter().any(|name| name.contains(".cut-")));
}

#[test]
fn damage_at_the_end_is_refused_below_the_durable_end() {
    let (mut disk, size) = killed();
    overwrite(&disk, LOG, 4 * size + 17, b"!!");
    disk.recovery_point = 9;
    let error = disk.try_open().unwrap_err();
    assert!(matches!(error, OpenLogError::DurableDataDamaged { durable_end: 9, .. }), "{error}");
    disk.recovery_point = 8;
    disk.durable_end = 9;
    let error = disk.try_open().unwrap_err();
    assert!(matches!(error, OpenLogError::DurableDataDamaged { durable_end: 9, .. }), "{error}");
    disk.durable_end = 8;
    assert_eq!(disk.open().log_end_offset(), 8);
}

#[test]
fn a_log_shorter_than_its_recovery_point_is_refused() {
    let (mut disk, size) = killed();
    disk.recovery_point = 10;
    let file = disk.mem.open(Path::new(LOG), OpenMode::ReadWrite).unwrap();
    file.set_len(3 * size).unwrap();
    for clean in [false, true] {
        disk.clean = clean;
        let error = disk.try_open().unwrap_err();
        assert!(matches!(error, OpenLogError::DurableDataDamaged { .. }), "{error}");
    }
    disk.mem.remove_file(Path::new(LOG)).unwrap();
    for clean in [false, true] {
        disk.clean = clean;
        let error = disk.try_open().unwrap_err();
        assert!(matches!(error, OpenLogError::NoSegments { durable_end: 10, .. }), "{error}");
        assert!(error.to_string().starts_with("/logs/topic-0 holds no segments"), "{error}");
    }
}

#[test]
fn only_segments_beyond_the_recovery_point_are_scanned() {
    let size = batch(2, 0).size();
    let mut disk = Disk::with(|config| config.segment_bytes = (2 * size) as i32);
    let log = disk.create();
    for _ in 0..6 {
        append(&log, &batch(2, 0));
    }
    log.flush().unwrap();
    append(&log, &batch(2, 0));
    disk.recovery_point = log.recovery_point();
    assert_eq!(disk.recovery_point, 12);
    let (log, recovery) = disk.try_open().unwrap();
    // The one that ends at the recovery point was not full then: its indexes are to be made.
    assert_eq!(recovery.segments_scanned, 2);
    assert_eq!((log.segment_count(), log.log_end_offset()), (4, 14));
    // A hole in a sealed segment is found if that one has to be scanned.
    overwrite(&disk, LOG, size as u64 + 70, b"!");
    assert!(disk.try_open().is_ok());
    (disk.recovery_point, disk.durable_end) = (2, 12);
    assert!(matches!(disk.try_open().unwrap_err(), OpenLogError::DurableDataDamaged { .. }));
}

#[test]
fn a_cut_takes_later_segments_along() {
    let size = batch(2, 0).size();
    let four_segments = || {
        let disk = Disk::with(|config| config.segment_bytes = (2 * size) as i32);
        let log = disk.create();
        for _ in 0..7 {
            append(&log, &batch(2, 0));
        }
        disk
    };
    let later = |disk: &Disk, base: i64| content(disk, &format!("/logs/topic-0/{base:020}.log"));
    let kept =
        |disk: &Disk, base: i64| content(disk, &format!("/logs/topic-0/{base:020}.log.cut-0"));

    let disk = four_segments();
    overwrite(&disk, LOG, size as u64 + 62, b"!");
    let before = [4, 8, 12].map(|base| later(&disk, base));
    let (log, recovery) = disk.try_open().unwrap();
    assert_eq!((log.log_end_offset(), log.segment_count()), (2, 1));
    assert_eq!((recovery.bytes_cut, recovery.bytes_kept), (6 * size as u64, 6 * size as u64));
    assert_eq!([4, 8, 12].map(|base| kept(&disk, base)), before);

    // A power cut took the whole of an unsynced segment; the next one was written back.
    let disk = four_segments();
    let path = Path::new("/logs/topic-0/00000000000000000004.log");
    disk.mem.open(path, OpenMode::ReadWrite).unwrap().set_len(0).unwrap();
    let before = later(&disk, 8);
    let (log, recovery) = disk.try_open().unwrap();
    assert_eq!((log.log_end_offset(), log.segment_count()), (4, 2));
    assert_eq!(recovery.bytes_cut, 3 * size as u64);
    assert_eq!(kept(&disk, 8), before);
    assert_eq!(append(&log, &batch(1, 0)).base_offset, 4);
    assert_eq!(batches(&disk.open(), 0), [0, 2, 4]);

    // The name of a segment alone does not bring back what was before it.
    let disk = four_segments();
    for base in [4, 8, 12] {
        let path = format!("/logs/topic-0/{base:020}.log");
        disk.mem.open(Path::new(&path), OpenMode::ReadWrite).unwrap().set_len(0).unwrap();
    }
    let log = disk.open();
    assert_eq!((log.log_end_offset(), log.segment_offsets()), (4, vec![0, 4]));
    assert!(!disk.names().iter().any(|name| name.contains(".cut-")));

    // Below the durable end the same is an error.
    let mut disk = four_segments();
    disk.mem.open(path, OpenMode::ReadWrite).unwrap().set_len(0).unwrap();
    disk.durable_end = 6;
    let error = disk.try_open().unwrap_err();
    assert!(error.to_string().contains("it ends at offset 4, and"), "{error}");
}

#[test]
fn leftovers_are_removed_and_an_unfinished_compaction_is_refused() {
    let (disk, _) = killed();
    for name in [
        "00000000000000000000.log.deleted",
        "00000000000000000000.log.cleaned",
        "00000000000000000077.index",
        "leader-epoch-checkpoint.tmp",
        "partition.metadata",
    ] {
        crate::fs::replace_file(&disk.mem, &Disk::path().join(name), b"x").unwrap();
    }
    assert_eq!(disk.open().log_end_offset(), 10);
    assert_eq!(
        disk.names(),
        ["00000000000000000000.log", "leader-epoch-checkpoint", "partition.metadata"]
    );
    crate::fs::replace_file(&disk.mem, &Disk::path().join("0.log.swap"), b"x").unwrap();
    assert!(matches!(disk.try_open().unwrap_err(), OpenLogError::UnfinishedCompaction { .. }));
}

#[test]
fn damaged_snapshots_epochs_and_indexes_are_made_anew() {
    let size = idempotent(1, 0, 2).size();
    let mut disk = Disk::with(|config| config.segment_bytes = (2 * size) as i32);
    let log = disk.create();
    for number in 0..7 {
        append(&log, &idempotent(1, number * 2, 2));
    }
    let log = disk.restart(log);
    log.close().unwrap();
    for name in disk.names() {
        if !name.ends_with(".log") {
            let bytes = b"?".repeat(if name.ends_with("index") { 7 } else { 20 });
            crate::fs::replace_file(&disk.mem, &Disk::path().join(name), &bytes).unwrap();
        }
    }
    for clean in [false, true] {
        disk.clean = clean;
        let log = disk.open();
        assert_eq!(batches(&log, 0).len(), 7);
        assert!(append(&log, &idempotent(1, 12, 2)).duplicate);
        log.close().unwrap();
    }
}

#[test]
fn a_start_beyond_the_end_is_refused_after_a_clean_stop() {
    let (mut disk, _) = killed();
    let log = disk.open();
    let log = disk.restart(log);
    log.close().unwrap();
    (disk.log_start_offset, disk.clean) = (50, true);
    let error = disk.try_open().unwrap_err();
    assert!(error.to_string().contains("begins at offset 50, but it ends at offset 10"), "{error}");
    disk.log_start_offset = 0;
    assert_eq!(batches(&disk.open(), 0).len(), 5);
}

#[test]
fn leader_epochs_outlive_a_walk_behind_a_later_epoch() {
    let (disk, _) = killed();
    let log = disk.open();
    log.begin_leader_epoch(9);
    log.flush().unwrap();
    let log = disk.open();
    assert_eq!((log.epoch_for_offset(1), log.epoch_for_offset(9)), (Some(0), Some(4)));
}

#[test]
fn lost_leader_epochs_are_read_from_the_batches_after_a_clean_stop_too() {
    let (mut disk, _) = killed();
    let log = disk.open();
    let log = disk.restart(log);
    log.close().unwrap();
    disk.clean = true;
    overwrite(&disk, "/logs/topic-0/leader-epoch-checkpoint", 0, b"?");
    assert_eq!(disk.open().epoch_for_offset(3), Some(1));
    disk.mem.remove_file(&Disk::path().join("leader-epoch-checkpoint")).unwrap();
    assert_eq!(disk.open().epoch_for_offset(3), Some(1));
}

#[test]
fn a_log_that_ends_before_its_start_begins_there() {
    let (mut disk, _) = killed();
    disk.log_start_offset = 50;
    let log = disk.open();
    assert_eq!((log.log_start_offset(), log.log_end_offset()), (50, 50));
    assert_eq!(append(&log, &batch(1, 0)).base_offset, 50);
}

/// The next recovery begins behind the batches that these epochs were taken from.
#[test]
fn leader_epochs_found_by_a_recovery_survive_the_next_crash() {
    let (mut disk, _) = killed();
    let log = disk.open();
    disk.recovery_point = log.recovery_point();
    assert_eq!(disk.recovery_point, 10);
    disk.mem.crash();
    assert_eq!(disk.open().end_offset_for_epoch(2).end_offset, 6);

    // Without room for them the recovery point stays back.
    let (disk, _) = killed();
    disk.faulty.add(Rule {
        path_contains: "leader-epoch".to_owned(),
        ..Rule::next(Op::Write, 1, Fault::NoSpace)
    });
    assert_eq!(disk.open().recovery_point(), 0);
}
