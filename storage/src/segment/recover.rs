//! Making a segment usable that was found on the disk.
//!
//! After a clean stop the indexes are read and only the few batches behind their last entry are
//! looked at. After an unclean one the whole segment is walked by its headers, the checksums are
//! compared from the recovery point on, and the indexes are made anew.

use protocol_codec::records::{BATCH_OVERHEAD, BatchHeader, BatchView};

use super::saved::Saved;
use super::scan::BatchAt;
use super::{BatchFacts, Indexes, Segment, SegmentError, TimestampOffset};
use crate::fs::{Fs, read_at_most, read_exact_at};

/// Kafka's default of `index.interval.bytes`, for indexes that are rebuilt outside a recovery.
const REBUILD_INTERVAL_BYTES: u64 = 4096;
/// Bytes that are searched at once for a batch behind a damaged place.
const SEARCH_WINDOW_BYTES: usize = 1 << 20;

/// What a walk over a segment has found.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// Bytes of whole and good batches from the beginning on.
    pub(crate) valid_bytes: u64,
    /// Offset after the last of them; the base offset if there is none.
    pub(crate) next_offset: i64,
    /// What comes after them, if the file does not end there.
    pub(crate) damage: Option<SegmentError>,
}

impl Segment {
    /// Makes the last segment ready for appends after a clean stop. Returns the next offset.
    pub(crate) fn activate(&self, fs: &dyn Fs) -> Result<i64, SegmentError> {
        self.activate_up_to(fs, i64::MAX, self.size())
    }

    /// Makes a segment ready for appends whose batches from `position` on, with offsets from
    /// `offset` on, are cut off. The `.log` file itself is left alone. Returns the next offset.
    pub(crate) fn activate_up_to(
        &self,
        fs: &dyn Fs,
        offset: i64,
        position: u64,
    ) -> Result<i64, SegmentError> {
        let mut indexes = Indexes::empty(self.base_offset, true);
        let mut start = 0;
        if position > 0 {
            self.take_front(fs, offset, position, &mut indexes)?;
            let last = indexes.offsets.last().map_err(|error| self.io_error(error))?;
            start = last.map_or(0, |entry| u64::from(entry.position));
            let first = self.scan(fs, 0, position)?.next()?;
            indexes.first_timestamp = first.map(|batch| batch.header.max_timestamp);
        }
        let mut next_offset = self.base_offset;
        if start < position {
            let mut scan = self.scan(fs, start, position)?;
            while let Some(batch) = scan.next()? {
                // No entry is due here: this only takes over sizes and timestamps.
                let facts = BatchFacts::from(&batch.header);
                indexes.note(self.base_offset, &facts, batch.position, u64::MAX);
                next_offset = batch.header.next_offset();
            }
        }
        self.set_indexes(indexes);
        Ok(next_offset)
    }

    /// Copies the index entries before an end into memory.
    fn take_front(
        &self,
        fs: &dyn Fs,
        offset: i64,
        position: u64,
        into: &mut Indexes,
    ) -> Result<(), SegmentError> {
        let relative = offset.saturating_sub(self.base_offset);
        let indexes = self.indexes(fs)?;
        let failed = |error| self.io_error(error);
        into.offsets = indexes.offsets.to_memory().map_err(failed)?;
        into.times = indexes.times.to_memory().map_err(failed)?;
        into.offsets.retain_front(|entry| u64::from(entry.position) < position);
        into.times.retain_front(|entry| i64::from(entry.relative_offset) < relative);
        if let Some(last) = into.times.last().map_err(failed)? {
            let offset = self.base_offset + i64::from(last.relative_offset);
            into.max_timestamp = TimestampOffset { timestamp: last.timestamp, offset };
        }
        Ok(())
    }

