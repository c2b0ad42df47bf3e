//! Bytes that are not messages: decoding them never panics and allocates no more than
//! [`allocation_limit`] says. What is accepted all the same can be written, and read again as the
//! same.
//!
//! Everything is made from the golden messages, so that the damage sits at any depth of any message.
//! Seeds are fixed: a failure names its message and repeats.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use protocol_codec::wire::allocation_limit;

use crate::allocations::peak_of;
use crate::golden::{self, Golden};

/// Mutants of each golden message in the smoke run.
const MUTANTS: u64 = 100;

/// Decodes `bytes` in place of a golden message. Returns whether they are one.
fn decode(line: &Golden, version: i16, bytes: Vec<u8>) -> bool {
    let length = bytes.len();
    let bytes = Bytes::from(bytes);
    let checked = catch_unwind(AssertUnwindSafe(|| {
        let (decoded, peak) = peak_of(|| line.decode(version, bytes.clone()));
        let limit = allocation_limit(length);
        assert!(peak <= limit, "{peak} bytes are allocated for {length}");
        let Ok(decoded) = decoded else { return false };
        let written = decoded.encoded(version);
        let again = line.decode(version, written.clone()).expect("what was written can be read");
        assert_eq!(again.encoded(version), written);
        true
    }));
    checked.unwrap_or_else(|_| panic!("{} with {bytes:?}", line.title(version)))
}

fn every_version() -> impl Iterator<Item = (Golden, i16)> {
    golden::messages().flat_map(|line| {
        let versions = line.versions.clone();
        versions.into_iter().map(move |version| (line.clone(), version))
    })
}

#[test]
fn the_limit_is_that_of_the_design() {
    for frame in [0, 1, 1_000, 1_000_000, 100 << 20] {
        let limit = allocation_limit(frame);
        assert!(limit <= 40 * frame + 32 * 1024);
        assert!(limit <= 128 << 20);
    }
}

#[test]
fn every_truncation_is_an_error() {
    for (line, version) in every_version() {
        assert!(decode(&line, version, line.bytes.to_vec()));
        for length in 0..line.bytes.len() {
            let cut = line.bytes[..length].to_vec();
            assert!(!decode(&line, version, cut), "{} cut to {length}", line.title(version));
        }
    }
}

#[test]
fn bytes_after_the_end_are_an_error() {
    for (line, version) in every_version() {
        let longer = [&line.bytes[..], &[0]].concat();
        assert!(!decode(&line, version, longer), "{}", line.title(version));
    }
}

#[test]
fn huge_lengths_at_every_position_are_harmless() {
    // The largest length, plain and compact, goes everywhere; its relatives to some places.
    let everywhere: [&[u8]; 2] = [&[0x7f, 0xff, 0xff, 0xff], &[0xff, 0xff, 0xff, 0xff, 0x07]];
    let relatives: [&[u8]; 3] = [&[0x80, 0, 0, 0], &[0xff, 0xff, 0xff, 0xff, 0x0f], &[0x7f, 0xff]];
    let mut random = Random(4);
    for line in golden::messages() {
        let version = line.versions[0];
        for position in 0..line.bytes.len() {
            let relatives = if random.below(8) == 0 { &relatives[..] } else { &[] };
            for length in everywhere.iter().chain(relatives) {
                let mut bytes = line.bytes.to_vec();
                let end = bytes.len().min(position + length.len());
                bytes.splice(position..end, length.iter().copied());
                decode(&line, version, bytes);
            }
        }
    }
}

/// An array that announces as many elements as there are bytes, and bytes that make the smallest
/// elements there are: what costs most memory for its size.
#[test]
fn arrays_of_the_smallest_elements_stay_within_the_limit() {
    const FILLER: usize = 20_000;
    let mut random = Random(1);
    for line in golden::messages().filter(|line| line.kind == "request") {
        let version = line.versions[0];
        for position in (0..line.bytes.len()).filter(|_| random.below(8) == 0) {
            for filler in [0, 1, 2] {
                for count in [&[0, 0, 0x4e, 0x20][..], &[0xa0, 0x9c, 0x01]] {
                    let head = &line.bytes[..position];
                    decode(&line, version, [head, count, &[filler; FILLER]].concat());
                }
            }
        }
    }
}

#[test]
fn mutants_are_harmless() {
    let mut random = Random(2);
    for line in golden::messages() {
        for _ in 0..MUTANTS {
            let version = line.versions[random.below(line.versions.len())];
            let mut bytes = line.bytes.to_vec();
            for _ in 0..=random.below(4) {
                mutate(&mut random, &mut bytes);
            }
            decode(&line, version, bytes);
        }
    }
}

/// A message of one kind or version read as another.
#[test]
fn strangers_are_harmless() {
    let lines: Vec<_> = golden::messages().collect();
    let mut random = Random(3);
    for line in &lines {
        for _ in 0..20 {
            let stranger = &lines[random.below(lines.len())];
            decode(line, line.versions[0], stranger.bytes.to_vec());
        }
    }
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>) {
    let at = random.below(bytes.len() + 1);
    match random.below(5) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, random.byte()),
        2 if at < bytes.len() => drop(bytes.remove(at)),
        3 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
        _ if at < bytes.len() => bytes[at] = random.byte(),
        _ => bytes.push(random.byte()),
    }
}

/// Splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}
