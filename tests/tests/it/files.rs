//! `barnabas log` and `barnabas storage` on the files of real runs, of Barnabas and of Kafka.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use tests::barnabas::Node;
use tests::environment::barnabas_binary;
use tests::kafka::Kafka;
use tests::tool::{Answer, output_of, run, run_with_input};

fn barnabas(arguments: &[&str]) -> Answer {
    output_of(Command::new(barnabas_binary()).args(arguments), "")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn verify(dir: &Path) -> Answer {
    barnabas(&["log", "verify", text(dir)])
}

/// All files below a directory, without those of our own metadata.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("__cluster_metadata-1") {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn ending<'a>(files: &'a [PathBuf], ending: &str) -> Vec<&'a PathBuf> {
    files.iter().filter(|path| text(path).ends_with(ending)).collect()
}

/// Produces plain and compressed records, and consumes them in a group.
fn use_broker(bootstrap: &str, topic: &str) {
    let lines: String = (0..400).map(|number| format!("key {number}:record {number}\n")).collect();
    for codec in ["none", "gzip", "zstd"] {
        let arguments = format!(
            "--bootstrap-server {bootstrap} --topic {topic} --compression-codec {codec} \
             --batch-size 200 --reader-property parse.key=true --reader-property key.separator=:"
        );
        let _ = run_with_input("kafka-console-producer", &arguments, &lines).ok();
    }
    let arguments = format!(
        "--bootstrap-server {bootstrap} --topic {topic} --group looked-at --from-beginning \
         --max-messages 1200 --timeout-ms 30000"
    );
    assert_eq!(run("kafka-console-consumer", &arguments).ok().lines().count(), 1200);
}

/// `name: value` pairs of the lines that begin with `first`.
fn fields(output: &str, first: &str) -> Vec<BTreeMap<String, String>> {
    let of_line = |line: &str| {
        let words: Vec<&str> = line.trim_start_matches("| ").split(' ').collect();
        words
            .windows(2)
            .filter_map(|pair| Some((pair[0].strip_suffix(':')?.to_owned(), pair[1].to_owned())))
            .collect()
    };
    output.lines().filter(|line| line.starts_with(first)).map(of_line).collect()
}

/// The fields of both that Kafka has and that have its form.
fn compare(ours: &str, kafkas: &str, first: &str, names: &[&str]) -> usize {
    let (ours, kafkas) = (fields(ours, first), fields(kafkas, first));
    assert_eq!(ours.len(), kafkas.len());
    for (ours, kafkas) in ours.iter().zip(&kafkas) {
        for name in names {
            assert!(kafkas.contains_key(*name), "{name}: {kafkas:?}");
            assert_eq!(ours.get(*name), kafkas.get(*name), "{name}: {ours:?} {kafkas:?}");
        }
    }
    ours.len()
}

const BATCH: [&str; 15] = [
    "baseOffset",
    "lastOffset",
    "count",
    "baseSequence",
    "lastSequence",
    "producerId",
    "producerEpoch",
    "partitionLeaderEpoch",
    "isTransactional",
    "isControl",
    "position",
    "CreateTime",
    "size",
    "crc",
    "isvalid",
];
const ABORTED: [&str; 5] =
    ["version", "producerId", "firstOffset", "lastOffset", "lastStableOffset"];
const PRODUCER: [&str; 7] = [
    "producerId",
    "producerEpoch",
    "coordinatorEpoch",
    "lastTimestamp",
    "lastSequence",
    "lastOffset",
    "offsetDelta",
];
const RECORD: [&str; 5] = ["offset", "CreateTime", "keySize", "valueSize", "sequence"];

