//! Round trips, limits and damage of every compression.

use super::*;

// Text that compresses, with some noise, longer than every window and block.
fn sample(len: usize) -> Vec<u8> {
    let mut seed = 7_u32;
    (0..len)
        .map(|at| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if at % 16 < 12 { b"a phrase often "[at % 15] } else { (seed >> 24) as u8 }
        })
        .collect()
}

fn compressed(kind: Compression, input: &[u8]) -> Vec<u8> {
    let mut output = Vec::new();
    compress(kind, None, input, &mut output).unwrap();
    output
}

#[test]
fn every_codec_round_trips_at_every_size() {
    for kind in Compression::ALL {
        for len in [0, 1, 100, 32 * 1024, 65_535, 65_536, 65_537, 300_000] {
            let input = sample(len);
            let packed = compressed(kind, &input);
            assert_eq!(decompress(kind, &packed, len).as_deref(), Ok(&*input), "{kind:?} {len}");
        }
    }
}

#[test]
fn one_byte_over_the_budget_is_refused() {
    for kind in Compression::ALL {
        let input = sample(100_000);
        let packed = compressed(kind, &input);
        let refused = Err(DecompressError::TooLarge { limit: 99_999 });
        assert_eq!(decompress(kind, &packed, 99_999), refused, "{kind:?}");
    }
}

#[test]
fn every_truncation_and_every_trailing_byte_is_refused() {
    for kind in [Compression::Gzip, Compression::Lz4, Compression::Snappy, Compression::Zstd] {
        let packed = compressed(kind, &sample(1000));
        for len in 0..packed.len() {
            // Framed snappy has no end mark: it may be cut before a frame, which the record count tells.
            if kind == Compression::Snappy && (len == 16 || len == 0) {
                continue;
            }
            assert!(decompress(kind, &packed[..len], 4000).is_err(), "{kind:?} {len}");
        }
        let longer = [packed.as_slice(), &[0x5a]].concat();
        assert!(decompress(kind, &longer, 4000).is_err(), "{kind:?}");
    }
}

#[test]
fn levels() {
    let input = sample(50_000);
    for (kind, levels) in [
        (Compression::Gzip, [-1, 1, 9]),
        (Compression::Lz4, [1, 9, 17]),
        (Compression::Zstd, [-131_072, 1, 22]),
    ] {
        for level in levels {
            let mut packed = Vec::new();
            compress(kind, Some(level), &input, &mut packed).unwrap();
            assert_eq!(decompress(kind, &packed, input.len()).as_deref(), Ok(&*input));
        }
    }
    for (kind, level) in [
        (Compression::None, 1),
        (Compression::Snappy, 1),
        (Compression::Gzip, 10),
        (Compression::Gzip, 0),
        (Compression::Lz4, 18),
        (Compression::Zstd, 23),
    ] {
        let refused = Err(CompressError::Level { kind, level });
        assert_eq!(compress(kind, Some(level), &input, &mut Vec::new()), refused);
    }
}

#[test]
fn joined_members_and_frames_are_read_through() {
    for kind in [Compression::Gzip, Compression::Zstd, Compression::Snappy] {
        let packed = [compressed(kind, b"one "), compressed(kind, b"two")].concat();
        assert_eq!(decompress(kind, &packed, 7).as_deref(), Ok(b"one two".as_slice()), "{kind:?}");
    }
}

#[test]
fn raw_snappy() {
    let input = sample(200_000);
    let packed = snap::raw::Encoder::new().compress_vec(&input).unwrap();
    assert_eq!(decompress(Compression::Snappy, &packed, 200_000).as_deref(), Ok(&*input));
    // A declared length of 4 GiB - 1 in front of one literal.
    let lie = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, b'x'];
    assert!(matches!(
        decompress(Compression::Snappy, &lie, usize::MAX),
        Err(DecompressError::Corrupt { .. })
    ));
}

#[test]
fn lz4_descriptors() {
    let good = compressed(Compression::Lz4, b"some text");
    let with = |flags: u8, block: u8| {
        let mut bytes = good.clone();
        (bytes[4], bytes[5]) = (flags, block);
        bytes[6] = (twox_hash::XxHash32::oneshot(0, &bytes[4..6]) >> 8) as u8;
        decompress(Compression::Lz4, &bytes, 100)
    };
    assert_eq!(with(0x60, 0x70).as_deref(), Ok(b"some text".as_slice()));
    for (flags, block) in
        [(0x40, 0x40), (0x61, 0x40), (0x62, 0x40), (0xa0, 0x40), (0x60, 0x30), (0x60, 0xc0)]
    {
        assert!(with(flags, block).is_err(), "{flags:#x} {block:#x}");
    }
    // Checksums and a content size that are announced are not there.
    for flags in [0x70, 0x64, 0x68] {
        assert!(with(flags, 0x40).is_err(), "{flags:#x}");
    }
    let mut wrong = good;
    wrong[6] ^= 1;
    assert!(decompress(Compression::Lz4, &wrong, 100).is_err());
}

#[test]
fn lz4_frames_with_all_checksums() {
    use std::io::Write;
    let input = sample(200_000);
    let info = lz4_flex::frame::FrameInfo::new()
        .block_checksums(true)
        .content_checksum(true)
        .content_size(Some(input.len() as u64))
        .block_size(lz4_flex::frame::BlockSize::Max256KB);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(&input).unwrap();
    let packed = encoder.finish().unwrap();
    assert_eq!(decompress(Compression::Lz4, &packed, input.len()).as_deref(), Ok(&*input));
    for at in [packed.len() - 1, packed.len() - 9] {
        let mut flipped = packed.clone();
        flipped[at] ^= 1;
        assert!(decompress(Compression::Lz4, &flipped, input.len()).is_err());
    }
}

#[test]
fn gzip_headers_with_every_optional_field() {
    let plain = compressed(Compression::Gzip, b"text");
    let mut packed = plain[..10].to_vec();
    packed[3] = 0x1e;
    packed.extend_from_slice(b"\x02\x00xxname\0comment\0hc");
    packed.extend_from_slice(&plain[10..]);
    assert_eq!(decompress(Compression::Gzip, &packed, 4).as_deref(), Ok(b"text".as_slice()));
    for at in [0, 1, 2] {
        let mut wrong = plain.clone();
        wrong[at] ^= 0x40;
        assert!(decompress(Compression::Gzip, &wrong, 4).is_err());
    }
}

#[test]
fn windows_are_shown_one_at_a_time() {
    let input = sample(200_000);
    for kind in Compression::ALL {
        let packed = compressed(kind, &input);
        let mut decompressor = Decompressor::new(kind, &packed, input.len()).unwrap();
        let mut seen = Vec::new();
        loop {
            let window = decompressor.window().unwrap();
            if window.is_empty() {
                break;
            }
            assert!(kind == Compression::None || window.len() <= WINDOW);
            // Consumed in small steps, as records are.
            let step = window.len().min(1000);
            seen.extend_from_slice(&window[..step]);
            decompressor.consume(step);
        }
        assert!(seen == input, "{kind:?}");
        assert_eq!(decompressor.produced(), input.len());
    }
}
