//! Cleaning one log: map the keys of the dirty part, then write every segment up to its end anew.
//!
//! The row of segments is taken once, at the beginning. Each group of segments is written to one
//! new segment and put into the log's row before the next one is begun, so that the space which a
//! cleaning takes is that of one segment, and what was done counts even if the rest fails.

use std::collections::HashMap;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use super::choose::Cleanable;
use super::filter::{Filter, FilterError, LastRecord, Rules, control_kind};
use super::group::{GroupLimits, SegmentSizes, group};
use super::offset_map::OffsetMap;
use super::reader::{BatchReader, Step};
use super::transactions::CleanedTransactions;
use crate::index::IndexEntry;
use crate::index::offset::OffsetEntry;
use crate::index::time::TimeEntry;
use crate::log::Log;
use crate::log::replace::{ReplaceError, Replaced};
use crate::log_config::LogConfig;
use crate::segment::cleaned::CleanedSegment;
use crate::segment::files::{CLEANED_SUFFIX, LOG_SUFFIX};
use crate::segment::{Segment, SegmentError};

/// Buffers of a cleaner are at least this large, whatever the settings say.
const BUFFER_BYTES_MIN: usize = 4096;
/// Left free on the disk, beside the bytes of the new segment.
const SPACE_RESERVE_BYTES: u64 = 16 << 20;

/// Why a log was not cleaned, or not to the end.
#[derive(Debug, Error)]
pub(crate) enum CleanError {
    /// The log was truncated, deleted or shortened, or the cleaner is to stop: nothing is wrong.
    #[error("the cleaning was given up")]
    Aborted,
    /// The disk has no room for the new segment: later, perhaps.
    #[error("there is no space for a new segment of up to {needed} bytes")]
    NoSpace { needed: u64 },
    /// The log directory is offline now.
    #[error("the log directory is offline")]
    Offline,
    #[error(transparent)]
    Segment(#[from] SegmentError),
    #[error("cannot write a cleaned segment: {0}")]
    Io(#[from] io::Error),
}

/// What a cleaner lends to the cleaning of a log.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Memory for the map of keys.
    pub(crate) map_bytes: u64,
    pub(crate) load_factor: f64,
    /// Bytes that are read and written at once.
    pub(crate) buffer_bytes: usize,
}

/// Called with the bytes that were read or written: may wait, and says whether to go on.
pub(crate) type Pace<'a> = dyn Fn(u64) -> bool + 'a;

/// Called once before files are replaced: makes sure that the checkpointed recovery point is not
/// behind the offset. Says whether it is there.
pub(crate) type BeforeReplacing<'a> = dyn Fn(i64) -> bool + 'a;

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CleanedStats {
    /// The dirty part that was cleaned.
    pub first_dirty_offset: i64,
    pub end_offset: i64,
    pub map_bytes_read: u64,
    pub bytes_read: u64,
    pub bytes_written: u64,
    pub records_read: u64,
    pub records_kept: u64,
    /// Records without a key that were dropped.
    pub keyless_records: u64,
    pub buffer_utilization: f64,
}

/// The cleaning of one log.
pub(crate) struct Cleaning<'a> {
    pub(crate) log: &'a Arc<Log>,
    pub(crate) range: Cleanable,
    pub(crate) limits: &'a Limits,
    pub(crate) now_ms: i64,
    pub(crate) pace: &'a Pace<'a>,
    pub(crate) before_replacing: &'a BeforeReplacing<'a>,
}

/// What all segments of a cleaning share.
struct Work {
    config: Arc<LogConfig>,
    map: OffsetMap,
    last_records: HashMap<i64, LastRecord>,
    transactions: CleanedTransactions,
    filter: Filter,
    buffer: Vec<u8>,
    stats: CleanedStats,
    may_replace: bool,
}

