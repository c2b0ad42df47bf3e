//! The first walk of a cleaning: puts the keys of the dirty part into the map.

use std::ops::Range;
use std::sync::Arc;

use super::clean::{CleanError, Cleaning, Work, decompressed_bytes_max};
use super::filter::{FilterError, control_kind};
use super::reader::{BatchReader, Step};
use crate::segment::Segment;

/// A segment that was mapped whole and has nothing but keys with values: what is the newest record
/// of its key stays, whatever batch it is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain {
    records: u64,
    end_offset: i64,
    /// A batch of a producer may have to stay although its records go.
    has_producers: bool,
}

impl Cleaning<'_> {
    /// Puts the keys of the dirty part into the map, as far as it has room.
    pub(super) fn map_keys(
        &self,
        work: &mut Work,
        segments: &[Arc<Segment>],
        dirty: &Range<i64>,
    ) -> Result<(), CleanError> {
        let first = segments.partition_point(|s| s.base_offset() <= dirty.start).saturating_sub(1);
        let end = segments.partition_point(|s| s.base_offset() < dirty.end);
        for number in first..end {
            let Some(segment) = segments.get(number) else { break };
            let plain = self.map_segment(work, segment, dirty.start)?;
            work.map.settle();
            if work.map.has_overflowed() {
                tracing::debug!(log = %self.log.topic_partition(), %segment, "Offset map is full");
                return Ok(());
            }
            work.plain.extend(plain.map(|plain| (segment.base_offset(), plain)));
            // Compaction may have left a gap at the end of the segment.
            let next = segments.get(number + 1).filter(|_| number + 1 < end);
            let next_offset = next.map_or(dirty.end, |next| next.base_offset());
            work.map.set_latest_offset(next_offset - 1);
            work.map.settle();
        }
        Ok(())
    }

    /// Ends early when the map is full.
    fn map_segment(
        &self,
        work: &mut Work,
        segment: &Segment,
        start_offset: i64,
    ) -> Result<Option<Plain>, CleanError> {
        let mut plain =
            Plain { records: 0, end_offset: segment.base_offset(), has_producers: false };
        let mut is_plain = segment.base_offset() >= start_offset;
        let fs = self.log.fs();
        let position = segment.position_before(fs, start_offset)?;
        let limit = decompressed_bytes_max(&work.config);
        let mut reader = BatchReader::new(fs, segment, position, &mut work.buffer)?;
        while !work.map.has_overflowed() {
            let (batch, at) = match reader.next()? {
                Step::Batch(batch, at) => (batch, at),
                Step::Read(bytes) => {
                    work.stats.map_bytes_read += bytes as u64;
                    self.go_on(bytes as u64)?;
                    continue;
                }
                Step::Skipped(..) | Step::End => break,
            };
            let header = *batch.header();
            let failed = |error: FilterError| segment.corrupt(at, error);
            is_plain &= !header.attributes.is_control()
                && !header.attributes.is_transactional()
                && header.records_count > 0;
            if header.attributes.is_control() {
                let kind = control_kind(&batch).map_err(failed)?;
                work.transactions.on_control(&header, kind);
            } else if !work.transactions.on_batch(&header) && header.last_offset() >= start_offset {
                let records = batch.plain_records(limit).map_err(|error| failed(error.into()))?;
                for record in &records {
                    let record = record.map_err(|error| failed(error.into()))?;
                    let offset = header.offset_of(record.offset_delta);
                    is_plain &= record.key.is_some() && record.value.is_some();
                    plain.records += 1;
                    match record.key {
                        _ if offset < start_offset => {}
                        Some(key) => work.map.put(key, offset),
                        None => work.map.pass_over(),
                    }
                }
            }
            if header.last_offset() >= start_offset {
                work.map.set_latest_offset(header.last_offset());
            }
            plain.end_offset = header.next_offset();
            plain.has_producers |= header.has_producer_id();
        }
        Ok(is_plain.then_some(plain))
    }

    /// Whether it need not be read again to know that everything stays.
    pub(super) fn is_known_to_stay(&self, work: &mut Work, segment: &Segment) -> bool {
        let Some(plain) = work.plain.get(&segment.base_offset()).copied() else { return false };
        let stays = work.has_newest(segment, &plain, plain.records);
        if stays {
            work.note_read_before(segment, &plain);
            work.stats.records_kept += plain.records;
        }
        stays
    }

    /// Whether it need not be read again to know that nothing stays.
    pub(super) fn is_known_to_go(&self, work: &mut Work, segment: &Segment) -> bool {
        let Some(plain) = work.plain.get(&segment.base_offset()).copied() else { return false };
        // Nor is it the last segment: the last record of all that were mapped is the newest of its
        // key. So the batch that ends at the high watermark, which stays, is not in it.
        let goes = !plain.has_producers && work.has_newest(segment, &plain, 0);
        if goes {
            work.note_read_before(segment, &plain);
        }
        goes
    }
}

impl Work {
    fn has_newest(&self, segment: &Segment, plain: &Plain, count: u64) -> bool {
        self.map.are_newest(&(segment.base_offset()..plain.end_offset), count)
    }

    /// It was read for the map.
    fn note_read_before(&mut self, segment: &Segment, plain: &Plain) {
        self.stats.bytes_read += segment.size();
        self.stats.records_read += plain.records;
    }
}
