//! Logs whose files are closed behind their backs: two descriptors for any number of segments.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::log::read::{ReadError, Slices};

/// Descriptors that a log gets.
const FEW: usize = 2;

/// Small segments and two descriptors.
fn disk() -> Disk {
    let mut disk = Disk::with(|config| {
        config.segment_bytes = 300;
        config.index_interval_bytes = 1;
        config.max_message_bytes = 300;
    });
    disk.open_files = OpenFiles::new(FEW);
    disk
}

fn bytes_at(log: &Log, offset: i64) -> Bytes {
    log.read(offset, 1, log.visible_end(), true).unwrap().to_bytes().unwrap()
}

#[test]
fn fifty_segments_are_served_with_two_descriptors() {
    let mut disk = disk();
    let log = disk.create();
    let mut at = 0;
    while log.segment_count() < 50 {
        append(&log, &batch(3, at));
        at += 10;
    }
    let all = read_one_by_one(&log);
    assert!(disk.open_files.count() <= FEW, "{}", disk.open_files.count());
    log.context.sync_queue.run_pending();
    assert_eq!(read_one_by_one(&log), all);
    assert!(disk.open_files.count() <= FEW, "{}", disk.open_files.count());

    let log = disk.restart(log);
    assert_eq!(read_one_by_one(&log), all);
    for timestamp in (0..at).step_by(10) {
        let found = log.offset_for_timestamp(timestamp).unwrap().unwrap();
        assert_eq!((found.timestamp, found.offset), (timestamp, timestamp / 10 * 3));
    }
    assert!(disk.open_files.count() <= FEW, "{}", disk.open_files.count());
    append(&log, &batch(1, at));
    assert_eq!(batches(&log, log.log_end_offset() - 1).len(), 1);
}

fn read_one_by_one(log: &Log) -> Vec<Bytes> {
    (0..log.log_end_offset()).step_by(3).map(|offset| bytes_at(log, offset)).collect()
}

#[test]
fn an_append_survives_a_power_cut_after_its_file_was_closed() {
    let disk = disk();
    let log = disk.create();
    append_all(&log, &batch(2, 0));
    log.flush().unwrap();
    let before = disk.open_files.count();
    // Other logs of the node take the descriptors.
    let others: Vec<_> = (1..5).map(|number| other_log(&disk, &log, number)).collect();
    for other in &others {
        append(other, &batch(1, 0));
    }
    assert!(disk.open_files.count() <= FEW.max(before));
    append_all(&log, &batch(2, 100));
    log.flush().unwrap();
    disk.mem.crash();
    assert_eq!(batches(&disk.open(), 0), [0, 2]);
}

fn other_log(disk: &Disk, log: &Log, number: i32) -> Arc<Log> {
    let partition = TopicPartition::new("other", number);
    let path = Path::new("/logs").join(partition.dir_name());
    Log::create(log.context.clone(), partition, Uuid::ONE, &path, disk.config.clone())
}

#[test]
fn a_reader_of_a_deleted_segment_gets_its_bytes_or_out_of_range() {
    let disk = disk();
    let log = disk.create();
    for at in 0..20 {
        append(&log, &batch(3, at));
    }
    log.context.sync_queue.run_pending();
    let held = log.read(0, 1, log.visible_end(), true).unwrap();
    let before = held.to_bytes().unwrap();
    let row = log.segments.load_full();
    log.update_config(LogConfig { retention_bytes: 0, ..LogConfig::clone(&log.config()) });
    assert_eq!(log.delete_old_segments(0).unwrap(), row.len());
    log.tick(i64::MAX);
    assert_eq!(held.to_bytes().unwrap(), before);
    let error = log.read(0, 1, log.visible_end(), true).unwrap_err();
    assert!(matches!(error, ReadError::OffsetOutOfRange { .. }), "{error}");
    // Who still has the old row opens nothing, least of all a new file of an old name.
    disk.mem.rename(&log.writer.lock().active.path(".log"), &row[1].path(".log")).unwrap();
    let error = row[1].file(log.fs()).unwrap_err().to_string();
    assert!(error.contains("the segment was deleted"), "{error}");
}

#[test]
fn a_log_of_a_deleted_partition_does_not_open_the_files_of_the_next_one() {
    let disk = disk();
    let log = disk.create();
    for at in 0..10 {
        append(&log, &batch(3, at));
    }
    log.flush().unwrap();
    log.mark_deleted();
    disk.mem.rename(Disk::path(), Path::new("/logs/gone-delete")).unwrap();
    let next = disk.create();
    for at in 0..10 {
        append(&next, &batch(3, 1_000 + at));
    }
    assert!(log.read(0, 1, log.visible_end(), true).is_err());
    assert_eq!(batches(&next, 0).len(), 10);
}

#[test]
fn a_pinned_segment_is_read_whatever_gets_its_names() {
    let disk = disk();
    let log = disk.create();
    for at in 0..10 {
        append(&log, &batch(3, at));
    }
    log.context.sync_queue.run_pending();
    let all = read_one_by_one(&log);
    let row = log.segments.load_full();
    for segment in &row[..row.len() - 1] {
        segment.pin(log.fs()).unwrap();
        for suffix in [".log", ".index", ".timeindex"] {
            disk.mem.rename(&segment.path(suffix), Path::new("/logs/elsewhere")).unwrap();
            let file = disk.mem.open(&segment.path(suffix), OpenMode::Create).unwrap();
            file.set_len(240).unwrap();
        }
    }
    assert_eq!(read_one_by_one(&log), all);
}

