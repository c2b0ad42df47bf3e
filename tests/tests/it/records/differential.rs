//! The same produced batches to Kafka's validation and to ours: thousands of good, changed and broken ones.
//!
//! What both accept must be written with the same bytes, and what both refuse has the same code. Where they
//! may differ is listed in [`may_be_stricter`]; Kafka never refuses what we accept.

use std::collections::BTreeMap;
use std::fmt::Write;

use bytes::{BufMut, Bytes};
use protocol_codec::ErrorCode;
use protocol_codec::records::compression::{compress, decompress};
use protocol_codec::records::{
    BATCH_OVERHEAD, Batch, BatchBuilder, BatchHeader, Compression, Header, ProduceRules, ReadError,
    RecordError, TimestampType, validate_produce,
};
use tests::numbers::Numbers;

use super::{java, text};

const NOW_MS: i64 = 1_700_000_000_000;

struct Case {
    rules: ProduceRules,
    bytes: Bytes,
}

fn good(kind: Compression) -> Bytes {
    let mut builder = BatchBuilder::new().compression(kind, None);
    let header = Header { key: b"h", value: Some(b"1") };
    for at in 0..12_i64 {
        let value = vec![b'a' + at as u8; 10 * at as usize];
        let value = (at != 3).then_some(value.as_slice());
        let headers = vec![header; at as usize % 3];
        builder.append(NOW_MS + at % 5, Some(b"key"), value, &headers).unwrap();
    }
    builder.build().unwrap()
}

fn with_checksum(mut header: BatchHeader, payload: &[u8]) -> Bytes {
    header.batch_length = (payload.len() + BATCH_OVERHEAD - 12) as i32;
    header.crc = header.checksum(payload);
    [header.to_bytes().as_slice(), payload].concat().into()
}

fn header_of(bytes: &Bytes) -> BatchHeader {
    *Batch::read(bytes).unwrap().header()
}

fn rules_to_try() -> Vec<ProduceRules> {
    let default = ProduceRules::default;
    vec![
        default(),
        ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..default() },
        ProduceRules { compacted: true, ..default() },
        ProduceRules { timestamp_before_max_ms: 1, timestamp_after_max_ms: 2, ..default() },
        ProduceRules { produce_version: 6, ..default() },
        ProduceRules { max_message_bytes: 150, ..default() },
        ProduceRules { max_record_bytes: 80, ..default() },
        ProduceRules { compression: Some((Compression::None, None)), ..default() },
        ProduceRules { compression: Some((Compression::Gzip, None)), ..default() },
        ProduceRules {
            compression: Some((Compression::Zstd, None)),
            timestamp_type: TimestampType::LogAppendTime,
            ..default()
        },
    ]
}

// Header fields with every value that could matter, under every rule.
fn header_cases(cases: &mut Vec<Case>) {
    type Change = fn(&mut BatchHeader);
    let changes: [Change; 22] = [
        |_| {},
        |h| h.base_offset = 5,
        |h| h.partition_leader_epoch = 9,
        |h| h.attributes = from_bits(h, 0x08),
        |h| h.attributes = from_bits(h, 0x10),
        |h| h.attributes = from_bits(h, 0x20),
        |h| h.attributes = from_bits(h, 0x40),
        |h| h.attributes = from_bits(h, 0x4080),
        |h| h.last_offset_delta = 12,
        |h| h.last_offset_delta = -1,
        |h| h.base_timestamp = NOW_MS - 3,
        |h| h.base_timestamp = NOW_MS + 4_000_000,
        |h| h.base_timestamp = -1,
        |h| h.base_timestamp = i64::MAX,
        |h| h.max_timestamp = 7,
        |h| (h.producer_id, h.producer_epoch, h.base_sequence) = (3, 0, 0),
        |h| (h.producer_id, h.producer_epoch, h.base_sequence) = (3, 0, -1),
        |h| (h.producer_id, h.base_sequence) = (-7, -7),
        |h| h.records_count = 0,
        |h| h.records_count = -3,
        |h| (h.records_count, h.last_offset_delta) = (11, 10),
        |h| (h.records_count, h.last_offset_delta) = (13, 12),
    ];
    for rules in rules_to_try() {
        for kind in Compression::ALL {
            let bytes = good(kind);
            for change in changes {
                let mut header = header_of(&bytes);
                change(&mut header);
                let bytes = with_checksum(header, &bytes[BATCH_OVERHEAD..]);
                cases.push(Case { rules: rules.clone(), bytes });
            }
        }
    }
}

