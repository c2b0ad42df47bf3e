//! What a topic's settings do to records that are produced, and how they are found by their times.

use bytes::Bytes;
use protocol_codec::messages::{delete_records, fetch, list_offsets, produce};
use protocol_codec::records::{BatchBuilder, Compression, split_batches};
use protocol_codec::wire::Records;
use tests::topics::create_topic;

use crate::against::{Session, wire};

/// Long ago for every test run.
const TIME: i64 = 1_700_000_000_000;

/// A topic with one partition and these settings, which is served.
fn topic(session: &mut Session, name: &str, configs: &[(&str, &str)]) {
    create_topic(&mut session.client, name, 1, configs);
    session.settle();
}

fn batch(builder: BatchBuilder, times: &[i64]) -> Bytes {
    let mut builder = builder;
    for (at, time) in times.iter().enumerate() {
        let value = format!("value {at} ").repeat(at * 50 + 1);
        builder.append(*time, Some(b"key"), Some(value.as_bytes()), &[]).unwrap();
    }
    builder.build().unwrap()
}

fn produced(
    session: &mut Session,
    topic: &str,
    records: Bytes,
) -> produce::PartitionProduceResponse {
    let data = produce::PartitionProduceData { index: 0, records: Some(Records::Memory(records)) };
    let topic = produce::TopicProduceData {
        name: topic.into(),
        partition_data: vec![data],
        ..Default::default()
    };
    let request = produce::Request {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![topic],
        ..Default::default()
    };
    let mut answer = session.client.call(9, &request);
    answer.responses.remove(0).partition_responses.remove(0)
}

/// The record at or after a time, as offset and time.
fn found(session: &mut Session, topic: &str, timestamp: i64) -> (i16, i64, i64) {
    let partition = list_offsets::ListOffsetsPartition {
        timestamp,
        current_leader_epoch: -1,
        ..Default::default()
    };
    let topic = list_offsets::ListOffsetsTopic { name: topic.into(), partitions: vec![partition] };
    let request =
        list_offsets::Request { replica_id: -1, topics: vec![topic], ..Default::default() };
    let answer = session.client.call(9, &request);
    let partition = &answer.topics[0].partitions[0];
    (partition.error_code, partition.offset, partition.timestamp)
}

/// What lies in the log: of each batch its header, as far as it does not depend on the run, and its
/// records.
fn written(session: &mut Session, topic: &str) -> Vec<String> {
    let partition = fetch::FetchPartition { partition_max_bytes: 1 << 20, ..Default::default() };
    let topic = fetch::FetchTopic {
        topic: topic.into(),
        partitions: vec![partition],
        ..Default::default()
    };
    let request = fetch::Request { topics: vec![topic], ..Default::default() };
    let mut answer = session.client.call(12, &request);
    let partition = answer.responses.remove(0).partitions.remove(0);
    let Some(Records::Memory(bytes)) = partition.records else { panic!("no records") };
    let describe = |batch: protocol_codec::records::Batch| {
        batch.view().verify_checksum().expect("a good checksum");
        let header = *batch.header();
        let records = batch.view().plain_records(1 << 20).expect("records");
        let records = records.iter().map(|record| {
            let record = record.expect("a record");
            let time = match header.max_timestamp < TIME + 1_000_000 {
                true => header.timestamp_of(record.timestamp_delta),
                // The broker's clock.
                false => -2,
            };
            format!("{time} {:?} {}", record.key, record.value.map_or(0, <[u8]>::len))
        });
        let records: Vec<String> = records.collect();
        let (from, to) = (header.base_offset, header.last_offset());
        format!("{from}..={to} {:?} base {} {records:?}", header.attributes, header.base_timestamp)
    };
    split_batches(bytes).map(|batch| describe(batch.expect("a batch"))).collect()
}

