//! Compaction as clients see it: a broker cleans while real clients produce and consume.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::ClientConfig;
use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tests::barnabas::{Barnabas, Node};
use tests::client::Client;
use tests::tool::{Answer, kcat, run};
use tests::topics::create_topic;

use crate::against::eventually;

const TOPIC: &str = "kept";
const PATIENCE: Duration = Duration::from_secs(60);
/// Every round of records is so much younger than the one before that it begins a new segment.
const SEGMENT_MS: i64 = 60_000;
const STEP_MS: i64 = 2 * SEGMENT_MS;

/// Cleaned as soon as there is a segment to clean.
const COMPACTED: [(&str, &str); 4] = [
    ("cleanup.policy", "compact"),
    ("min.cleanable.dirty.ratio", "0"),
    ("segment.ms", "60000"),
    ("delete.retention.ms", "1"),
];

/// A node whose cleaners look for work all the time.
fn node() -> Node {
    Node::new().with("log.cleaner.backoff.ms", "50")
}

/// Partition, key and value of a record.
type Record = (i32, String, Option<String>);

/// Produces rounds of records, and remembers what must stay.
struct Rounds {
    producer: BaseProducer,
    partitions: i32,
    time_ms: i64,
    newest: BTreeMap<(i32, String), Option<String>>,
}

impl Rounds {
    fn new(bootstrap: &str, partitions: i32) -> Self {
        create_topic(&mut Client::connect(bootstrap), TOPIC, partitions, &COMPACTED);
        let producer = ClientConfig::new().set("bootstrap.servers", bootstrap).create();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let time_ms = i64::try_from(now.as_millis()).expect("a time") - 20 * STEP_MS;
        let producer = producer.expect("the producer's configuration is valid");
        Self { producer, partitions, time_ms, newest: BTreeMap::new() }
    }

    /// One record for each of these keys in each partition.
    fn produce(&mut self, keys: impl Iterator<Item = String> + Clone, value: Option<&str>) {
        self.time_ms += STEP_MS;
        for partition in 0..self.partitions {
            for key in keys.clone() {
                let record = BaseRecord::to(TOPIC).partition(partition).key(&key);
                let record = record.timestamp(self.time_ms);
                let value = value.map(|value| format!("{value} of {key}"));
                let sent = match &value {
                    Some(value) => self.producer.send(record.payload(value)),
                    None => self.producer.send::<_, String>(record),
                };
                sent.expect("room in the producer's queue");
                self.newest.insert((partition, key), value);
            }
        }
        self.producer.flush(PATIENCE).expect("everything is acknowledged");
    }

    /// Everything before it may be cleaned: it lies in a segment of its own.
    fn end(&mut self, name: &str) {
        self.produce([name.to_owned()].into_iter(), Some("end"));
    }

    fn newest(&self) -> Vec<Record> {
        self.newest.iter().map(|((p, key), value)| (*p, key.clone(), value.clone())).collect()
    }
}

fn keys(numbers: std::ops::Range<u32>) -> impl Iterator<Item = String> + Clone {
    numbers.map(|number| format!("key {number:03}"))
}

/// What a stock consumer finds from the beginning on, by partition and key.
fn consumed(bootstrap: &str) -> Vec<Record> {
    let said = kcat(bootstrap, &format!("-C -t {TOPIC} -e -o beginning -f %p|%k|%S|%s\\n"), "");
    let mut records: Vec<Record> = said
        .lines()
        .map(|line| {
            let [partition, key, size, value] = line.split('|').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let value = (size != "-1").then(|| value.to_owned());
            (partition.parse().expect("a partition"), key.to_owned(), value)
        })
        .collect();
    // Stable: records of one key stay in the order in which they were consumed.
    records.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
    records
}

fn wait_until_consumed(bootstrap: &str, wanted: &[Record]) {
    let mut last = Vec::new();
    let found = eventually(|| {
        last = consumed(bootstrap);
        (last == wanted).then_some(())
    });
    assert!(found.is_some(), "wanted {wanted:?}\nfound {last:?}");
}

