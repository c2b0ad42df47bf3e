//! Putting a cleaned segment in the place of those that it was made from, by Kafka's protocol.
//!
//! | step | on the disk | a start that finds this |
//! |---|---|---|
//! | 1 | new files and their names are synced, these end in `.cleaned` | throws them away |
//! | 2 | each renamed to `.swap`; directory synced | `.cleaned` among them: throws all away |
//! | 3 | old files renamed to `.deleted`; directory synced | finishes with step 4 |
//! | 4 | `.swap` taken away from the names; directory synced | is done |
//!
//! `leftovers.rs` is the other side. The row of segments in memory is exchanged at the end; until
//! then, and for whoever holds the old row, the old files stay open: they are opened before they
//! lose their names.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use thiserror::Error;

use super::read::with_next_base;
use super::writer::WriterGuard;
use super::{Log, Unwritable, producers};
use crate::cleaner::choose::{LogFacts, SegmentFacts};
use crate::cleaner::filter::LastRecord;
use crate::delay::Delay;
use crate::fs::Fs;
use crate::log_dir::is_out_of_space;
use crate::segment::cleaned::{CleanedSegment, suffixed};
use crate::segment::files::{
    CLEANED_SUFFIX, DELETED_SUFFIX, LOG_SUFFIX, SEGMENT_SUFFIXES, SWAP_SUFFIX,
};
use crate::segment::{Segment, SegmentError};

/// Whether segments were replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    Done,
    /// Retention or a truncation has taken one of them away: nothing was done.
    RowHasChanged,
}

/// Why segments were not replaced.
#[derive(Debug, Error)]
pub(crate) enum ReplaceError {
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    #[error(transparent)]
    Segment(#[from] SegmentError),
    #[error("cannot replace segments of {log}: {source}")]
    Io { log: String, source: io::Error },
}

impl Log {
    /// The row of segments as it is now.
    pub(crate) fn segment_row(&self) -> Arc<Vec<Arc<Segment>>> {
        self.segments.load_full()
    }

    pub(crate) fn fs(&self) -> &dyn Fs {
        &*self.context.fs
    }

    pub(crate) fn path_arc(&self) -> Arc<Path> {
        Arc::clone(&self.path)
    }

    /// The first offset that was not cleaned yet, if the log has ever been cleaned.
    pub fn clean_point(&self) -> Option<i64> {
        let offset = self.clean_point.load(Ordering::Acquire);
        (offset >= 0).then_some(offset)
    }

    /// Notes up to which offset the log is clean.
    pub fn set_clean_point(&self, offset: i64) {
        self.clean_point.store(offset, Ordering::Release);
    }

    /// Makes durable which files the log has: what was deleted does not come back. False if that
    /// could not be done, or the log takes nothing any more.
    pub(crate) fn keep_names(&self) -> bool {
        // Nor is the partition deleted meanwhile.
        let _no_sync = self.sync_lock.lock();
        if self.lock_to_write().is_err() {
            return false;
        }
        let synced = self.sync_names(&self.path);
        synced.map_err(|(error, what)| self.judge_failed_sync(&error, &what)).is_ok()
    }

    /// The end of the log moves back to `offset`: what comes there next was never cleaned.
    pub(super) fn cut_clean_point(&self, offset: i64) {
        self.clean_point.fetch_min(offset, Ordering::AcqRel);
    }

    /// Whether the log was closed or deleted.
    pub(crate) fn is_closed(&self) -> bool {
        self.writer.lock().closed
    }

    /// What the choice of a log to clean goes by.
    pub(crate) fn facts(&self, now_ms: i64) -> Result<LogFacts, SegmentError> {
        let config = self.config.load();
        let segments = self.segments.load();
        // A sync that was overtaken by a roll moves the recovery point to the end of a segment whose
        // indexes are still to be written, by its name.
        let unsealed = {
            let writer = self.writer.lock();
            let segments = writer.unsynced.iter().chain(&writer.unsealed);
            segments.map(|segment| segment.base_offset()).min()
        };
        let mut facts = LogFacts {
            segments: Vec::with_capacity(segments.len()),
            log_start_offset: self.log_start_offset(),
            log_end_offset: self.log_end_offset(),
            last_stable_offset: self.last_stable_offset(),
            recovery_point: unsealed.unwrap_or(i64::MAX).min(self.recovery_point()),
            checkpoint: self.clean_point(),
            min_compaction_lag_ms: config.min_compaction_lag_ms,
            max_compaction_lag_ms: config.max_compaction_lag_ms,
        };
        let dirty = facts.checkpoint.unwrap_or(facts.log_start_offset);
        for (segment, next_base) in with_next_base(&segments, 0) {
            let is_dirty = next_base.is_some_and(|next| next > dirty);
            let mut segment_facts = SegmentFacts {
                base_offset: segment.base_offset(),
                bytes: segment.size(),
                largest_timestamp: None,
                first_timestamp: None,
            };
            if is_dirty && config.min_compaction_lag_ms > 0 {
                segment_facts.largest_timestamp = Some(segment.largest_timestamp(self.fs())?);
            }
            if is_dirty && config.max_compaction_lag_ms < now_ms {
                segment_facts.first_timestamp = segment.first_batch_timestamp(self.fs())?;
            }
            facts.segments.push(segment_facts);
        }
        Ok(facts)
    }

