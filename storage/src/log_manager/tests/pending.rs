//! What is said of a directory whose journal has not been written back yet.

use super::*;
use crate::fs::{OpenMode, read_file, write_all_at};
use crate::journal::listing::{Listed, list};
use crate::journal::pending::Pending;
use crate::journal::{JOURNAL_FILE, JournalError};
use crate::repair::Repair;
use crate::verify::{Damage, Options, Remedy, Report, verify};

const SEGMENT: &str = "/a/orders-0/00000000000000000000.log";

/// A log that is durable up to offset 12, the last of it in the journal only, after a power cut.
fn cut_off() -> Machine {
    let machine = Machine::new(&["/a"]);
    let (manager, _) = machine.start();
    let log = create(&manager, 0);
    append_durably(&log, 4);
    for _ in 0..2 {
        let (done, durable) = mpsc::channel();
        log.append_as_leader(&batch(4), 0, RequiredAcks::All, 0).unwrap();
        let end = log.log_end_offset();
        log.when_durable(end, Box::new(move |result| done.send(result.is_ok()).unwrap()));
        assert!(durable.recv().unwrap());
    }
    assert_eq!((log.durable_end(), log.recovery_point()), (12, 4));
    machine.crash(manager);
    machine
}

fn seen(machine: &Machine) -> Report {
    let fs: Arc<dyn Fs> = Arc::new(machine.mem.clone());
    verify(&fs, Path::new("/a"), Options::default(), &mut |_| {}).unwrap()
}

fn the_damage(machine: &Machine) -> Damage {
    let mut damages = seen(machine).damages;
    assert_eq!(damages.len(), 1, "{damages:?}");
    damages.remove(0)
}

fn set_len(machine: &Machine, len: u64) {
    let file = machine.mem.open(Path::new(SEGMENT), OpenMode::ReadWrite).unwrap();
    file.set_len(len).unwrap();
    file.sync_data().unwrap();
}

fn len(machine: &Machine) -> u64 {
    machine.mem.metadata(Path::new(SEGMENT)).unwrap().len
}

#[test]
fn files_are_looked_at_as_the_next_start_will_find_them() {
    let machine = cut_off();
    // A part of what was lost has reached the disk.
    let whole = len(&machine);
    set_len(&machine, whole + 30);
    let report = seen(&machine);
    assert_eq!((report.damages, report.records), (vec![], 12));
    assert!(report.notes.iter().any(|note| note.contains("1 segments lack")), "{:?}", report.notes);
    let fs: Arc<dyn Fs> = Arc::new(machine.mem.clone());
    let info = crate::info::describe(&fs, Path::new("/a")).unwrap();
    assert_eq!(info.partitions[0].log_end_offset, Some(12));
    assert!(Repair::plan(&fs, Path::new("/a")).unwrap().is_nothing());
    assert_eq!(len(&machine), whole + 30, "nothing was written");

    let (manager, report) = machine.start();
    assert_eq!((report.logs, report.failed.len()), (1, 0));
    assert_eq!(manager.get(&partition(0)).unwrap().log_end_offset(), 12);
}

/// Power cuts keep what they like: of two batches that are only in the journal, the second is whole.
#[test]
fn each_batch_is_known_to_be_in_the_file_or_not() {
    let machine = cut_off();
    let (fs, segment) = (Arc::new(machine.mem.clone()) as Arc<dyn Fs>, Path::new(SEGMENT));
    let size = len(&machine);
    let look = || {
        let pending = Pending::look(&fs, Path::new("/a")).unwrap();
        let file = pending.segment(segment).unwrap().unwrap();
        let lacks = [0, 1, 2].map(|at| file.lacks(at * size..(at + 1) * size).unwrap());
        (read_file(&*pending.fs, segment, u64::MAX).unwrap(), lacks)
    };
    let (whole, lacks) = look();
    assert_eq!((whole.len() as u64, lacks), (3 * size, [false, true, true]));
    let file = machine.mem.open(segment, OpenMode::ReadWrite).unwrap();
    let last = &whole[2 * size as usize..];
    write_all_at(&*file, &mut [std::io::IoSlice::new(last)], 2 * size).unwrap();
    assert_eq!(look(), (whole.clone(), [false, true, false]), "a hole between two batches");
    write_all_at(&*file, &mut [std::io::IoSlice::new(&whole)], 0).unwrap();
    assert_eq!(look(), (whole, [false; 3]));
    assert!(Pending::nothing(&fs).segment(segment).unwrap().is_none());
}