#[derive(Clone, Debug)]
enum Step {
    Append { records: usize, all: bool },
    Sync,
    Read { at: usize },
    ReadAndHold { at: usize },
    ByTime { at: usize },
    Truncate { at: usize },
    DeleteBefore { at: usize },
    Retention,
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0_usize..1_000;
    prop_oneof![
        8 => (1_usize..4, any::<bool>()).prop_map(|(records, all)| Step::Append { records, all }),
        2 => Just(Step::Sync),
        6 => at().prop_map(|at| Step::Read { at }),
        2 => at().prop_map(|at| Step::ReadAndHold { at }),
        2 => at().prop_map(|at| Step::ByTime { at }),
        1 => at().prop_map(|at| Step::Truncate { at }),
        1 => at().prop_map(|at| Step::DeleteBefore { at }),
        1 => Just(Step::Retention),
    ]
}

/// What the log should hold: by base offset, the timestamp of a batch and its records.
#[derive(Default)]
struct Model {
    batches: BTreeMap<i64, (i64, usize)>,
    clock: i64,
}

impl Model {
    fn pick(&self, at: usize) -> Option<(i64, (i64, usize))> {
        let found = self.batches.iter().nth(at % self.batches.len().max(1))?;
        Some((*found.0, *found.1))
    }
}

fn check_batch(bytes: &Bytes, base: i64, timestamp: i64, records: usize) {
    let found = split_batches(bytes.clone()).next().unwrap().unwrap();
    found.view().verify_checksum().unwrap();
    let header = found.header();
    assert_eq!((header.base_offset, header.max_timestamp), (base, timestamp + records as i64 - 1));
}

fn run(steps: &[Step]) {
    let disk = disk();
    let log = disk.create();
    let mut model = Model::default();
    let mut held: Vec<(Slices, Bytes)> = Vec::new();
    let mut held_most = 0;
    for step in steps {
        let visible = log.visible_end();
        match *step {
            Step::Append { records, all } => {
                model.clock += 10;
                let acks = if all { RequiredAcks::All } else { RequiredAcks::Leader };
                let batch = batch(records, model.clock);
                let base = log.append_as_leader(&batch, 0, acks, 0).unwrap().base_offset;
                model.batches.insert(base, (model.clock, records));
            }
            Step::Sync => {
                log.flush().unwrap();
            }
            Step::Read { at } | Step::ReadAndHold { at } => {
                let Some((base, (timestamp, records))) = model.pick(at) else { continue };
                if base + records as i64 > visible {
                    continue;
                }
                let slices = log.read(base, 1, visible, true).unwrap();
                let bytes = slices.to_bytes().unwrap();
                check_batch(&bytes, base, timestamp, records);
                if matches!(step, Step::ReadAndHold { .. }) {
                    held.push((slices, bytes));
                }
            }
            Step::ByTime { at } => {
                let Some((base, (timestamp, _))) = model.pick(at) else { continue };
                let found = log.offset_for_timestamp(timestamp).unwrap().unwrap();
                assert_eq!((found.offset, found.timestamp), (base, timestamp));
            }
            Step::Truncate { at } => {
                let Some((base, _)) = model.pick(at) else { continue };
                // What readers hold of the end that is cut is not theirs any more, as in Kafka.
                held.clear();
                log.truncate_to(base).unwrap();
                model.batches.split_off(&base);
            }
            Step::DeleteBefore { at } => {
                let Some((base, _)) = model.pick(at) else { continue };
                if base <= visible {
                    log.delete_records_before(base).unwrap();
                    model.batches = model.batches.split_off(&base);
                }
            }
            Step::Retention => {
                log.delete_old_segments(0).unwrap();
                log.tick(i64::MAX);
            }
        }
        held_most = held_most.max(held.len());
        let count = disk.open_files.count();
        assert!(count <= FEW + held_most, "{count} descriptors after {step:?}");
    }
    for (slices, bytes) in held {
        assert_eq!(slices.to_bytes().unwrap(), bytes);
    }
    // What readers have given back is closed when room is wanted.
    for (base, (timestamp, records)) in model.batches {
        if base + records as i64 <= log.visible_end() {
            check_batch(&bytes_at(&log, base), base, timestamp, records);
        }
    }
    append(&other_log(&disk, &log, 1), &batch(1, 0));
    assert!(disk.open_files.count() <= FEW, "{} descriptors", disk.open_files.count());
}

/// One file is closed at once, the others have to be synced first.
#[test]
fn there_is_room_again_although_most_files_are_unsynced() {
    let append = |records| Step::Append { records, all: false };
    let hold = |at| Step::ReadAndHold { at };
    let (one, two, three) = (append(1), append(2), append(3));
    run(&[
        one.clone(),
        one.clone(),
        three,
        hold(105),
        hold(197),
        one.clone(),
        one,
        two.clone(),
        two,
    ]);
}

proptest! {
    #[test]
    fn reads_are_right_while_files_are_closed(steps in prop::collection::vec(step(), 1..120)) {
        run(&steps);
    }
}
