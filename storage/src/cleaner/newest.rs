//! Which offsets of the mapped part hold the newest record of their key, a bit for each.
//!
//! It is filled with the map and spares the second walk over the log all that the first one has
//! found out: no key of that part is looked up again, and a batch of which nothing stays need not
//! be read, nor a segment of which everything does. Records without a key are in no map: a part
//! that has one is not vouched for.

use std::ops::Range;

const WORD_BITS: u64 = u64::BITS as u64;

/// The newest records of a range of offsets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Newest {
    range: Range<i64>,
    words: Vec<u64>,
}

impl Newest {
    /// Knows nothing: no offset lies in it.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    pub(crate) fn new(range: Range<i64>) -> Self {
        let bits = range.end.saturating_sub(range.start).max(0).unsigned_abs();
        let words = usize::try_from(bits.div_ceil(WORD_BITS)).unwrap_or(0);
        Self { range, words: vec![0; words] }
    }

    /// Bytes that the bits of a range take.
    pub(crate) fn bytes_of(range: &Range<i64>) -> u64 {
        range.end.saturating_sub(range.start).max(0).unsigned_abs().div_ceil(WORD_BITS) * 8
    }

    /// Whether the record at `offset` is the newest of its key; None if that is not known here.
    pub(crate) fn contains(&self, offset: i64) -> Option<bool> {
        let (word, bit) = self.place(offset)?;
        self.words.get(word).map(|word| word & bit != 0)
    }

    pub(crate) fn set(&mut self, offset: i64, is_newest: bool) {
        let Some((word, bit)) = self.place(offset) else { return };
        let Some(word) = self.words.get_mut(word) else { return };
        *word = if is_newest { *word | bit } else { *word & !bit };
    }

    /// Whether all of these offsets are known, and none of them holds a newest record.
    pub(crate) fn has_none_of(&self, first: i64, last: i64) -> bool {
        // A batch has few offsets; a lie about them must not be walked through.
        let is_known = first <= last && self.range.contains(&first) && self.range.contains(&last);
        is_known && (first..=last).all(|offset| self.contains(offset) == Some(false))
    }

    /// How many of these offsets hold a newest record; None if that is not known of all of them.
    pub(crate) fn count(&self, offsets: &Range<i64>) -> Option<u64> {
        let is_known = offsets.start >= self.range.start && offsets.end <= self.range.end;
        let count =
            || offsets.clone().filter(|offset| self.contains(*offset) == Some(true)).count();
        is_known.then(|| count() as u64)
    }

    fn place(&self, offset: i64) -> Option<(usize, u64)> {
        if !self.range.contains(&offset) {
            return None;
        }
        let at = offset.wrapping_sub(self.range.start).unsigned_abs();
        Some(((at / WORD_BITS) as usize, 1 << (at % WORD_BITS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_is_what_was_set_last() {
        let mut newest = Newest::new(1000..1200);
        assert_eq!(Newest::bytes_of(&(1000..1200)), 32);
        for offset in [1000, 1063, 1064, 1199] {
            assert_eq!(newest.contains(offset), Some(false));
            newest.set(offset, true);
            assert_eq!(newest.contains(offset), Some(true));
        }
        newest.set(1064, false);
        assert_eq!(newest.contains(1064), Some(false));
        assert!(newest.has_none_of(1064, 1198) && newest.has_none_of(1001, 1062));
        assert!(!newest.has_none_of(1064, 1199) && !newest.has_none_of(1063, 1064));
        assert_eq!((newest.count(&(1000..1200)), newest.count(&(1000..1063))), (Some(3), Some(1)));
    }

    #[test]
    fn nothing_is_known_of_other_offsets() {
        let mut newest = Newest::new(1000..1200);
        for offset in [999, 1200, i64::MIN, i64::MAX] {
            newest.set(offset, true);
            assert_eq!(newest.contains(offset), None);
        }
        assert!(newest.has_none_of(1000, 1199));
        assert!(!newest.has_none_of(999, 1001) && !newest.has_none_of(1199, 1200));
        assert!(!newest.has_none_of(1001, 1000));
        assert_eq!((newest.count(&(999..1001)), newest.count(&(1199..1201))), (None, None));
        assert_eq!(Newest::none().count(&(0..1)), None);
        assert_eq!(Newest::none().contains(0), None);
        assert!(!Newest::none().has_none_of(0, 0));
    }
}
