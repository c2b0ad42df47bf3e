//! Compaction of one log: what stays, who goes on reading, and what every crash leaves.

mod unchanged;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use protocol_codec::records::Compression;
use protocol_codec::records::control::EndTransactionMarker;

use super::*;
use crate::cleaner::choose::cleanable;
use crate::cleaner::clean::{CleanError, CleanedStats, Cleaning, Limits};
use crate::fs::{DirEntry, DiskSpace, File, Metadata, OpenMode};
use crate::log::transactions::EndTransaction;
use crate::producer_state::ProducerStateEntry;
use crate::sealed_sums::{FileSum, SealedSums};

const RETENTION_MS: i64 = 500;

fn limits() -> Limits {
    Limits { map_bytes: 1 << 20, load_factor: 0.9, buffer_bytes: 4096 }
}

fn clean_with(log: &Arc<Log>, now_ms: i64, limits: &Limits) -> Result<CleanedStats, CleanError> {
    let range = cleanable(&log.facts(now_ms).unwrap(), now_ms);
    let cleaning =
        Cleaning { log, range, limits, now_ms, pace: &|_| true, before_replacing: &|_| true };
    let done = cleaning.run()?;
    log.set_clean_point(done.end_offset);
    Ok(done)
}

fn clean(log: &Arc<Log>, now_ms: i64) -> CleanedStats {
    clean_with(log, now_ms, &limits()).unwrap()
}

/// Segments of about four batches.
fn disk() -> Disk {
    Disk::with(|config| {
        config.segment_bytes = 400;
        config.index_interval_bytes = 100;
        config.delete_retention_ms = RETENTION_MS;
        config.cleanup_policy = crate::CleanupPolicy { delete: false, compact: true };
    })
}

fn put(log: &Arc<Log>, builder: BatchBuilder, records: &[(&str, Option<&str>)]) -> Appended {
    let mut builder = builder;
    for (key, value) in records {
        let timestamp = 1000 + log.log_end_offset();
        builder.append(timestamp, Some(key.as_bytes()), value.map(str::as_bytes), &[]).unwrap();
    }
    append(log, &ValidatedBatch::internal(&builder.build().unwrap()).unwrap())
}

fn end_transaction(log: &Arc<Log>, producer_id: i64, committed: bool) {
    let end = EndTransaction {
        producer_id,
        producer_epoch: 0,
        marker: EndTransactionMarker { committed, coordinator_epoch: 1 },
        transaction_version: 1,
    };
    log.append_end_transaction(&end, 0, RequiredAcks::Leader, 0).unwrap();
}

/// Keys over and over, tombstones, compressed batches, two producers, transactions of both kinds.
fn fill(log: &Arc<Log>) {
    for round in 0..8 {
        let value = format!("value of round {round}");
        let value = Some(value.as_str());
        let key = format!("k{}", round % 3);
        put(log, BatchBuilder::new(), &[(&key, value), ("every", value)]);
        let kind = Compression::ALL[round % 5];
        put(log, BatchBuilder::new().compression(kind, None), &[("every", value), ("z", value)]);
        put(log, BatchBuilder::new().producer(5, 0, round as i32), &[("idempotent", value)]);
        let sequence = 2 * round as i32;
        let transactional = || BatchBuilder::new().transactional(true);
        put(
            log,
            transactional().producer(6, 0, sequence),
            &[("in-transaction", value), ("k1", value)],
        );
        end_transaction(log, 6, round % 2 == 0);
        if round == 5 {
            put(log, BatchBuilder::new(), &[("k2", None), ("z", None)]);
        }
        if round == 6 {
            put(log, BatchBuilder::new(), &[("z", value)]);
        }
    }
    log.flush().unwrap();
}

type Record = (i64, String, Option<String>);