impl Cleaning<'_> {
    /// Cleans the log. What was cleaned before an error stays cleaned.
    pub(crate) fn run(&self) -> Result<CleanedStats, CleanError> {
        self.clean()
            .map_err(|error| if self.has_lost_files(&error) { CleanError::Aborted } else { error })
    }

    /// Whether a file is missing because retention, a truncation or the deletion of the partition
    /// has taken it away.
    fn has_lost_files(&self, error: &CleanError) -> bool {
        let missing = match error {
            CleanError::Segment(SegmentError::Io { path, source }) => {
                is_gone(source).then_some(path)
            }
            _ => None,
        };
        let row = self.log.segment_row();
        let is_in_row =
            |path: &PathBuf| row.iter().any(|segment| segment.path(LOG_SUFFIX) == *path);
        missing.is_some_and(|path| !is_in_row(path)) || self.log.failure().is_some()
    }

    fn clean(&self) -> Result<CleanedStats, CleanError> {
        let segments = self.log.segment_row();
        let dirty = self.range.first_dirty_offset..self.range.first_uncleanable_offset;
        let aborted = self.log.aborted_transactions(dirty.start, dirty.end)?;
        let limits = self.limits;
        let mut work = Work {
            config: self.log.config(),
            map: OffsetMap::of_range(limits.map_bytes, limits.load_factor, &dirty),
            last_records: self.log.last_records(),
            transactions: CleanedTransactions::default(),
            filter: Filter::default(),
            buffer: vec![0; limits.buffer_bytes.max(BUFFER_BYTES_MIN)],
            stats: CleanedStats { first_dirty_offset: dirty.start, ..CleanedStats::default() },
            may_replace: false,
        };
        work.transactions.add_aborted(aborted);
        self.map_keys(&mut work, &segments, &dirty)?;
        work.stats.end_offset = work.map.latest_offset() + 1;
        work.stats.buffer_utilization = work.map.utilization();
        // The transactions are met once more, from the beginning of the log.
        work.transactions = CleanedTransactions::default();
        let first = segments.first().map_or(0, |first| first.base_offset());
        let end = segments.partition_point(|s| s.base_offset() < work.stats.end_offset);
        // Also of those behind the end in the last segment: its transaction index is made anew.
        let bound = segments.get(end).map_or(dirty.end, |next| next.base_offset());
        work.transactions.add_aborted(self.log.aborted_transactions(first, bound)?);

        let segments = segments.get(..end).unwrap_or_default();
        for range in self.groups(&work, segments)? {
            self.clean_group(&mut work, segments.get(range).unwrap_or_default())?;
        }
        Ok(work.stats)
    }

    fn go_on(&self, bytes: u64) -> Result<(), CleanError> {
        if (self.pace)(bytes) { Ok(()) } else { Err(CleanError::Aborted) }
    }

    /// Puts the keys of the dirty part into the map, as far as it has room.
    fn map_keys(
        &self,
        work: &mut Work,
        segments: &[Arc<Segment>],
        dirty: &Range<i64>,
    ) -> Result<(), CleanError> {
        let first = segments.partition_point(|s| s.base_offset() <= dirty.start).saturating_sub(1);
        let end = segments.partition_point(|s| s.base_offset() < dirty.end);
        for number in first..end {
            let Some(segment) = segments.get(number) else { break };
            self.map_segment(work, segment, dirty.start)?;
            work.map.settle();
            if work.map.has_overflowed() {
                tracing::debug!(log = %self.log.topic_partition(), %segment, "Offset map is full");
                return Ok(());
            }
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
    ) -> Result<(), CleanError> {
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
            if header.attributes.is_control() {
                let kind = control_kind(&batch).map_err(failed)?;
                work.transactions.on_control(&header, kind);
            } else if !work.transactions.on_batch(&header) && header.last_offset() >= start_offset {
                let records = batch.plain_records(limit).map_err(|error| failed(error.into()))?;
                for record in &records {
                    let record = record.map_err(|error| failed(error.into()))?;
                    let offset = header.offset_of(record.offset_delta);
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
        }
        Ok(())
    }

    fn groups(
        &self,
        work: &Work,
        segments: &[Arc<Segment>],
    ) -> Result<Vec<Range<usize>>, SegmentError> {
        let fs = self.log.fs();
        let mut sizes = Vec::with_capacity(segments.len());
        for segment in segments {
            let indexes = segment.indexes(fs)?;
            sizes.push(SegmentSizes {
                base_offset: segment.base_offset(),
                log_bytes: segment.size(),
                offset_index_bytes: (indexes.offsets.len() * OffsetEntry::BYTES) as u64,
                time_index_bytes: (indexes.times.len() * TimeEntry::BYTES) as u64,
            });
        }
        let limits = GroupLimits {
            log_bytes: u64::try_from(work.config.segment_bytes).unwrap_or(0),
            index_bytes: u64::try_from(work.config.segment_index_bytes).unwrap_or(0),
            end_offset: self.range.first_uncleanable_offset,
        };
        Ok(group(&sizes, limits))
    }

    /// Writes what is left of a group to one new segment, and puts that into the log.
    fn clean_group(&self, work: &mut Work, group: &[Arc<Segment>]) -> Result<(), CleanError> {
        let Some(first) = group.first() else { return Ok(()) };
        self.check_space(group)?;
        let interval = u64::try_from(work.config.index_interval_bytes).unwrap_or(0);
        let (fs, dir) = (self.log.fs(), self.log.path_arc());
        let mut cleaned = CleanedSegment::create(fs, dir, first.base_offset(), interval)?;
        let copied = group
            .iter()
            .try_for_each(|segment| self.copy(work, segment, &mut cleaned))
            .and_then(|()| Ok(cleaned.finish(fs)?))
            .and_then(|()| self.make_ready(work));
        if let Err(error) = copied {
            self.throw_away(&cleaned)?;
            return Err(error);
        }
        tracing::info!(
            log = %self.log.topic_partition(), segments = group.len(), %first,
            bytes = cleaned.size(), "Swapping in a cleaned segment"
        );
        match self.log.replace_segments(group, &cleaned, self.now_ms) {
            Ok(Replaced::Done) => Ok(()),
            Ok(Replaced::RowHasChanged) => Err(CleanError::Aborted),
            Err(ReplaceError::Unwritable(_)) => Err(CleanError::Offline),
            Err(ReplaceError::Io { source, .. }) => Err(CleanError::Io(source)),
            Err(ReplaceError::Segment(error)) => Err(error.into()),
        }
    }

    fn throw_away(&self, cleaned: &CleanedSegment) -> Result<(), CleanError> {
        Ok(cleaned.remove(self.log.fs(), &[CLEANED_SUFFIX])?)
    }

    fn check_space(&self, group: &[Arc<Segment>]) -> Result<(), CleanError> {
        let bytes: u64 = group.iter().map(|segment| segment.size()).sum();
        let needed = bytes.saturating_add(SPACE_RESERVE_BYTES);
        let space = self.log.fs().space(self.log.path())?;
        if space.usable < needed { Err(CleanError::NoSpace { needed: bytes }) } else { Ok(()) }
    }

    /// Nothing before the end of the cleaned part may be recovered or replayed from now on.
    fn make_ready(&self, work: &mut Work) -> Result<(), CleanError> {
        if !work.may_replace {
            work.may_replace = (self.before_replacing)(self.range.first_uncleanable_offset);
        }
        if work.may_replace { Ok(()) } else { Err(CleanError::Offline) }
    }

    fn copy(
        &self,
        work: &mut Work,
        segment: &Segment,
        cleaned: &mut CleanedSegment,
    ) -> Result<(), CleanError> {
        let fs = self.log.fs();
        let rules = Rules {
            map: &work.map,
            last_records: &work.last_records,
            high_watermark: self.log.visible_end(),
            delete_retention_ms: work.config.delete_retention_ms,
            now_ms: self.now_ms,
            decompressed_bytes_max: decompressed_bytes_max(&work.config),
        };
        let buffer_bytes = self.limits.buffer_bytes.max(BUFFER_BYTES_MIN);
        let mut reader = BatchReader::new(fs, segment, 0, &mut work.buffer)?;
        loop {
            let transactions = &mut work.transactions;
            let (done, size, at) =
                match reader.next_unless(&|header| rules.are_overtaken(header))? {
                    Step::Batch(batch, at) => {
                        let filtered =
                            work.filter.filter(&batch, &rules, transactions, &mut cleaned.pending);
                        let done = filtered.map_err(|error| segment.corrupt(at, error))?;
                        (done, batch.header().size(), at)
                    }
                    Step::Skipped(header, at) => {
                        let pending = &mut cleaned.pending;
                        let done = Filter::filter_overtaken(&header, &rules, transactions, pending);
                        (done, header.size(), at)
                    }
                    Step::Read(bytes) => {
                        self.go_on(bytes as u64)?;
                        continue;
                    }
                    Step::End => return Ok(()),
                };
            work.stats.bytes_read += size as u64;
            work.stats.records_read += done.records_read;
            work.stats.records_kept += done.records_kept;
            work.stats.keyless_records += done.keyless;
            if let Some(aborted) = done.aborted {
                cleaned.note_aborted(&aborted);
            }
            if let Some(header) = done.written {
                work.stats.bytes_written += header.size() as u64;
                if !cleaned.note(&header) {
                    let reason = "the offset lies too far from the first one of its segment";
                    return Err(segment.corrupt(at, reason).into());
                }
            }
            if cleaned.pending.len() >= buffer_bytes {
                let bytes = cleaned.pending.len() as u64;
                cleaned.write()?;
                self.go_on(bytes)?;
            }
        }
    }
}

fn decompressed_bytes_max(config: &LogConfig) -> usize {
    usize::try_from(config.max_decompressed_message_bytes).unwrap_or(0)
}

/// A file that has lost its name is missing, or is not opened any more.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle)
}