/// The last value of each key must be the newest one, whether the log was cleaned or not.
fn assert_newest(bootstrap: &str, rounds: &Rounds) {
    let found =
        consumed(bootstrap).into_iter().map(|(partition, key, value)| ((partition, key), value));
    assert_eq!(found.collect::<BTreeMap<_, _>>(), rounds.newest);
}

/// Threads of the broker that clean.
fn cleaner_threads(broker: &mut Barnabas) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", broker.process().pid())).expect("it runs");
    let names = tasks.flatten().map(|task| fs::read_to_string(task.path().join("comm")));
    // Linux keeps 15 bytes of a name.
    names.filter(|name| name.as_deref().is_ok_and(|name| name.trim() == "kafka-log-clean")).count()
}

/// Has Kafka's tool set a config of all brokers.
fn alter(bootstrap: &str, setting: &str) -> Answer {
    let arguments = "--alter --entity-type brokers --entity-default --add-config";
    run("kafka-configs", &format!("--bootstrap-server {bootstrap} {arguments} {setting}"))
}

fn set(bootstrap: &str, setting: &str) {
    let _ = alter(bootstrap, setting).ok();
}

#[test]
fn a_consumer_finds_the_newest_of_each_key_and_no_tombstone_for_ever() {
    let node = node().with("log.cleaner.threads", "2");
    let mut broker = node.start();
    let bootstrap = broker.bootstrap();
    let mut rounds = Rounds::new(&bootstrap, 4);
    for round in 0..4 {
        rounds.produce(keys(0..50), Some(&format!("round {round}")));
    }
    rounds.produce(keys(40..50), None);
    rounds.end("first");
    wait_until_consumed(&bootstrap, &rounds.newest());
    assert_eq!(cleaner_threads(&mut broker), 2);

    // The next cleaning finds that the time of the tombstones has passed.
    rounds.end("second");
    let (alive, dead): (Vec<_>, Vec<_>) =
        rounds.newest().into_iter().partition(|(_, _, value)| value.is_some());
    assert_eq!(dead.len(), 40);
    wait_until_consumed(&bootstrap, &alive);
    broker.stop();
    let broker = node.start();
    assert_eq!(consumed(&bootstrap), alive);
    broker.stop();
}

#[test]
fn nothing_is_lost_when_the_broker_is_killed_while_it_cleans() {
    // The cleaning of about 300 KB, read twice, takes some seconds.
    let node = node().with("log.cleaner.io.max.bytes.per.second", "150000");
    let broker = node.start();
    let bootstrap = broker.bootstrap();
    let mut rounds = Rounds::new(&bootstrap, 1);
    for round in 0..3 {
        rounds.produce(keys(0..100), Some(&format!("{round} {}", "x".repeat(1000))));
    }
    rounds.end("end");
    let partition = node.data().join(format!("{TOPIC}-0"));
    let is_being_cleaned = || {
        let names = fs::read_dir(&partition).expect("the partition's directory").flatten();
        let mut names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.any(|name| name.ends_with(".cleaned")).then_some(())
    };
    eventually(is_being_cleaned).expect("a segment in the making");
    broker.kill();
    assert!(is_being_cleaned().is_some(), "it was killed too late");

    let broker = node.start();
    assert_newest(&bootstrap, &rounds);
    wait_until_consumed(&bootstrap, &rounds.newest());
    broker.stop();
}

/// Of the internal topic, as the checkpoint says.
fn cleaned_up_to(node: &Node, partition: &str) -> Option<i64> {
    let text = fs::read_to_string(node.data().join("cleaner-offset-checkpoint")).ok()?;
    text.lines().find_map(|line| line.strip_prefix(partition)?.trim().parse().ok())
}

