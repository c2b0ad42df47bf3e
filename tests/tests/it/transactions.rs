//! A log that Kafka wrote, with transactions of every fate, is served as Kafka serves it.
//!
//! A real Kafka gets committed, aborted, overlapping and open transactions, old clients' and new
//! ones' (KIP-890), over several segments. Its partition is then laid into a Barnabas as after a
//! kill, with its indexes and without them, and the same questions are asked of both.

mod kafkas;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use protocol_codec::messages::{describe_producers, fetch, list_offsets};
use protocol_codec::records::{crc32c, split_batches};
use protocol_codec::wire::Records;
use protocol_codec::{ErrorCode, Uuid};
use tests::barnabas::Node;
use tests::client::Client;
use tests::kafka::Kafka;
use tests::topics::create_topic;

use kafkas::Transactions;

const TOPIC: &str = "transactions";

/// Everything that a client can ask about the partition. Leader epochs are left out: Barnabas
/// raises them after an unclean stop.
fn answers(bootstrap: &str, topic_id: Uuid) -> String {
    let mut client = Client::connect(bootstrap);
    let mut text = String::new();
    let end = latest(&mut client, 0);
    for isolation_level in [0, 1] {
        for time in [-1, -2, -3, -4, -5].into_iter().chain(kafkas::TIMES) {
            let mut answer = client.call(9, &list_offsets(time, isolation_level));
            answer.topics[0].partitions[0].leader_epoch = -1;
            text += &format!("ListOffsets {time} isolation {isolation_level}: {answer:?}\n");
        }
        for version in [4, 5, 7, 11, 12, 13, 18] {
            text += &fetched(&mut client, topic_id, version, 0, isolation_level, 100_000);
        }
        for offset in 0..=end {
            text += &fetched(&mut client, topic_id, 12, offset, isolation_level, 1);
        }
        let seen = consumed(&mut client, isolation_level);
        text += &format!("Consumed with isolation {isolation_level}: {seen:?}\n");
    }
    let topic = describe_producers::TopicRequest { name: TOPIC.into(), partition_indexes: vec![0] };
    let mut answer = client.call(0, &describe_producers::Request { topics: vec![topic] });
    let producers = &mut answer.topics[0].partitions[0].active_producers;
    producers.sort_by_key(|producer| producer.producer_id);
    assert!(producers.iter().any(|producer| producer.current_txn_start_offset >= 0));
    text + &format!("DescribeProducers: {answer:#?}\n")
}

fn list_offsets(timestamp: i64, isolation_level: i8) -> list_offsets::Request {
    let partition = list_offsets::ListOffsetsPartition { timestamp, ..Default::default() };
    let partition = list_offsets::ListOffsetsPartition { current_leader_epoch: -1, ..partition };
    let topic = list_offsets::ListOffsetsTopic { name: TOPIC.into(), partitions: vec![partition] };
    let topics = vec![topic];
    list_offsets::Request { replica_id: -1, isolation_level, topics, ..Default::default() }
}

/// The end for readers of this isolation.
fn latest(client: &mut Client, isolation_level: i8) -> i64 {
    let answer = client.call(5, &list_offsets(-1, isolation_level));
    let partition = &answer.topics[0].partitions[0];
    assert_eq!(partition.error_code, ErrorCode::None.code(), "{partition:?}");
    partition.offset
}

/// The offsets of the records that a consumer hands out, who goes over the whole log and knows of
/// aborted transactions what the answers say, as Kafka's does.
fn consumed(client: &mut Client, isolation_level: i8) -> Vec<i64> {
    let (mut offset, mut seen) = (0, Vec::new());
    loop {
        let request = request(TOPIC, Uuid::ZERO, offset, isolation_level, 1_000_000);
        let mut answer = client.call(12, &request);
        let partition = answer.responses.remove(0).partitions.remove(0);
        let mut aborted = partition.aborted_transactions.unwrap_or_default();
        let Some(Records::Memory(bytes)) = partition.records else { panic!("no records") };
        if bytes.is_empty() {
            return seen;
        }
        let mut skipped = BTreeSet::new();
        // The last one may be cut.
        for batch in split_batches(bytes).map_while(Result::ok) {
            let header = *batch.header();
            aborted.retain(|txn| {
                let begins_later = txn.first_offset > header.last_offset();
                if !begins_later {
                    skipped.insert(txn.producer_id);
                }
                begins_later
            });
            let id = header.producer_id;
            if header.attributes.is_control() {
                skipped.remove(&id);
            } else if !(header.attributes.is_transactional() && skipped.contains(&id)) {
                seen.extend((header.base_offset..=header.last_offset()).filter(|at| *at >= offset));
            }
            offset = header.last_offset() + 1;
        }
    }
}

