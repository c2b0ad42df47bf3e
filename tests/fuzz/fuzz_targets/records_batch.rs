//! Any bytes as the records of a Produce request, and as a buffer that a fetch or a recovery reads. The
//! first byte says whether length and checksum are put right first, so that the records are reached.
//! Nothing panics, memory stays bounded, and what was accepted can be read to its last record.

#![no_main]

#[path = "../../../protocol-codec/tests/it/allocations.rs"]
mod allocations;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use protocol_codec::records::{BatchView, ProduceRules, crc32c, split_batches, validate_produce};

const LIMIT: usize = 4 << 20;
const NOW_MS: i64 = 1_700_000_000_000;

fuzz_target!(|data: &[u8]| {
    let [repair, bytes @ ..] = data else { return };
    let bytes = if repair % 2 == 0 { Bytes::copy_from_slice(bytes) } else { repaired(bytes) };
    let rules = ProduceRules {
        timestamp_after_max_ms: i64::MAX,
        decompressed_budget: LIMIT,
        compacted: repair % 4 == 3,
        ..ProduceRules::default()
    };
    let (accepted, peak) = allocations::peak_of(|| validate_produce(&bytes, &rules, NOW_MS));
    assert!(peak <= 2 * LIMIT, "{peak} bytes for {}", bytes.len());
    for batch in split_batches(bytes).flatten() {
        let _ = batch.view().first_since(NOW_MS, 1, LIMIT);
    }
    if let Ok(valid) = accepted {
        let written = valid.to_bytes(7, 1);
        let view = BatchView::read(&written).expect("what was accepted is a batch");
        view.verify_checksum().expect("with its checksum");
        let records = view.plain_records(LIMIT).expect("that can be decompressed");
        let count = records.iter().filter(Result::is_ok).count();
        assert_eq!(count, view.header().records_count as usize);
        assert_eq!(count, records.iter().count());
    }
});

fn repaired(bytes: &[u8]) -> Bytes {
    let mut bytes = bytes.to_vec();
    if bytes.len() >= 61 {
        let length = bytes.len() as i32 - 12;
        bytes[..8].fill(0);
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[16] = 2;
        let crc = crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    bytes.into()
}