#[test]
fn times_out_of_range_are_refused_record_by_record() {
    wire(|session| {
        let far = [
            ("message.timestamp.before.max.ms", "3600000"),
            ("message.timestamp.after.max.ms", "3600000"),
        ];
        topic(session, "times-range", &far);
        topic(session, "times-default", &[]);
        let later = 9_000_000_000_000;
        for topic in ["times-range", "times-default"] {
            for times in [&[TIME][..], &[-1], &[later], &[-1, later, TIME, later + 1], &[-1, -1]] {
                for kind in [Compression::None, Compression::Lz4] {
                    let records = batch(BatchBuilder::new().compression(kind, None), times);
                    let mut answer = produced(session, topic, records);
                    for error in &mut answer.record_errors {
                        // The range around the broker's clock follows.
                        let text = error.batch_index_error_message.take().unwrap_or_default();
                        let said = text.split("within").next().unwrap_or_default();
                        error.batch_index_error_message = Some(said.into());
                    }
                    session.note(&format!("Produce {times:?} {kind:?} to {topic}"), &answer);
                }
            }
            let seen = written(session, topic);
            session.note(topic, &seen);
        }
        let append = batch(BatchBuilder::new().log_append_time(TIME), &[TIME]);
        let answer = produced(session, "times-default", append);
        session.note("Produce with append time", &answer);
    });
}

#[test]
fn append_time_is_the_brokers() {
    wire(|session| {
        topic(session, "times-append", &[("message.timestamp.type", "LogAppendTime")]);
        for kind in [Compression::None, Compression::Zstd] {
            let times = [5, 9_000_000_000_000, -1];
            let records = batch(BatchBuilder::new().compression(kind, None), &times);
            let mut answer = produced(session, "times-append", records);
            assert!(answer.log_append_time_ms > TIME, "{answer:?}");
            answer.log_append_time_ms = 0;
            session.note(&format!("Produce {kind:?}"), &answer);
        }
        let seen = written(session, "times-append");
        session.note("written", &seen);
        let (_, offset, time) = found(session, "times-append", TIME);
        assert!(time > TIME);
        session.note("first", &offset);
        let after = found(session, "times-append", i64::MAX);
        session.note("none", &after);
        let (code, _, _) = found(session, "times-append", -3);
        session.note("max", &code);
    });
}

#[test]
fn times_are_found_to_the_record_in_every_compression() {
    wire(|session| {
        for kind in Compression::ALL {
            let name = format!("times-{kind:?}").to_lowercase();
            topic(session, &name, &[]);
            for times in [&[100, 300, 200][..], &[250, 50], &[300, 400, 400], &[10]] {
                let records = batch(BatchBuilder::new().compression(kind, None), times);
                let _ = produced(session, &name, records);
            }
            for start in [0, 1, 4, 7, 8, 9] {
                let delete =
                    delete_records::DeleteRecordsPartition { partition_index: 0, offset: start };
                let delete = delete_records::Request {
                    topics: vec![delete_records::DeleteRecordsTopic {
                        name: name.as_str().into(),
                        partitions: vec![delete],
                    }],
                    timeout_ms: 30_000,
                };
                let _ = session.client.call(2, &delete);
                for time in [0, 60, 100, 101, 200, 201, 260, 300, 301, 400, 401, -2, -3, -4, -5] {
                    let answer = found(session, &name, time);
                    session.note(&format!("{name} from {start} at {time}"), &answer);
                }
            }
        }
    });
}

#[test]
fn a_topics_compression_is_the_logs() {
    wire(|session| {
        let settings: [(&str, &[(&str, &str)]); 8] = [
            ("producer", &[]),
            ("uncompressed", &[]),
            ("gzip", &[("compression.gzip.level", "9")]),
            ("snappy", &[]),
            ("lz4", &[("compression.lz4.level", "17")]),
            ("zstd", &[("compression.zstd.level", "-5")]),
            ("zstd", &[("compression.zstd.level", "22")]),
            ("gzip", &[("compression.gzip.level", "1")]),
        ];
        for (number, (compression, levels)) in settings.into_iter().enumerate() {
            let name = format!("compression-{number}");
            let configs: Vec<_> =
                levels.iter().copied().chain([("compression.type", compression)]).collect();
            topic(session, &name, &configs);
            for kind in Compression::ALL {
                let records =
                    batch(BatchBuilder::new().compression(kind, None), &[TIME, TIME + 5, -1]);
                let answer = produced(session, &name, records);
                session.note(&format!("Produce {kind:?} to {compression}"), &answer);
            }
            let seen = written(session, &name);
            session.note(&format!("{compression} {levels:?}"), &seen);
        }
    });
}