fn request(
    topic: &str,
    topic_id: Uuid,
    offset: i64,
    isolation_level: i8,
    max_bytes: i32,
) -> fetch::Request {
    let partition = fetch::FetchPartition {
        fetch_offset: offset,
        partition_max_bytes: max_bytes,
        ..Default::default()
    };
    let topic = fetch::FetchTopic { topic: topic.into(), topic_id, partitions: vec![partition] };
    fetch::Request { isolation_level, min_bytes: 0, topics: vec![topic], ..Default::default() }
}

/// A fetch's answer, with length and checksum for the records. The order of the aborted
/// transactions is that of their markers in Kafka, and means nothing.
fn fetched(
    client: &mut Client,
    topic_id: Uuid,
    version: i16,
    offset: i64,
    isolation_level: i8,
    max_bytes: i32,
) -> String {
    let (topic, topic_id) = if version >= 13 { ("", topic_id) } else { (TOPIC, Uuid::ZERO) };
    let request = request(topic, topic_id, offset, isolation_level, max_bytes);
    let answer = client.call(version, &request);
    let partition = &answer.responses[0].partitions[0];
    let mut aborted = partition.aborted_transactions.clone();
    if let Some(aborted) = &mut aborted {
        aborted.sort_by_key(|txn| txn.first_offset);
    }
    let Some(Records::Memory(bytes)) = &partition.records else { panic!("{partition:?}") };
    format!(
        "Fetch version {version} at {offset}, isolation {isolation_level}, {max_bytes} bytes: \
         error {} high watermark {} stable {} start {} aborted {aborted:?} records {} {:08x}\n",
        partition.error_code,
        partition.high_watermark,
        partition.last_stable_offset,
        partition.log_start_offset,
        bytes.len(),
        crc32c(bytes),
    )
}

/// The files of a partition that Kafka wrote, but for those that say whose it is.
fn lay_in(from: &Path, to: &Path, with_indexes: bool) {
    for entry in fs::read_dir(to).expect("a partition") {
        let path = entry.expect("an entry").path();
        if !path.ends_with("partition.metadata") {
            fs::remove_file(path).expect("a file of ours");
        }
    }
    for entry in fs::read_dir(from).expect("a partition") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        let is_index = name.ends_with("index");
        if name != "partition.metadata" && (with_indexes || !is_index) {
            fs::copy(&path, to.join(name)).expect("there is space");
        }
    }
}

fn txn_indexes(partition: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(partition).expect("a partition") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        if name.ends_with(".txnindex") {
            found.push((name, fs::read(&path).expect("a file")));
        }
    }
    found.sort();
    found
}

fn lines_that_differ(ours: &str, theirs: &str) -> String {
    let pairs = ours.lines().zip(theirs.lines()).filter(|(ours, theirs)| ours != theirs);
    let shown = pairs.take(10).map(|(ours, theirs)| format!("- {ours}\n+ {theirs}\n"));
    format!("Barnabas (-) and Kafka (+) differ:\n{}", shown.collect::<String>())
}

#[test]
fn what_kafka_wrote_is_served_as_kafka_serves_it() {
    // Small segments, so that the transactions lie over several of them.
    let kafka = Kafka::start(&[
        ("log.segment.bytes", "1048576"),
        ("transaction.state.log.num.partitions", "1"),
    ]);
    let mut transactions = Transactions::new(&kafka.bootstrap(), TOPIC);
    kafkas::write(&mut transactions);
    let theirs = answers(&kafka.bootstrap(), transactions.topic_id());
    let kafkas_partition = kafka.directory().join("data").join(format!("{TOPIC}-0"));
    let kafkas_indexes = txn_indexes(&kafkas_partition);
    assert!(kafkas_indexes.len() > 1, "aborted transactions in more than one segment");

    for with_indexes in [true, false] {
        let node = Node::new();
        let broker = node.start();
        let mut client = Client::connect(&broker.bootstrap());
        let topic_id = create_topic(&mut client, TOPIC, 1, &[]).topic_id;
        drop(client);
        // One batch brings the directory into being.
        kafkas::plain(&mut Client::connect(&broker.bootstrap()), TOPIC);
        broker.kill();
        let partition = node.data().join(format!("{TOPIC}-0"));
        lay_in(&kafkas_partition, &partition, with_indexes);

        let broker = node.start();
        let ours = answers(&broker.bootstrap(), topic_id);
        assert!(ours == theirs, "{}", lines_that_differ(&ours, &theirs));
        broker.stop();
        assert_eq!(txn_indexes(&partition), kafkas_indexes);

        // And once more, from what Barnabas has written itself.
        let broker = node.start();
        let ours = answers(&broker.bootstrap(), topic_id);
        assert!(ours == theirs, "{}", lines_that_differ(&ours, &theirs));
        broker.stop();
    }
}
