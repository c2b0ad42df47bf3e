//! What the check of a produced batch costs: `cargo bench -p protocol-codec --bench records`.
//!
//! Prints the best of many rounds, so that other load on the machine matters little.

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use protocol_codec::records::{
    BatchBuilder, BatchView, Compression, ProduceRules, RecordIter, crc32c, validate_produce,
};

const NOW_MS: i64 = 1_700_000_000_000;
const RECORDS: usize = 160;

// Text as records hold it: some of it repeats, some does not.
fn value(len: usize, seed: &mut u32) -> Vec<u8> {
    let mut text = String::new();
    while text.len() < len {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text +=
            &format!("{{\"user\":{},\"action\":\"click\",\"at\":{}}},", *seed >> 12, *seed % 997);
    }
    text.truncate(len);
    text.into_bytes()
}

fn batch(kind: Compression, value_len: usize) -> Bytes {
    let mut seed = 1;
    let mut builder = BatchBuilder::new().compression(kind, None);
    for _ in 0..RECORDS {
        let value = value(value_len, &mut seed);
        if let Err(error) = builder.append(NOW_MS, None, Some(&value), &[]) {
            panic!("{error}");
        }
    }
    match builder.build() {
        Ok(bytes) => bytes,
        Err(error) => panic!("{error}"),
    }
}

/// Nanoseconds of one call: the best of 200 rounds of about 200 microseconds.
fn measure(mut call: impl FnMut()) -> f64 {
    let mut calls = 1_u32;
    loop {
        let start = Instant::now();
        for _ in 0..calls {
            call();
        }
        if start.elapsed().as_micros() > 200 {
            break;
        }
        calls *= 2;
    }
    (0..200)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..calls {
                call();
            }
            start.elapsed().as_nanos() as f64 / f64::from(calls)
        })
        .fold(f64::INFINITY, f64::min)
}

fn validation(name: &str, bytes: &Bytes, rules: &ProduceRules) -> f64 {
    let nanos = measure(|| {
        if let Err(error) = validate_produce(black_box(bytes), rules, NOW_MS) {
            panic!("{name}: {error}");
        }
    });
    let per_record = nanos / RECORDS as f64;
    say(&format!("{name:<34} {:>8.2} us/batch {per_record:>8.2} ns/record", nanos / 1000.0));
    nanos
}

#[expect(clippy::print_stdout, reason = "a benchmark prints")]
fn say(line: &str) {
    println!("{line}");
}

fn main() {
    let rules = ProduceRules::default();
    let plain = batch(Compression::None, 100);
    say(&format!("{RECORDS} records of 100 bytes, {} bytes in all", plain.len()));
    validation("none, validated", &plain, &rules);
    let crc = measure(|| {
        black_box(crc32c(black_box(&plain)));
    });
    say(&format!("{:<34} {:>8.2} us/batch", "none, checksum alone", crc / 1000.0));
    let payload = plain.slice(61..);
    let walk = measure(|| {
        let records = RecordIter::new(black_box(&payload), RECORDS as i32);
        black_box(records.filter(Result::is_ok).count());
    });
    let per_record = walk / RECORDS as f64;
    say(&format!(
        "{:<34} {:>8.2} us/batch {per_record:>8.2} ns/record",
        "none, records alone",
        walk / 1000.0
    ));
    for kind in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
        let small = batch(kind, 100);
        validation(&format!("{}, {} of 16 KiB", kind.name(), small.len()), &small, &rules);
    }
    for kind in Compression::ALL {
        let large = batch(kind, 1024);
        let view = BatchView::read(&large).map(|view| view.bytes().len());
        let name = format!("{}, {} of 165 KiB", kind.name(), view.unwrap_or_default());
        validation(&name, &large, &rules);
    }
}