/// What a reader with `read_committed` finds, from the start on.
fn committed(log: &Log) -> Vec<Record> {
    let read = log.read_committed(log.log_start_offset(), usize::MAX, true).unwrap();
    let mut found = Vec::new();
    for batch in split_batches(read.slices.to_bytes().unwrap()) {
        let batch = batch.unwrap();
        batch.view().verify_checksum().unwrap();
        let header = *batch.header();
        let is_aborted = read.aborted.iter().any(|txn| {
            txn.producer_id == header.producer_id
                && header.attributes.is_transactional()
                && (txn.first_offset..txn.last_offset).contains(&header.base_offset)
        });
        if header.attributes.is_control() || is_aborted {
            continue;
        }
        for record in &batch.view().plain_records(1 << 20).unwrap() {
            let record = record.unwrap();
            let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
            let offset = header.offset_of(record.offset_delta);
            found.push((offset, text(record.key.unwrap()), record.value.map(text)));
        }
    }
    found
}

/// The last value of each key.
fn state(records: &[Record]) -> BTreeMap<String, String> {
    let mut state = BTreeMap::new();
    for (_, key, value) in records {
        match value {
            Some(value) => state.insert(key.clone(), value.clone()),
            None => state.remove(key),
        };
    }
    state
}

#[test]
fn the_last_record_of_each_key_stays_and_a_restart_sees_the_same() {
    let mut disk = disk();
    let log = disk.create();
    fill(&log);
    let before = committed(&log);
    let segments = log.segment_count();
    let producers = sorted(log.active_producers());
    let dirty_end = log.segment_offsets().last().copied().unwrap();

    let done = clean(&log, 10_000);
    assert_eq!((done.first_dirty_offset, done.end_offset), (0, dirty_end));
    let after = committed(&log);
    assert_eq!(state(&after), state(&before));
    assert!(after.iter().all(|record| before.contains(record)), "{after:?}");
    assert!(after.len() < before.len());
    // Of each key at most one record is left in the part that was cleaned.
    let mut keys: Vec<&String> =
        after.iter().filter(|(offset, ..)| *offset < dirty_end).map(|(_, key, _)| key).collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);
    assert_eq!((log.clean_point(), log.log_start_offset()), (Some(dirty_end), 0));

    // What has become small is put together the next time.
    assert_eq!(log.segment_count(), segments);
    log.set_clean_point(0);
    clean(&log, 10_000);
    assert!(log.segment_count() < segments && committed(&log) == after);

    // After a kill, with everything that was known of the producers lost.
    for name in disk.names().iter().filter(|name| name.ends_with(".snapshot")) {
        disk.mem.remove_file(&Disk::path().join(name)).unwrap();
    }
    disk.recovery_point = log.recovery_point();
    let log = disk.open();
    assert_eq!(committed(&log), after);
    assert_eq!(sorted(log.active_producers()), producers);
    let log = disk.restart(log);
    assert_eq!(committed(&log), after);
    assert!(disk.names().iter().all(|name| !name.contains(".cleaned") && !name.contains(".swap")));
}

fn sorted(entries: Vec<ProducerStateEntry>) -> Vec<(i64, i32, i64)> {
    let facts = |entry: &ProducerStateEntry| {
        (entry.producer_id(), entry.last_sequence(), entry.last_data_offset())
    };
    let mut sorted: Vec<_> = entries.iter().map(facts).collect();
    sorted.sort_unstable();
    sorted
}

#[test]
fn tombstones_stay_for_their_time_and_go_with_the_next_cleaning_after_it() {
    let disk = disk();
    let log = disk.create();
    fill(&log);
    put(&log, BatchBuilder::new(), &[("z", None)]);
    let tombstones = |log: &Log| {
        let cleaned = log.segment_offsets().last().copied().unwrap();
        let found =
            committed(log).into_iter().filter(|(at, _, value)| *at < cleaned && value.is_none());
        found.map(|(_, key, _)| key).collect::<Vec<_>>()
    };
    for (now_ms, left) in [(10_000, 1), (10_499, 1), (10_500, 0)] {
        log.roll().unwrap();
        put(&log, BatchBuilder::new(), &[("other", Some("x"))]);
        log.flush().unwrap();
        clean(&log, now_ms);
        assert_eq!(tombstones(&log).iter().filter(|key| *key == "z").count(), left, "{now_ms}");
    }
}

