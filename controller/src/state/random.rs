//! Numbers and ids from a seed, so that a decision is the same whenever it is made again.

use protocol_codec::Uuid;

/// The first 100 ids belong to Kafka (metadata topic, special directories): never given to a topic.
const RESERVED_IDS: u128 = 100;

/// A generator in two 64-bit lanes (SplitMix64), seeded by 128 bits.
#[derive(Clone, Debug)]
pub(super) struct SeededRandom {
    lanes: [u64; 2],
}

impl SeededRandom {
    pub(super) fn new(seed: u128) -> Self {
        let bytes = seed.to_le_bytes();
        let mut lanes = [0; 2];
        for (lane, half) in lanes.iter_mut().zip(bytes.chunks_exact(8)) {
            *lane = half.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
        }
        SeededRandom { lanes }
    }

    /// A number in `0..bound`; 0 when the bound is 0. The bias of the remainder does not matter for
    /// the small bounds of placement.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        let bound = bound.max(1) as u64;
        usize::try_from(split_mix(&mut self.lanes[0]) % bound).unwrap_or(0)
    }

    pub(super) fn shuffle<T>(&mut self, values: &mut [T]) {
        for index in (1..values.len()).rev() {
            values.swap(index, self.below(index + 1));
        }
    }

    /// A random id of version 4 whose text form does not start with a dash, which command lines
    /// would take for an option.
    pub(super) fn topic_id(&mut self) -> Uuid {
        loop {
            let (high, low) = (split_mix(&mut self.lanes[0]), split_mix(&mut self.lanes[1]));
            let high = high & 0xFFFF_FFFF_FFFF_0FFF | 0x4000;
            let low = low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000;
            let value = u128::from(high) << 64 | u128::from(low);
            let id = Uuid::from_bytes(value.to_be_bytes());
            if value >= RESERVED_IDS && !id.to_string().starts_with('-') {
                return id;
            }
        }
    }
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}
