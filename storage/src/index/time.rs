//! The time index (`.timeindex`): which offset the largest timestamp so far belongs to.
//!
//! ```text
//! 12 bytes an entry, big-endian:
//!   timestamp        i64   largest timestamp of the segment up to and including that batch, ms
//!   relative offset  u32   last offset of the batch it was found in, minus the base offset
//! ```

use super::IndexEntry;

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    pub(crate) timestamp: i64,
    pub(crate) relative_offset: u32,
}

impl IndexEntry for TimeEntry {
    const BYTES: usize = 12;

    fn decode(bytes: &[u8]) -> Self {
        let timestamp = bytes.first_chunk().map_or(0, |b| i64::from_be_bytes(*b));
        let rest = bytes.get(8..).unwrap_or_default();
        let relative_offset = rest.first_chunk().map_or(0, |b| u32::from_be_bytes(*b));
        Self { timestamp, relative_offset }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.timestamp.to_be_bytes());
        out.extend_from_slice(&self.relative_offset.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_kafkas_bytes() {
        let entry = TimeEntry { timestamp: 0x0102_0304_0506_0708, relative_offset: 9 };
        let mut bytes = Vec::new();
        entry.encode(&mut bytes);
        assert_eq!(bytes, [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 9]);
        assert_eq!(TimeEntry::decode(&bytes), entry);
    }
}
