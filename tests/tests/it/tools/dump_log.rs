//! `kafka-dump-log` reads the files that Barnabas writes: segments, indexes, producer snapshots and
//! the internal topic; compressed, of transactions, and compacted.

use std::path::{Path, PathBuf};

use protocol_codec::Uuid;
use protocol_codec::records::Compression;
use storage::{LogConfig, Placement};
use tests::barnabas::Node;
use tests::cleaning::{At, open_logs};
use tests::tool::{run, run_with_input};

use crate::compaction::{self, BEGIN_MS};
use crate::files::compare_with_kafkas_tool;

fn dump(file: &Path, arguments: &str) -> String {
    dump_all(&file.display().to_string(), arguments)
}

/// Both streams: what the tool complains of it says on the second.
fn dump_all(files: &str, arguments: &str) -> String {
    let answer = run("kafka-dump-log", &format!("--files {files} {arguments}"));
    assert!(answer.success, "{answer:?}");
    answer.stdout + &answer.stderr
}

/// The files of a partition folder with this ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the partition has a folder").flatten();
    let mut found: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    found.sort();
    found
}

#[test]
fn kafka_reads_our_files() {
    let node = Node::new().with("log.index.interval.bytes", "100");
    let broker = node.start();
    let bootstrap = broker.bootstrap();
    let lines: String = (0..500).map(|number| format!("record {number}\n")).collect();
    for codec in ["none", "zstd"] {
        let arguments = format!(
            "--bootstrap-server {bootstrap} --topic dump --compression-codec {codec} --batch-size 200"
        );
        let _ = run_with_input("kafka-console-producer", &arguments, &lines).ok();
    }
    let consumed = run(
        "kafka-console-consumer",
        &format!(
            "--bootstrap-server {bootstrap} --topic dump --group dumped --from-beginning --max-messages 1000 --timeout-ms 30000"
        ),
    );
    assert_eq!(consumed.ok().lines().count(), 1000);
    broker.stop();

    let folder = node.data().join("dump-0");
    let logs = files(&folder, ".log");
    let said = dump(&logs[0], "--deep-iteration --print-data-log");
    assert_eq!(said.matches("payload: record ").count(), 1000, "{said}");
    assert!(said.contains("isvalid: true") && !said.contains("isvalid: false"), "{said}");
    for index in files(&folder, "index") {
        let said = dump(&index, "--index-sanity-check");
        assert!(said.contains("passed sanity check"), "{}: {said}", index.display());
        let said = dump(&index, "--verify-index-only");
        assert!(!said.to_lowercase().contains("mismatch"), "{}: {said}", index.display());
    }
    for snapshot in files(&folder, ".snapshot") {
        let said = dump(&snapshot, "");
        assert!(said.contains("producerId"), "{said}");
    }
    let internal = std::fs::read_dir(node.data()).expect("a data directory").flatten();
    let offsets = internal
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains("__consumer_offsets-"))
        .flat_map(|folder| files(&folder, ".log"))
        .map(|log| dump(&log, "--offsets-decoder"))
        .collect::<String>();
    for part in [
        "\"group\":\"dumped\"",
        "\"topic\":\"dump\"",
        "\"offset\":1000",
        "\"protocolType\":\"consumer\"",
    ] {
        assert!(offsets.contains(part), "{part} is not in: {offsets}");
    }
}

/// Gaps between offsets that the tool speaks of. That no offset, -1, comes before the first of a
/// file is none.
fn gaps(said: &str) -> usize {
    let before = said.lines().filter_map(|line| line.trim().split_once(" is followed by "));
    before.filter(|(offset, _)| *offset != "-1").count()
}

/// Kafka's cleaner, and ours, leave the time of a batch that is kept without its records in the time
/// index; Kafka's own tool then misses the record.
fn without_empty_batches(said: &str) -> String {
    let times = said.lines().filter(|line| line.contains("Index timestamp: "));
    let all_empty = times.clone().all(|line| line.ends_with("log timestamp: -1"));
    if all_empty { said.replace("Found timestamp mismatch in ", "") } else { said.to_owned() }
}

/// Kafka's tool has no complaint about the files of a partition. Of a log that was compacted it says
/// where the gaps are.
fn read_without_a_complaint(folder: &Path, is_compacted: bool) {
    let joined = |files: Vec<PathBuf>| {
        assert!(!files.is_empty());
        files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(",")
    };
    let all = |ending: &str, arguments: &str| dump_all(&joined(files(folder, ending)), arguments);
    let logs = all(".log", "--deep-iteration --print-data-log");
    assert!(logs.contains("isvalid: true") && !logs.contains("isvalid: false"), "{logs}");
    assert_eq!(gaps(&logs) > 0, is_compacted, "{logs}");
    let indexes = files(folder, "index").len();
    let said = all("index", "--index-sanity-check");
    assert_eq!(
        said.matches("passed sanity check").count() + files(folder, ".txnindex").len(),
        indexes
    );
    let mut verified = all("index", "--verify-index-only");
    if is_compacted {
        verified = without_empty_batches(&verified);
    }
    for said in [logs, verified, all(".snapshot", "")] {
        for complaint in ["ismatch", "out of order", "Exception", "nknown", "orrupt"] {
            assert!(!said.contains(complaint), "{complaint}: {said}");
        }
    }
}

#[test]
fn compressed_compacted_and_aborted_records_are_read_and_shown_alike() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    let config = LogConfig { segment_bytes: 40_000, ..compaction::config() };
    let folder = dir.join(compaction::partition().dir_name());
    for is_compacted in [false, true] {
        let logs = open_logs(dir, config.clone(), BEGIN_MS);
        let partition = compaction::partition();
        let log =
            logs.get_or_create(&partition, Uuid::ONE, config.clone(), Placement::Any).unwrap();
        if is_compacted {
            let done = logs.clean_now(&partition, &At(BEGIN_MS + 100_000)).unwrap();
            assert!(done.records_kept < done.records_read);
            log.tick(BEGIN_MS + 200_000);
        } else {
            compaction::produce(&log, 11, &Compression::ALL);
        }
        assert!(logs.close(1));
        drop((log, logs));
        read_without_a_complaint(&folder, is_compacted);
        let lines = compare_with_kafkas_tool(&folder);
        assert!(lines.iter().all(|lines| *lines > 0), "{lines:?}");
    }
}
