//! Batches that are cut, changed or made up: an error or a batch that can be read, never a panic and never
//! more memory than the codec's own.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use protocol_codec::records::compression::{Decompressor, compress, decompress};
use protocol_codec::records::{
    BATCH_OVERHEAD, Batch, BatchBuilder, BatchHeader, BatchView, Compression, Header, ProduceRules,
    RecordError, split_batches, validate_produce,
};

use super::{LIMIT, golden};
use crate::allocations::peak_of;

const NOW_MS: i64 = 1_700_000_000_000;
const COMPRESSED: [Compression; 4] =
    [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

fn lenient() -> ProduceRules {
    ProduceRules { timestamp_after_max_ms: i64::MAX, ..ProduceRules::default() }
}

fn validate(bytes: &Bytes) -> Result<Bytes, RecordError> {
    validate_produce(bytes, &lenient(), NOW_MS).map(|valid| valid.to_bytes(0, 0))
}

/// Everything that reads a batch. What was accepted must be readable to the last record.
fn read_all(bytes: &Bytes) {
    let accepted = validate(bytes);
    for batch in split_batches(bytes.clone()).flatten() {
        let view = batch.view();
        let _ = view.first_since(NOW_MS, 1, LIMIT);
        let _ = view.max_timestamp_record(LIMIT);
        if let Ok(records) = view.plain_records(LIMIT) {
            for record in records.iter().flatten() {
                let _ = record.headers.count();
            }
        }
    }
    if let Ok(written) = accepted {
        let batch = Batch::read(&written).unwrap();
        let count = batch.header().records_count as usize;
        let records = batch.view().plain_records(LIMIT).unwrap();
        assert_eq!(records.iter().filter(Result::is_ok).count(), count);
        assert_eq!(records.iter().count(), count);
    }
}

/// The batches of the golden file that fit a test of every byte, as a producer would send them.
fn small_batches() -> impl Iterator<Item = Bytes> {
    let small = golden().into_iter().filter(|golden| golden.bytes.len() < 200);
    small.map(|golden| [[0; 8].as_slice(), &golden.bytes[8..]].concat().into())
}

fn with_checksum(bytes: &[u8]) -> Bytes {
    let mut bytes = bytes.to_vec();
    if let Ok(view) = BatchView::read(&bytes) {
        let crc = protocol_codec::records::crc32c(&view.bytes()[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    }
    bytes.into()
}

#[test]
fn every_truncation_is_refused() {
    for bytes in small_batches() {
        for len in 0..bytes.len() {
            let cut = bytes.slice(..len);
            assert!(validate(&cut).is_err());
            read_all(&cut);
            // The same with a length that says that this is all.
            if len >= BATCH_OVERHEAD {
                let mut shorter = cut.to_vec();
                shorter[8..12].copy_from_slice(&(len as i32 - 12).to_be_bytes());
                let shorter = with_checksum(&shorter);
                assert!(validate(&shorter).is_err(), "{len}");
                read_all(&shorter);
            }
        }
    }
}

#[test]
fn every_flipped_bit_is_noticed_by_the_checksum_or_harmless() {
    for bytes in small_batches() {
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.to_vec();
                flipped[at] ^= 1 << bit;
                // Only the leader epoch may be anything: the broker replaces it.
                if !(12..16).contains(&at) {
                    assert!(validate(&flipped.clone().into()).is_err(), "byte {at} bit {bit}");
                }
                read_all(&with_checksum(&flipped));
            }
        }
    }
}

#[test]
fn numbers_at_their_limits_at_every_position() {
    for bytes in small_batches() {
        for at in 0..bytes.len() {
            for number in [&[0xff, 0xff, 0xff, 0xff], &[0x7f, 0xff, 0xff, 0xff], &[0; 4]] {
                let mut changed = bytes.to_vec();
                changed.splice(at..bytes.len().min(at + 4), number.iter().copied());
                read_all(&with_checksum(&changed));
            }
            // Varints of -1 and 2^31-1.
            for number in [[0x01].as_slice(), &[0xfe, 0xff, 0xff, 0xff, 0x0f]] {
                let mut changed = bytes.to_vec();
                changed.splice(at..=at, number.iter().copied());
                let length = changed.len() as i32 - 12;
                changed[8..12].copy_from_slice(&length.to_be_bytes());
                read_all(&with_checksum(&changed));
            }
        }
    }
}

/// Data of a few hundred kilobytes at most that decompress to about a gibibyte, after `prefix`.
fn bomb(kind: Compression, prefix: &[u8]) -> Vec<u8> {
    const MIB: usize = 1 << 20;
    let mut packed = Vec::new();
    compress(kind, None, prefix, &mut packed).unwrap();
    let mut piece = Vec::new();
    match kind {
        // Members and frames may follow each other.
        Compression::Gzip | Compression::Zstd => {
            compress(kind, None, &vec![0; 64 * MIB], &mut piece).unwrap();
            packed.extend(piece.repeat(16));
        }
        // Frames without the header in front.
        Compression::Snappy => {
            let frame = snap::raw::Encoder::new().compress_vec(&vec![0; 8 * MIB]).unwrap();
            packed.extend_from_slice(&(frame.len() as i32).to_be_bytes());
            packed.extend_from_slice(&frame);
            let start = packed.len() - frame.len() - 4;
            packed.extend_from_within(start..);
        }
        // One block again and again, between the header and the end mark.
        Compression::Lz4 => {
            packed.truncate(packed.len() - 4);
            compress(kind, None, &[0; 64 * 1024], &mut piece).unwrap();
            packed.extend(piece[7..piece.len() - 4].repeat(16 * 1024));
            packed.extend_from_slice(&[0; 4]);
        }
        Compression::None => packed.extend(vec![0; 64 * MIB]),
    }
    packed
}

#[test]
fn bombs_stop_at_the_budget_in_little_memory() {
    for kind in COMPRESSED {
        let packed = bomb(kind, b"");
        for budget in [0, 1, 100_000, 6 << 20] {
            let (result, peak) = peak_of(|| {
                let mut decompressor = Decompressor::new(kind, &packed, budget)?;
                loop {
                    let seen = decompressor.window()?.len();
                    if seen == 0 {
                        return Ok(());
                    }
                    decompressor.consume(seen);
                }
            });
            let refused =
                protocol_codec::records::compression::DecompressError::TooLarge { limit: budget };
            assert_eq!(result, Err(refused), "{kind:?}");
            assert!(peak < 256 * 1024, "{kind:?} {budget}: {peak} bytes");
        }
    }
}

#[test]
fn bombs_inside_one_record_stop_at_the_budget_too() {
    // A record of 2^30 bytes: attributes, deltas, no key, a value that never seems to end.
    let prefix = [0x80, 0x80, 0x80, 0x80, 0x08, 0, 0, 0, 1, 0xe0, 0xff, 0xff, 0xff, 0x07];
    for kind in COMPRESSED {
        let packed = bomb(kind, &prefix);
        let empty = BatchBuilder::new().compression(kind, None).build().unwrap();
        let mut header = BatchHeader::read(&empty).unwrap();
        header.batch_length = (BATCH_OVERHEAD + packed.len() - 12) as i32;
        (header.records_count, header.last_offset_delta) = (1, 0);
        header.crc = header.checksum(&packed);
        let bytes: Bytes = [header.to_bytes().as_slice(), &packed].concat().into();
        let rules = ProduceRules {
            max_message_bytes: usize::MAX,
            decompressed_budget: 12 << 20,
            ..lenient()
        };
        let (result, peak) = peak_of(|| validate_produce(&bytes, &rules, NOW_MS).map(|_| ()));
        let code = result.unwrap_err().code();
        assert_eq!(code, protocol_codec::ErrorCode::MessageTooLarge, "{kind:?}");
        // Snappy decodes a frame at once; the frame is 8 MiB here and within the budget.
        let most = if kind == Compression::Snappy { 9 << 20 } else { 256 * 1024 };
        assert!(peak < most, "{kind:?}: {peak} bytes");
    }
}

#[test]
fn counts_that_lie_cost_no_memory() {
    for kind in Compression::ALL {
        // One record that claims 2^31-1 headers.
        let record = [0x18, 0, 0, 0, 1, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0, 0];
        let mut payload = Vec::new();
        compress(kind, None, &record, &mut payload).unwrap();
        let empty = BatchBuilder::new().compression(kind, None).build().unwrap();
        for count in [1, i32::MAX] {
            let mut header = BatchHeader::read(&empty).unwrap();
            header.batch_length = (BATCH_OVERHEAD + payload.len() - 12) as i32;
            (header.records_count, header.last_offset_delta) = (count, count - 1);
            header.crc = header.checksum(&payload);
            let bytes: Bytes = [header.to_bytes().as_slice(), &payload].concat().into();
            let (result, peak) = peak_of(|| validate(&bytes).map(|_| ()));
            assert!(result.is_err());
            assert!(peak < 256 * 1024, "{kind:?}: {peak} bytes");
        }
    }
}

#[test]
fn a_good_batch_is_checked_without_an_allocation() {
    for golden in golden() {
        let bytes: Bytes = [[0; 8].as_slice(), &golden.bytes[8..]].concat().into();
        if golden.name.starts_with("marker") || golden.name.starts_with("emptied") {
            continue;
        }
        let rules = lenient();
        let check = || validate_produce(&bytes, &rules, NOW_MS).map(|valid| valid.size());
        // The first one fills this thread's windows and contexts.
        check().unwrap();
        let (size, peak) = peak_of(check);
        assert_eq!((size.unwrap(), peak), (bytes.len(), 0), "{}", golden.name);
    }
}

#[test]
fn zstd_windows_are_bounded() {
    // Magic, descriptor without a content size, window descriptor, an empty last block.
    let frame = |log: u8| [0x28, 0xb5, 0x2f, 0xfd, 0x00, (log - 10) << 3, 0x01, 0x00, 0x00];
    assert_eq!(decompress(Compression::Zstd, &frame(27), 10), Ok(Vec::new()));
    assert!(decompress(Compression::Zstd, &frame(28), 10).is_err());
    assert!(decompress(Compression::Zstd, &frame(41), 10).is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..400)) {
        let bytes = Bytes::from(bytes);
        read_all(&bytes);
        for kind in Compression::ALL {
            let _ = decompress(kind, &bytes, LIMIT);
        }
    }

    #[test]
    fn any_records_behind_a_good_header_are_survived(
        records in vec(any::<u8>(), 0..200),
        count in 1..5_i32,
        kind in 0..5_usize,
    ) {
        let kind = Compression::ALL[kind];
        let mut payload = Vec::new();
        compress(kind, None, &records, &mut payload).unwrap();
        let empty = BatchBuilder::new().compression(kind, None).build().unwrap();
        let mut header = BatchHeader::read(&empty).unwrap();
        header.batch_length = (BATCH_OVERHEAD + payload.len() - 12) as i32;
        (header.records_count, header.last_offset_delta) = (count, count - 1);
        header.crc = header.checksum(&payload);
        read_all(&[header.to_bytes().as_slice(), &payload].concat().into());
    }

    #[test]
    fn any_change_of_compressed_bytes_is_survived(
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
        kind in 0..4_usize,
    ) {
        let kind = COMPRESSED[kind];
        let mut packed = Vec::new();
        compress(kind, None, &b"some words, some more words, ".repeat(3000), &mut packed).unwrap();
        let at = at.index(packed.len());
        packed[at] = with;
        let _ = decompress(kind, &packed, LIMIT);
    }

    #[test]
    fn what_is_built_is_read_back(
        records in vec(
            (any::<u32>(), option::of(vec(any::<u8>(), 0..80)), option::of(vec(any::<u8>(), 0..300)),
             vec((vec(any::<u8>(), 0..20), option::of(vec(any::<u8>(), 0..20))), 0..4)),
            1..40,
        ),
        kind in 0..5_usize,
    ) {
        let kind = Compression::ALL[kind];
        let mut builder = BatchBuilder::new().compression(kind, None);
        for (timestamp, key, value, headers) in &records {
            let headers: Vec<_> = headers
                .iter()
                .map(|(key, value)| Header { key, value: value.as_deref() })
                .collect();
            builder
                .append(i64::from(*timestamp), key.as_deref(), value.as_deref(), &headers)
                .unwrap();
        }
        let bytes = builder.build().unwrap();
        validate(&bytes).unwrap();
        let batch = Batch::read(&bytes).unwrap();
        let plain = batch.view().plain_records(LIMIT).unwrap();
        prop_assert_eq!(plain.iter().count(), records.len());
        for (read, (timestamp, key, value, headers)) in plain.iter().zip(&records) {
            let read = read.unwrap();
            let time = batch.header().timestamp_of(read.timestamp_delta);
            prop_assert_eq!(time, i64::from(*timestamp));
            prop_assert_eq!((read.key, read.value), (key.as_deref(), value.as_deref()));
            let same = read.headers.zip(headers).all(|(read, (key, value))| {
                read.key == key.as_slice() && read.value == value.as_deref()
            });
            prop_assert!(same && read.headers.len() == headers.len());
        }
    }
}
