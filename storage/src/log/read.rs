//! Reading by offset: which pieces of which files to send.
//!
//! No lock is taken and no record is copied; what comes back are regions of files. Only headers
//! are looked at, to find where the first batch begins, so a damaged header is found here and
//! damaged records by whoever reads them (every batch has a CRC).

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;
use thiserror::Error;

use super::Log;
use super::end_mark::End;
use crate::fs::{File, read_exact_at};
use crate::segment::{Segment, SegmentError};

/// A piece of a file, whole batches from its beginning on.
#[derive(Clone, Debug)]
pub struct FileRegion {
    pub file: Arc<dyn File>,
    pub position: u64,
    pub len: usize,
}

/// What a read found: consecutive regions, together at most as many bytes as asked for (but for a
/// first batch that is larger). The last batch may be cut, as in Kafka: readers expect that.
#[derive(Clone, Debug, Default)]
pub struct Slices {
    pub regions: SmallVec<[FileRegion; 1]>,
}

/// Why a read failed.
#[derive(Debug, Error)]
pub enum ReadError {
    /// Kafka's OFFSET_OUT_OF_RANGE (1).
    #[error(
        "offset {offset} is not in the log, which has offsets {log_start_offset} to {log_end_offset}"
    )]
    OffsetOutOfRange { offset: i64, log_start_offset: i64, log_end_offset: i64 },
    /// The disk failed or holds other bytes than were written. KAFKA_STORAGE_ERROR (56).
    #[error(transparent)]
    Segment(#[from] SegmentError),
}

impl Slices {
    /// Bytes of all regions.
    pub fn len(&self) -> usize {
        self.regions.iter().map(|region| region.len).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }

    /// Reads everything into memory: for internal topics and small answers.
    pub fn to_bytes(&self) -> io::Result<Bytes> {
        let mut bytes = vec![0; self.len()];
        let mut rest = bytes.as_mut_slice();
        for region in &self.regions {
            let Some((part, after)) = rest.split_at_mut_checked(region.len) else { break };
            read_exact_at(&*region.file, part, region.position)?;
            rest = after;
        }
        Ok(bytes.into())
    }
}

/// A row of bytes of one segment.
struct Found {
    position: u64,
    /// Bytes of the first batch.
    first_batch: u64,
    /// Bytes from `position` up to what may be read.
    available: u64,
}

/// Where a read ended.
pub(super) struct ReadEnd {
    pub(super) segment: Arc<Segment>,
    pub(super) position: u64,
    /// Base offset of the segment after it.
    pub(super) next_base: Option<i64>,
}

impl Log {
    /// The batches from the one that holds `offset` on, as far as they end before `upper_bound`
    /// and within `max_bytes`. With `min_one_batch` the first one comes even if it is larger than
    /// `max_bytes`; otherwise nothing comes then.
    ///
    /// Empty when `offset` is at or after `upper_bound`.
    pub fn read(
        &self,
        offset: i64,
        max_bytes: usize,
        upper_bound: i64,
        min_one_batch: bool,
    ) -> Result<Slices, ReadError> {
        let read = self.look_at_segments(|segments| {
            self.read_from(segments, offset, max_bytes, upper_bound, min_one_batch)
        });
        read.map(|(slices, _)| slices)
    }

    /// As [`Log::read`], in a row of segments, and where it ended, unless nothing was found.
    pub(super) fn read_from(
        &self,
        segments: &[Arc<Segment>],
        offset: i64,
        max_bytes: usize,
        upper_bound: i64,
        min_one_batch: bool,
    ) -> Result<(Slices, Option<ReadEnd>), ReadError> {
        let end = self.end.load();
        let log_start_offset = self.log_start_offset();
        let out_of_range =
            ReadError::OffsetOutOfRange { offset, log_start_offset, log_end_offset: end.offset };
        if offset > end.offset || offset < log_start_offset {
            return Err(out_of_range);
        }
        let bound = upper_bound.min(end.offset);
        let mut slices = Slices::default();
        if offset >= bound || max_bytes == 0 && !min_one_batch {
            return Ok((slices, None));
        }
        let mut read_end = None;

        let after = segments.partition_point(|segment| segment.base_offset() <= offset);
        let Some(start) = after.checked_sub(1) else {
            // Retention was faster: the segment has gone since the check above.
            return Err(out_of_range);
        };
        let mut room = max_bytes as u64;
        for (segment, next_base) in with_next_base(segments, start) {
            if segment.base_offset() >= bound {
                break;
            }
            let limit = self.limit(segment, next_base, bound, &end)?;
            let found = if slices.is_empty() {
                self.find(segment, offset, limit, &end)?
            } else {
                Some(Found { position: 0, first_batch: 0, available: limit })
            };
            // Compaction may have left nothing of a segment.
            let Some(found) = found.filter(|found| found.available > 0) else { continue };
            if slices.is_empty() && found.first_batch > room {
                if !min_one_batch {
                    break;
                }
                room = found.first_batch;
            }
            let len = found.available.min(room);
            if len == 0 {
                break;
            }
            assert!(found.position + len <= limit, "nothing beyond the bound is read");
            let file = segment.file(self.fs())?;
            slices.regions.push(FileRegion { file, position: found.position, len: len as usize });
            read_end = Some(ReadEnd {
                segment: Arc::clone(segment),
                position: found.position + len,
                next_base,
            });
            room -= len;
            if room == 0 {
                break;
            }
        }
        Ok((slices, read_end))
    }

    /// Bytes of `segment` whose offsets lie before `bound`.
    pub(super) fn limit(
        &self,
        segment: &Segment,
        next_base: Option<i64>,
        bound: i64,
        end: &End,
    ) -> Result<u64, SegmentError> {
        let is_active = end.segment_base == segment.base_offset();
        if is_active && bound >= end.offset {
            return Ok(end.position);
        }
        if !is_active && next_base.is_some_and(|next| next <= bound) {
            return Ok(segment.size());
        }
        let size = if is_active { end.position } else { segment.size() };
        let found = segment.find_offset(self.fs(), bound, size);
        let found = found.map_err(|error| self.note_damage(error))?;
        Ok(found.map_or(size, |batch| batch.position))
    }

    /// Where the batch with `offset` begins, among the first `limit` bytes of `segment`.
    fn find(
        &self,
        segment: &Segment,
        offset: i64,
        limit: u64,
        end: &End,
    ) -> Result<Option<Found>, SegmentError> {
        let is_active = end.segment_base == segment.base_offset();
        if is_active && offset >= end.last_batch_offset {
            // The reader follows the writer: no search is needed.
            let (position, first_batch) =
                (end.last_batch_position, end.position - end.last_batch_position);
            let available = limit.saturating_sub(position);
            return Ok((available > 0).then_some(Found { position, first_batch, available }));
        }
        let found = segment.find_offset(self.fs(), offset, limit);
        let found = found.map_err(|error| self.note_damage(error))?;
        Ok(found.map(|batch| Found {
            position: batch.position,
            first_batch: batch.header.size() as u64,
            available: limit - batch.position,
        }))
    }
}

/// The segments from number `start` on, each with the base offset of the one after it.
pub(super) fn with_next_base(
    segments: &[Arc<Segment>],
    start: usize,
) -> impl Iterator<Item = (&Arc<Segment>, Option<i64>)> {
    let rest = segments.get(start..).unwrap_or_default();
    rest.iter()
        .enumerate()
        .map(move |(at, segment)| (segment, rest.get(at + 1).map(|next| next.base_offset())))
}
