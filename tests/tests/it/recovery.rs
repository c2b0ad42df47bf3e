//! Damaged files under a real broker: what it refuses, what it cuts, and the repair by hand.

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tests::barnabas::Node;
use tests::environment::barnabas_binary;

const PATIENCE: Duration = Duration::from_secs(60);
const TOPIC: &str = "damaged";

/// Sends `count` records, each acknowledged before the next, so each is a batch of its own.
fn produce(node: &Node, first: usize, count: usize) {
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", node.bootstrap())
        .set("acks", "all")
        .set("linger.ms", "0")
        .create()
        .expect("the producer's configuration is valid");
    for number in first..first + count {
        let value = format!("record-{number:02}");
        let record = BaseRecord::<(), _>::to(TOPIC).partition(0).payload(&value);
        producer.send(record).expect("there is room in the queue");
        producer.flush(PATIENCE).expect("an acknowledgement");
    }
}

/// The values of the topic, up to the end that the broker names.
fn consume(node: &Node) -> Vec<String> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", node.bootstrap())
        .set("group.id", "reader")
        .set("enable.auto.commit", "false")
        .create()
        .expect("the consumer's configuration is valid");
    let (_, end) = consumer.fetch_watermarks(TOPIC, 0, PATIENCE).expect("the partition has ends");
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(TOPIC, 0, Offset::Beginning).expect("a valid offset");
    consumer.assign(&assignment).expect("an assignment");
    let deadline = Instant::now() + PATIENCE;
    let (mut values, mut position) = (Vec::new(), 0);
    while position < end {
        assert!(Instant::now() < deadline, "read only to {position} of {end}");
        if let Some(message) = consumer.poll(PATIENCE) {
            let message = message.expect("no error");
            position = message.offset() + 1;
            values
                .push(message.payload_view::<str>().expect("a payload").expect("text").to_owned());
        }
    }
    values
}

fn records(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("record-{number:02}")).collect()
}

fn log(node: &Node) -> PathBuf {
    node.data().join(format!("{TOPIC}-0/00000000000000000000.log"))
}

fn repair(node: &Node, options: &[&str]) -> Output {
    let mut command = Command::new(barnabas_binary());
    command.args(["storage", "repair"]).arg(node.data()).args(options);
    command.output().expect("the binary runs")
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

#[test]
fn damage_in_durable_records_is_repaired_by_hand() {
    let node = Node::new();
    let broker = node.start();
    produce(&node, 0, 20);
    broker.stop();
    let sound = repair(&node, &[]);
    assert!(sound.status.success(), "{}", text(&sound.stdout));
    assert_eq!(text(&sound.stdout), "nothing to repair\n");

    // The file ends in the middle of what was acknowledged.
    let whole = std::fs::read(log(&node)).expect("the log is there");
    let size = whole.len() / 20;
    let damaged = &whole[..12 * size + size / 2];
    std::fs::write(log(&node), damaged).expect("the log is writable");

    let broker = node.start();
    let refused = repair(&node, &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("Stop it first"), "{}", text(&refused.stderr));
    // The partition is offline, and nothing in it is touched; another topic is served.
    broker.stop();
    assert_eq!(std::fs::read(log(&node)).expect("the log is there"), damaged);

    let dry = repair(&node, &["--dry-run"]);
    let said = text(&dry.stdout);
    assert_eq!(dry.status.code(), Some(1), "{said}");
    assert!(said.starts_with(&format!("{TOPIC}-0: would cut at offset 12: ")), "{said}");
    assert!(said.contains("offsets 12 to 19 are lost"), "{said}");
    assert_eq!(std::fs::read(log(&node)).expect("the log is there"), damaged);

    let done = repair(&node, &[]);
    assert!(done.status.success(), "{} {}", text(&done.stdout), text(&done.stderr));
    let kept = log(&node).with_extension(format!("log.cut-{}", 12 * size));
    assert!(text(&done.stdout).contains(&format!("kept {}", kept.display())));
    assert_eq!(std::fs::read(kept).expect("it is kept"), damaged[12 * size..]);

    let broker = node.start();
    assert_eq!(consume(&node), records(12));
    produce(&node, 12, 3);
    assert_eq!(consume(&node), records(15));
    broker.stop();
}

#[test]
fn a_torn_write_is_cut_by_the_start_and_kept() {
    let node = Node::new();
    let broker = node.start();
    produce(&node, 0, 5);
    broker.kill();
    let mut bytes = std::fs::read(log(&node)).expect("the log is there");
    let end = bytes.len();
    let torn = bytes[..end / 5 * 2 / 3].to_vec();
    bytes.extend_from_slice(&torn);
    std::fs::write(log(&node), &bytes).expect("the log is writable");

    let broker = node.start();
    assert_eq!(consume(&node), records(5));
    produce(&node, 5, 2);
    assert_eq!(consume(&node), records(7));
    broker.stop();
    let kept = log(&node).with_extension(format!("log.cut-{end}"));
    assert_eq!(std::fs::read(kept).expect("it is kept"), torn);
}