/// The journal has been written back; it still knows how far the log was durable.
#[test]
fn what_the_journal_knows_to_be_durable_is_missed() {
    let machine = cut_off();
    drop(machine.start());
    let whole = len(&machine);
    let report = seen(&machine);
    assert_eq!((report.damages, report.records), (vec![], 12));
    // All of the last batch is gone, and then a part of the one before it.
    let batch_bytes = whole / 3;
    set_len(&machine, whole - batch_bytes);
    let damage = the_damage(&machine);
    assert_eq!(
        (&*damage.file, damage.remedy),
        (Path::new("/a/barnabas-journal"), Remedy::RepairLog)
    );
    assert!(damage.what.contains("it says 12 for orders-0, which ends at offset 8"), "{damage}");
    set_len(&machine, whole - batch_bytes - 9);
    let damage = the_damage(&machine);
    assert_eq!((&*damage.file, damage.remedy), (Path::new(SEGMENT), Remedy::RepairLog));
    assert_eq!(machine.start().1.failed.len(), 1, "the start thinks so too");

    let fs: Arc<dyn Fs> = Arc::new(machine.mem.clone());
    let repair = Repair::plan(&fs, Path::new("/a")).unwrap();
    assert_eq!(repair.partitions.len(), 1);
    repair.apply(&mut |_, _| {}).unwrap();
    drop(repair);
    assert_eq!(seen(&machine).damages, []);
    let (manager, report) = machine.start();
    assert_eq!(report.failed.len(), 0);
    assert_eq!(manager.get(&partition(0)).unwrap().log_end_offset(), 4);
}

#[test]
fn a_damaged_journal_is_named_and_the_files_are_looked_at_without_it() {
    let machine = cut_off();
    let journal = machine.mem.open(&Path::new("/a").join(JOURNAL_FILE), OpenMode::ReadWrite);
    journal.unwrap().write_at(&[std::io::IoSlice::new(b"!")], 20).unwrap();
    let damage = the_damage(&machine);
    assert_eq!((damage.position, damage.remedy), (Some(0), Remedy::RestoreJournal));
    let fs: Arc<dyn Fs> = Arc::new(machine.mem.clone());
    let said = Repair::plan(&fs, Path::new("/a")).unwrap_err().to_string();
    assert!(said.contains("barnabas-journal is damaged at position 0"), "{said}");
}

#[test]
fn the_entries_of_a_journal_are_listed() {
    let machine = cut_off();
    let mut ends = Vec::new();
    let mut frames = 0;
    let path = Path::new("/a").join(JOURNAL_FILE);
    let mut note = |listed: Listed<'_>| {
        match listed {
            Listed::Header { is_open, .. } => assert!(is_open),
            Listed::Frame { counts, .. } => frames += usize::from(counts),
            Listed::Entry { kind, topic, partition, base_offset, end_offset, .. } => {
                assert_eq!((topic, partition), ("orders", 0));
                ends.push((kind, base_offset, end_offset));
            }
        }
        Ok::<(), JournalError>(())
    };
    assert!(list(&machine.mem, &path, &mut note).unwrap());
    assert!(frames >= 2, "{frames}");
    let bytes: Vec<_> = ends.iter().filter(|(kind, ..)| *kind == "bytes").collect();
    assert_eq!(bytes, [&("bytes", 4, 8), &("bytes", 8, 12)]);
    assert!(
        !list(&machine.mem, Path::new("/a/nothing"), &mut |_| Ok::<(), JournalError>(())).unwrap()
    );
}
