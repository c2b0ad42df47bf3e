//! ListOffsets: special timestamps, real ones, epochs and errors.

use crate::against::wire;
use bytes::Bytes;
use protocol_codec::messages::list_offsets::{ListOffsetsPartition, ListOffsetsTopic, Request};
use protocol_codec::messages::produce;
use protocol_codec::records::BatchBuilder;
use protocol_codec::wire::Records;

/// Records with these timestamps, one batch of three and one of two.
const TIMES: [&[i64]; 2] = [&[1_000, 5_000, 3_000], &[5_000, 4_000]];

fn produced(times: &[i64]) -> Bytes {
    let mut builder = BatchBuilder::new();
    for time in times {
        builder.append(*time, None, Some(b"v"), &[]).unwrap();
    }
    builder.build().unwrap()
}

fn asked(topic: &str, partition: i32, timestamp: i64, epoch: i32) -> Request {
    let partition =
        ListOffsetsPartition { partition_index: partition, timestamp, current_leader_epoch: epoch };
    let topic = ListOffsetsTopic { name: topic.into(), partitions: vec![partition] };
    Request { replica_id: -1, topics: vec![topic], timeout_ms: 10_000, ..Default::default() }
}

#[test]
fn every_version_and_time() {
    wire(|session| {
        let _ = session.topic("list-offsets", 1);
        for times in TIMES {
            let data = produce::PartitionProduceData {
                index: 0,
                records: Some(Records::Memory(produced(times))),
            };
            let topic = produce::TopicProduceData {
                name: "list-offsets".into(),
                partition_data: vec![data],
                ..Default::default()
            };
            let request = produce::Request {
                transactional_id: None,
                acks: -1,
                timeout_ms: 30_000,
                topic_data: vec![topic],
            };
            let _ = session.client.call(9, &request);
        }
        let special = [(-1, 1), (-2, 1), (-3, 7), (-4, 8), (-5, 9), (-6, 11)];
        for version in 1..=11 {
            let special =
                special.iter().filter(|(_, since)| *since <= version).map(|(time, _)| *time);
            for time in special.chain([0, 1_000, 1_001, 3_500, 5_000, 5_001]) {
                let answer = session.client.call(version, &asked("list-offsets", 0, time, -1));
                session.note(&format!("ListOffsets version {version} at {time}"), &answer);
            }
        }
    });
}

#[test]
fn errors() {
    wire(|session| {
        let _ = session.topic("list-offsets-errors", 1);
        for version in [1, 5, 11] {
            let _ = session.ask(version, &asked("list-offsets-errors", 4, -1, -1));
            let _ = session.ask(version, &asked("list-offsets-missing", 0, -1, -1));
        }
        for epoch in [0, 1, 99] {
            let _ = session.ask(5, &asked("list-offsets-errors", 0, -1, epoch));
        }
        let _ = session.ask(5, &asked("list-offsets-errors", 0, -77, -1));
    });
}
