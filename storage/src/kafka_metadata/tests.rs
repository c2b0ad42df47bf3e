//! Logs and snapshots as Kafka lays them out, and what is damaged or missing in them.

use std::io::IoSlice;

use bytes::Bytes;
use protocol_codec::metadata_records::{FeatureLevelRecord, NoOpRecord};
use protocol_codec::records::BatchBuilder;
use protocol_codec::records::control::{ControlRecordType, control_key};

use super::*;
use crate::fs::{MemFs, OpenMode, write_all_at};

const DIR: &str = "/logs/__cluster_metadata-0";

/// A batch at this offset, in epoch 7.
fn placed(builder: BatchBuilder, base_offset: i64) -> Vec<u8> {
    let mut bytes = builder.build().unwrap().to_vec();
    bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
    bytes[12..16].copy_from_slice(&7_i32.to_be_bytes());
    bytes
}

fn level(level: i16) -> MetadataRecord {
    MetadataRecord::FeatureLevel(FeatureLevelRecord { name: "f".into(), feature_level: level })
}

fn data(base_offset: i64, levels: &[i16]) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for number in levels {
        let value = level(*number).encode(0).unwrap();
        builder.append(0, None, Some(&value), &[]).unwrap();
    }
    placed(builder, base_offset)
}

fn control(base_offset: i64, kind: ControlRecordType, value: &[u8]) -> Vec<u8> {
    let mut builder = BatchBuilder::new().control(true);
    builder.append(0, Some(&control_key(kind)), Some(value), &[]).unwrap();
    placed(builder, base_offset)
}

fn header() -> Vec<u8> {
    control(0, ControlRecordType::SnapshotHeader, &[0; 11])
}

fn footer(offset: i64) -> Vec<u8> {
    control(offset, ControlRecordType::SnapshotFooter, &[0; 3])
}

fn snapshot(number: i16) -> Vec<u8> {
    [header(), data(1, &[number]), footer(2)].concat()
}

fn read(files: &[(&str, Vec<u8>)]) -> Result<KafkaMetadataLog, KafkaMetadataError> {
    let fs = MemFs::new();
    fs.create_dir_all(Path::new(DIR)).unwrap();
    for (name, bytes) in files {
        let file = fs.open(&Path::new(DIR).join(name), OpenMode::Create).unwrap();
        write_all_at(&*file, &mut [IoSlice::new(bytes)], 0).unwrap();
    }
    KafkaMetadataLog::read(&fs, Path::new(DIR))
}

fn levels(log: &KafkaMetadataLog) -> Vec<i16> {
    let level = |record: &KafkaRecord| match record {
        KafkaRecord::Metadata(MetadataRecord::FeatureLevel(record)) => Some(record.feature_level),
        _ => None,
    };
    log.records.iter().filter_map(level).collect()
}

const LOG: &str = "00000000000000000000.log";

#[test]
fn a_log_alone_is_read_to_its_end() {
    let leader = control(0, ControlRecordType::LeaderChange, &[0, 0, 0, 0, 0, 1, 1, 1, 0]);
    let first = [leader, data(1, &[1, 2])].concat();
    let log = read(&[(LOG, first), ("00000000000000000003.log", data(3, &[3]))]).unwrap();
    assert_eq!(levels(&log), [1, 2, 3]);
    assert_eq!((log.end_offset, log.epoch), (4, 7));
    assert!(matches!(&log.records[0], KafkaRecord::Quorum(QuorumRecord::LeaderChange(_))));
}

#[test]
fn the_newest_snapshot_comes_first_and_the_log_goes_on_at_its_end() {
    let old = ("00000000000000000002-0000000001.checkpoint", snapshot(10));
    let new = ("00000000000000000003-0000000001.checkpoint", snapshot(20));
    let unfinished = ("00000000000000000009-0000000001.checkpoint.part", snapshot(30));
    // The second record of the batch at offset 2 is the first that the snapshot has not.
    let bytes = [data(0, &[1, 2]), data(2, &[3, 4]), data(4, &[5])].concat();
    let log = read(&[old, new, unfinished, (LOG, bytes)]).unwrap();
    assert_eq!(levels(&log), [20, 4, 5]);
    assert_eq!((log.end_offset, log.passed_over.len()), (5, 0));
}

#[test]
fn a_snapshot_without_a_log_is_enough() {
    let log = read(&[("00000000000000000005-0000000003.checkpoint", snapshot(1))]).unwrap();
    assert_eq!((levels(&log), log.end_offset, log.epoch), (vec![1], 5, 3));
}

#[test]
fn a_snapshot_that_is_not_whole_is_passed_over() {
    let mut flipped = snapshot(20);
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let without_footer = [header(), data(1, &[20])].concat();
    let without_header = [data(0, &[20]), footer(1)].concat();
    for bad in [flipped, without_footer, without_header, Vec::new()] {
        let old = ("00000000000000000002-0000000001.checkpoint", snapshot(10));
        let new = ("00000000000000000003-0000000001.checkpoint", bad);
        let bytes = [data(0, &[1, 2]), data(2, &[3])].concat();
        let log = read(&[old, new, (LOG, bytes)]).unwrap();
        assert_eq!(levels(&log), [10, 3]);
        assert_eq!(log.passed_over.len(), 1);
        let said = log.passed_over[0].to_string();
        assert!(said.contains("00000000000000000003-0000000001.checkpoint"), "{said}");
    }
}

#[test]
fn gaps_and_damage_in_the_log_are_errors() {
    let gap = read(&[(LOG, [data(0, &[1]), data(2, &[2])].concat())]).unwrap_err();
    assert!(matches!(gap, KafkaMetadataError::Gap { end: 1, start: 2, .. }), "{gap}");
    let late = read(&[("00000000000000000004.log", data(4, &[1]))]).unwrap_err();
    assert!(matches!(late, KafkaMetadataError::Gap { end: 0, start: 4, .. }), "{late}");
    let mut torn = [data(0, &[1]), data(1, &[2])].concat();
    torn.pop();
    let torn = read(&[(LOG, torn)]).unwrap_err().to_string();
    assert!(torn.contains(LOG) && torn.contains("damaged at position"), "{torn}");
    assert!(matches!(read(&[]), Err(KafkaMetadataError::Empty(_))));
}

#[test]
fn what_a_newer_kafka_wrote_is_an_error_that_names_its_offset() {
    let mut builder = BatchBuilder::new();
    let known = MetadataRecord::NoOp(NoOpRecord::default()).encode(0).unwrap();
    builder.append(0, None, Some(&known), &[]).unwrap();
    builder.append(0, None, Some(&Bytes::from_static(&[1, 99, 0])), &[]).unwrap();
    let said = read(&[(LOG, placed(builder, 0))]).unwrap_err().to_string();
    assert!(said.contains("offset 1: unknown record type 99"), "{said}");
}
