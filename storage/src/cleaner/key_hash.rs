//! The 128 bits by which the cleaner knows a key: SipHash-1-3 with random keys.
//!
//! It is what the standard library hashes with, with its wide end: nobody who may write to a topic
//! can choose two keys that are taken for one, and two that fall together by chance are not to be
//! expected in any log. One walk over the key gives both halves.

use std::hash::{BuildHasher, Hasher, RandomState};

/// The random keys of one map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyHasher {
    keys: [u64; 2],
}

impl KeyHasher {
    pub(crate) fn random() -> Self {
        // The standard library's own source of chance.
        Self { keys: [0, 1].map(|_: u8| RandomState::new().build_hasher().finish()) }
    }

    pub(crate) fn hash(&self, key: &[u8]) -> [u64; 2] {
        sip128::<1, 3>(self.keys, key)
    }
}

type State = [u64; 4];

#[inline(always)]
fn rounds<const N: usize>([mut a, mut b, mut c, mut d]: State) -> State {
    for _ in 0..N {
        a = a.wrapping_add(b);
        c = c.wrapping_add(d);
        b = b.rotate_left(13) ^ a;
        d = d.rotate_left(16) ^ c;
        a = a.rotate_left(32).wrapping_add(d);
        c = c.wrapping_add(b);
        d = d.rotate_left(21) ^ a;
        b = b.rotate_left(17) ^ c;
        c = c.rotate_left(32);
    }
    [a, b, c, d]
}

/// SipHash with `C` rounds a word and `D` at the end, 128 bits.
#[inline(always)]
fn sip128<const C: usize, const D: usize>([k0, k1]: [u64; 2], input: &[u8]) -> [u64; 2] {
    let mut state = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let (words, rest) = input.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let last = u64::from_le_bytes(last) | (input.len() as u64) << 56;
    for word in words.iter().map(|word| u64::from_le_bytes(*word)).chain([last]) {
        state[3] ^= word;
        state = rounds::<C>(state);
        state[0] ^= word;
    }
    state[2] ^= 0xee;
    state = rounds::<D>(state);
    let first = state[0] ^ state[1] ^ state[2] ^ state[3];
    state[1] ^= 0xdd;
    state = rounds::<D>(state);
    [first, state[0] ^ state[1] ^ state[2] ^ state[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the reference implementation: the key 00 01 .. 0f, the input 00 01 .. of each length.
    #[test]
    fn it_is_siphash() {
        let keys = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let input: Vec<u8> = (0..64).collect();
        let hex = |length: usize| {
            let halves = sip128::<2, 4>(keys, &input[..length]);
            let bytes = halves.into_iter().flat_map(u64::to_le_bytes);
            bytes.map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        assert_eq!(hex(0), "a3817f04ba25a8e66df67214c7550293");
        assert_eq!(hex(1), "da87c1d86b99af44347659119b22fc45");
        assert_eq!(hex(2), "8177228da4a45dc7fca38bdef60affe4");
    }

    #[test]
    fn all_bytes_and_the_length_count() {
        let hasher = KeyHasher::random();
        let mut seen = std::collections::HashSet::new();
        for length in 0..40 {
            for changed in 0..=length {
                let mut key = vec![0_u8; length];
                if let Some(byte) = key.get_mut(changed) {
                    *byte = 1;
                }
                let hash = hasher.hash(&key);
                assert!(seen.insert(hash[0]) && seen.insert(hash[1]), "{length} {changed}");
            }
        }
    }

    #[test]
    fn two_maps_hash_differently() {
        assert_ne!(KeyHasher::random().hash(b"key"), KeyHasher::random().hash(b"key"));
    }
}
