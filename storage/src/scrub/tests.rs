//! Tests of the sums of sealed files and of the pass over them. The thread itself only waits.

use std::path::Path;

use protocol_codec::Uuid;
use protocol_codec::records::{BatchBuilder, ValidatedBatch};

use super::*;
use crate::data_dirs::{DataDirs, DataDirsConfig};
use crate::fs::{MemFs, read_file, replace_file};
use crate::log::append::RequiredAcks;
use crate::verify::{Options, verify};
use crate::{CleanupPolicy, LogConfig, LogManagerConfig, Placement};

const FOLDER: &str = "/logs/orders-0";

fn start(fs: &MemFs) -> (Arc<LogManager>, Arc<Log>) {
    let dirs = DataDirsConfig {
        log_dirs: vec!["/logs".into()],
        metadata_dir: None,
        node_id: 1,
        cluster_id: None,
    };
    let data_dirs = DataDirs::open(&dirs, fs).unwrap();
    // A node that has run before has metadata.
    fs.create_dir_all(Path::new("/logs/__cluster_metadata-1")).unwrap();
    for dir in ["/", "/logs"] {
        fs.sync_dir(Path::new(dir)).unwrap();
    }
    let seam = Arc::new(fs.clone());
    let config = LogManagerConfig::default();
    let (manager, _) = LogManager::open(config, data_dirs, seam, 0, &|_| {}).unwrap();
    let config = LogConfig { index_interval_bytes: 300, ..LogConfig::default() };
    let partition = TopicPartition::new("orders", 0);
    let log = manager.get_or_create(&partition, Uuid::ONE, config, Placement::Any).unwrap();
    (Arc::new(manager), log)
}

fn scrub(manager: &Arc<LogManager>) -> Scrub {
    let config = ScrubConfig { interval: None, bytes_per_second: u64::MAX };
    Scrub { manager: Arc::downgrade(manager), stop: Arc::default(), config }
}

fn append(log: &Arc<Log>, batches: usize) {
    for _ in 0..batches {
        let mut batch = BatchBuilder::new();
        batch.append(7, None, Some(b"some value"), &[]).unwrap();
        let batch = ValidatedBatch::internal(&batch.build().unwrap()).unwrap();
        log.append_as_leader(&batch, 0, RequiredAcks::Leader, 0).unwrap();
    }
}

/// Appends ten batches to each of `segments` new segments; the last one stays open.
fn append_segments(log: &Arc<Log>, segments: usize) {
    for _ in 0..segments {
        log.roll().unwrap();
        append(log, 10);
    }
    log.flush().unwrap();
}

fn lines(fs: &MemFs) -> Vec<String> {
    let sums = SealedSums::read(fs, Path::new(FOLDER)).unwrap();
    sums.iter().map(|(name, _)| name.to_owned()).collect()
}

fn names(bases: &[i64]) -> Vec<String> {
    let of = |base: &i64| ["index", "log", "timeindex"].map(|end| format!("{base:020}.{end}"));
    bases.iter().flat_map(of).collect()
}

fn flip(fs: &MemFs, name: &str, at: usize) {
    let file = Path::new(FOLDER).join(name);
    let mut bytes = read_file(fs, &file, 1 << 20).unwrap();
    bytes[at] ^= 4;
    replace_file(fs, &file, &bytes).unwrap();
}

fn is_fine(fs: &MemFs) -> bool {
    let fs: Arc<dyn Fs> = Arc::new(fs.clone());
    let report = verify(&fs, Path::new("/logs"), Options { is_live: true }, &mut |_| {}).unwrap();
    assert_eq!(report.damages, []);
    true
}

#[test]
fn what_was_sealed_is_summed_up_and_what_is_written_is_not() {
    let fs = MemFs::new();
    let (manager, log) = start(&fs);
    append_segments(&log, 3);
    assert!(lines(&fs).is_empty(), "nobody waited for the sums");
    assert!(scrub(&manager).sum_what_is_due());
    assert_eq!(lines(&fs), names(&[0, 10]));
    append_segments(&log, 1);
    assert!(scrub(&manager).sum_what_is_due());
    assert_eq!(lines(&fs), names(&[0, 10, 20]));
    assert!(is_fine(&fs));
}

#[test]
fn a_truncation_forgets_what_it_changes_before_it_does() {
    let fs = MemFs::new();
    let (manager, log) = start(&fs);
    append_segments(&log, 4);
    assert!(scrub(&manager).sum_what_is_due());
    assert!(log.truncate_to(15).unwrap());
    assert_eq!(lines(&fs), names(&[0]));
    // The segment is written again, sealed again, and summed up again.
    append(&log, 3);
    append_segments(&log, 1);
    assert!(is_fine(&fs));
    assert!(scrub(&manager).sum_what_is_due());
    assert_eq!(lines(&fs), names(&[0, 10]));
    assert!(is_fine(&fs));
    log.truncate_fully_and_start_at(0).unwrap();
    assert!(lines(&fs).is_empty());
    append_segments(&log, 2);
    assert!(is_fine(&fs));
}