/// Shows a partition's files with both tools, each kind with one run of Kafka's, and compares what
/// they say. Returns how many lines of each kind were compared.
pub(crate) fn compare_with_kafkas_tool(folder: &Path) -> [usize; 5] {
    let files = files(folder);
    let ours = |suffix: &str, first: &str| -> (String, Vec<&PathBuf>) {
        let said = |file: &&PathBuf| barnabas(&["log", "dump", "--records", text(file)]).ok();
        // Kafka's tool shows an empty index as one entry of nothing.
        let shown = ending(&files, suffix).into_iter().map(|file| (said(&file), file));
        let shown = shown.filter(|(said, _)| !fields(said, first).is_empty());
        let (said, files): (Vec<String>, Vec<&PathBuf>) = shown.unzip();
        (said.concat(), files)
    };
    let theirs = |files: &[&PathBuf]| {
        let names: Vec<&str> = files.iter().map(|file| text(file)).collect();
        let arguments = format!("--files {} --print-data-log", names.join(","));
        if names.is_empty() { String::new() } else { run("kafka-dump-log", &arguments).ok() }
    };
    let (batches, logs) = ours(".log", "baseOffset: ");
    let kafkas = theirs(&logs);
    for log in logs {
        let shown = barnabas(&["log", "dump", "--records", text(log)]).ok();
        let json = barnabas(&["log", "dump", "--records", "--json", text(log)]).ok();
        assert_eq!(json.lines().count(), shown.lines().count() - 2);
    }
    let small = |suffix: &str, first: &str, names: &[&str]| {
        let (ours, files) = ours(suffix, first);
        compare(&ours, &theirs(&files), first, names)
    };
    let records = compare(&batches, &kafkas, "| offset: ", &RECORD);
    assert!(records > 0);
    [
        compare(&batches, &kafkas, "baseOffset: ", &BATCH),
        small(".index", "offset: ", &["offset", "position"]),
        small(".timeindex", "timestamp: ", &["timestamp", "offset"]),
        small(".txnindex", "version: ", &ABORTED),
        small(".snapshot", "producerId: ", &PRODUCER),
    ]
}

fn node() -> Node {
    Node::new()
        .with("log.index.interval.bytes", "100")
        .with("log.roll.ms", "200")
        .with("offsets.topic.num.partitions", "2")
}

