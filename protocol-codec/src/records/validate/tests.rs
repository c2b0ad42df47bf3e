//! What a produced batch must satisfy, rule by rule.

use super::*;
use crate::records::{Attributes, BATCH_OVERHEAD, BatchBuilder, Header, split_batches};

const NOW: i64 = 1_700_000_000_000;

fn builder(kind: Compression) -> BatchBuilder {
    BatchBuilder::new().compression(kind, None)
}

fn filled(mut builder: BatchBuilder, count: usize) -> Bytes {
    let header = Header { key: b"h", value: Some(b"1") };
    for at in 0..count {
        let value = vec![b'v'; at % 300];
        builder.append(NOW + at as i64 % 7, Some(b"key"), Some(&value), &[header]).unwrap();
    }
    builder.build().unwrap()
}

fn validate(bytes: &Bytes) -> Result<ValidatedBatch, RecordError> {
    validate_produce(bytes, &ProduceRules::default(), NOW)
}

// Changes the header of a good batch and repairs the checksum.
fn with_header(bytes: &Bytes, change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    let mut header = BatchHeader::read(bytes).unwrap();
    change(&mut header);
    header.crc = header.checksum(&bytes[BATCH_OVERHEAD..]);
    [header.to_bytes().as_slice(), &bytes[BATCH_OVERHEAD..]].concat().into()
}

// A batch around these records, which may be nonsense.
fn around(records: &[u8], count: i32, kind: Compression) -> Bytes {
    let mut payload = Vec::new();
    super::super::compression::compress(kind, None, records, &mut payload).unwrap();
    let empty = BatchBuilder::new().compression(kind, None).build().unwrap();
    let mut header = BatchHeader::read(&empty).unwrap();
    header.batch_length = (payload.len() + 49) as i32;
    (header.records_count, header.last_offset_delta) = (count, count - 1);
    header.crc = header.checksum(&payload);
    [header.to_bytes().as_slice(), &payload].concat().into()
}

#[test]
fn a_good_batch_is_passed_on_without_a_copy() {
    for kind in Compression::ALL {
        let bytes = filled(builder(kind), 1000);
        let valid = validate(&bytes).unwrap();
        assert_eq!(valid.payload().as_ptr(), bytes[61..].as_ptr(), "{kind:?}");
        assert_eq!(valid.to_bytes(0, -1), bytes);
        assert_eq!(valid.header().max_timestamp, NOW + 6);
        assert_eq!(valid.max_timestamp_delta(), 6);
        assert_eq!(valid.decompressed_bytes() > 0, kind != Compression::None);
    }
}

#[test]
fn large_records_straddle_windows() {
    for kind in Compression::ALL {
        let mut builder = builder(kind);
        for size in [1, 70_000, 3, 200_000, 65_536, 5] {
            let value = vec![b'x'; size];
            let header = Header { key: &value[..size.min(500)], value: None };
            builder.append(NOW, None, Some(&value), &[header, header]).unwrap();
        }
        validate(&builder.build().unwrap()).unwrap();
    }
}

#[test]
fn records_that_are_cut_at_every_byte_are_malformed_in_every_codec() {
    let whole = filled(builder(Compression::None), 3);
    let records = &whole[BATCH_OVERHEAD..];
    for kind in Compression::ALL {
        for len in 0..records.len() {
            let error = validate(&around(&records[..len], 3, kind)).unwrap_err();
            assert!(
                matches!(error, RecordError::Records(ReadError::Malformed(_))),
                "{kind:?} {len}: {error}"
            );
            assert_eq!(error.code(), ErrorCode::InvalidRecord);
        }
        for count in [1, 2, 4, i32::MAX] {
            let error = validate(&around(records, count, kind)).unwrap_err();
            assert!(
                matches!(error, RecordError::Records(ReadError::Malformed(_))),
                "{kind:?} {count}: {error}"
            );
        }
    }
}

#[test]
fn numbers_at_their_limits_at_every_position_are_errors_in_every_codec() {
    let max = [0xfe, 0xff, 0xff, 0xff, 0x0f];
    let minus_one = [0x01];
    // One record: length, attributes, deltas, key "k", value "v", one header.
    let record = [0x16, 0, 0, 0, 2, b'k', 2, b'v', 2, 2, b'h', 1];
    validate(&around(&record, 1, Compression::None)).unwrap();
    for kind in Compression::ALL {
        for at in [0, 3, 4, 6, 8, 9, 11] {
            for number in [max.as_slice(), &minus_one, &[0xff; 12]] {
                let mut bytes = record[..at].to_vec();
                bytes.extend_from_slice(number);
                bytes.extend_from_slice(&record[at + 1..]);
                // The last byte is already -1: a null header value.
                if bytes == record {
                    continue;
                }
                if at > 0 && bytes.len() - 1 < 64 {
                    bytes[0] = ((bytes.len() - 1) * 2) as u8;
                }
                assert!(validate(&around(&bytes, 1, kind)).is_err(), "{kind:?} {at} {number:?}");
            }
        }
    }
}