    /// What is remembered of each producer, by its id.
    pub(crate) fn last_records(&self) -> HashMap<i64, LastRecord> {
        let last = |entry: &crate::producer_state::ProducerStateEntry| {
            let last_data_offset = Some(entry.last_data_offset()).filter(|offset| *offset >= 0);
            let producer_epoch = entry.producer_epoch();
            (entry.producer_id(), LastRecord { last_data_offset, producer_epoch })
        };
        self.writer.lock().producers.active_producers().map(last).collect()
    }

    /// Makes durable what is known of producers where `next` begins, behind the segments `before`. A
    /// start from an older snapshot would miss what compaction takes away between the two: the marker
    /// of a transaction that was open then.
    pub(crate) fn keep_producers_before(
        &self,
        before: &[Arc<Segment>],
        next: &Segment,
    ) -> Result<(), ReplaceError> {
        // Nor is the partition deleted meanwhile, and made again.
        let _no_sync = self.sync_lock.lock();
        if self.lock_to_write()?.producers.is_empty() {
            return Ok(());
        }
        let (fs, offset) = (self.fs(), next.base_offset());
        let content = producers::missing_snapshot(fs, &self.path, before, offset)?;
        let kept = producers::keep(fs, &self.path, offset, content.as_deref());
        let log = || self.topic_partition.to_string();
        kept.map_err(|source| ReplaceError::Io { log: log(), source })
    }

    /// Puts `cleaned`, which is finished, in the place of `old`, neighbours in the log's row that
    /// were synced before. The files of `cleaned` are removed unless it comes into the row.
    pub(crate) fn replace_segments(
        self: &Arc<Self>,
        old: &[Arc<Segment>],
        cleaned: &CleanedSegment,
        now_ms: i64,
    ) -> Result<Replaced, ReplaceError> {
        // Nothing else changes names in the partition's directory, and nothing is sealed.
        let _no_sync = self.sync_lock.lock();
        // That of a deleted partition may be another topic's by now.
        drop(self.lock_to_write()?);
        // Their sums go before the files do, and come again for the new one.
        let is_old = |base| old.iter().any(|segment| segment.base_offset() == base);
        let sums = self.context.dir.sealed().forget(self.fs(), &self.path, is_old);
        let _sums = sums.map_err(|source| self.replace_error(source, "forget the sums of"))?;
        let ready = self.prepare_to_replace(old, cleaned);
        if !matches!(ready, Ok(Replaced::Done)) {
            let removed = cleaned.remove(self.fs(), &[CLEANED_SUFFIX, SWAP_SUFFIX]);
            if let Err(source) = removed {
                return Err(self.replace_error(source, "remove"));
            }
            return ready;
        }
        // From here on a start finishes what is begun: there is no way back.
        let new = self.exchange_files(old, cleaned, now_ms);
        let new = new.map_err(|source| self.replace_error(source, "exchange"))?;
        let mut writer = self.lock_writer();
        self.exchange_row(&mut writer, old, Arc::clone(&new));
        drop(writer);
        self.sums_are_due(&[new]);
        for segment in old {
            segment.retire();
        }
        Ok(Replaced::Done)
    }

    /// Steps 1 and 2.
    fn prepare_to_replace(
        &self,
        old: &[Arc<Segment>],
        cleaned: &CleanedSegment,
    ) -> Result<Replaced, ReplaceError> {
        let writer = self.lock_to_write()?;
        let is_old = |segment: &Arc<Segment>| old.iter().any(|other| Arc::ptr_eq(other, segment));
        if writer.unsynced.iter().chain(&writer.unsealed).any(is_old) {
            return Ok(Replaced::RowHasChanged);
        }
        drop(writer);
        let Some(place) = self.place_of(old) else { return Ok(Replaced::RowHasChanged) };
        let row = self.segments.load_full();
        for (number, segment) in old.iter().enumerate() {
            // Kept open for those who hold the old row.
            segment.pin(self.fs())?;
            self.know_aborted(&row, place + number)?;
            segment.hold_aborted().map_err(|error| segment.io_error(error))?;
        }
        // A start after a power cut must not write bytes of the old files into the new one.
        let below = old.last().map_or(0, |last| last.base_offset().saturating_add(1));
        self.forget_replaced(below)?;
        let failed = |source| ReplaceError::Io { log: self.topic_partition.to_string(), source };
        // With all of the first names in place, no cut leaves some of the second ones alone.
        self.fs().sync_dir(&self.path).map_err(failed)?;
        for suffix in cleaned.suffixes() {
            let from = cleaned.path(suffix, CLEANED_SUFFIX);
            self.fs().rename(&from, &cleaned.path(suffix, SWAP_SUFFIX)).map_err(failed)?;
        }
        self.fs().sync_dir(&self.path).map_err(failed)?;
        Ok(Replaced::Done)
    }