#[test]
fn committed_offsets_outlive_the_compaction_of_their_topic() {
    let node = node()
        .with("offsets.topic.num.partitions", "1")
        .with("log.roll.ms", "50")
        .with("log.cleaner.min.cleanable.ratio", "0.01");
    let broker = node.start();
    let bootstrap = broker.bootstrap();
    let mut rounds = Rounds::new(&bootstrap, 1);
    rounds.produce(keys(0..200), Some("value"));
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &bootstrap)
        .set("group.id", "committing")
        .create()
        .expect("the consumer's configuration is valid");
    let commit = |offset| {
        let mut position = TopicPartitionList::new();
        let offset = rdkafka::Offset::Offset(offset);
        position.add_partition_offset(TOPIC, 0, offset).expect("a valid offset");
        consumer.commit(&position, CommitMode::Sync).expect("a commit");
    };
    // Every few of them begin a segment.
    let mut commits = 0;
    let cleaned = eventually(|| {
        commits += 1;
        commit(commits % 200);
        cleaned_up_to(&node, "__consumer_offsets 0 ").filter(|offset| *offset > 100)
    });
    assert!(cleaned.is_some(), "{:?}", cleaned_up_to(&node, "__consumer_offsets 0 "));
    commit(200);
    let before = described(&bootstrap);
    assert!(before.contains(&format!("committing {TOPIC} 0 200 200 0")), "{before}");
    drop(consumer);
    broker.kill();
    let broker = node.start();
    assert_eq!(described(&bootstrap), before);
    broker.stop();
    let broker = node.start();
    assert_eq!(described(&bootstrap), before);
    broker.stop();
}

/// What `kafka-consumer-groups` says of the group, one blank between words.
fn described(bootstrap: &str) -> String {
    let arguments = format!("--bootstrap-server {bootstrap} --describe --group committing");
    let said = run("kafka-consumer-groups", &arguments).ok();
    let line = said.lines().find(|line| line.contains(TOPIC)).unwrap_or_default();
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn settings_of_the_cleaners_act_while_the_broker_runs() {
    let node = node().with("log.cleaner.io.max.bytes.per.second", "1");
    let mut broker = node.start();
    let bootstrap = broker.bootstrap();
    // A thread gives itself its name.
    eventually(|| (cleaner_threads(&mut broker) == 1).then_some(())).expect("one thread");
    let mut rounds = Rounds::new(&bootstrap, 1);
    for round in 0..3 {
        rounds.produce(keys(0..20), Some(&format!("round {round}")));
    }
    rounds.end("end");
    set(&bootstrap, "log.cleaner.threads=2");
    eventually(|| (cleaner_threads(&mut broker) == 2).then_some(())).expect("another thread");
    // At a byte a second it takes an hour.
    assert_eq!(consumed(&bootstrap).len(), 61, "the limit holds");

    set(&bootstrap, "log.cleaner.io.max.bytes.per.second=1000000000");
    wait_until_consumed(&bootstrap, &rounds.newest());
    broker.stop();
}

/// How full the buffer was in each cleaning so far, in percent, as the broker has said.
fn buffer_utilizations(broker: &mut Barnabas) -> Vec<String> {
    let said = broker.process().output();
    let cleanings = said.lines().filter(|line| line.contains("Log cleaner cleaned log kept-0"));
    let utilization = |line: &str| Some(line.split_once("buffer utilization ")?.1.to_owned());
    cleanings.filter_map(utilization).collect()
}

#[test]
fn the_cleaners_use_the_buffer_size_that_was_set_last() {
    const SIZE: &str = "log.cleaner.dedupe.buffer.size";
    let mut broker = node().start();
    let bootstrap = broker.bootstrap();
    let mut rounds = Rounds::new(&bootstrap, 1);
    let mut clean = |wanted: &str, times: usize| {
        rounds.produce(keys(0..4_000), Some("value"));
        rounds.end("end");
        let mut found = Vec::new();
        let cleaned = eventually(|| {
            found = buffer_utilizations(&mut broker);
            (found.iter().filter(|found| *found == wanted).count() == times).then_some(())
        });
        assert!(cleaned.is_some(), "{wanted} {times} times in {found:?}");
        found
    };
    // Of the 5,592,405 keys that 128 MiB hold.
    let before = clean("0.1%", 1);
    assert!(!before.contains(&"8.0%".to_owned()));
    // Room for 50,000.
    set(&bootstrap, &format!("{SIZE}=1200000"));
    clean("8.0%", 1);

    let said = alter(&bootstrap, &format!("{SIZE}=1048576")).failed();
    assert!(said.contains("must be at least 1MB per cleaner thread"), "{said}");
    clean("8.0%", 2);
    broker.stop();
}
