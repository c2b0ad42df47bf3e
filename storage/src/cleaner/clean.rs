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
use super::filter::{Filter, LastRecord};
use super::group::{GroupLimits, SegmentSizes, group};
use super::mapping::Plain;
use super::offset_map::OffsetMap;
use super::transactions::CleanedTransactions;
use crate::index::IndexEntry;
use crate::index::offset::OffsetEntry;
use crate::index::time::TimeEntry;
use crate::log::Log;
use crate::log::replace::ReplaceError;
use crate::log_config::LogConfig;
use crate::segment::files::LOG_SUFFIX;
use crate::segment::{Segment, SegmentError};

/// Buffers of a cleaner are at least this large, whatever the settings say.
const BUFFER_BYTES_MIN: usize = 4096;

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

impl From<ReplaceError> for CleanError {
    fn from(error: ReplaceError) -> Self {
        match error {
            ReplaceError::Unwritable(_) => Self::Offline,
            ReplaceError::Io { source, .. } => Self::Io(source),
            ReplaceError::Segment(error) => error.into(),
        }
    }
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
pub(super) struct Work {
    pub(super) config: Arc<LogConfig>,
    /// The segments that are cleaned, and the one behind them.
    pub(super) row: Vec<Arc<Segment>>,
    pub(super) map: OffsetMap,
    pub(super) last_records: HashMap<i64, LastRecord>,
    pub(super) transactions: CleanedTransactions,
    /// By the base offsets of the segments.
    pub(super) plain: HashMap<i64, Plain>,
    pub(super) filter: Filter,
    pub(super) buffer: Vec<u8>,
    pub(super) stats: CleanedStats,
    pub(super) may_replace: bool,
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
            row: Vec::new(),
            map: OffsetMap::of_range(limits.map_bytes, limits.load_factor, &dirty),
            last_records: self.log.last_records(),
            transactions: CleanedTransactions::default(),
            plain: HashMap::new(),
            filter: Filter::default(),
            buffer: vec![0; self.buffer_bytes()],
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

        work.row = segments.get(..=end).unwrap_or_default().to_vec();
        let segments = segments.get(..end).unwrap_or_default();
        for range in self.groups(&work, segments)? {
            self.clean_group(&mut work, segments.get(range).unwrap_or_default())?;
        }
        Ok(work.stats)
    }

    pub(super) fn go_on(&self, bytes: u64) -> Result<(), CleanError> {
        if (self.pace)(bytes) { Ok(()) } else { Err(CleanError::Aborted) }
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

    pub(super) fn buffer_bytes(&self) -> usize {
        self.limits.buffer_bytes.max(BUFFER_BYTES_MIN)
    }
}

/// Most bytes that the records of one batch may decompress to.
pub(super) fn decompressed_bytes_max(config: &LogConfig) -> usize {
    usize::try_from(config.max_decompressed_message_bytes).unwrap_or(0)
}

/// A file that has lost its name is missing, or is not opened any more.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::StaleNetworkFileHandle)
}
