//! Record batches: `tests/golden/records.txt` was written by Kafka's own classes
//! (`tests/java/RecordBatches.java` of the workspace), and is read here record by record.

use bytes::Bytes;
use protocol_codec::records::control::EndTransactionMarker;
use protocol_codec::records::header::NO_SEQUENCE;
use protocol_codec::records::{
    Batch, BatchBuilder, Compression, Header, ProduceRules, TimestampType, ValidatedBatch,
    validate_produce,
};

mod hostile;
mod text;

const GOLDEN: &str = include_str!("../golden/records.txt");
const LIMIT: usize = 1 << 20;

struct Golden {
    name: &'static str,
    bytes: Bytes,
    text: String,
}

fn golden() -> Vec<Golden> {
    let entries = GOLDEN.split("batch ").skip(1).map(|entry| {
        let (head, text) = entry.split_once('\n').unwrap();
        let (name, hex) = head.split_once(' ').unwrap();
        let bytes = (0..hex.len()).step_by(2);
        let bytes = bytes.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        Golden { name, bytes, text: text.to_owned() }
    });
    entries.collect()
}

fn is_control(name: &str) -> bool {
    name.starts_with("marker") || name.starts_with("emptied")
}

#[test]
fn batches_of_kafka_are_read_record_by_record() {
    let batches = golden();
    for golden in &batches {
        assert_eq!(text::of(&golden.bytes), golden.text, "{}", golden.name);
    }
    assert!(batches.len() > 20);
}

#[test]
fn what_kafka_writes_is_valid() {
    for golden in golden().into_iter().filter(|golden| !is_control(golden.name)) {
        // As a producer sends it: offset 0, its own timestamps.
        let append_time = golden.name.starts_with("append-time");
        let bytes: Bytes = [[0; 8].as_slice(), &golden.bytes[8..]].concat().into();
        let rules = ProduceRules { timestamp_after_max_ms: i64::MAX, ..ProduceRules::default() };
        let valid = validate_produce(&bytes, &rules, 1_700_000_000_000).unwrap();
        let written = valid.to_bytes(1000, 12);
        assert_eq!(written == golden.bytes, !append_time, "{}", golden.name);
    }
}

#[test]
fn the_builder_writes_kafkas_bytes() {
    let mut compared = 0;
    for golden in golden().into_iter().filter(|golden| !is_control(golden.name)) {
        let batch = Batch::read(&golden.bytes).unwrap();
        let header = batch.header();
        let kind = header.attributes.compression().unwrap();
        let mut builder = BatchBuilder::new()
            .base_offset(header.base_offset)
            .leader_epoch(header.partition_leader_epoch)
            .transactional(header.attributes.is_transactional())
            .compression(kind, None);
        if header.base_sequence != NO_SEQUENCE {
            builder =
                builder.producer(header.producer_id, header.producer_epoch, header.base_sequence);
        }
        if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
            builder = builder.log_append_time(header.max_timestamp);
        }
        let records = batch.view().plain_records(LIMIT).unwrap();
        for record in &records {
            let record = record.unwrap();
            let headers: Vec<Header<'_>> = record.headers.collect();
            let timestamp = header.base_timestamp + record.timestamp_delta;
            builder.append(timestamp, record.key, record.value, &headers).unwrap();
        }
        let built = builder.build().unwrap();
        // Other libraries compress to other bytes; what was compressed is the same.
        if kind == Compression::None {
            assert_eq!(built, golden.bytes, "{}", golden.name);
        } else {
            let built = Batch::read(&built).unwrap();
            let again = built.view().plain_records(LIMIT).unwrap();
            assert_eq!(again.bytes(), records.bytes(), "{}", golden.name);
        }
        compared += 1;
    }
    assert!(compared > 15);
}

#[test]
fn transaction_markers_are_kafkas() {
    for committed in [true, false] {
        let name = if committed { "marker-COMMIT" } else { "marker-ABORT" };
        let golden = golden().into_iter().find(|golden| golden.name == name).unwrap();
        let marker = EndTransactionMarker { committed, coordinator_epoch: 77 };
        let batch = Batch::read(&golden.bytes).unwrap();
        assert_eq!(EndTransactionMarker::from_batch(&batch.view()), Ok(marker));
        let built = marker.to_batch(1_700_000_000_000, 1000, 2).unwrap();
        let built = ValidatedBatch::internal(&built).unwrap().to_bytes(42, 3);
        assert_eq!(built, golden.bytes);
    }
}
