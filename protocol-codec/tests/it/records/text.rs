//! The text of batches, as `tests/java/RecordBatches.java` writes it.

use std::fmt::Write;

use bytes::Bytes;
use protocol_codec::records::{TimestampType, crc32c, split_batches};

const LIMIT: usize = 1 << 20;

/// The text of all batches in `bytes`.
pub(crate) fn of(bytes: &Bytes) -> String {
    let mut text = String::new();
    for batch in split_batches(bytes.clone()) {
        let batch = batch.unwrap();
        let view = batch.view();
        view.verify_checksum().unwrap();
        let h = batch.header();
        let codec = h.attributes.compression().unwrap().name();
        let time = match h.attributes.timestamp_type() {
            TimestampType::CreateTime => "CreateTime",
            TimestampType::LogAppendTime => "LogAppendTime",
        };
        writeln!(
            text,
            "= {} {} {} {codec} {time} {} {} {} {} {} {} {} {} {}",
            h.base_offset,
            h.last_offset(),
            h.partition_leader_epoch,
            h.base_timestamp,
            h.max_timestamp,
            h.producer_id,
            h.producer_epoch,
            h.base_sequence,
            h.last_sequence(),
            h.attributes.is_transactional(),
            h.attributes.is_control(),
            h.records_count,
        )
        .unwrap();
        for record in &view.plain_records(LIMIT).unwrap() {
            let record = record.unwrap();
            let (offset, time) =
                (h.offset_of(record.offset_delta), h.timestamp_of(record.timestamp_delta));
            write!(text, "- {offset} {time} {} {}", field(record.key), field(record.value))
                .unwrap();
            for header in record.headers {
                write!(text, " {}={}", field(Some(header.key)), field(header.value)).unwrap();
            }
            text.push('\n');
        }
    }
    text
}

fn field(bytes: Option<&[u8]>) -> String {
    match bytes {
        None => "null".to_owned(),
        Some(bytes) if bytes.len() <= 8 => {
            bytes.iter().fold("x".to_owned(), |hex, byte| format!("{hex}{byte:02x}"))
        }
        Some(bytes) => format!("{}:{:x}", bytes.len(), crc32c(bytes)),
    }
}
