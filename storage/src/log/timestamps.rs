//! Finding offsets by timestamp, exactly: down to the record, through compression.

use std::sync::Arc;

use protocol_codec::records::{Batch, TimestampAndOffset};

use super::Log;
use super::read::with_next_base;
use crate::fs::Fs;
use crate::segment::scan::BatchAt;
use crate::segment::{NO_TIMESTAMP, Segment, SegmentError};

/// Bytes that the records of one batch may take when they are decompressed for a search. They are
/// looked at one after the other, so this bounds time and not memory.
const DECOMPRESSED_BYTES_MAX: usize = i32::MAX as usize;

/// A record found by its timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOffset {
    /// In ms.
    pub timestamp: i64,
    pub offset: i64,
    /// Epoch of the leader that wrote the record; -1 if it is not known.
    pub leader_epoch: i32,
}

impl Log {
    /// The first record, by offset, whose timestamp is `timestamp` or later. None if there is none
    /// up to the log's end; whether it may be seen already is for the caller to say.
    pub fn offset_for_timestamp(
        &self,
        timestamp: i64,
    ) -> Result<Option<FoundOffset>, SegmentError> {
        self.look_at_segments(|segments| self.offset_in(segments, timestamp))
    }

    fn offset_in(
        &self,
        segments: &[Arc<Segment>],
        timestamp: i64,
    ) -> Result<Option<FoundOffset>, SegmentError> {
        let end = self.end.load();
        let start_offset = self.log_start_offset();
        for (segment, next_base) in with_next_base(segments, 0) {
            let is_before_start = next_base.is_some_and(|next| next <= start_offset);
            if is_before_start || segment.max_timestamp(self.fs())?.timestamp < timestamp {
                continue;
            }
            let limit = self.limit(segment, next_base, end.offset, &end)?;
            if limit == 0 {
                continue;
            }
            if let Some(found) = self.search(segment, timestamp, start_offset, limit)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The first record that has the largest timestamp of all. None without timestamps.
    pub fn max_timestamp_offset(&self) -> Result<Option<FoundOffset>, SegmentError> {
        self.look_at_segments(|segments| self.max_timestamp_in(segments))
    }

    fn max_timestamp_in(
        &self,
        segments: &[Arc<Segment>],
    ) -> Result<Option<FoundOffset>, SegmentError> {
        let end = self.end.load();
        let mut best: Option<(&Segment, i64, u64)> = None;
        for (segment, next_base) in with_next_base(segments, 0) {
            let max = segment.max_timestamp(self.fs())?.timestamp;
            if max > best.map_or(NO_TIMESTAMP, |(_, max, _)| max) {
                let limit = self.limit(segment, next_base, end.offset, &end)?;
                best = Some((segment, max, limit));
            }
        }
        let Some((segment, max, limit)) = best else { return Ok(None) };
        let position = segment.position_for_timestamp(self.fs(), max - 1, 0)?;
        let mut scan = segment.scan(self.fs(), position.min(limit), limit)?;
        while let Some(at) = scan.next()? {
            if at.header.max_timestamp == max {
                let batch = segment.read_batch(self.fs(), &at)?;
                let found = batch.view().max_timestamp_record(DECOMPRESSED_BYTES_MAX);
                let found = found.map_err(|error| segment.corrupt(at.position, error))?;
                return Ok(found.map(|found| with_epoch(found, &batch)));
            }
        }
        Ok(None)
    }

    fn search(
        &self,
        segment: &Segment,
        timestamp: i64,
        start_offset: i64,
        limit: u64,
    ) -> Result<Option<FoundOffset>, SegmentError> {
        let position = segment.position_for_timestamp(self.fs(), timestamp, start_offset)?;
        let mut scan = segment.scan(self.fs(), position.min(limit), limit)?;
        while let Some(at) = scan.next()? {
            if at.header.max_timestamp < timestamp || at.header.last_offset() < start_offset {
                continue;
            }
            let found = first_since(self.fs(), segment, &at, timestamp, start_offset)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

fn first_since(
    fs: &dyn Fs,
    segment: &Segment,
    at: &BatchAt,
    timestamp: i64,
    start_offset: i64,
) -> Result<Option<FoundOffset>, SegmentError> {
    let batch = segment.read_batch(fs, at)?;
    let found = batch.view().first_since(timestamp, start_offset, DECOMPRESSED_BYTES_MAX);
    let found = found.map_err(|error| segment.corrupt(at.position, error))?;
    Ok(found.map(|found| with_epoch(found, &batch)))
}

fn with_epoch(found: TimestampAndOffset, batch: &Batch) -> FoundOffset {
    let TimestampAndOffset { timestamp, offset } = found;
    FoundOffset { timestamp, offset, leader_epoch: batch.header().partition_leader_epoch }
}
