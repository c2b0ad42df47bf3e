//! kill -9 under load.

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{ClientConfig, TopicPartitionList};
use tests::barnabas::Node;
use tests::environment::rounds;

use super::numbered::{Numbered, PATIENCE};

#[test]
fn acknowledged_records_survive_kill_9_once() {
    let node = Node::new().with("num.partitions", "3");
    let mut broker = node.start();
    let mut load = Numbered::new(&node.bootstrap(), "crash", 3);
    for _ in 0..rounds(3, 50) {
        load.produce_until_acked(3_000);
        broker.kill();
        broker = node.start();
    }
    load.produce_until_acked(1_000);
    load.finish();
    load.check(&node.bootstrap());
    println!("{} acknowledged records", load.acked());
    broker.stop();
}

/// A committed offset is there after a kill, and after a controlled stop.
#[test]
fn committed_offsets_survive() {
    let node = Node::new();
    let broker = node.start();
    let mut load = Numbered::new(&node.bootstrap(), "crash", 1);
    load.produce_until_acked(1);
    let consumer = || -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", node.bootstrap())
            .set("group.id", "crash-commit")
            .create()
            .expect("the consumer's configuration is valid")
    };
    let mut position = TopicPartitionList::new();
    position.add_partition_offset("crash", 0, rdkafka::Offset::Offset(1)).expect("a valid offset");
    consumer().commit(&position, CommitMode::Sync).expect("a commit");
    broker.kill();
    let broker = node.start();
    let committed = || {
        let mut asked = TopicPartitionList::new();
        asked.add_partition("crash", 0);
        let list = consumer().committed_offsets(asked, PATIENCE).expect("an answer");
        list.elements()[0].offset()
    };
    assert_eq!(committed(), rdkafka::Offset::Offset(1), "after kill -9");
    broker.stop();
    let broker = node.start();
    assert_eq!(committed(), rdkafka::Offset::Offset(1), "after a controlled stop");
    broker.stop();
}
