//! The 128 bits by which the cleaner knows a key: SipHash-1-3 with random keys.
//!
//! It is what the standard library hashes with, with its wide end: nobody who may write to a topic
//! can choose two keys that are taken for one, and two that fall together by chance are not to be
//! expected in any log. One walk over the key gives both halves.

use std::hash::{BuildHasher, Hasher, RandomState};

use siphasher::sip128::SipHasher13;

/// Hashes for one map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyHasher(SipHasher13);

impl KeyHasher {
    pub(crate) fn random() -> Self {
        // The standard library's own source of chance.
        let chance = |_: u8| RandomState::new().build_hasher().finish();
        let [first, second] = [0, 1].map(chance);
        Self(SipHasher13::new_with_keys(first, second))
    }

    pub(crate) fn hash(&self, key: &[u8]) -> [u64; 2] {
        let hash = self.0.hash(key);
        [hash.h1, hash.h2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
