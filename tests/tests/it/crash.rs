//! kill -9 in the middle of things: whatever was acknowledged is there afterwards, once.

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientContext, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use tests::barnabas::Node;

const PATIENCE: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 3;

/// Reports the payload of every acknowledged record.
struct Acks(Sender<String>);

impl ClientContext for Acks {}

impl ProducerContext for Acks {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Ok(message) = result {
            let payload = message.payload_view::<str>().expect("a payload").expect("text");
            drop(self.0.send(payload.to_owned()));
        }
    }
}

fn producer(bootstrap: &str) -> (BaseProducer<Acks>, Receiver<String>) {
    let (sender, acks) = channel();
    let producer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "1")
        .set("reconnect.backoff.max.ms", "200")
        .set("message.timeout.ms", "60000")
        .create_with_context(Acks(sender))
        .expect("the producer's configuration is valid");
    (producer, acks)
}

/// Sends numbered records until `acks_wanted` more of them are acknowledged.
fn produce_until(
    producer: &BaseProducer<Acks>,
    acks: &Receiver<String>,
    next: &mut u64,
    acks_wanted: usize,
    acked: &mut Vec<String>,
) {
    let goal = acked.len() + acks_wanted;
    let deadline = Instant::now() + PATIENCE;
    while acked.len() < goal {
        assert!(
            Instant::now() < deadline,
            "only {} of {goal} records were acknowledged",
            acked.len()
        );
        let value = format!("record-{next}");
        let partition = i32::try_from(*next % 3).expect("small");
        let record = BaseRecord::<(), _>::to("crash").partition(partition).payload(&value);
        if producer.send(record).is_ok() {
            *next += 1;
        }
        producer.poll(Duration::ZERO);
        acked.extend(acks.try_iter());
    }
}

/// Every record of the topic, in the order of each partition, up to the ends the broker names.
fn read_all(bootstrap: &str) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "crash-reader")
        .set("enable.auto.commit", "false")
        .create()
        .expect("the consumer's configuration is valid");
    let mut all = Vec::new();
    for partition in 0..PARTITIONS {
        let (_, end) = consumer
            .fetch_watermarks("crash", partition, PATIENCE)
            .expect("the partition has ends");
        let mut assignment = TopicPartitionList::new();
        assignment
            .add_partition_offset("crash", partition, rdkafka::Offset::Beginning)
            .expect("a valid offset");
        consumer.assign(&assignment).expect("an assignment");
        let deadline = Instant::now() + PATIENCE;
        let mut position = 0;
        while position < end {
            assert!(
                Instant::now() < deadline,
                "partition {partition} ends at {end}, read only to {position}"
            );
            match consumer.poll(PATIENCE) {
                Some(Ok(message)) => {
                    position = message.offset() + 1;
                    all.push(message.detach());
                }
                Some(Err(KafkaError::PartitionEOF(_))) | None => {}
                Some(Err(error)) => panic!("partition {partition} at {position}: {error}"),
            }
        }
    }
    all
}

/// Three kills under load: every acknowledged record is there, once, in order; the committed offset too.
#[test]
fn acknowledged_records_survive_kill_9_once() {
    let node = Node::new().with("num.partitions", "3");
    let mut broker = node.start();
    let (producer, acks) = producer(&node.bootstrap());
    let (mut next, mut acked) = (0, Vec::new());
    for _ in 0..3 {
        produce_until(&producer, &acks, &mut next, 3_000, &mut acked);
        broker.kill();
        broker = node.start();
    }
    produce_until(&producer, &acks, &mut next, 1_000, &mut acked);
    producer.flush(PATIENCE).expect("everything is acknowledged in the end");
    acked.extend(acks.try_iter());
    assert_eq!(
        acked.len(),
        usize::try_from(next).expect("small"),
        "the producer gave up on records"
    );

    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut newest = [-1_i64; 3];
    for message in read_all(&node.bootstrap()) {
        let value = message.payload_view::<str>().expect("a payload").expect("text").to_owned();
        let number: i64 = value.trim_start_matches("record-").parse().expect("a number");
        let newest = &mut newest[usize::try_from(message.partition()).expect("small")];
        assert!(number > *newest, "{value} comes after record-{newest}");
        *newest = number;
        *seen.entry(value).or_default() += 1;
    }
    let lost: Vec<_> = acked.iter().filter(|value| !seen.contains_key(*value)).collect();
    assert!(
        lost.is_empty(),
        "{} acknowledged records are lost: {:?}",
        lost.len(),
        &lost[..lost.len().min(5)]
    );
    assert!(seen.values().all(|count| *count == 1), "records stand twice");
    broker.stop();
}

/// A committed offset is there after a kill, and after a controlled stop.
#[test]
fn committed_offsets_survive() {
    let node = Node::new();
    let broker = node.start();
    let (producer, acks) = producer(&node.bootstrap());
    let (mut next, mut acked) = (0, Vec::new());
    while acked.is_empty() {
        let record = BaseRecord::<(), _>::to("crash").partition(0).payload("record-0");
        drop(producer.send(record));
        producer.flush(PATIENCE).expect("an acknowledgement");
        acked.extend(acks.try_iter());
        next += 1;
    }
    let consumer = || -> BaseConsumer {
        ClientConfig::new()
            .set("bootstrap.servers", node.bootstrap())
            .set("group.id", "crash-commit")
            .create()
            .expect("the consumer's configuration is valid")
    };
    let mut position = TopicPartitionList::new();
    position
        .add_partition_offset("crash", 0, rdkafka::Offset::Offset(next))
        .expect("a valid offset");
    consumer().commit(&position, CommitMode::Sync).expect("a commit");
    broker.kill();
    let broker = node.start();
    let committed = || {
        let mut asked = TopicPartitionList::new();
        asked.add_partition("crash", 0);
        let list = consumer().committed_offsets(asked, PATIENCE).expect("an answer");
        list.elements()[0].offset()
    };
    assert_eq!(committed(), rdkafka::Offset::Offset(next), "after kill -9");
    broker.stop();
    let broker = node.start();
    assert_eq!(committed(), rdkafka::Offset::Offset(next), "after a controlled stop");
    broker.stop();
}
