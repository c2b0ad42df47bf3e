//! Keys and values of records, as what they are.

use bytes::Bytes;
use protocol_codec::coordinator_records::{consumer_offsets, share_group_state, transaction_state};
use protocol_codec::json::JsonWriter;
use protocol_codec::metadata_records::{MetadataRecord, QuorumRecord};
use protocol_codec::records::RecordView;

use super::Decoder;
use crate::cli::output::Value;

type Named = Vec<(&'static str, Value)>;

/// Key and value of a record of a coordinator's topic, with their type and version, in the form of
/// Kafka's own tool.
macro_rules! coordinator {
    ($topic:ident, $key:expr, $value:expr) => {{
        let decode = |key: Bytes, value: Option<Bytes>| {
            let key = $topic::Key::decode(key).ok()?;
            let number = key.record_type();
            let json = typed("type", number, |w| key.write_json(w));
            let mut fields = vec![("key", Value::Json(json))];
            if let Some(value) = value {
                let version = i16::from_be_bytes(*value.first_chunk()?);
                let value = $topic::Value::decode(number, value).ok()?;
                let json = typed("version", version, |w| value.write_json(w, version));
                fields.push(("payload", Value::Json(json)));
            }
            Some(fields)
        };
        $key.and_then(|key| decode(key, $value))
    }};
}

/// Key and payload. What cannot be decoded, because a newer Kafka wrote it or it is no such record,
/// is shown as it is.
pub(super) fn fields(decoder: Decoder, record: &RecordView<'_>) -> Named {
    let bytes = |bytes: Option<&[u8]>| bytes.map(Bytes::copy_from_slice);
    let (key, value) = (bytes(record.key), bytes(record.value));
    let decoded = match decoder {
        Decoder::None => None,
        Decoder::Offsets => coordinator!(consumer_offsets, key, value),
        Decoder::Transactions => coordinator!(transaction_state, key, value),
        Decoder::ShareState => coordinator!(share_group_state, key, value),
        Decoder::Metadata => value.and_then(metadata),
    };
    decoded.unwrap_or_else(|| raw(record))
}

fn raw(record: &RecordView<'_>) -> Named {
    let mut fields = Named::new();
    if let Some(key) = record.key {
        fields.push(("key", Value::Bytes(key.to_vec())));
    }
    if let Some(value) = record.value {
        fields.push(("payload", Value::Bytes(value.to_vec())));
    }
    fields
}

fn write(write: impl FnOnce(&mut JsonWriter)) -> String {
    let mut w = JsonWriter::new();
    write(&mut w);
    w.finish()
}

/// `{"type":"1","data":...}`: Kafka writes the number as a string.
fn typed(name: &str, number: i16, data: impl FnOnce(&mut JsonWriter)) -> String {
    write(|w| {
        w.begin_object();
        w.key(name);
        w.string(&number.to_string());
        w.key("data");
        data(w);
        w.end_object();
    })
}

fn metadata(value: Bytes) -> Option<Named> {
    let (record, version) = MetadataRecord::decode(value).ok()?;
    let json = write(|w| {
        w.begin_object();
        w.key("type");
        w.string(&screaming(record.name()));
        w.key("version");
        w.int(i64::from(version));
        w.key("data");
        record.write_json(w, version);
        w.end_object();
    });
    Some(vec![("payload", Value::Json(json))])
}

/// `TopicRecord` is `TOPIC_RECORD` in Kafka's output.
fn screaming(name: &str) -> String {
    let mut text = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(character.to_ascii_uppercase());
    }
    text
}

/// A control record of the metadata log.
pub(super) fn quorum(record: &RecordView<'_>) -> Option<Named> {
    let (name, json) = match QuorumRecord::decode(record).ok()? {
        QuorumRecord::LeaderChange(it) => ("LeaderChange", write(|w| it.write_json(w, 0))),
        QuorumRecord::SnapshotHeader(it) => ("SnapshotHeader", write(|w| it.write_json(w, 0))),
        QuorumRecord::SnapshotFooter(it) => ("SnapshotFooter", write(|w| it.write_json(w, 0))),
        QuorumRecord::KRaftVersion(it) => ("KRaftVersion", write(|w| it.write_json(w, 0))),
        QuorumRecord::Voters(it) => ("KRaftVoters", write(|w| it.write_json(w, 0))),
        QuorumRecord::Other(_) => return None,
    };
    Some(vec![(name, Value::Json(json))])
}
