//! The transaction index (`.txnindex`): which transactions were aborted by a marker in this
//! segment. Readers with `read_committed` are told of them.
//!
//! ```text
//! 34 bytes an entry, big-endian (Kafka's `AbortedTxn`, version 0):
//!   version             i16   0
//!   producer id         i64
//!   first offset        i64   of the transaction in this partition
//!   last offset         i64   of its marker
//!   last stable offset  i64   first offset of the transactions still open behind the marker,
//!                             or the offset after it
//! ```
//!
//! Entries are in the order of their markers. A segment in which no transaction was aborted has no
//! such file.

use super::IndexEntry;

const VERSION: i16 = 0;

/// An aborted transaction of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    pub producer_id: i64,
    /// Its first record.
    pub first_offset: i64,
    /// Its marker.
    pub last_offset: i64,
    /// Up to here everything was decided when the marker had been written.
    pub last_stable_offset: i64,
}

impl AbortedTxn {
    /// Whether this can be an entry of a segment with this base offset, behind an entry whose
    /// marker lies at `before`.
    pub(crate) fn is_plausible(&self, base_offset: i64, before: Option<i64>) -> bool {
        self.producer_id >= 0
            && (0..self.last_offset).contains(&self.first_offset)
            && (0..=self.last_offset.saturating_add(1)).contains(&self.last_stable_offset)
            && self.last_offset >= base_offset
            && before.is_none_or(|before| before < self.last_offset)
    }
}

impl IndexEntry for AbortedTxn {
    const BYTES: usize = 34;

    /// Another version is given back as an entry that is not plausible.
    fn decode(bytes: &[u8]) -> Self {
        let field = |at: usize| {
            bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |b| i64::from_be_bytes(*b))
        };
        let version = bytes.first_chunk().map_or(-1, |b| i16::from_be_bytes(*b));
        Self {
            producer_id: if version == VERSION { field(2) } else { -1 },
            first_offset: field(10),
            last_offset: field(18),
            last_stable_offset: field(26),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&VERSION.to_be_bytes());
        for field in
            [self.producer_id, self.first_offset, self.last_offset, self.last_stable_offset]
        {
            out.extend_from_slice(&field.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: AbortedTxn = AbortedTxn {
        producer_id: 0x0102_0304_0506_0708,
        first_offset: 20,
        last_offset: 40,
        last_stable_offset: 30,
    };

    #[test]
    fn an_entry_has_kafkas_bytes() {
        let mut bytes = Vec::new();
        ENTRY.encode(&mut bytes);
        let mut wanted = vec![0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        for last in [20, 40, 30] {
            wanted.extend([0, 0, 0, 0, 0, 0, 0, last]);
        }
        assert_eq!(bytes, wanted);
        assert_eq!(AbortedTxn::decode(&bytes), ENTRY);
        bytes[1] = 1;
        assert!(!AbortedTxn::decode(&bytes).is_plausible(0, None), "another version");
    }

    #[test]
    fn what_no_log_can_hold_is_seen() {
        assert!(ENTRY.is_plausible(40, Some(39)));
        assert!(!ENTRY.is_plausible(41, None), "the marker lies before the segment");
        assert!(!ENTRY.is_plausible(0, Some(40)), "markers rise");
        assert!(AbortedTxn { last_stable_offset: 41, ..ENTRY }.is_plausible(0, None));
        for wrong in [
            AbortedTxn { first_offset: 40, ..ENTRY },
            AbortedTxn { first_offset: -1, ..ENTRY },
            AbortedTxn { last_stable_offset: 42, ..ENTRY },
            AbortedTxn { last_offset: i64::MIN, ..ENTRY },
            AbortedTxn { producer_id: -1, ..ENTRY },
        ] {
            assert!(!wrong.is_plausible(0, None), "{wrong:?}");
        }
    }
}
