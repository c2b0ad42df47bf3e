//! Moving in: the data of a real Apache Kafka is taken over, served, and given back.
//!
//! One Kafka is filled once (`tests/java/Moving.java`) and stopped; every test works on a copy of
//! its own.

mod killed;
mod obstacles;
mod way_back;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tests::barnabas::Node;
use tests::environment::barnabas_binary;
use tests::kafka::{Kafka, StoppedKafka};
use tests::moving::moving;
use tests::tool::{Answer, output_of, run, run_with_input};

/// A Kafka that has stopped, and what its clients saw before.
struct Filled {
    kafka: StoppedKafka,
    told: String,
    /// What an import said while it ran.
    while_running: String,
}

const AUTHORIZER: &str = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";

fn filled() -> &'static Filled {
    static FILLED: OnceLock<Filled> = OnceLock::new();
    FILLED.get_or_init(|| {
        let kafka = Kafka::start_with_all_features(&[
            ("log.dirs", "{directory}/data,{directory}/data2"),
            ("authorizer.class.name", AUTHORIZER),
            ("super.users", "User:ANONYMOUS"),
            ("log.cleaner.backoff.ms", "200"),
        ]);
        let _ = moving("fill", &kafka.bootstrap());
        let told = moving("tell", &kafka.bootstrap());
        let directory = kafka.directory().to_owned();
        let while_running = import(&without_authorizer(&directory), &["--dry-run"]).failed();
        Filled { kafka: kafka.stop(), told, while_running }
    })
}

/// `barnabas storage import`.
fn import(path: &Path, more: &[&str]) -> Answer {
    let mut command = Command::new(barnabas_binary());
    output_of(command.args(["storage", "import"]).arg(path).args(more), "")
}

/// A `server.properties` beside Kafka's own, without the authorizer, which is not there yet.
fn without_authorizer(directory: &Path) -> PathBuf {
    let text = std::fs::read_to_string(directory.join("server.properties")).expect("Kafka's file");
    let protects =
        |line: &&str| line.starts_with("authorizer.class.name") || line.starts_with("super.users");
    let lines: Vec<&str> = text.lines().filter(|line| !protects(line)).collect();
    let file = directory.join("barnabas.properties");
    std::fs::write(&file, lines.join("\n") + "\n").expect("the directory is writable");
    file
}

fn log_dirs(directory: &Path) -> [PathBuf; 2] {
    ["data", "data2"].map(|name| directory.join(name))
}

/// A node of ours on the log directories of that Kafka.
fn node_on(kafka: &StoppedKafka) -> Node {
    let [one, two] = log_dirs(kafka.directory());
    Node::new().with("log.dirs", &format!("{},{}", one.display(), two.display()))
}

/// Every file below Kafka's log directories with its bytes, and every folder.
fn contents(kafka: &StoppedKafka) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders: Vec<PathBuf> = log_dirs(kafka.directory()).into();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path.clone());
                all.insert(path, Vec::new());
            } else {
                let bytes = std::fs::read(&path).expect("a file");
                all.insert(path, bytes);
            }
        }
    }
    all
}

/// Line by line, so that a difference can be found in the output.
fn same_lines(ours: &str, kafkas: &str) {
    for (ours, kafkas) in ours.lines().zip(kafkas.lines()) {
        assert_eq!(ours, kafkas);
    }
    assert_eq!(ours.lines().count(), kafkas.lines().count());
}

#[test]
fn everything_moves_and_is_served() {
    let filled = filled();
    let kafka = filled.kafka.copy();
    let properties = without_authorizer(kafka.directory());
    let before = contents(&kafka);

    let refused = import(&kafka.directory().join("server.properties"), &[]).failed();
    assert!(refused.contains("authorizer.class.name"), "{refused}");
    let looked = import(&properties, &["--dry-run"]).ok();
    for fact in [
        "cluster 5L6g3nShT-eMCtK--X86sw, node 1, metadata.version 33",
        "7 topics with 113 partitions",
        "configs: 15 of topics, 3 of brokers, 1 of others",
        "3 groups; 1 transactional ids",
        "3 access control entries, 2 SCRAM credentials, 3 quotas, 0 delegation tokens",
        "group.version 1",
        "Dry run: nothing was changed.",
    ] {
        assert!(looked.contains(fact), "{fact:?} is not in: {looked}");
    }
    assert!(contents(&kafka) == before, "a dry run changes nothing");

    let node = node_on(&kafka);
    let mut offered = node.launch();
    assert_eq!(offered.process().wait_for_end().code(), Some(1));
    let offered = offered.process().output();
    assert!(offered.contains("barnabas storage import --dry-run"), "{offered}");
    let mut after = contents(&kafka);
    after.retain(|path, _| !path.ends_with(".lock"));
    assert!(after == before, "the server changes nothing either, but for the lock");

    let imported = import(&properties, &[]).ok();
    assert!(imported.contains("Imported."), "{imported}");
    let ours = kafka.directory().join("data/__cluster_metadata-1");
    let mut after = contents(&kafka);
    after.retain(|path, _| !path.starts_with(&ours) && !path.ends_with(".lock"));
    assert!(after == before, "nothing is there but our metadata");
    assert!(ours.is_dir());

    let broker = node.start();
    same_lines(&moving("tell", &broker.bootstrap()), &filled.told);
    serves_on(&broker.bootstrap());
    broker.stop();

    let broker = node.start();
    let told = moving("tell", &broker.bootstrap());
    let appended = told.lines().filter(|line| line.contains("written by Barnabas")).count();
    assert_eq!(appended, 2, "once in each isolation");
    broker.stop();
}

/// A moved topic takes records, a moved group goes on where it was.
fn serves_on(bootstrap: &str) {
    let _ = run_with_input(
        "kafka-console-producer",
        &format!("--bootstrap-server {bootstrap} --topic plain"),
        "written by Barnabas\n",
    )
    .ok();
    let arguments = "--topic plain --group readers --max-messages 1 --timeout-ms 30000";
    let read =
        run("kafka-console-consumer", &format!("--bootstrap-server {bootstrap} {arguments}")).ok();
    assert_eq!(read.trim(), "written by Barnabas");
}

#[test]
fn a_running_kafka_keeps_its_directory() {
    let said = &filled().while_running;
    assert!(said.contains("Failed to acquire lock") && said.contains("Stop Kafka first"), "{said}");
}
