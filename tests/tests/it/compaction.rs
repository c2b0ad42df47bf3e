//! Compaction against Kafka's own cleaner: the same directory, cleaned by both at the same time of
//! day, holds the same files afterwards, byte by byte. `served.rs` looks at a broker that cleans.

mod served;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol_codec::Uuid;
use protocol_codec::records::control::EndTransactionMarker;
use protocol_codec::records::{BatchBuilder, Compression, ValidatedBatch, split_batches};
use storage::log::transactions::EndTransaction;
use storage::{CleanupPolicy, Log, LogConfig, LogManager, Placement, RequiredAcks, TopicPartition};
use tests::cleaning::{At, kafkas_cleaner, open_logs};
use tests::environment::rounds;
use tests::numbers::Numbers;

const DAY_MS: i64 = 86_400_000;
/// Of the first record.
pub(crate) const BEGIN_MS: i64 = 1_700_000_000_000;
const RETENTION_MS: i64 = 60_000;
const KEYS: u64 = 40;

/// The settings of both, by their names in Kafka.
const SETTINGS: [(&str, &str); 5] = [
    ("cleanup.policy", "compact"),
    ("delete.retention.ms", "60000"),
    ("internal.segment.bytes", "6000"),
    ("index.interval.bytes", "500"),
    ("file.delete.delay.ms", "0"),
];

pub(crate) fn config() -> LogConfig {
    LogConfig {
        cleanup_policy: CleanupPolicy { delete: false, compact: true },
        delete_retention_ms: RETENTION_MS,
        segment_bytes: 6000,
        index_interval_bytes: 500,
        file_delete_delay_ms: 0,
        ..LogConfig::default()
    }
}

fn open(dir: &Path) -> Arc<LogManager> {
    open_logs(dir, config(), BEGIN_MS)
}

pub(crate) fn partition() -> TopicPartition {
    TopicPartition::new("compacted", 0)
}

/// What producers do: keys again and again, tombstones, idempotent producers that go on or stop,
/// transactions that are committed, aborted and interleaved.
pub(crate) fn produce(log: &Arc<Log>, seed: u64, codecs: &[Compression]) {
    let mut numbers = Numbers::new(seed);
    let mut sequences: BTreeMap<i64, i32> = BTreeMap::new();
    let mut open: Vec<i64> = Vec::new();
    for round in 0..600_i64 {
        let kind = codecs[numbers.index(codecs.len())];
        let mut builder = BatchBuilder::new().compression(kind, None);
        // 0: no producer; 1 to 4: idempotent, the later the longer; 5 to 8: transactional.
        let producer = numbers.below(9) as i64;
        if producer > 0 && (producer > 4 || round < producer * 150) {
            let sequence = sequences.entry(producer).or_default();
            builder = builder.producer(producer, 0, *sequence).transactional(producer > 4);
            if producer > 4 && !open.contains(&producer) {
                open.push(producer);
            }
        }
        let records = 1 + numbers.below(6);
        for record in 0..records {
            let key = format!("key-{:03}", numbers.below(KEYS));
            let value = format!("{round} {record} {}", "x".repeat(numbers.index(40)));
            let value = Some(value.as_bytes()).filter(|_| numbers.below(10) > 0);
            let timestamp = BEGIN_MS + round * 100 + numbers.below(50) as i64;
            builder.append(timestamp, Some(key.as_bytes()), value, &[]).unwrap();
        }
        if let Some(sequence) = sequences.get_mut(&producer) {
            *sequence += records as i32;
        }
        let batch = ValidatedBatch::internal(&builder.build().unwrap()).unwrap();
        log.append_as_leader(&batch, 3, RequiredAcks::Leader, BEGIN_MS + round * 100).unwrap();
        if numbers.below(4) == 0 && !open.is_empty() {
            let producer_id = open.remove(numbers.index(open.len()));
            let committed = numbers.below(3) > 0;
            let end = EndTransaction {
                producer_id,
                producer_epoch: 0,
                marker: EndTransactionMarker { committed, coordinator_epoch: 7 },
                transaction_version: 1,
            };
            let now_ms = BEGIN_MS + round * 100 + 60;
            log.append_end_transaction(&end, 3, RequiredAcks::Leader, now_ms).unwrap();
        }
    }
    log.flush().unwrap();
}

/// What Kafka says that it has cleaned: first dirty, first uncleanable and end offset.
fn clean_with_kafka(dir: &Path, now_ms: i64, map_bytes: u64, dirty: &[i64]) -> Vec<Vec<i64>> {
    let mut words = vec![dir.display().to_string(), now_ms.to_string(), map_bytes.to_string()];
    words.extend(dirty.iter().map(ToString::to_string));
    let mut command = kafkas_cleaner(&[], &words, &SETTINGS);
    let output = command.output().expect("java is installed");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let ranges = said.lines().filter_map(|line| line.strip_prefix("RANGE "));
    ranges
        .map(|range| range.split(' ').take(3).map(|number| number.parse().unwrap()).collect())
        .collect()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// The files of the segments that can be compared, by name.
fn segment_files(dir: &Path, suffixes: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let wanted = |path: &PathBuf| {
        path.extension().is_some_and(|end| suffixes.iter().any(|suffix| *suffix == end))
    };
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read(path).unwrap())
    };
    // An index without entries may or may not have a file.
    names
        .filter(wanted)
        .map(read)
        .filter(|(name, bytes)| name.ends_with("log") || !bytes.is_empty())
        .collect()
}