fn from_bits(header: &BatchHeader, bits: i16) -> protocol_codec::records::Attributes {
    protocol_codec::records::Attributes::from_bits(header.attributes.bits() | bits)
}

// Keyless records, timestamps of all kinds, several batches, cuts, wrong checksums and magics.
fn other_cases(cases: &mut Vec<Case>) {
    let mut push = |rules: &ProduceRules, bytes: &[u8]| {
        cases.push(Case { rules: rules.clone(), bytes: Bytes::copy_from_slice(bytes) });
    };
    for rules in rules_to_try() {
        for kind in Compression::ALL {
            let mut builder = BatchBuilder::new().compression(kind, None);
            for (at, timestamp) in [NOW_MS, NOW_MS - 2, -1, NOW_MS + 3, 0].into_iter().enumerate() {
                let key = (at % 2 == 0).then_some(b"k".as_slice());
                builder.append(timestamp, key, None, &[]).unwrap();
            }
            push(&rules, &builder.build().unwrap());
        }
        let bytes = good(Compression::Lz4);
        push(&rules, &[bytes.as_ref(), &bytes].concat());
        for rest in [1, 11, 12, 16, 17, 18, 60, 61, 62] {
            push(&rules, &[bytes.as_ref(), &bytes[..rest]].concat());
            push(&rules, &[bytes.as_ref(), &vec![0; rest]].concat());
            push(&rules, &bytes[..rest]);
        }
        push(&rules, &[]);
        for (at, value) in [(16, 0), (16, 1), (16, 3), (16, 0xff), (17, 0), (11, 20), (8, 0x80)] {
            let mut changed = bytes.to_vec();
            changed[at] = value;
            push(&rules, &changed);
        }
    }
}

// Records with changed bytes, compressed and not, with a good checksum; and changed compressed bytes.
fn random_cases(cases: &mut Vec<Case>) {
    let mut numbers = Numbers::new(42);
    for kind in Compression::ALL {
        let bytes = good(kind);
        let header = header_of(&bytes);
        let plain = decompress(kind, &bytes[BATCH_OVERHEAD..], 1 << 20).unwrap();
        for round in 0..600 {
            let mut records = plain.clone();
            for _ in 0..=round % 3 {
                let at = numbers.index(records.len());
                match numbers.index(4) {
                    0 => records[at] ^= 1 << numbers.index(8),
                    1 => records[at] = [0, 1, 0x7f, 0x80, 0xff][numbers.index(5)],
                    2 => records.truncate(at.max(1)),
                    _ => records.insert(at, numbers.below(256) as u8),
                }
            }
            let mut payload = Vec::new();
            compress(kind, None, &records, &mut payload).unwrap();
            let bytes = with_checksum(header, &payload);
            cases.push(Case { rules: ProduceRules::default(), bytes });
        }
        for _ in 0..300 {
            let mut payload = bytes[BATCH_OVERHEAD..].to_vec();
            let at = numbers.index(payload.len());
            payload[at] ^= 1 << numbers.index(8);
            let bytes = with_checksum(header, &payload);
            cases.push(Case { rules: ProduceRules::default(), bytes });
        }
    }
}

fn encode(cases: &[Case]) -> Vec<u8> {
    let mut out = Vec::new();
    for Case { rules, bytes } in cases {
        out.put_i16(rules.produce_version);
        out.put_u8(u8::from(rules.timestamp_type == TimestampType::LogAppendTime));
        out.put_u8(u8::from(rules.compacted));
        out.put_i64(rules.timestamp_before_max_ms);
        out.put_i64(rules.timestamp_after_max_ms);
        out.put_i32(rules.max_message_bytes as i32);
        out.put_i32(rules.max_record_bytes as i32);
        out.put_u8(rules.compression.map_or(0, |(kind, _)| kind as u8 + 1));
        out.put_i64(NOW_MS);
        out.put_i32(bytes.len() as i32);
        out.put_slice(bytes);
    }
    out
}

