//! More partitions than descriptors.

use std::fs;

use protocol_codec::ErrorCode;
use protocol_codec::messages::{fetch, list_offsets, produce};
use protocol_codec::records::{BatchBuilder, split_batches};
use protocol_codec::wire::Records;
use tests::barnabas::{Barnabas, Node};
use tests::client::Client;
use tests::topics::create_topic;

/// Descriptors of the process.
const LIMIT: usize = 256;
/// What it gives to segments: a quarter, less what is opened in passing.
const SEGMENT_FILES: usize = LIMIT / 4 - 32;
const PARTITIONS: i32 = 600;
const NONE: i16 = ErrorCode::None.code();

fn descriptors(broker: &mut Barnabas) -> usize {
    let path = format!("/proc/{}/fd", broker.process().pid());
    fs::read_dir(path).expect("the broker runs").count()
}

/// Appends one record to every partition.
fn append_to_all(client: &mut Client, acks: i16, offset: i64) {
    for index in 0..PARTITIONS {
        let mut builder = BatchBuilder::new();
        let value = format!("{index} {offset}");
        builder.append(1_000, None, Some(value.as_bytes()), &[]).expect("a small batch");
        let records = Some(Records::Memory(builder.build().expect("a small batch")));
        let topic = produce::TopicProduceData {
            name: "many".into(),
            partition_data: vec![produce::PartitionProduceData { index, records }],
            ..Default::default()
        };
        let request = produce::Request {
            acks,
            timeout_ms: 30_000,
            topic_data: vec![topic],
            ..Default::default()
        };
        let answer = &client.call(9, &request).responses[0].partition_responses[0];
        assert_eq!((answer.error_code, answer.base_offset), (NONE, offset), "{index}");
    }
}

/// Fetches all partitions from offset 0 with one session, and returns how many gave all their
/// records. Not all can be in one answer.
fn read_all(client: &mut Client, records: usize) {
    let mut missing: Vec<i32> = (0..PARTITIONS).collect();
    while !missing.is_empty() {
        let partition = |partition: &i32| fetch::FetchPartition {
            partition: *partition,
            partition_max_bytes: 1024 * 1024,
            ..Default::default()
        };
        let topic = fetch::FetchTopic {
            topic: "many".into(),
            partitions: missing.iter().map(partition).collect(),
            ..Default::default()
        };
        let request =
            fetch::Request { max_bytes: 50 << 20, topics: vec![topic], ..Default::default() };
        let answer = client.call(4, &request);
        let before = missing.len();
        for found in &answer.responses[0].partitions {
            assert_eq!(found.error_code, NONE, "{}", found.partition_index);
            let Some(Records::Memory(bytes)) = &found.records else { continue };
            let batches: Vec<_> =
                split_batches(bytes.clone()).map(|batch| batch.expect("a whole batch")).collect();
            if batches.is_empty() {
                continue;
            }
            assert_eq!(batches.len(), records, "{}", found.partition_index);
            for (at, batch) in batches.iter().enumerate() {
                batch.view().verify_checksum().expect("the records that were sent");
                assert_eq!(batch.header().base_offset, at as i64);
            }
            missing.retain(|partition| *partition != found.partition_index);
        }
        assert!(missing.len() < before, "an answer without records");
    }
}

fn ends(client: &mut Client) -> Vec<(i16, i64)> {
    let partition = |partition_index| list_offsets::ListOffsetsPartition {
        partition_index,
        timestamp: -1,
        ..Default::default()
    };
    let topic = list_offsets::ListOffsetsTopic {
        name: "many".into(),
        partitions: (0..PARTITIONS).map(partition).collect(),
    };
    let request =
        list_offsets::Request { replica_id: -1, topics: vec![topic], ..Default::default() };
    let answer = client.call(2, &request);
    answer.topics[0].partitions.iter().map(|found| (found.error_code, found.offset)).collect()
}

#[test]
fn more_partitions_are_written_and_read_than_there_are_descriptors() {
    let limit = format!("--nofile={LIMIT}:{LIMIT}");
    let node = Node::new().run_by(&["prlimit", &limit]);
    let mut broker = node.start();
    let mut client = Client::connect(&node.bootstrap());
    create_topic(&mut client, "many", PARTITIONS, &[]);
    let before = descriptors(&mut broker);
    append_to_all(&mut client, 1, 0);
    append_to_all(&mut client, -1, 1);
    read_all(&mut client, 2);
    append_to_all(&mut client, 1, 2);
    read_all(&mut client, 3);
    // What is opened in passing goes when the disk is quiet.
    let quiet = (0..10_000).find(|_| {
        let _ = ends(&mut client);
        descriptors(&mut broker) <= before + SEGMENT_FILES
    });
    assert!(quiet.is_some(), "{} after {before}", descriptors(&mut broker));
    broker.kill();

    let broker = node.start();
    let mut client = Client::connect(&node.bootstrap());
    assert_eq!(ends(&mut client), vec![(NONE, 3); PARTITIONS as usize]);
    read_all(&mut client, 3);
    broker.stop();
}