#[test]
fn a_reader_with_the_old_row_goes_on_with_the_old_files() {
    let disk = disk();
    let log = disk.create();
    fill(&log);
    let bytes = read(&log, 0);
    // Held since before the cleaning, never opened by this reader.
    let row = log.segment_row();
    let slices = log.read(0, usize::MAX, log.visible_end(), true).unwrap();
    clean(&log, 10_000);
    assert!(read(&log, 0) != bytes);
    assert!(slices.to_bytes().unwrap() == bytes);
    // What was not open is not opened by a name that other bytes have now: a reader looks again.
    let replaced = row.iter().filter(|segment| segment.base_offset() < log.clean_point().unwrap());
    for segment in replaced {
        let error = segment.file(&disk.faulty).unwrap_err();
        assert!(error.to_string().contains("the segment was deleted"), "{error}");
    }
    assert!(disk.names().iter().any(|name| name.ends_with(".log.deleted")));
    log.tick(10_000 + log.config().file_delete_delay_ms);
    assert!(!disk.names().iter().any(|name| name.ends_with(".deleted")));
}

#[test]
fn a_full_map_cleans_a_part_and_the_next_round_the_rest() {
    let disk = disk();
    let log = disk.create();
    fill(&log);
    let before = state(&committed(&log));
    let end = log.segment_offsets().last().copied().unwrap();
    // Four keys.
    let limits = Limits { map_bytes: 8 * 24, load_factor: 0.5, ..limits() };
    let mut rounds = Vec::new();
    while rounds.last() != Some(&end) {
        rounds.push(clean_with(&log, 10_000, &limits).unwrap().end_offset);
        assert_eq!(state(&committed(&log)), before);
        assert!(rounds.is_sorted() && rounds.len() < 40, "{rounds:?}");
    }
    assert!(rounds.len() > 1);
}

#[test]
fn a_transaction_behind_the_end_of_a_part_stays_aborted() {
    let disk = disk();
    let log = disk.create();
    put(&log, BatchBuilder::new(), &["a", "b", "c", "d"].map(|key| (key, Some("value"))));
    put(&log, BatchBuilder::new().transactional(true).producer(6, 0, 0), &[("e", Some("value"))]);
    end_transaction(&log, 6, false);
    log.roll().unwrap();
    log.flush().unwrap();
    let before = committed(&log);
    // The map is full after three keys; the segment is written anew as a whole.
    let limits = Limits { map_bytes: 8 * 24, load_factor: 0.4, ..limits() };
    assert_eq!(clean_with(&log, 10_000, &limits).unwrap().end_offset, 3);
    assert_eq!(committed(&log), before);
}

#[test]
fn what_is_open_young_or_not_on_the_disk_is_left_alone() {
    let disk = disk();
    let log = disk.create();
    fill(&log);
    let end = |log: &Log| cleanable(&log.facts(2000).unwrap(), 2000).first_uncleanable_offset;
    let active = log.segment_offsets().last().copied().unwrap();
    assert_eq!(end(&log), active);
    // A transaction that stays open, and segments behind it.
    let first =
        put(&log, BatchBuilder::new().transactional(true).producer(7, 0, 0), &[("t", None)]);
    for _ in 0..9 {
        put(&log, BatchBuilder::new(), &[("x", Some("a value that takes some room"))]);
    }
    assert!(end(&log) <= first.base_offset, "not synced yet");
    log.flush().unwrap();
    assert!(end(&log) <= first.base_offset, "not decided yet");
    end_transaction(&log, 7, true);
    log.flush().unwrap();
    assert!(end(&log) > first.base_offset);
    let mut config = LogConfig::clone(&log.config());
    config.min_compaction_lag_ms = 1000;
    log.update_config(config);
    // Records have timestamps from 1000 on.
    assert_eq!(end(&log), 0);
}