#[test]
fn headers_that_lie() {
    let good = filled(builder(Compression::None), 3);
    let code = |bytes: &Bytes| validate(bytes).unwrap_err().code();
    let changed = |change: fn(&mut BatchHeader)| validate(&with_header(&good, change)).unwrap_err();

    assert_eq!(changed(|h| h.base_offset = 1), RecordError::BaseOffset(1));
    assert_eq!(changed(|h| h.magic = 1), RecordError::OldMagic);
    assert_eq!(changed(|h| h.magic = 0), RecordError::OldMagic);
    assert_eq!(changed(|h| h.magic = 3).code(), ErrorCode::CorruptMessage);
    for length in [0, -1, 13, 48] {
        let mut bytes = good.to_vec();
        bytes[8..12].copy_from_slice(&i32::to_be_bytes(length));
        assert_eq!(code(&bytes.into()), ErrorCode::CorruptMessage, "{length}");
    }
    assert_eq!(changed(|h| h.batch_length += 1), RecordError::NoBatch);
    assert_eq!(changed(|h| h.batch_length = i32::MAX), RecordError::NoBatch);
    assert_eq!(validate(&Bytes::new()).unwrap_err(), RecordError::NoBatch);
    for (delta, count) in [(2, 2), (2, 4), (2, 0), (-1, 0), (2, -1), (i32::MAX, i32::MIN)] {
        let bytes = with_header(&good, |h| (h.last_offset_delta, h.records_count) = (delta, count));
        let expected = RecordError::Count { last_offset_delta: delta, count };
        assert_eq!(validate(&bytes).unwrap_err(), expected);
    }
    assert_eq!(changed(|h| h.attributes = h.attributes.with_control(true)), RecordError::Control);
    let no_sequence = |h: &mut BatchHeader| (h.producer_id, h.producer_epoch) = (5, 0);
    assert_eq!(changed(no_sequence), RecordError::Sequence { sequence: -1, producer_id: 5 });
    let unknown = with_header(&good, |h| h.attributes = Attributes::from_bits(5));
    assert_eq!(code(&unknown), ErrorCode::UnsupportedCompressionType);
    let mut wrong = good.to_vec();
    wrong[17] ^= 1;
    assert_eq!(code(&wrong.into()), ErrorCode::CorruptMessage);
}

#[test]
fn exactly_one_batch() {
    let good = filled(builder(Compression::None), 3);
    let joined = |rest: &[u8]| validate(&[good.as_ref(), rest].concat().into());
    assert_eq!(joined(&good).unwrap_err(), RecordError::ManyBatches);
    // As in Kafka, a batch that is cut is left out...
    assert_eq!(joined(&good[..good.len() - 1]).unwrap().to_bytes(0, -1), good);
    assert_eq!(joined(&[0; 11]).unwrap().to_bytes(0, -1), good);
    // ...and what can be no batch is not.
    assert_eq!(joined(&[0; 12]).unwrap_err().code(), ErrorCode::CorruptMessage);
    assert_eq!(split_batches(good.clone()).count(), 1);
}

#[test]
fn size_and_version_rules() {
    let bytes = filled(builder(Compression::Zstd), 3);
    let rules = ProduceRules { produce_version: 6, ..ProduceRules::default() };
    assert_eq!(
        validate_produce(&bytes, &rules, NOW).unwrap_err().code(),
        ErrorCode::UnsupportedCompressionType
    );
    let rules = ProduceRules { max_message_bytes: bytes.len() - 1, ..ProduceRules::default() };
    assert_eq!(
        validate_produce(&bytes, &rules, NOW).unwrap_err().code(),
        ErrorCode::MessageTooLarge
    );
    let rules = ProduceRules { max_message_bytes: bytes.len(), ..ProduceRules::default() };
    validate_produce(&bytes, &rules, NOW).unwrap();
}

#[test]
fn offset_deltas_count_from_zero() {
    for kind in Compression::ALL {
        let record = [0x0c, 0, 0, 2, 1, 1, 0];
        let error = validate(&around(&record, 1, kind)).unwrap_err();
        assert_eq!(error, RecordError::OffsetDelta { index: 0, found: 1 }, "{kind:?}");
    }
}

#[test]
fn append_time_rewrites_the_header_and_its_checksum_only() {
    let rules =
        ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..ProduceRules::default() };
    for kind in Compression::ALL {
        let bytes = filled(builder(kind), 10);
        let valid = validate_produce(&bytes, &rules, 42).unwrap();
        assert_eq!(valid.payload().as_ptr(), bytes[61..].as_ptr());
        assert_eq!((valid.log_append_time_ms(), valid.header().max_timestamp), (42, 42));
        let written = valid.to_bytes(7, 1);
        let view = BatchView::read(&written).unwrap();
        view.verify_checksum().unwrap();
        assert_eq!(view.header().base_timestamp, NOW);
        assert_eq!(view.header().attributes.compression(), Ok(kind));
    }
}

#[test]
fn a_wrong_max_timestamp_is_put_right() {
    let bytes = with_header(&filled(builder(Compression::None), 10), |h| {
        h.max_timestamp = 1;
        h.attributes = Attributes::from_bits(0x0100);
    });
    let valid = validate(&bytes).unwrap();
    assert_eq!(valid.header().max_timestamp, NOW + 6);
    assert_eq!(valid.header().attributes, Attributes::default());
    BatchView::read(&valid.to_bytes(0, 0)).unwrap().verify_checksum().unwrap();
}

