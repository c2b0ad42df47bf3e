//! Which offset of the dirty part of a log each key was written at last.
//!
//! A key is known by 128 bits (see `key_hash.rs`). An entry takes 24 bytes, as in Kafka, so that
//! the same `log.cleaner.dedupe.buffer.size` holds as many keys.
//!
//! The table is far larger than a processor's caches, and each key has its own place in it: what a
//! search costs is the wait for memory. Records are therefore put in by groups, whose places are
//! all asked for before the first is needed, so that the waits go on at the same time.
//!
//! Invariants: memory never exceeds what was allowed; keys are never removed; offsets rise.

use std::hint::black_box;
use std::ops::Range;

use super::key_hash::KeyHasher;
use super::newest::Newest;

/// Bytes of one entry.
const ENTRY_BYTES: u64 = 24;
/// Records that are put in at once. A processor waits for about a dozen places at a time.
const GROUP: usize = 32;

/// One place of the table: the key's 128 bits, and its offset plus one; 0 is an empty place.
type Slot = [u64; 3];

/// What is still to be put in.
#[derive(Clone, Copy, Debug)]
enum Waiting {
    Key {
        hash: [u64; 2],
        offset: i64,
    },
    /// All records up to an offset have come.
    Reached(i64),
}

/// A hash table from keys to offsets.
#[derive(Debug)]
pub(crate) struct OffsetMap {
    slots: Vec<Slot>,
    /// Places that the allowed memory would have.
    slots_allowed: u64,
    keys: usize,
    keys_max: u64,
    waiting: Vec<Waiting>,
    has_overflowed: bool,
    latest_offset: i64,
    newest: Newest,
    hasher: KeyHasher,
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
            waiting: Vec::with_capacity(GROUP),
            has_overflowed: false,
            latest_offset: -1,
            newest: Newest::none(),
            hasher: KeyHasher::random(),
        }
    }

    /// A map for the records of a range of offsets, each of which will be put in, in order.
    pub(crate) fn of_range(memory_bytes: u64, load_factor: f64, range: &Range<i64>) -> Self {
        let offsets = range.end.saturating_sub(range.start).max(0).unsigned_abs();
        let mut map = Self::new(memory_bytes, load_factor, offsets);
        // The bits take of what the load factor leaves free, and no place that a key could have.
        let bytes = Newest::bytes_of(range);
        let left = memory_bytes.saturating_sub(bytes) / ENTRY_BYTES;
        if bytes <= memory_bytes && left > map.keys_max {
            let slots = usize::try_from(left).unwrap_or(usize::MAX);
            map.slots.truncate(slots);
            map.newest = Newest::new(range.clone());
        }
        map
    }

    /// Whether a record came for which there was no room. None of those after it is in the map.
    pub(crate) fn has_overflowed(&self) -> bool {
        self.has_overflowed
    }

    /// Notes that `key` was written at `offset`. It may wait for others to be put in with.
    pub(crate) fn put(&mut self, key: &[u8], offset: i64) {
        let hash = self.hasher.hash(key);
        self.wait(Waiting::Key { hash, offset });
    }

    /// Notes that all records up to `offset` have come.
    pub(crate) fn set_latest_offset(&mut self, offset: i64) {
        self.wait(Waiting::Reached(offset));
    }

    /// A record without a key was met, of which the map knows nothing.
    pub(crate) fn pass_over(&mut self) {
        self.newest = Newest::none();
    }

    fn wait(&mut self, what: Waiting) {
        self.waiting.push(what);
        if self.waiting.len() >= GROUP {
            self.settle();
        }
    }

    /// Puts in all that waits.
    pub(crate) fn settle(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.bring_near(waiting.iter().filter_map(|waiting| match waiting {
            Waiting::Key { hash, .. } => Some(*hash),
            Waiting::Reached(_) => None,
        }));
        for waiting in &waiting {
            if self.has_overflowed {
                break;
            }
            match *waiting {
                Waiting::Key { .. } if self.is_full() => self.has_overflowed = true,
                Waiting::Key { hash, offset } => self.insert(hash, offset),
                Waiting::Reached(offset) => self.latest_offset = offset,
            }
        }
        self.waiting = waiting;
        self.waiting.clear();
    }

    /// Whether no further record may be put in, whatever its key.
    fn is_full(&self) -> bool {
        // One place stays empty, so that every search ends.
        self.keys as u64 >= self.keys_max || self.keys + 1 >= self.slots.len()
    }

    fn insert(&mut self, hash: [u64; 2], offset: i64) {
        let at = self.place(hash);
        let Some(slot) = self.slots.get_mut(at) else { return };
        let before = std::mem::replace(slot, [hash[0], hash[1], offset.unsigned_abs() + 1]);
        self.keys += usize::from(before[2] == 0);
        if offset <= self.latest_offset {
            // Offsets that do not rise are no use for it.
            self.newest = Newest::none();
        }
        if let Some(before) = before[2].checked_sub(1) {
            self.newest.set(before as i64, false);
        }
        self.newest.set(offset, true);
        self.latest_offset = offset;
    }

    /// Has the memory brought near in which these keys will be searched.
    pub(crate) fn bring_near(&self, hashes: impl Iterator<Item = [u64; 2]>) {
        let mut seen = 0;
        for hash in hashes {
            seen ^= self.slots.get(self.home(hash)).map_or(0, |slot| slot[2]);
        }
        black_box(seen);
    }

    pub(crate) fn hash(&self, key: &[u8]) -> [u64; 2] {
        self.hasher.hash(key)
    }

    /// The last offset of a key in the dirty part, by its hash.
    pub(crate) fn get(&self, hash: [u64; 2]) -> Option<i64> {
        let slot = self.slots.get(self.place(hash))?;
        slot[2].checked_sub(1).map(|offset| offset as i64)
    }

    /// Whether the record at `offset` is the newest of its key; None where only a search can tell.
    pub(crate) fn is_newest(&self, offset: i64) -> Option<bool> {
        self.newest.contains(offset)
    }

    /// Whether all records at these offsets were put in, and none of them is the newest of its key.
    pub(crate) fn has_overtaken(&self, first: i64, last: i64) -> bool {
        last <= self.latest_offset && self.newest.has_none_of(first, last)
    }

    /// Whether the newest records of these offsets are known, and are so many.
    pub(crate) fn are_newest(&self, offsets: &Range<i64>, count: u64) -> bool {
        offsets.end <= self.latest_offset.saturating_add(1)
            && self.newest.count(offsets) == Some(count)
    }

    /// All records up to this offset have been put in.
    pub(crate) fn latest_offset(&self) -> i64 {
        self.latest_offset
    }

    /// Share of the allowed memory that is in use.
    pub(crate) fn utilization(&self) -> f64 {
        self.keys as f64 / self.slots_allowed.max(1) as f64
    }

    /// Whether the allowed memory holds so little that no log could ever be cleaned.
    pub(crate) fn is_useless(memory_bytes: u64, load_factor: f64) -> bool {
        (memory_bytes / ENTRY_BYTES) as f64 * load_factor <= 1.0
    }

    /// Where the search for a key begins.
    fn home(&self, [high, _]: [u64; 2]) -> usize {
        // The high bits choose the place: cheaper than a division, and for any number of places.
        ((u128::from(high) * self.slots.len() as u128) >> 64) as usize
    }

    /// Where the key is, or the empty place where it belongs.
    fn place(&self, hash: [u64; 2]) -> usize {
        let [high, low] = hash;
        let count = self.slots.len();
        let mut at = self.home(hash);
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

    impl OffsetMap {
        pub(crate) fn find(&self, key: &[u8]) -> Option<i64> {
            self.get(self.hash(key))
        }
    }

    #[test]
    fn the_last_offset_of_each_key_is_found_even_in_a_crowded_table() {
        // 1000 places, of which 950 are used: nearly all keys are moved away from their own.
        let mut map = OffsetMap::new(1000 * ENTRY_BYTES, 0.95, 10_000);
        let mut model = HashMap::new();
        for offset in 0..5000_i64 {
            let key = format!("key-{}", offset * 7919 % 949);
            map.put(key.as_bytes(), offset);
            model.insert(key, offset);
        }
        map.settle();
        for (key, offset) in &model {
            assert_eq!(map.find(key.as_bytes()), Some(*offset), "{key}");
        }
        assert_eq!((map.find(b"key-949"), map.find(b"")), (None, None));
        assert_eq!((map.keys, map.latest_offset(), map.has_overflowed()), (949, 4999, false));
        assert!((map.utilization() - 0.949).abs() < 1e-9);
    }

    #[test]
    fn offset_zero_and_the_empty_key_are_like_others() {
        let mut map = OffsetMap::new(1 << 20, 0.9, 10);
        map.put(b"", 0);
        map.settle();
        assert_eq!((map.find(b""), map.find(b"\0")), (Some(0), None));
    }

    #[test]
    fn it_is_full_by_the_load_factor_of_the_allowed_memory() {
        let mut map = OffsetMap::new(10 * ENTRY_BYTES, 0.5, 1000);
        for offset in 0..5 {
            map.put(&[offset as u8], offset);
        }
        map.set_latest_offset(7);
        map.settle();
        assert!(!map.has_overflowed());
        assert_eq!(map.latest_offset(), 7, "the batch had offsets without records");
        // The next record is one too many, whatever its key; what follows does not count.
        map.put(&[0], 8);
        map.set_latest_offset(9);
        map.settle();
        assert!(map.has_overflowed());
        assert_eq!((map.latest_offset(), map.find(&[0])), (7, Some(0)));
        assert!(OffsetMap::is_useless(2 * ENTRY_BYTES, 0.5));
        assert!(!OffsetMap::is_useless(3 * ENTRY_BYTES, 0.5));
    }

    #[test]
    fn a_map_for_few_keys_is_small_and_holds_them() {
        let mut map = OffsetMap::of_range(1 << 30, 0.9, &(50..150));
        assert!(map.slots.len() < 1000);
        for offset in 50..150_i64 {
            map.put(&offset.to_be_bytes(), offset);
        }
        map.settle();
        assert!(!map.has_overflowed());
        assert_eq!(map.find(&149_i64.to_be_bytes()), Some(149));
    }

    #[test]
    fn the_bits_say_what_a_search_says() {
        let mut map = OffsetMap::of_range(1 << 20, 0.9, &(100..2100));
        let key = |offset: i64| (offset * offset * 31 % 257).to_be_bytes();
        // Every tenth offset has no record any more.
        let offsets = || (100..2000).filter(|offset| offset % 10 > 0);
        for offset in offsets() {
            map.put(&key(offset), offset);
        }
        map.settle();
        for offset in offsets() {
            let is_last = map.find(&key(offset)) == Some(offset);
            assert_eq!(map.is_newest(offset), Some(is_last), "{offset}");
            assert_eq!(map.has_overtaken(offset, offset), !is_last);
        }
        assert!(map.has_overtaken(110, 110), "there is no record at all");
        assert_eq!((map.is_newest(99), map.is_newest(2100)), (None, None));
        assert!(!map.has_overtaken(1999, 2000), "not reached yet");
        let newest = offsets().filter(|offset| map.is_newest(*offset) == Some(true)).count() as u64;
        assert!(map.are_newest(&(100..2000), newest) && !map.are_newest(&(100..2000), newest + 1));
        assert!(!map.are_newest(&(100..2001), newest), "not reached yet");
    }

    #[test]
    fn no_bits_where_they_could_not_be_right() {
        let ready = || {
            let mut map = OffsetMap::of_range(1 << 20, 0.9, &(0..100));
            map.put(b"a", 5);
            map.settle();
            assert_eq!(map.is_newest(5), Some(true));
            map
        };
        let mut keyless = ready();
        keyless.pass_over();
        assert_eq!(keyless.is_newest(5), None);
        let mut falling = ready();
        falling.put(b"b", 4);
        falling.settle();
        assert_eq!(falling.is_newest(5), None);
        // All memory is the keys'.
        let full = OffsetMap::of_range(24_000, 1.0, &(0..1000));
        assert_eq!((full.is_newest(5), full.slots.len()), (None, 1000));
        let far = OffsetMap::of_range(24_000, 0.9, &(0..1_000_000));
        assert_eq!((far.is_newest(5), far.slots.len()), (None, 1000));
    }
}