#[test]
fn a_segment_whose_indexes_are_still_to_be_written_is_left_alone() {
    let disk = disk();
    let log = disk.create();
    fill(&log);
    let base = log.segment_offsets().last().copied().unwrap();
    // The sync came before the roll: the recovery point is where the rolled segment ends.
    log.roll().unwrap();
    assert_eq!(log.recovery_point(), log.log_end_offset());
    let end = |log: &Log| cleanable(&log.facts(2000).unwrap(), 2000).first_uncleanable_offset;
    assert_eq!(end(&log), base);
    log.flush().unwrap();
    assert_eq!(end(&log), log.log_end_offset());
    clean(&log, 2000);
    // Nothing writes the old indexes over the new ones later.
    let after = committed(&log);
    put(&log, BatchBuilder::new(), &[("x", None)]);
    log.flush().unwrap();
    assert_eq!(committed(&log)[..after.len()], after);
}

#[test]
fn truncation_and_retention_stop_a_cleaning_without_harm() {
    let disk = disk();
    let log = disk.create();
    fill(&log);
    let before = committed(&log);
    let (low, high) = (log.segment_offsets()[3], log.segment_offsets()[5]);
    let now_ms = 10_000;
    let range = cleanable(&log.facts(now_ms).unwrap(), now_ms);
    let run = |pace: &dyn Fn(u64) -> bool| {
        let (log, limits) = (&log, &limits());
        Cleaning { log, range, limits, now_ms, pace, before_replacing: &|_| true }.run()
    };
    assert!(matches!(run(&|_| false), Err(CleanError::Aborted)));
    assert_eq!(committed(&log), before);
    let truncated = run(&|_| {
        log.truncate_to(high).unwrap();
        true
    });
    assert!(matches!(truncated, Err(CleanError::Aborted)));
    assert_eq!(log.log_end_offset(), high);
    let left = committed(&log);
    let shortened = run(&|_| {
        if log.log_start_offset() < low {
            log.delete_records_before(low).unwrap();
            log.delete_old_segments(now_ms).unwrap();
        }
        true
    });
    assert!(matches!(shortened, Err(CleanError::Aborted)), "{shortened:?}");
    assert!(!disk.names().iter().any(|name| name.ends_with(".cleaned")));
    assert_eq!(state(&committed(&log)), state(&left[left.len() - committed(&log).len()..]));
    log.set_clean_point(high);
    log.truncate_to(low + 1).unwrap();
    assert!(log.clean_point().unwrap() <= low + 1);
}

#[test]
fn damage_stops_the_cleaning_and_is_not_signed() {
    let disk = disk();
    let log = disk.create();
    fill(&log);
    let name = Disk::path().join(format!("{:020}.log", log.segment_offsets()[2]));
    let file = disk.mem.open(&name, OpenMode::ReadWrite).unwrap();
    crate::fs::write_all_at(&*file, &mut [std::io::IoSlice::new(b"!")], 90).unwrap();
    let error = clean_with(&log, 10_000, &limits()).unwrap_err();
    assert!(matches!(error, CleanError::Segment(SegmentError::Corrupt { .. })), "{error}");
    assert!(error.to_string().contains(&*name.to_string_lossy()), "{error}");
    assert!(!disk.names().iter().any(|name| name.ends_with(".cleaned")));
}

#[test]
fn a_full_disk_gives_up_before_anything_is_replaced() {
    let disk = disk();
    let log = disk.create();
    fill(&log);
    let before = read(&log, 0);
    let rule = crate::fs::Rule {
        path_contains: ".cleaned".to_owned(),
        ..crate::fs::Rule::next(crate::fs::Op::SyncData, 1, crate::fs::Fault::NoSpace)
    };
    disk.faulty.add(rule.clone());
    assert!(matches!(clean_with(&log, 0, &limits()), Err(CleanError::NoSpace { .. })));
    disk.faulty.heal();
    disk.faulty.add(crate::fs::Rule { fault: crate::fs::Fault::Io, ..rule });
    assert!(matches!(clean_with(&log, 0, &limits()), Err(CleanError::Io(_))));
    assert!(read(&log, 0) == before);
    assert!(!disk.names().iter().any(|name| name.contains(".cleaned")));
    clean(&log, 0);
    assert!(read(&log, 0) != before);
}