#[test]
fn timestamps_out_of_range_name_their_records() {
    let rules = ProduceRules {
        timestamp_before_max_ms: 100,
        timestamp_after_max_ms: 50,
        ..ProduceRules::default()
    };
    for kind in Compression::ALL {
        let mut builder = builder(kind);
        for timestamp in [NOW, NOW - 100, NOW - 101, NOW + 50, NOW + 51, -1] {
            builder.append(timestamp, None, None, &[]).unwrap();
        }
        let error = validate_produce(&builder.build().unwrap(), &rules, NOW).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidTimestamp);
        let refused: Vec<_> = error.refused_records().iter().map(|r| r.batch_index).collect();
        assert_eq!(refused, [2, 4], "{kind:?}");
        assert!(error.refused_records()[0].message.contains("should be within"));
    }
}

#[test]
fn a_producer_does_not_set_append_time() {
    let bytes = filled(BatchBuilder::new().log_append_time(NOW), 2);
    let rules =
        ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..ProduceRules::default() };
    assert_eq!(
        validate_produce(&bytes, &rules, NOW).unwrap_err().code(),
        ErrorCode::InvalidTimestamp
    );
    // Kafka lets it pass where records have their own time, and turns the bit off.
    let valid = validate(&bytes).unwrap();
    assert_eq!(valid.header().attributes.timestamp_type(), TimestampType::CreateTime);
}

#[test]
fn compacted_topics_need_keys_even_where_compressed_batches_are_not_looked_into() {
    let rules = ProduceRules {
        compacted: true,
        compressed_check: CompressedCheck::Header,
        ..ProduceRules::default()
    };
    for kind in Compression::ALL {
        let mut builder = builder(kind);
        for at in 0..2000 {
            let key = (at % 2 == 0).then_some(b"k".as_slice());
            builder.append(NOW, key, None, &[]).unwrap();
        }
        let error = validate_produce(&builder.build().unwrap(), &rules, NOW).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidRecord);
        assert!(matches!(&error, RecordError::Refused { total: 1000, timestamp: false, .. }));
        assert_eq!(error.refused_records()[1].batch_index, 3);
        assert!(error.to_string().contains("1000 record errors"));
    }
}

#[test]
fn header_checks_only_look_at_the_header() {
    let rules =
        ProduceRules { compressed_check: CompressedCheck::Header, ..ProduceRules::default() };
    let garbage = with_header(&around(b"not records", 3, Compression::Zstd), |h| {
        (h.base_timestamp, h.max_timestamp) = (NOW, NOW + 5);
    });
    let valid = validate_produce(&garbage, &rules, NOW).unwrap();
    assert_eq!((valid.header().max_timestamp, valid.max_timestamp_delta()), (NOW + 5, 2));
    let late = with_header(&garbage, |h| h.max_timestamp = NOW + 4_000_000);
    assert_eq!(
        validate_produce(&late, &rules, NOW).unwrap_err().code(),
        ErrorCode::InvalidTimestamp
    );
    let plain = around(b"not records", 3, Compression::None);
    assert_eq!(validate_produce(&plain, &rules, NOW).unwrap_err().code(), ErrorCode::InvalidRecord);
}

#[test]
fn budgets_of_compressed_batches() {
    for kind in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let bytes = filled(builder(kind), 1000);
        let size = validate(&bytes).unwrap().decompressed_bytes();
        let rules = ProduceRules { decompressed_budget: size, ..ProduceRules::default() };
        validate_produce(&bytes, &rules, NOW).unwrap();
        let rules = ProduceRules { decompressed_budget: size - 1, ..ProduceRules::default() };
        assert_eq!(
            validate_produce(&bytes, &rules, NOW).unwrap_err().code(),
            ErrorCode::MessageTooLarge,
            "{kind:?}"
        );
        let rules = ProduceRules { max_record_bytes: 300, ..ProduceRules::default() };
        let error = validate_produce(&bytes, &rules, NOW).unwrap_err();
        assert!(
            matches!(error, RecordError::Records(ReadError::RecordTooLarge { max: 300, .. })),
            "{kind:?}"
        );
        assert_eq!(error.code(), ErrorCode::InvalidRecord);
    }
}

#[test]
fn a_topic_with_its_own_compression_compresses_again() {
    for from in Compression::ALL {
        for to in Compression::ALL {
            let bytes = filled(builder(from).producer(3, 1, 10), 500);
            let rules = ProduceRules { compression: Some((to, None)), ..ProduceRules::default() };
            let valid = validate_produce(&bytes, &rules, NOW).unwrap();
            let written = valid.to_bytes(0, 0);
            let again = validate(&written).unwrap();
            assert_eq!(again.header().attributes.compression(), Ok(to));
            assert_eq!((again.header().producer_id, again.header().base_sequence), (3, 10));
            assert_eq!(valid.payload().as_ptr() == bytes[61..].as_ptr(), from == to);
        }
    }
}
