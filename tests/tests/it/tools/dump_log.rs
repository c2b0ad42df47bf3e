//! `kafka-dump-log` reads the files that Barnabas writes: segments, indexes, producer snapshots and
//! the internal topic.

use std::path::Path;
use tests::barnabas::Node;
use tests::tool::{run, run_with_input};

/// Both streams: what the tool complains of it says on the second.
fn dump(file: &Path, arguments: &str) -> String {
    let answer = run("kafka-dump-log", &format!("--files {} {arguments}", file.display()));
    assert!(answer.success, "{answer:?}");
    answer.stdout + &answer.stderr
}

/// The files of a partition folder with this ending.
fn files(folder: &Path, ending: &str) -> Vec<std::path::PathBuf> {
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
