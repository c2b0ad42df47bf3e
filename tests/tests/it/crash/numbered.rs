//! Numbered records of an idempotent producer, and the proof that none is lost, doubled or moved.

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Message, OwnedMessage};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::{ClientContext, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// Reports the number of every acknowledged record.
struct Acks(Sender<u64>);

impl ClientContext for Acks {}

impl ProducerContext for Acks {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Ok(message) = result {
            let _ = self.0.send(number(message.payload()));
        }
    }
}

/// A producer of records 0, 1, 2, ..., spread over the partitions of a topic in turn. The value
/// holds the number; the key is one of `keys`, if there are any.
pub(super) struct Numbered {
    topic: &'static str,
    partitions: i32,
    keys: u64,
    producer: BaseProducer<Acks>,
    acks: Receiver<u64>,
    next: u64,
    acked: Vec<u64>,
}

impl Numbered {
    pub(super) fn new(bootstrap: &str, topic: &'static str, partitions: i32) -> Self {
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
        Self { topic, partitions, keys: 0, producer, acks, next: 0, acked: Vec::new() }
    }

    /// The same with this many keys, each in one partition: for a compacted topic.
    pub(super) fn with_keys(mut self, keys: u64) -> Self {
        self.keys = keys;
        self
    }

    pub(super) fn acked(&self) -> usize {
        self.acked.len()
    }

    /// Sends until `wanted` more records are acknowledged; more are under way then.
    pub(super) fn produce_until_acked(&mut self, wanted: usize) {
        let goal = self.acked.len() + wanted;
        self.produce_until(|load| load.acked.len() >= goal);
    }

    /// Sends until something has happened.
    pub(super) fn produce_until(&mut self, mut happened: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !happened(self) {
            assert!(
                Instant::now() < deadline,
                "of {} records {} were acknowledged",
                self.next,
                self.acked.len()
            );
            if self.send(self.next) {
                self.next += 1;
            }
            self.producer.poll(Duration::ZERO);
            self.acked.extend(self.acks.try_iter());
        }
    }

    /// Waits for the acknowledgement of everything that was sent.
    pub(super) fn finish(&mut self) {
        self.producer.flush(PATIENCE).expect("everything is acknowledged in the end");
        self.acked.extend(self.acks.try_iter());
        assert_eq!(self.acked.len() as u64, self.next, "the producer gave up on records");
    }

    fn send(&self, number: u64) -> bool {
        let value = format!("record-{number}");
        let partition = i32::try_from(number % self.partitions as u64).expect("small");
        let key = number.checked_rem(self.keys).map(|key| format!("key-{key}"));
        let mut record = BaseRecord::<String, String>::to(self.topic);
        record = record.partition(partition).payload(&value);
        if let Some(key) = &key {
            record = record.key(key);
        }
        self.producer.send(record).is_ok()
    }

    /// Everything acknowledged is there, once, and in order.
    pub(super) fn check(&self, bootstrap: &str) {
        let mut seen: BTreeMap<u64, usize> = BTreeMap::new();
        for message in self.in_order(bootstrap) {
            *seen.entry(number(message.payload())).or_default() += 1;
        }
        let lost: Vec<_> =
            self.acked.iter().filter(|number| !seen.contains_key(*number)).take(5).collect();
        assert!(lost.is_empty(), "of {} acknowledged records, lost: {lost:?}", self.acked.len());
        assert!(seen.values().all(|count| *count == 1), "records stand twice");
    }

    /// Of each key the newest acknowledged record is there, or one that is newer.
    pub(super) fn check_newest_of_keys(&self, bootstrap: &str) {
        let mut newest: BTreeMap<u64, u64> = BTreeMap::new();
        for message in self.in_order(bootstrap) {
            let number = number(message.payload());
            newest.insert(number % self.keys, number);
        }
        for number in &self.acked {
            let found = newest.get(&(number % self.keys));
            assert!(
                found.is_some_and(|found| found >= number),
                "record {number} was acknowledged, the newest of its key is {found:?}"
            );
        }
    }

    /// All records, whose numbers must rise in each partition.
    fn in_order(&self, bootstrap: &str) -> Vec<OwnedMessage> {
        let all = read_all(bootstrap, self.topic, self.partitions);
        let mut newest: BTreeMap<i32, u64> = BTreeMap::new();
        for message in &all {
            let number = number(message.payload());
            let before = newest.insert(message.partition(), number);
            assert!(before.is_none_or(|before| before < number), "{number} after {before:?}");
        }
        all
    }
}

fn number(payload: Option<&[u8]>) -> u64 {
    let value = std::str::from_utf8(payload.expect("a payload")).expect("text");
    value.trim_start_matches("record-").parse().expect("a number")
}

/// Every record of a topic, in the order of each partition, up to the ends the broker names.
fn read_all(bootstrap: &str, topic: &str, partitions: i32) -> Vec<OwnedMessage> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "numbered-reader")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .create()
        .expect("the consumer's configuration is valid");
    let mut all = Vec::new();
    for partition in 0..partitions {
        let mut assignment = TopicPartitionList::new();
        assignment
            .add_partition_offset(topic, partition, rdkafka::Offset::Beginning)
            .expect("a valid offset");
        consumer.assign(&assignment).expect("an assignment");
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "partition {partition} has no end");
            match consumer.poll(PATIENCE) {
                Some(Ok(message)) => all.push(message.detach()),
                Some(Err(KafkaError::PartitionEOF(_))) => break,
                Some(Err(error)) => panic!("partition {partition}: {error}"),
                None => {}
            }
        }
    }
    all
}
