//! Which offset of the dirty part of a log each key was written at last.
//!
//! A key is known by 128 bits: two keyed hashes (SipHash with random keys), so that nobody who may
//! write to a topic can choose two keys that are taken for one, and two that fall together by
//! chance are not to be expected in any log. An entry takes 24 bytes, as in Kafka, so that the
//! same `log.cleaner.dedupe.buffer.size` holds as many keys.
//!
//! Invariants: memory never exceeds what was allowed; keys are never removed; offsets rise.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Bytes of one entry.
const ENTRY_BYTES: u64 = 24;

/// One place of the table: the key's 128 bits, and its offset plus one; 0 is an empty place.
type Slot = [u64; 3];

/// A hash table from keys to offsets.
#[derive(Debug)]
pub(crate) struct OffsetMap {
    slots: Vec<Slot>,
    /// Places that the allowed memory would have.
    slots_allowed: u64,
    keys: usize,
    keys_max: u64,
    latest_offset: i64,
    hashers: [RandomState; 2],
}

impl OffsetMap {
    /// An empty map of at most `memory_bytes`, of which at most the share `load_factor` gets used.
    /// `keys_expected` is the most that can come: a map for few is small.
    pub(crate) fn new(memory_bytes: u64, load_factor: f64, keys_expected: u64) -> Self {
        let slots_allowed = memory_bytes / ENTRY_BYTES;
        let keys_max = (slots_allowed as f64 * load_factor) as u64;
        // A third of the places stays free where that costs nothing: fewer are then searched.
        let wanted = keys_expected.saturating_add(keys_expected / 2).saturating_add(16);
        let slots = usize::try_from(wanted.min(slots_allowed)).unwrap_or(usize::MAX);
        Self {
            // Zeroed pages are only taken from the system when they are first written.
            slots: vec![[0; 3]; slots],
            slots_allowed,
            keys: 0,
            keys_max,
            latest_offset: -1,
            hashers: [RandomState::new(), RandomState::new()],
        }
    }

    /// Whether no further record may be put in, whatever its key.
    pub(crate) fn is_full(&self) -> bool {
        // One place stays empty, so that every search ends.
        self.keys as u64 >= self.keys_max || self.keys + 1 >= self.slots.len()
    }

    /// Notes that `key` was written at `offset`. Must not be called when the map is full.
    pub(crate) fn put(&mut self, key: &[u8], offset: i64) {
        debug_assert!(!self.is_full(), "a full map takes no record");
        let wanted = offset.unsigned_abs() + 1;
        let [high, low] = self.hash(key);
        let at = self.place(high, low);
        if let Some(slot) = self.slots.get_mut(at) {
            self.keys += usize::from(slot[2] == 0);
            *slot = [high, low, wanted];
        }
        self.latest_offset = offset;
    }

    /// The last offset of `key` in the dirty part.
    pub(crate) fn get(&self, key: &[u8]) -> Option<i64> {
        let [high, low] = self.hash(key);
        let slot = self.slots.get(self.place(high, low))?;
        slot[2].checked_sub(1).map(|offset| offset as i64)
    }

    /// All records up to this offset have been put in.
    pub(crate) fn latest_offset(&self) -> i64 {
        self.latest_offset
    }

    pub(crate) fn set_latest_offset(&mut self, offset: i64) {
        self.latest_offset = offset;
    }

    /// Share of the allowed memory that is in use.
    pub(crate) fn utilization(&self) -> f64 {
        self.keys as f64 / self.slots_allowed.max(1) as f64
    }

    /// Whether the allowed memory holds so little that no log could ever be cleaned.
    pub(crate) fn is_useless(memory_bytes: u64, load_factor: f64) -> bool {
        (memory_bytes / ENTRY_BYTES) as f64 * load_factor <= 1.0
    }

    fn hash(&self, key: &[u8]) -> [u64; 2] {
        [0, 1].map(|number: usize| {
            let Some(state) = self.hashers.get(number) else { return 0 };
            let mut hasher = state.build_hasher();
            hasher.write(key);
            hasher.finish()
        })
    }

    /// Where the key is, or the empty place where it belongs.
    fn place(&self, high: u64, low: u64) -> usize {
        let count = self.slots.len();
        // The high bits choose the place: cheaper than a division, and for any number of places.
        let mut at = ((u128::from(high) * count as u128) >> 64) as usize;
        for _ in 0..count {
            match self.slots.get(at) {
                Some([h, l, offset]) if *offset != 0 && (*h, *l) != (high, low) => {}
                _ => break,
            }
            at = if at + 1 == count { 0 } else { at + 1 };
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn the_last_offset_of_each_key_is_found_even_in_a_crowded_table() {
        // 1000 places, of which 950 are used: nearly all keys are moved away from their own.
        let mut map = OffsetMap::new(1000 * ENTRY_BYTES, 0.95, 10_000);
        let mut model = HashMap::new();
        for offset in 0..5000_i64 {
            let key = format!("key-{}", offset * 7919 % 949);
            assert!(!map.is_full());
            map.put(key.as_bytes(), offset);
            model.insert(key, offset);
        }
        for (key, offset) in &model {
            assert_eq!(map.get(key.as_bytes()), Some(*offset), "{key}");
        }
        assert_eq!((map.get(b"key-949"), map.get(b"")), (None, None));
        assert_eq!((map.keys, map.latest_offset()), (949, 4999));
        assert!((map.utilization() - 0.949).abs() < 1e-9);
    }

    #[test]
    fn offset_zero_and_the_empty_key_are_like_others() {
        let mut map = OffsetMap::new(1 << 20, 0.9, 10);
        map.put(b"", 0);
        assert_eq!((map.get(b""), map.get(b"\0")), (Some(0), None));
    }

    #[test]
    fn it_is_full_by_the_load_factor_of_the_allowed_memory() {
        let mut map = OffsetMap::new(10 * ENTRY_BYTES, 0.5, 1000);
        for offset in 0..5 {
            assert!(!map.is_full());
            map.put(&[offset as u8], offset);
        }
        assert!(map.is_full());
        assert!(OffsetMap::is_useless(2 * ENTRY_BYTES, 0.5));
        assert!(!OffsetMap::is_useless(3 * ENTRY_BYTES, 0.5));
    }

    #[test]
    fn a_map_for_few_keys_is_small_and_holds_them() {
        let mut map = OffsetMap::new(1 << 30, 0.9, 100);
        assert!(map.slots.len() < 1000);
        for offset in 0..100_i64 {
            assert!(!map.is_full());
            map.put(&offset.to_be_bytes(), offset);
        }
        assert_eq!(map.get(&99_i64.to_be_bytes()), Some(99));
    }
}
