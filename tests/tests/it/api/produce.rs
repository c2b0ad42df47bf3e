//! Produce: every version, every acks, and what is refused and why.

use crate::against::{Session, wire};
use bytes::Bytes;
use protocol_codec::Uuid;
use protocol_codec::messages::produce::{PartitionProduceData, Request, TopicProduceData};
use protocol_codec::records::BatchBuilder;
use protocol_codec::wire::Records;

/// A time that lies in the past for every test run.
const TIMESTAMP: i64 = 1_700_000_000_000;

fn batch(values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new();
    for value in values {
        builder.append(TIMESTAMP, Some(b"k"), Some(value.as_bytes()), &[]).unwrap();
    }
    builder.build().unwrap()
}

fn request(topic: &str, topic_id: Uuid, version: i16, partition: i32, records: Bytes) -> Request {
    let data = PartitionProduceData { index: partition, records: Some(Records::Memory(records)) };
    let (name, topic_id) = if version >= 13 { ("", topic_id) } else { (topic, Uuid::ZERO) };
    let topic = TopicProduceData { name: name.into(), topic_id, partition_data: vec![data] };
    Request { transactional_id: None, acks: -1, timeout_ms: 30_000, topic_data: vec![topic] }
}

#[test]
fn every_version_and_acks_appends() {
    wire(|session| {
        let id = session.topic("produce-versions", 1);
        for version in 3..=13 {
            for acks in [1, -1] {
                let mut request = request("produce-versions", id, version, 0, batch(&["a", "b"]));
                request.acks = acks;
                let _ = session.ask(version, &request);
            }
        }
    });
}

/// Asks with damaged bytes; each test gives what is damaged and how.
fn damaged(session: &mut Session, what: &str, change: impl Fn(&mut Vec<u8>)) {
    let mut bytes = batch(&["a", "b", "c"]).to_vec();
    change(&mut bytes);
    for version in [3, 9] {
        let request =
            request("produce-damaged", Uuid::ZERO, version, 0, Bytes::from(bytes.clone()));
        let answer = session.client.try_call(version, &request);
        let codes = answer.map(|answer| {
            let partition = &answer.responses[0].partition_responses[0];
            (
                partition.error_code,
                partition.base_offset,
                partition.log_start_offset,
                partition.record_errors.clone(),
            )
        });
        session.note(&format!("Produce version {version} with {what}"), &codes);
    }
}

/// Recomputes the checksum, so that only the change itself is wrong.
fn seal(bytes: &mut [u8]) {
    let crc = protocol_codec::records::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
}

#[test]
fn damaged_batches_get_kafkas_errors() {
    wire(|session| {
        let _ = session.topic("produce-damaged", 1);
        damaged(session, "a wrong checksum", |bytes| bytes[17] ^= 1);
        damaged(session, "a flipped record byte", |bytes| *bytes.last_mut().unwrap() ^= 1);
        damaged(session, "one record too many in the count", |bytes| {
            bytes[57..61].copy_from_slice(&4_i32.to_be_bytes());
            seal(bytes);
        });
        damaged(session, "one record too few in the count", |bytes| {
            bytes[57..61].copy_from_slice(&2_i32.to_be_bytes());
            seal(bytes);
        });
        damaged(session, "a wrong last offset delta", |bytes| {
            bytes[23..27].copy_from_slice(&9_i32.to_be_bytes());
            seal(bytes);
        });
        damaged(session, "the control bit", |bytes| {
            bytes[22] |= 0x20;
            seal(bytes);
        });
        damaged(session, "a base offset that is not zero", |bytes| bytes[7] = 5);
        damaged(session, "a trailing byte", |bytes| bytes.push(0));
        damaged(session, "half a batch", |bytes| bytes.truncate(bytes.len() / 2));
        damaged(session, "no bytes", Vec::clear);
    });
}

#[test]
fn wrong_places_and_acks_are_refused() {
    wire(|session| {
        let id = session.topic("produce-wrong", 1);
        for version in [3, 12, 13] {
            let _ = session.ask(version, &request("produce-wrong", id, version, 7, batch(&["a"])));
            let unknown = Uuid::from_bytes([9; 16]);
            let _ = session
                .ask(version, &request("produce-missing", unknown, version, 0, batch(&["a"])));
            let mut acks = request("produce-wrong", id, version, 0, batch(&["a"]));
            acks.acks = 2;
            let _ = session.ask(version, &acks);
        }
        let large = "x".repeat(1_100_000);
        let answer = session.client.call(9, &request("produce-wrong", id, 9, 0, batch(&[&large])));
        // Barnabas adds a sentence that names the limit.
        session.note("a large batch", &answer.responses[0].partition_responses[0].error_code);
    });
}

/// The idempotent producer's sequences: in order, repeated, with a gap.
#[test]
fn sequences_are_checked() {
    wire(|session| {
        let _ = session.topic("produce-sequences", 1);
        let with_sequence = |sequence: i32, epoch: i16| {
            let mut builder = BatchBuilder::new().producer(4_000_000, epoch, sequence);
            for value in ["a", "b"] {
                builder.append(TIMESTAMP, None, Some(value.as_bytes()), &[]).unwrap();
            }
            request("produce-sequences", Uuid::ZERO, 9, 0, builder.build().unwrap())
        };
        for (sequence, epoch) in [
            (0, 0),
            (2, 0),
            (0, 0),
            (2, 0),
            (4, 0),
            (10, 0),
            (6, 0),
            (1, 1),
            (0, 1),
            (0, 0),
            (2, 1),
        ] {
            let answer = session.client.call(9, &with_sequence(sequence, epoch));
            let partition = &answer.responses[0].partition_responses[0];
            session.note(
                &format!("sequence {sequence} epoch {epoch}"),
                &(partition.error_code, partition.base_offset, partition.log_start_offset),
            );
        }
    });
}