#[test]
fn the_last_segment_has_no_sums_after_a_start() {
    let fs = MemFs::new();
    let (manager, log) = start(&fs);
    append_segments(&log, 2);
    // Rolled, but nothing is written to the new one: after a restart the old one goes on.
    log.roll().unwrap();
    log.flush().unwrap();
    assert!(scrub(&manager).sum_what_is_due());
    assert_eq!(lines(&fs), names(&[0, 10]));
    assert!(manager.close(1));
    drop((log, manager));
    let (manager, log) = start(&fs);
    assert_eq!(lines(&fs), names(&[0]));
    append(&log, 1);
    append_segments(&log, 1);
    assert!(is_fine(&fs));
    drop(manager);
}

#[test]
fn a_pass_finds_damage_once_and_leaves_it() {
    let fs = MemFs::new();
    let (manager, log) = start(&fs);
    append_segments(&log, 4);
    let scrub = scrub(&manager);
    assert!(scrub.sum_what_is_due());
    scrub.pass();
    assert_eq!(manager.damaged_files(), 0);
    // The base offset of a batch, which Kafka's checksum does not cover, and an index.
    flip(&fs, "00000000000000000010.log", 7);
    flip(&fs, "00000000000000000020.index", 3);
    for _ in 0..2 {
        scrub.pass();
        assert_eq!(manager.damaged_files(), 2);
    }
    assert_eq!(lines(&fs), names(&[0, 10, 20]), "the sums stay as they are");
    // Retention removes the damaged segment: nothing is damaged any more.
    log.delete_records_before(30).unwrap();
    log.delete_old_segments(0).unwrap();
    scrub.pass();
    assert_eq!(manager.damaged_files(), 0);
}

#[test]
fn files_without_sums_get_them_only_if_they_are_good() {
    let fs = MemFs::new();
    let (manager, log) = start(&fs);
    append_segments(&log, 3);
    drop(manager.log_dirs().map(|dir| dir.sealed().take_due()).collect::<Vec<_>>());
    flip(&fs, "00000000000000000010.log", 100);
    scrub(&manager).pass();
    assert_eq!(lines(&fs), names(&[0]));
    assert_eq!(manager.damaged_files(), 1);
}

#[test]
fn a_stopped_scrub_ends_at_once() {
    let fs = MemFs::new();
    let (manager, log) = start(&fs);
    append_segments(&log, 3);
    let mut scrub = scrub(&manager);
    assert!(scrub.sum_what_is_due());
    // A byte a second: only the stop can end this pass.
    scrub.config.bytes_per_second = 1;
    flip(&fs, "00000000000000000000.log", 100);
    let stop = Arc::clone(&scrub.stop);
    let pass = thread::spawn(move || scrub.pass());
    stop.set();
    pass.join().unwrap();
    assert_eq!(manager.damaged_files(), 0, "what was cut off says nothing");
    let config = ScrubConfig { interval: None, bytes_per_second: 1 };
    drop(Scrubber::start(&manager, config).unwrap());
}

struct Clock;

impl crate::CleanerClock for Clock {
    fn wall_ms(&self) -> i64 {
        1_000_000
    }

    fn monotonic_ms(&self) -> i64 {
        0
    }
}

#[test]
fn a_compaction_keeps_the_sums_true() {
    let fs = MemFs::new();
    let (manager, log) = start(&fs);
    let compact = CleanupPolicy { delete: false, compact: true };
    log.update_config(LogConfig { cleanup_policy: compact, ..LogConfig::default() });
    for segment in 0..4 {
        log.roll().unwrap();
        for key in [&b"same"[..], format!("key {segment}").as_bytes()] {
            let mut batch = BatchBuilder::new();
            batch.append(7, Some(key), Some(b"some value"), &[]).unwrap();
            let batch = ValidatedBatch::internal(&batch.build().unwrap()).unwrap();
            log.append_as_leader(&batch, 0, RequiredAcks::Leader, 0).unwrap();
        }
    }
    log.flush().unwrap();
    assert!(scrub(&manager).sum_what_is_due());
    assert_eq!(lines(&fs), names(&[0, 2, 4]));

    let cleaned = manager.clean_now(log.topic_partition(), &Clock);
    assert!(cleaned.is_some_and(|stats| stats.end_offset == 6));
    // The lines went before the files did; those of the new segment come with the next look.
    assert!(lines(&fs).is_empty());
    assert!(is_fine(&fs));
    assert!(scrub(&manager).sum_what_is_due());
    assert_eq!(lines(&fs), names(&[0]));
    assert!(is_fine(&fs));
    scrub(&manager).pass();
    assert_eq!(manager.damaged_files(), 0);
    assert!(manager.close(1));
    let fs: Arc<dyn Fs> = Arc::new(fs);
    let report = verify(&fs, Path::new("/logs"), Options::default(), &mut |_| {}).unwrap();
    assert_eq!(report.damages, []);
}