/// Batch headers without what the compressor decides, and all records.
fn decoded(files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, bytes) in files {
        lines.push(name.clone());
        for batch in split_batches(bytes.clone().into()) {
            let batch = batch.unwrap();
            batch.view().verify_checksum().unwrap();
            let mut header = *batch.header();
            (header.crc, header.batch_length) = (0, 0);
            lines.push(format!("{header:?}"));
            let records = batch.view().plain_records(1 << 20).unwrap();
            lines.extend(records.iter().map(|record| format!("{:?}", record.unwrap())));
        }
    }
    lines
}

fn assert_same(ours: &[String], kafkas: &[String], what: &str) {
    let differing = ours.iter().zip(kafkas).find(|(ours, kafkas)| ours != kafkas);
    assert_eq!(differing, None, "{what}");
    assert_eq!(ours.len(), kafkas.len(), "{what}");
}

/// Cleans three times: as it was, as if it had been cleaned up to `clean` before, when the horizons
/// have passed, and once more.
fn compare(seed: u64, clean: i64, codecs: &[Compression]) {
    let directory = tempfile::tempdir().unwrap();
    let (ours, kafkas) = (directory.path().join("ours"), directory.path().join("kafkas"));
    std::fs::create_dir_all(&ours).unwrap();
    let manager = open(&ours);
    let log = manager.get_or_create(&partition(), Uuid::ONE, config(), Placement::Any).unwrap();
    produce(&log, seed, codecs);
    assert!(manager.close(1));
    let (ours_log, kafkas_log) = (ours.join("compacted-0"), kafkas.join("compacted-0"));
    copy(&ours_log, &kafkas_log);
    drop((log, manager));

    let manager = open(&ours);
    let log = manager.get_or_create(&partition(), Uuid::ONE, config(), Placement::Any).unwrap();
    let is_plain = codecs == [Compression::None];
    let mut dropped = Vec::new();
    let (early, late) = (DAY_MS / 4, DAY_MS / 4 + RETENTION_MS);
    for (dirty, after_ms) in [(clean, early), (0, late), (0, late + 1)] {
        let now_ms = BEGIN_MS + after_ms;
        let what = format!("seed {seed}, from {dirty}, {after_ms} ms after the beginning");
        log.set_clean_point(dirty);
        let done = manager.clean_now(&partition(), &At(now_ms)).unwrap();
        log.tick(now_ms);
        dropped.push(done.records_read - done.records_kept);
        let theirs = clean_with_kafka(&kafkas_log, now_ms, 1 << 20, &[dirty]);
        assert_eq!(theirs[0][2], done.end_offset, "{what}");
        assert_eq!(theirs[0][1], done.end_offset, "{what}");
        let files = |dir| segment_files(dir, &["log"]);
        assert_same(&decoded(&files(&ours_log)), &decoded(&files(&kafkas_log)), &what);
        if is_plain {
            assert!(files(&ours_log) == files(&kafkas_log), "bytes differ: {what}");
            let active = log.segment_offsets().last().copied().unwrap();
            let indexes = |dir| {
                let mut files = segment_files(dir, &["index", "timeindex", "txnindex"]);
                // That of the active segment is written at a stop, and by Kafka before.
                files.retain(|name, _| !name.starts_with(&format!("{active:020}")));
                files
            };
            let (a, b) = (indexes(&ours_log), indexes(&kafkas_log));
            let names =
                |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(&a), names(&b), "{what}");
            for (name, bytes) in &a {
                assert_eq!(Some(bytes), b.get(name), "{name}, {what}");
            }
        }
    }
    // Overtaken records the first time, tombstones and markers the second, then nothing more.
    let [first, second, third] = dropped[..] else { panic!("{dropped:?}") };
    assert!(first >= 1000 && second >= 1 && third == 0, "{dropped:?}");
    assert!(manager.close(1));
}

#[test]
fn the_same_bytes_stay_as_with_kafkas_cleaner() {
    for seed in 1..=rounds(1, 10) {
        compare(seed as u64, 0, &[Compression::None]);
    }
}

/// The keys of the clean part are searched, those of the dirty part were seen.
#[test]
fn the_same_bytes_stay_where_a_part_was_clean() {
    for seed in 1..=rounds(1, 10) {
        compare(100 + seed as u64, 1000, &[Compression::None]);
    }
}

#[test]
fn the_same_records_stay_in_compressed_batches() {
    compare(3, 0, &Compression::ALL);
}
