//! Any bytes as a key or a value of a record in an internal topic, as they come from a log that may
//! be damaged, or as a record of Kafka's metadata log. The first byte picks the topic.

#![no_main]

#[path = "../../../protocol-codec/tests/it/allocations.rs"]
mod allocations;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol_codec::coordinator_records::{consumer_offsets, share_group_state, transaction_state};
use protocol_codec::metadata_records::MetadataRecord;
use protocol_codec::wire::allocation_limit;

fuzz_target!(|data: &[u8]| {
    let [topic, record_type, body @ ..] = data else { return };
    let record_type = i16::from(*record_type);
    let bytes = Bytes::copy_from_slice(body);
    let ((), peak) = allocations::peak_of(|| match topic % 4 {
        0 => {
            let _ = consumer_offsets::Key::decode(bytes.clone());
            let _ = consumer_offsets::Value::decode(record_type, bytes);
        }
        1 => {
            let _ = transaction_state::Key::decode(bytes.clone());
            let _ = transaction_state::Value::decode(record_type, bytes);
        }
        2 => {
            let _ = MetadataRecord::decode(bytes);
        }
        _ => {
            let _ = share_group_state::Key::decode(bytes.clone());
            let _ = share_group_state::Value::decode(record_type, bytes);
        }
    });
    assert!(peak <= 2 * allocation_limit(body.len()), "{peak} bytes for {}", body.len());
});