/// A machine that dies at an operation that changes the disk: neither it nor any later one is done.
#[derive(Debug, Clone)]
struct DyingFs {
    inner: MemFs,
    left: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct DyingFile(Arc<dyn File>, DyingFs);

impl DyingFs {
    fn step(&self) -> std::io::Result<()> {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        if left == 0 { Err(std::io::Error::from_raw_os_error(5)) } else { Ok(()) }
    }
}

impl Fs for DyingFs {
    fn open(&self, path: &Path, mode: OpenMode) -> std::io::Result<Arc<dyn File>> {
        if matches!(mode, OpenMode::Create | OpenMode::CreateNew) {
            self.step()?;
        }
        Ok(Arc::new(DyingFile(self.inner.open(path, mode)?, self.clone())))
    }
    fn create_dir_all(&self, path: &Path) -> std::io::Result<()> {
        self.step().and_then(|()| self.inner.create_dir_all(path))
    }
    fn rename(&self, from: &Path, to: &Path) -> std::io::Result<()> {
        self.step().and_then(|()| self.inner.rename(from, to))
    }
    fn remove_file(&self, path: &Path) -> std::io::Result<()> {
        self.step().and_then(|()| self.inner.remove_file(path))
    }
    fn remove_dir_all(&self, path: &Path) -> std::io::Result<()> {
        self.step().and_then(|()| self.inner.remove_dir_all(path))
    }
    fn list(&self, path: &Path) -> std::io::Result<Vec<DirEntry>> {
        self.inner.list(path)
    }
    fn exists(&self, path: &Path) -> std::io::Result<bool> {
        self.inner.exists(path)
    }
    fn metadata(&self, path: &Path) -> std::io::Result<Metadata> {
        self.inner.metadata(path)
    }
    fn sync_dir(&self, path: &Path) -> std::io::Result<()> {
        self.step().and_then(|()| self.inner.sync_dir(path))
    }
    fn space(&self, path: &Path) -> std::io::Result<DiskSpace> {
        self.inner.space(path)
    }
}

impl File for DyingFile {
    fn write_at(&self, parts: &[std::io::IoSlice<'_>], position: u64) -> std::io::Result<usize> {
        self.1.step().and_then(|()| self.0.write_at(parts, position))
    }
    fn read_at(&self, buf: &mut [u8], position: u64) -> std::io::Result<usize> {
        self.0.read_at(buf, position)
    }
    fn sync_data(&self) -> std::io::Result<()> {
        self.1.step().and_then(|()| self.0.sync_data())
    }
    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.1.step().and_then(|()| self.0.set_len(len))
    }
    fn len(&self) -> std::io::Result<u64> {
        self.0.len()
    }
    fn as_fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        None
    }
}

/// Cleans twice (with tombstones that go the second time), dying at operation `at`. Returns
/// whether it died, and the disk.
fn die_at(at: usize) -> (bool, Disk, Vec<Record>, i64) {
    let disk = disk();
    let log = disk.create();
    fill(&log);
    let before = committed(&log);
    log.close().unwrap();
    let recovery_point = log.recovery_point();
    let dying = DyingFs { inner: disk.mem.clone(), left: Arc::new(AtomicUsize::new(usize::MAX)) };
    let open = OpenLog { recovery_point, clean_shutdown: true, ..disk.open_log() };
    let context = LogContext { fs: Arc::new(dying.clone()), ..disk.context() };
    let log = Log::open(context, &open).unwrap().0;
    dying.left.store(at, Ordering::Relaxed);
    let done = clean_with(&log, 10_000, &limits()).and_then(|_| {
        log.set_clean_point(0);
        clean_with(&log, 20_000, &limits())
    });
    (done.is_err(), Disk { recovery_point, ..disk }, before, recovery_point)
}