/// What we refuse and Kafka accepts, or calls an unknown server error.
fn may_be_stricter(error: &RecordError, compressed: bool, kafka_accepts: bool) -> bool {
    match error {
        // Kafka numbers uncompressed records anew, and fails on compressed ones.
        RecordError::OffsetDelta { .. } => kafka_accepts != compressed,
        // The sizes inside compressed records are not added up, and what follows the compressed data, or
        // fails a checksum that some of Kafka's readers do not look at, is not seen.
        RecordError::Records(ReadError::Malformed(_) | ReadError::Decompress(_)) => compressed,
        // Ids that do not exist, and headers that are cut, end in an exception of Java's.
        RecordError::Compression(_) | RecordError::Corrupt(_) => !kafka_accepts,
        _ => false,
    }
}

fn bytes_of(hex: &str) -> Bytes {
    let digits = (0..hex.len()).step_by(2);
    digits.map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn compare(case: &Case, kafka: &str) -> Result<&'static str, String> {
    let ours = validate_produce(&case.bytes, &case.rules, NOW_MS);
    let words: Vec<_> = kafka.splitn(4, ' ').collect();
    let header = BatchHeader::read(&case.bytes);
    let compressed =
        header.is_ok_and(|header| header.attributes.compression() != Ok(Compression::None));
    // Kafka compresses by building the batch anew: what its builder throws at, we write, and a producer's
    // append time becomes the time of each record there.
    let odd = case.rules.compression.is_some()
        && header
            .is_ok_and(|header| header.attributes.timestamp_type() == TimestampType::LogAppendTime);
    match (words[0], ours) {
        ("ok", Ok(valid)) if !odd => {
            let written = valid.to_bytes(0, 0);
            let hex = written.iter().fold(String::new(), |mut hex, byte| {
                write!(hex, "{byte:02x}").unwrap();
                hex
            });
            if hex == words[1] {
                Ok("written the same")
            } else if case.rules.compression.is_some()
                && text::of(&written) == text::of(&bytes_of(words[1]))
            {
                Ok("compressed again, with the same records")
            } else {
                Err(format!("ours is {hex}"))
            }
        }
        ("ok", Ok(_)) => Ok("compressed again, with other timestamps"),
        ("error", Ok(_)) if case.rules.compression.is_some() && words[1] == "-1" => {
            Ok("compressed again, where Kafka throws")
        }
        ("ok", Err(error)) if may_be_stricter(&error, compressed, true) => Ok("refused here only"),
        ("error", Err(error)) => {
            let code: i16 = words[1].parse().unwrap();
            let ours: i16 = error.code().into();
            let indexes = error.refused_records().iter().map(|record| record.batch_index);
            let indexes: String = indexes.map(|index| format!("{index},")).collect();
            let unknown = code == i16::from(ErrorCode::UnknownServerError);
            if code == ours && (words[2] == "-" || words[2] == indexes) {
                Ok("refused alike")
            } else if unknown && may_be_stricter(&error, compressed, false) {
                Ok("refused, in Kafka with an exception")
            } else {
                Err(format!("ours is {ours} {indexes} {error:?}"))
            }
        }
        (_, ours) => Err(format!("ours is {:?}", ours.map(|valid| *valid.header()))),
    }
}

#[test]
fn kafka_validates_alike() {
    let mut cases = Vec::new();
    header_cases(&mut cases);
    other_cases(&mut cases);
    random_cases(&mut cases);
    let answers = java("validate", Some(&encode(&cases)));
    assert_eq!(answers.lines().count(), cases.len());
    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    let mut differing = String::new();
    for (at, (case, kafka)) in cases.iter().zip(answers.lines()).enumerate() {
        match compare(case, kafka) {
            Ok(how) => *tally.entry(how).or_default() += 1,
            Err(why) => {
                let header = BatchHeader::read(&case.bytes);
                writeln!(differing, "case {at}: Kafka: {kafka}\n  {why}\n  {header:?}").unwrap();
            }
        }
    }
    assert!(differing.is_empty(), "{tally:?}\n{differing}");
    assert!(tally["written the same"] > 300 && tally["refused alike"] > 1000, "{tally:?}");
}