    /// Walks the segment, compares the checksums of the batches that reach beyond
    /// `recovery_point`, and makes the indexes anew in memory. `visit` sees every good batch that
    /// is walked: all of them, or those behind what was `saved` of this segment.
    ///
    /// Damage is a part of the answer. An error means that the disk could not be read.
    pub(crate) fn recover(
        &self,
        fs: &dyn Fs,
        recovery_point: i64,
        index_interval_bytes: u64,
        saved: Option<Saved>,
        visit: &mut dyn FnMut(&BatchHeader),
    ) -> Result<Recovered, SegmentError> {
        let was_saved = saved.is_some();
        let Saved { next_offset: start, position, has_aborted, mut indexes, .. } =
            saved.unwrap_or_else(|| Saved::nothing(self.base_offset));
        let mut next_offset = start;
        let mut buffer = Vec::new();
        let mut has_control_batches = has_aborted;
        let mut scan = self.scan_in_bulk(fs, position)?;
        scan.expect(start);
        let mut valid_bytes = position;
        let damage = loop {
            let next = scan.next().and_then(|next| match next {
                Some(batch) if batch.header.next_offset() > recovery_point => {
                    scan.verify(&batch, &mut buffer).map(|()| next)
                }
                _ => Ok(next),
            });
            match next {
                Ok(None) => break None,
                Ok(Some(batch)) => {
                    let facts = BatchFacts::from(&batch.header);
                    let position = batch.position;
                    indexes.note(self.base_offset, &facts, position, index_interval_bytes);
                    visit(&batch.header);
                    has_control_batches |= batch.header.attributes.is_control();
                    next_offset = batch.header.next_offset();
                    valid_bytes = batch.end();
                }
                Err(error @ SegmentError::Io { .. }) => return Err(error),
                Err(error @ SegmentError::Corrupt { .. }) => break Some(error),
            }
        };
        if was_saved && damage.is_some() && valid_bytes == position {
            // What was saved may not fit the file: everything is looked at then.
            return self.recover(fs, recovery_point, index_interval_bytes, None, visit);
        }
        assert!(valid_bytes <= self.size(), "no more bytes are good than there are");
        self.set_indexes(indexes);
        self.reset_aborted(has_control_batches);
        Ok(Recovered { valid_bytes, next_offset, damage })
    }

    /// The indexes of a segment as they should be, from its headers.
    pub(crate) fn rebuild_indexes(&self, fs: &dyn Fs) -> Result<Indexes, SegmentError> {
        let mut indexes = Indexes::empty(self.base_offset, true);
        let mut scan = self.scan_in_bulk(fs, 0)?;
        while let Some(batch) = scan.next()? {
            let facts = BatchFacts::from(&batch.header);
            indexes.note(self.base_offset, &facts, batch.position, REBUILD_INTERVAL_BYTES);
        }
        indexes.note_time(self.base_offset);
        Ok(indexes)
    }

    /// Whether a good batch with an offset of at least `offset_min` begins anywhere at or after
    /// `position`: then what lies before it is a hole and not a torn end. Returns its position.
    pub(crate) fn find_good_batch(
        &self,
        fs: &dyn Fs,
        position: u64,
        offset_min: i64,
    ) -> Result<Option<u64>, SegmentError> {
        let file = self.file(fs)?;
        let end = self.size();
        let mut window = Vec::new();
        let mut buffer = Vec::new();
        let mut start = position;
        while start + BATCH_OVERHEAD as u64 <= end {
            let len = (end - start).min(SEARCH_WINDOW_BYTES as u64) as usize;
            window.resize(len, 0);
            let read = read_at_most(&*file, &mut window, start).map_err(|e| self.io_error(e))?;
            window.truncate(read);
            for (at, bytes) in window.windows(BATCH_OVERHEAD).enumerate() {
                let position = start + at as u64;
                let Some(header) = self.plausible(bytes, offset_min, end - position) else {
                    continue;
                };
                if self.verify(fs, &BatchAt { position, header }, &mut buffer).is_ok() {
                    return Ok(Some(position));
                }
            }
            if read < BATCH_OVERHEAD {
                break;
            }
            start += (read - (BATCH_OVERHEAD - 1)) as u64;
        }
        Ok(None)
    }

    /// The header at the start of `bytes`, if it could be that of a batch of this segment.
    fn plausible(&self, bytes: &[u8], offset_min: i64, room: u64) -> Option<BatchHeader> {
        // The magic alone sorts out nearly everything.
        if bytes.get(16) != Some(&2) {
            return None;
        }
        let header = BatchHeader::read(bytes).ok()?;
        let fits = header.size() as u64 <= room;
        let in_order = header.base_offset >= offset_min
            && header.last_offset_delta >= 0
            && super::relative(self.base_offset, header.last_offset()).is_some();
        (fits && in_order && header.records_count >= 0).then_some(header)
    }

    fn verify(
        &self,
        fs: &dyn Fs,
        batch: &BatchAt,
        buffer: &mut Vec<u8>,
    ) -> Result<(), SegmentError> {
        buffer.resize(batch.header.size(), 0);
        read_exact_at(&*self.file(fs)?, buffer, batch.position)
            .map_err(|error| self.io_error(error))?;
        BatchView::read(buffer)
            .and_then(|view| view.verify_checksum())
            .map_err(|error| self.corrupt(batch.position, error))
    }
}
