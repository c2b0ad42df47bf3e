//! The indexes of the segment that is being written, as they were at a checkpoint of its log: with
//! them a recovery walks only what was appended since.
//!
//! Kafka's own index files will not do: they are believed only after a clean stop, for after a
//! power cut nothing in them tells whether they are whole. This file is ours alone, Kafka passes it
//! over; it is written only once everything it speaks of is durable, is not synced, and carries
//! a checksum. Without it, or with a damaged one, the segment is walked from its beginning.
//!
//! ```text
//! "barnabas-active 1\n" | crc32c u32 of what follows | base offset i64 | next offset i64
//! | position u64 | largest timestamp i64, its offset i64 | first timestamp: known u8, i64
//! | bytes since the last entry u64 | any aborted transactions u8 | offset entries u32
//! | time entries u32 | entries as in `.index` and `.timeindex`
//! ```

use protocol_codec::records::crc32c;

use super::{Indexes, Segment, TimestampOffset};
use crate::fields::Fields;
use crate::index::offset::OffsetEntry;
use crate::index::time::TimeEntry;
use crate::index::{Index, IndexEntry};

/// File name in a partition's directory.
pub(crate) const SAVED_FILE: &str = "barnabas-active";
/// More than the indexes of a segment can need.
pub(crate) const SAVED_BYTES_MAX: u64 = 128 << 20;
const HEAD: &[u8] = b"barnabas-active 1\n";
const CRC_BYTES: usize = 4;

/// What a checkpoint has saved of a segment.
#[derive(Debug)]
pub(crate) struct Saved {
    pub(crate) base_offset: i64,
    /// Everything before it was durable when this was written.
    pub(crate) next_offset: i64,
    /// Bytes of the segment up to there.
    pub(crate) position: u64,
    pub(super) has_aborted: bool,
    pub(super) indexes: Indexes,
}

impl Segment {
    /// The content of the file for this segment. Nothing may be appended meanwhile.
    pub(crate) fn encode_saved(&self, next_offset: i64) -> Option<Vec<u8>> {
        let indexes = self.indexes.read();
        let (Index::Memory(offsets), Index::Memory(times)) = (&indexes.offsets, &indexes.times)
        else {
            return None;
        };
        let mut body = Vec::with_capacity(100 + offsets.len() * 8 + times.len() * 12);
        body.extend_from_slice(&self.base_offset.to_be_bytes());
        body.extend_from_slice(&next_offset.to_be_bytes());
        body.extend_from_slice(&self.size().to_be_bytes());
        body.extend_from_slice(&indexes.max_timestamp.timestamp.to_be_bytes());
        body.extend_from_slice(&indexes.max_timestamp.offset.to_be_bytes());
        body.push(u8::from(indexes.first_timestamp.is_some()));
        body.extend_from_slice(&indexes.first_timestamp.unwrap_or(0).to_be_bytes());
        body.extend_from_slice(&indexes.bytes_since_entry.to_be_bytes());
        body.push(u8::from(self.may_have_aborted()));
        body.extend_from_slice(&u32::try_from(offsets.len()).ok()?.to_be_bytes());
        body.extend_from_slice(&u32::try_from(times.len()).ok()?.to_be_bytes());
        offsets.iter().for_each(|entry| entry.encode(&mut body));
        times.iter().for_each(|entry| entry.encode(&mut body));
        let mut file = Vec::with_capacity(HEAD.len() + CRC_BYTES + body.len());
        file.extend_from_slice(HEAD);
        file.extend_from_slice(&crc32c(&body).to_be_bytes());
        file.extend_from_slice(&body);
        Some(file)
    }
}

impl Saved {
    /// What is known of a segment without the file.
    pub(super) fn nothing(base_offset: i64) -> Self {
        let indexes = Indexes::empty(base_offset, true);
        Self { base_offset, next_offset: base_offset, position: 0, has_aborted: false, indexes }
    }

    /// What the file says; `None` if it is not whole.
    pub(crate) fn decode(file: &[u8]) -> Option<Self> {
        let rest = file.strip_prefix(HEAD)?;
        let (crc, body) = rest.split_first_chunk::<CRC_BYTES>()?;
        if u32::from_be_bytes(*crc) != crc32c(body) {
            return None;
        }
        let mut fields = Fields(body);
        let (base_offset, next_offset) = (fields.i64()?, fields.i64()?);
        let position = u64::from_be_bytes(fields.take()?);
        let max_timestamp = TimestampOffset { timestamp: fields.i64()?, offset: fields.i64()? };
        let [has_first] = fields.take()?;
        let first_timestamp = Some(fields.i64()?).filter(|_| has_first != 0);
        let bytes_since_entry = u64::from_be_bytes(fields.take()?);
        let [has_aborted] = fields.take()?;
        let offsets = u32::from_be_bytes(fields.take()?) as usize;
        let times = u32::from_be_bytes(fields.take()?) as usize;
        let offsets_bytes = offsets.checked_mul(OffsetEntry::BYTES)?;
        let (offset_entries, time_entries) = fields.0.split_at_checked(offsets_bytes)?;
        if time_entries.len() != times.checked_mul(TimeEntry::BYTES)? {
            return None;
        }
        let indexes = Indexes {
            loaded: true,
            offsets: Index::Memory(decode_all(offset_entries)),
            times: Index::Memory(decode_all(time_entries)),
            bytes_since_entry,
            max_timestamp,
            first_timestamp,
        };
        let has_aborted = has_aborted != 0;
        Some(Self { base_offset, next_offset, position, has_aborted, indexes })
    }
}

fn decode_all<E: IndexEntry>(bytes: &[u8]) -> Vec<E> {
    bytes.chunks_exact(E::BYTES).map(E::decode).collect()
}
