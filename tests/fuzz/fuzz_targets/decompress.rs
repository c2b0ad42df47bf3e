//! Any bytes as compressed records. The first byte picks the codec, and whether the rest is first compressed
//! and then damaged at one place. Nothing panics, and no more comes out than the budget allows.

#![no_main]

#[path = "../../../protocol-codec/tests/it/allocations.rs"]
mod allocations;

use libfuzzer_sys::fuzz_target;
use protocol_codec::records::Compression;
use protocol_codec::records::compression::{Decompressor, compress};

const BUDGET: usize = 4 << 20;

fuzz_target!(|data: &[u8]| {
    let [choice, at, with, rest @ ..] = data else { return };
    let kind = Compression::ALL[1 + usize::from(choice % 4)];
    let mut input = rest.to_vec();
    if choice & 0x80 != 0 {
        input.clear();
        compress(kind, None, rest, &mut input).expect("anything can be compressed");
        let len = input.len();
        input[usize::from(*at) * len / 256] = *with;
    }
    let (produced, peak) = allocations::peak_of(|| drain(kind, &input));
    assert!(produced <= BUDGET, "{produced} bytes");
    assert!(peak <= 2 * BUDGET, "{peak} bytes for {}", input.len());
});

fn drain(kind: Compression, input: &[u8]) -> usize {
    let Ok(mut decompressor) = Decompressor::new(kind, input, BUDGET) else { return 0 };
    loop {
        match decompressor.window() {
            Ok([]) | Err(_) => return decompressor.produced(),
            Ok(window) => {
                let seen = window.len();
                decompressor.consume(seen);
            }
        }
    }
}