#[test]
fn every_crash_leaves_a_log_with_the_same_last_values() {
    let mut at = 0;
    loop {
        let (died, disk, before, end) = die_at(at);
        for power_cut in [false, true] {
            if power_cut {
                disk.mem.crash();
            }
            let what = format!("at operation {at}, power cut: {power_cut}");
            // The start may die too; the next one goes on where it ended.
            for start in 0..3 {
                let dying =
                    DyingFs { inner: disk.mem.clone(), left: Arc::new(AtomicUsize::new(start)) };
                let context = LogContext { fs: Arc::new(dying), ..disk.context() };
                drop(Log::open(context, &disk.open_log()));
            }
            let log = disk.open();
            let after = committed(&log);
            assert_eq!(state(&after), state(&before), "{what}");
            assert!(after.iter().all(|record| before.contains(record)), "{what}");
            assert_eq!(log.log_end_offset(), end, "{what}");
            for name in disk.names() {
                let is_leftover =
                    [".cleaned", ".swap", ".deleted"].iter().any(|s| name.ends_with(s));
                assert!(!is_leftover, "{name} {what}");
            }
            if power_cut {
                clean(&log, 10_000);
                assert_eq!(state(&committed(&log)), state(&before), "{what}");
            }
        }
        if !died {
            break;
        }
        at += 1;
    }
    assert!(at > 100, "the cleaning has {at} operations");
}

#[test]
fn gaps_that_compaction_has_left_are_none_when_the_recovery_point_is_forgotten() {
    let disk = disk();
    let log = disk.create();
    // One batch a segment, too large to be put together; nothing stays of the second.
    let value = "value".repeat(50);
    for key in ["a", "b", "b", "c"] {
        put(&log, BatchBuilder::new(), &[(key, Some(&value))]);
        log.roll().unwrap();
    }
    log.flush().unwrap();
    clean(&log, 10_000);
    assert_eq!(batches(&log, 0), [0, 2, 3]);
    // The policy of a topic is not known yet when its logs are opened.
    let config = LogConfig::default();
    let clean_point = log.clean_point();
    let open = OpenLog { config, recovery_point: 0, clean_point, ..disk.open_log() };
    let (log, recovery) = Log::open(disk.context(), &open).unwrap();
    assert_eq!((batches(&log, 0), recovery.bytes_cut), (vec![0, 2, 3], 0));
    // Of what nobody has compacted a gap is a loss.
    let (log, recovery) =
        Log::open(disk.context(), &OpenLog { clean_point: None, ..open }).unwrap();
    assert_eq!(batches(&log, 0), [0]);
    assert!(recovery.bytes_cut > 0);
}

#[test]
fn the_cleaning_of_a_deleted_log_takes_no_sums_of_the_next_one_at_its_path() {
    let disk = disk();
    let log = disk.create();
    fill(&log);
    let sum = FileSum { bytes: 1, crc: 2 };
    let file = "00000000000000000000.log";
    let make_again = |_| {
        log.mark_deleted();
        disk.mem.rename(Disk::path(), Path::new("/logs/gone-delete")).unwrap();
        disk.mem.create_dir_all(Disk::path()).unwrap();
        let mut sums = SealedSums::default();
        sums.set(file.to_owned(), sum);
        sums.write(&disk.mem, Disk::path()).unwrap();
        true
    };
    let range = cleanable(&log.facts(10_000).unwrap(), 10_000);
    let cleaning = Cleaning {
        log: &log,
        range,
        limits: &limits(),
        now_ms: 10_000,
        pace: &|_| true,
        before_replacing: &make_again,
    };
    assert!(matches!(cleaning.run(), Err(CleanError::Aborted)));
    assert_eq!(SealedSums::read(&disk.mem, Disk::path()).unwrap().get(file), Some(sum));
}