#[test]
fn our_own_files_are_shown_verified_and_described() {
    let node = node();
    let broker = node.start();
    use_broker(&broker.bootstrap(), "looked");
    let beside = verify(&node.data()).ok();
    assert!(beside.contains("is using the directory"), "{beside}");
    assert!(beside.ends_with("No damage was found.\n"), "{beside}");
    let info = barnabas(&["storage", "info", text(&node.data())]).ok();
    assert!(info.contains("in use by process"), "{info}");
    broker.stop();

    let said = verify(&node.data()).ok();
    assert!(said.ends_with("No damage was found.\n"), "{said}");
    assert!(!said.contains(" 0 sealed files"), "{said}");
    let folder = node.data().join("looked-0");
    assert!(verify(&folder).ok().contains("1 partitions"));
    let [batches, offsets, times, _, producers] = compare_with_kafkas_tool(&folder);
    assert!(batches > 10 && offsets > 10 && times > 3 && producers > 0);

    let info = barnabas(&["storage", "info", text(&node.data())]).ok();
    for part in ["node id        1\n", "last stop      clean (broker epoch", "looked-0", "1200"] {
        assert!(info.contains(part), "{part} is not in: {info}");
    }
    let json = barnabas(&["storage", "info", "--json", text(&node.data())]).ok();
    assert!(json.contains(r#""topic":"looked","partition":0"#), "{json}");
    assert!(json.contains(r#""logEndOffset":1200"#), "{json}");

    let files = files(&node.data());
    let offsets: String = ending(&files, ".log")
        .into_iter()
        .filter(|log| text(log).contains("__consumer_offsets-"))
        .map(|log| barnabas(&["log", "dump", "--records", text(log)]).ok())
        .collect();
    for part in [r#""group":"looked-at""#, r#""topic":"looked""#, r#""offset":1200"#] {
        assert!(offsets.contains(part), "{part} is not in: {offsets}");
    }
}

/// Names, bytes and times of all that is in a directory.
fn state_of(directory: &Path) -> Vec<(PathBuf, SystemTime, Vec<u8>)> {
    let mut all = Vec::new();
    let mut paths = vec![directory.to_owned()];
    while let Some(path) = paths.pop() {
        let modified = path.metadata().unwrap().modified().unwrap();
        let mut bytes = Vec::new();
        if path.is_dir() {
            paths.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else {
            bytes = std::fs::read(&path).unwrap();
        }
        all.push((path, modified, bytes));
    }
    all.sort();
    all
}

/// `storage info` in both formats: what it says, and that it leaves nothing anywhere.
fn info(node: &Node) -> (Answer, Answer) {
    let scratch = node.scratch().join("tmp");
    let _ = std::fs::create_dir(&scratch);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(barnabas_binary());
        command.args(["storage", "info"]).args(arguments).arg(node.data());
        output_of(command.env("TMPDIR", &scratch), "")
    };
    let said = (run(&[]), run(&["--json"]));
    assert_eq!(std::fs::read_dir(&scratch).unwrap().count(), 0, "the copy is removed");
    said
}

#[test]
fn the_metadata_version_is_shown_and_not_a_byte_changes() {
    let node = node();
    let metadata = node.data().join("__cluster_metadata-1");
    let broker = node.start();
    let before = state_of(&metadata);
    let (text, json) = info(&node);
    assert!(text.ok().contains("features       not read while the directory is in use\n"));
    assert!(json.ok().contains(r#""metadataVersion":null,"features":null"#));
    assert!(state_of(&metadata) == before, "beside a running broker");
    broker.kill();

    let looked = || {
        let before = state_of(&node.data());
        let (text, json) = info(&node);
        assert!(state_of(&node.data()) == before, "something was changed");
        let (text, json) = (text.ok(), json.ok());
        assert!(text.contains("features       metadata.version 33\n"), "{text}");
        let wanted = r#""metadataVersion":33,"features":{"metadata.version":33}"#;
        assert!(json.contains(wanted), "{json}");
    };
    looked();
    node.start().stop();
    looked();

    // What cannot be read is a problem, told with the file's own name.
    let checkpoint = metadata.join("00000000000000099999-0000000001.checkpoint");
    std::fs::write(&checkpoint, "half").unwrap();
    let before = state_of(&node.data());
    let (text, json) = info(&node);
    let (text, json) = (text.failed(), json.failed());
    assert!(text.contains("features       cannot be read\n"), "{text}");
    assert!(text.contains(&format!("{} is damaged", checkpoint.display())), "{text}");
    assert!(json.contains("is damaged"), "{json}");
    assert!(state_of(&node.data()) == before, "something was changed");
}

/// After `kill -9` the journal counts, and everything that looks at the files looks at it too.
#[test]
fn the_journal_of_a_killed_broker_is_shown_and_taken_into_account() {
    let node = node();
    let broker = node.start();
    use_broker(&broker.bootstrap(), "looked");
    broker.kill();
    let journal = node.data().join("barnabas-journal");
    let said = barnabas(&["log", "dump", text(&journal)]).ok();
    let frames = fields(&said, "sequence: ");
    assert!(frames.iter().any(|frame| frame["counts"] == "true"), "{said}");
    let entries = fields(&said, "| entry: ");
    let of_topic = entries.iter().filter(|entry| entry["topic"] == "looked");
    let end = of_topic.map(|entry| entry["endOffset"].parse::<i64>().unwrap()).max();
    assert!(end.is_some_and(|end| end <= 1200), "{said}");
    let json = barnabas(&["log", "dump", "--json", text(&journal)]).ok();
    assert_eq!(json.lines().count(), 1 + frames.len() + entries.len(), "{json}");

    // What the last commit wrote to a segment is lost, as after a power cut: it is in the journal.
    let (segment, position) = last_in_the_journal(&node.data());
    let whole = dump_records(&segment);
    assert!(!whole.contains("fromJournal"), "the file holds all of it: {whole}");
    let end = position + 7;
    cut(&segment, end);
    let said = verify(&node.data()).ok();
    assert!(said.contains("lack what it holds of them"), "{said}");
    assert!(said.ends_with("No damage was found.\n"), "{said}");
    let said = barnabas(&["storage", "repair", "--dry-run", text(&node.data())]).ok();
    assert_eq!(said, "nothing to repair\n");
    shown_with_the_journal(&segment, &whole, position);
    assert_eq!(std::fs::metadata(&segment).unwrap().len(), end, "nothing was written");

    node.start().stop();
    let said = dump_records(&segment);
    assert!(said.starts_with(&whole) && !said.contains("fromJournal"), "{said}");
    assert!(verify(&node.data()).ok().ends_with("No damage was found.\n"));
    let said = barnabas(&["log", "dump", text(&journal)]).ok();
    assert!(said.contains("nothing in it counts"), "{said}");
}

/// The segment that the newest commit in the journal wrote to, and from where on.
pub(crate) fn last_in_the_journal(log_dir: &Path) -> (PathBuf, u64) {
    let said = barnabas(&["log", "dump", text(&log_dir.join("barnabas-journal"))]).ok();
    let entries = fields(&said, "| entry: ");
    let last = entries.iter().rfind(|entry| entry["entry"] == "bytes").unwrap();
    let folder = log_dir.join(format!("{}-{}", last["topic"], last["partition"]));
    let segment = folder.join(format!("{:0>20}.log", last["segment"]));
    (segment, last["position"].parse().unwrap())
}

/// Takes the end of a file away.
pub(crate) fn cut(file: &Path, end: u64) {
    std::fs::OpenOptions::new().write(true).open(file).unwrap().set_len(end).unwrap();
}

fn dump_records(segment: &Path) -> String {
    barnabas(&["log", "dump", "--records", text(segment)]).ok()
}

/// All that `whole` has is shown; what lies behind `position` is marked, in both formats.
fn shown_with_the_journal(segment: &Path, whole: &str, position: u64) {
    let said = dump_records(segment);
    let is_remark = |line: &&str| line.starts_with("The next start takes from barnabas-journal");
    assert_eq!(said.lines().filter(is_remark).count(), 1, "{said}");
    let shown = said.lines().filter(|line| !is_remark(line));
    let unmarked = shown.map(|line| line.replace(" fromJournal: true", "") + "\n");
    assert_eq!(unmarked.collect::<String>(), whole);
    let mut marked = 0;
    for batch in fields(&said, "baseOffset: ") {
        let is_behind = batch["position"].parse::<u64>().unwrap() >= position;
        assert_eq!(batch.contains_key("fromJournal"), is_behind, "{said}");
        marked += usize::from(is_behind);
    }
    assert!(marked > 0, "{said}");
    // The records too, which stand for themselves in JSON.
    let json = barnabas(&["log", "dump", "--records", "--json", text(segment)]).ok();
    let in_text = said.lines().filter(|line| line.ends_with(" fromJournal: true")).count();
    let in_json = json.lines().filter(|line| line.ends_with(r#","fromJournal":true}"#)).count();
    assert!(in_text > marked && in_text == in_json, "{json}");
}

/// A bit of every kind of file, on a copy each: found by `log verify`, with the file's name, and
/// shown up to the damage by `log dump`.
#[test]
fn a_flipped_bit_in_each_kind_of_file_is_found() {
    let node = node();
    let broker = node.start();
    use_broker(&broker.bootstrap(), "looked");
    broker.stop();
    let folder = node.data().join("looked-0");
    let all = files(&folder);
    let sealed = ["00000000000000000000.log", "00000000000000000000.index"];
    for name in sealed.into_iter().chain([
        "00000000000000000000.timeindex",
        "leader-epoch-checkpoint",
        "barnabas-sealed",
    ]) {
        flip_and_verify(&node.data(), &folder.join(name), 5);
    }
    let snapshot = *ending(&all, ".snapshot").last().unwrap();
    flip_and_verify(&node.data(), snapshot, 20);
    let active = *ending(&all, ".log").last().unwrap();
    flip_and_verify(&node.data(), active, 70);
    for name in ["recovery-point-offset-checkpoint", "meta.properties"] {
        flip_and_verify(&node.data(), &node.data().join(name), 1);
    }
    assert!(verify(&node.data()).success, "all is as it was");
}

fn flip_and_verify(data: &Path, file: &Path, at: usize) {
    let good = std::fs::read(file).unwrap();
    let mut bytes = good.clone();
    bytes[at] ^= 2;
    std::fs::write(file, &bytes).unwrap();
    let found = verify(data).failed();
    assert!(found.contains(&format!("Damaged: {}", file.display())), "{found}");
    let json = barnabas(&["log", "verify", "--json", text(data)]).failed();
    assert!(json.contains(r#""kind":"damage""#), "{json}");
    if text(file).ends_with(".log") && at > 60 {
        let shown = barnabas(&["log", "dump", text(file)]).failed();
        assert!(shown.contains("isvalid: false"), "{shown}");
        assert!(shown.contains("at position 0: damaged: the checksum does not fit"), "{shown}");
    }
    std::fs::write(file, &good).unwrap();
}

#[test]
fn kafkas_files_are_shown_and_verified() {
    let kafka = Kafka::start(&[
        ("log.index.interval.bytes", "100"),
        ("log.roll.ms", "200"),
        ("offsets.topic.num.partitions", "2"),
    ]);
    use_broker(&kafka.bootstrap(), "looked");
    let beside = verify(&kafka.directory().join("data")).ok();
    assert!(beside.contains("is using the directory"), "{beside}");
    let stopped = kafka.stop();
    let data = stopped.directory().join("data");
    let said = verify(&data).ok();
    assert!(said.ends_with("No damage was found.\n"), "{said}");
    assert!(!said.contains("Note: there is no .kafka_cleanshutdown"), "{said}");
    compare_with_kafkas_tool(&data.join("looked-0"));

    let metadata = data.join("__cluster_metadata-0/00000000000000000000.log");
    let ours = barnabas(&["log", "dump", "--records", text(&metadata)]).ok();
    let arguments = format!("--files {} --cluster-metadata-decoder", metadata.display());
    let kafkas = run("kafka-dump-log", &arguments).ok();
    let payloads = |said: &str| -> Vec<String> {
        let payload = |line: &str| line.split_once(" payload: ").map(|(_, json)| json.to_owned());
        said.lines().filter_map(payload).collect()
    };
    assert!(ours.contains(r#""type":"TOPIC_RECORD""#), "{ours}");
    assert_eq!(payloads(&ours), payloads(&kafkas));
    let offsets: Vec<PathBuf> = files(&data)
        .into_iter()
        .filter(|path| text(path).contains("__consumer_offsets-") && text(path).ends_with(".log"))
        .collect();
    let mut decoded = 0;
    for log in &offsets {
        let ours = barnabas(&["log", "dump", "--records", text(log)]).ok();
        let arguments = format!("--files {} --offsets-decoder", log.display());
        let kafkas = run("kafka-dump-log", &arguments).ok();
        let commits = |said: &str| -> Vec<String> {
            let is_commit = |line: &&str| line.contains(r#"key: {"type":"1""#);
            let key = |line: &str| line.split_once(" key: ").map(|(_, rest)| rest.to_owned());
            said.lines().filter(is_commit).filter_map(key).collect()
        };
        decoded += commits(&ours).len();
        assert_eq!(commits(&ours), commits(&kafkas));
    }
    assert!(decoded > 0);
}
