//! The way back: Kafka is started again on what Barnabas served. docs/MOVING-IN.md tells what is
//! held here.

use std::collections::BTreeSet;
use std::process::Command;

use tests::environment::barnabas_binary;
use tests::kafka::StoppedKafka;
use tests::moving::moving;
use tests::tool::{kcat, output_of, run, run_with_input};

use super::{filled, import, log_dirs, node_on, without_authorizer};
use crate::files::{cut, last_in_the_journal};

/// A group has committed with a leader epoch that Kafka has not reached: the Java client waits for it.
/// Offsets that are set by hand have none.
fn go_on_with_older_epochs(kafka: &str, group: &str) {
    let epochs = group.split('/').filter_map(|part| part.parse::<i32>().ok());
    assert!(epochs.max() > Some(2), "Kafka's is 2 after its second start: {group}");
    let what = "--group readers --all-topics --reset-offsets --to-current --execute";
    let _ = run("kafka-consumer-groups", &format!("--bootstrap-server {kafka} {what}")).ok();
    let read = moving("go-on", kafka);
    assert!(read.contains("written by Kafka"), "{read}");
}

#[test]
fn kafka_starts_again_and_what_is_lost_is_known() {
    let kafka = filled().kafka.copy();
    let _ = import(&without_authorizer(kafka.directory()), &[]).ok();
    let node = node_on(&kafka);
    // Each start raises the leader epochs.
    node.start().kill();
    node.start().kill();
    let broker = node.start();
    let bootstrap = broker.bootstrap();
    let produce = |topic: &str, text: &str| {
        let arguments = format!("--bootstrap-server {bootstrap} --topic {topic}");
        let _ = run_with_input("kafka-console-producer", &arguments, text).ok();
    };
    produce("plain", "written by Barnabas\n");
    produce("made-here", "in a new topic\n");
    assert!(moving("go-on", &bootstrap).contains("written by Barnabas"));
    let change = |what: &str| {
        let _ = run("kafka-topics", &format!("--bootstrap-server {bootstrap} {what}")).ok();
    };
    change("--alter --topic money --partitions 3");
    change("--delete --topic empty.one");
    let before = moving("tell", &bootstrap);
    broker.stop();

    let started = kafka.start();
    let after = moving("tell", &started.bootstrap());
    // Records and offsets are in the logs, which are the same: they are there.
    assert!(after.contains("written by Barnabas"), "{after}");
    let group = |told: &str| {
        let line = told.lines().find(|line| line.starts_with("group readers"));
        line.map(str::to_owned).expect("the group")
    };
    assert_eq!(group(&after), group(&before));
    // What the metadata says is as it was when Kafka stopped.
    for (line, here, there) in [
        ("topic made-here", true, false),
        ("offsets money-2", true, false),
        ("topic empty.one", false, true),
    ] {
        assert_eq!((before.contains(line), after.contains(line)), (here, there), "{line}: {after}");
    }
    assert!(after.contains("offsets empty.one-0 0 to 0"), "{after}");
    // It takes records again, in the topics that it knows.
    let arguments = format!("--bootstrap-server {} --topic plain", started.bootstrap());
    let _ = run_with_input("kafka-console-producer", &arguments, "written by Kafka\n").ok();
    let told = moving("tell", &started.bootstrap());
    assert!(told.contains("written by Kafka") && told.contains("written by Barnabas"), "{told}");
    go_on_with_older_epochs(&started.bootstrap(), &group(&after));
    // Barnabas does not go on with what it knew before that.
    let kafka = started.stop();
    let mut refused = node.launch();
    assert_eq!(refused.process().wait_for_end().code(), Some(1));
    let said = refused.process().output();
    assert!(said.contains("Kafka has run on") && said.contains("import again"), "{said}");
    let mut repair = Command::new(barnabas_binary());
    let [metadata_dir, _] = log_dirs(kafka.directory());
    let said = output_of(repair.args(["storage", "repair"]).arg(metadata_dir), "").failed();
    assert!(said.contains("Kafka has run on"), "{said}");
}

/// Values in partition 0 of the topic `plain` that Barnabas has acknowledged.
fn durable_values(kafka: StoppedKafka) -> Vec<String> {
    let started = kafka.start();
    // As each isolation level shows them.
    let told = moving("tell", &started.bootstrap());
    let values = told.lines().filter_map(|line| line.split_once(" durable "));
    let values: BTreeSet<String> = values.map(|(_, number)| format!("durable {number}")).collect();
    values.into_iter().collect()
}

/// The files alone are what Kafka goes by. After `kill -9` they hold everything; after a loss of power
/// the journal may hold the only copy of records, and Barnabas has to start and stop once more.
#[test]
fn after_a_loss_of_power_the_journal_has_to_be_written_back_first() {
    let kafka = filled().kafka.copy();
    let _ = import(&without_authorizer(kafka.directory()), &[]).ok();
    let broker = node_on(&kafka).start();
    let wanted: Vec<String> = (0..4).map(|number| format!("durable {number}")).collect();
    for value in &wanted {
        let _ = kcat(&broker.bootstrap(), "-P -t plain -p 0 -X acks=all", &format!("{value}\n"));
    }
    broker.kill();
    assert_eq!(durable_values(kafka.copy()), wanted, "after kill -9");

    let dirs = log_dirs(kafka.directory());
    let dir = dirs.iter().find(|dir| dir.join("plain-0").is_dir()).expect("the partition");
    let (segment, position) = last_in_the_journal(dir);
    assert!(segment.starts_with(dir.join("plain-0")), "{segment:?}");
    cut(&segment, position + 7);
    assert_eq!(durable_values(kafka.copy()), wanted[..3], "Kafka knows no journal");
    node_on(&kafka).start().stop();
    assert_eq!(durable_values(kafka), wanted, "it was written back");
}