    /// Steps 3 and 4.
    fn exchange_files(
        &self,
        old: &[Arc<Segment>],
        cleaned: &CleanedSegment,
        now_ms: i64,
    ) -> io::Result<Arc<Segment>> {
        let modified = old.last().map(|last| self.fs().metadata(&last.path(LOG_SUFFIX)));
        let delay_ms = self.config.load().file_delete_delay_ms;
        let delay = Delay::new(now_ms, delay_ms);
        for segment in old {
            let mut paths: Vec<PathBuf> =
                SEGMENT_SUFFIXES.iter().map(|suffix| segment.path(suffix)).collect();
            if segment.base_offset() != cleaned.base_offset() {
                // The producers as they were where no segment begins any more.
                paths.push(producers::path_of_segment(segment));
            }
            self.rename_to_deleted(paths, delay)?;
            if segment.base_offset() >= cleaned.next_offset() {
                // A start would take this one up again, as it was. It must then also find those
                // behind it: a tombstone without which an older record would come back.
                self.fs().sync_dir(&self.path)?;
            }
        }
        self.fs().sync_dir(&self.path)?;
        for suffix in cleaned.suffixes() {
            self.fs().rename(&cleaned.path(suffix, SWAP_SUFFIX), &cleaned.path(suffix, ""))?;
        }
        self.fs().sync_dir(&self.path)?;
        if let Some(Ok(modified)) = modified {
            // Retention goes by it where records have no time: not worth a failure.
            let path = cleaned.path(LOG_SUFFIX, "");
            if let Err(error) = self.fs().set_modified(&path, modified.modified_ms) {
                tracing::warn!(path = %path.display(), %error, "Cannot set the time of a segment");
            }
        }
        let new =
            Segment::existing(self.fs(), Arc::clone(&self.segment_dir), cleaned.base_offset())?;
        Ok(Arc::new(new))
    }

    pub(super) fn rename_to_deleted(
        &self,
        paths: impl IntoIterator<Item = PathBuf>,
        delay: Delay,
    ) -> io::Result<()> {
        let mut renamed = Vec::new();
        for path in paths {
            let to = suffixed(&path, DELETED_SUFFIX);
            match self.fs().rename(&path, &to) {
                Ok(()) => renamed.push(to),
                // Not every segment has every file, and the whole partition may be being deleted.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        self.delete_after(delay, renamed);
        Ok(())
    }

    fn exchange_row(&self, writer: &mut WriterGuard<'_>, old: &[Arc<Segment>], new: Arc<Segment>) {
        let is_old = |segment: &Arc<Segment>| old.iter().any(|other| Arc::ptr_eq(other, segment));
        assert!(!is_old(&writer.active), "the active segment is not replaced");
        debug_assert!(!writer.unsynced.iter().chain(&writer.unsealed).any(is_old));
        let mut row = Vec::clone(&self.segments.load());
        // A roll in the meantime changed the end of the row only.
        if let Some(place) = self.place_of(old) {
            row.splice(place..place + old.len(), [new]);
        }
        self.segments.store(Arc::new(row));
    }

    /// Where `old` lies in the row, whole and in one piece.
    fn place_of(&self, old: &[Arc<Segment>]) -> Option<usize> {
        let row = self.segments.load();
        let first = old.first()?;
        let place = row.iter().position(|segment| Arc::ptr_eq(segment, first))?;
        let there = row.get(place..place + old.len())?;
        let same = there.iter().zip(old).all(|(a, b)| Arc::ptr_eq(a, b));
        // The last one of the row is active.
        (same && place + old.len() < row.len()).then_some(place)
    }

    fn replace_error(&self, source: io::Error, what: &str) -> ReplaceError {
        let log = self.topic_partition.to_string();
        if !is_out_of_space(&source) || what == "exchange" {
            // Half of it may have been done: which files the names stand for is not known.
            let text = format!("cannot {what} the files of a cleaned segment of {log}: {source}");
            self.context.dir.take_offline(&text);
        }
        ReplaceError::Io { log, source }
    }
}
