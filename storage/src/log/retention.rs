//! Cutting the beginning of a log off: by age, by size, by request. And deleting files.
//!
//! Files are first renamed to `*.deleted`, which makes them vanish for a restart, and removed
//! after `file.delete.delay.ms`, so that a slow reader finishes with what it has open.
//!
//! What must be durable before segments go (the name of the segment behind them, what is known of
//! producers in them) is synced without the writer's lock: appends go on meanwhile.
//! `storage/examples/retention_cost.rs` measures what it costs.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use thiserror::Error;

use super::read::with_next_base;
use super::writer::WriterGuard;
use super::{Log, Unwritable, producers};
use crate::delay::Delay;
use crate::log_config::LogConfig;
use crate::log_dir::is_out_of_space;
use crate::segment::files::SEGMENT_SUFFIXES;
use crate::segment::{Segment, SegmentError};

/// Files that wait for their deletion.
#[derive(Debug)]
pub(super) struct DeletedFiles {
    delay: Delay,
    paths: Vec<PathBuf>,
}

/// What retention wants to delete, as it was when that was judged.
#[derive(Debug)]
pub(super) struct Deletable {
    /// The first ones of the log's row.
    segments: Vec<Arc<Segment>>,
    end_offset: i64,
}

/// Why segments were not deleted.
#[derive(Debug, Error)]
pub enum RetentionError {
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    #[error(transparent)]
    Segment(#[from] SegmentError),
    #[error("cannot delete segments of {log}: {source}")]
    Io { log: String, source: io::Error },
}

/// Why records were not deleted.
#[derive(Debug, Error)]
pub enum DeleteRecordsError {
    /// Kafka's OFFSET_OUT_OF_RANGE (1).
    #[error("offset {offset} is beyond the last one that can be deleted up to, {limit}")]
    OffsetOutOfRange { offset: i64, limit: i64 },
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
}

impl Log {
    /// Moves the log's start up to `offset`, which must not be beyond what readers may see.
    /// Returns the new start; an offset before the old start changes nothing. Segments that lie
    /// wholly before it go with the next [`Log::delete_old_segments`].
    ///
    /// The new start is on the disk when `log-start-offset-checkpoint` is.
    pub fn delete_records_before(&self, offset: i64) -> Result<i64, DeleteRecordsError> {
        let mut writer = self.lock_to_write()?;
        let limit = writer.visible_end();
        if offset > limit {
            return Err(DeleteRecordsError::OffsetOutOfRange { offset, limit });
        }
        self.move_start(&mut writer, offset);
        Ok(self.log_start_offset())
    }

    fn move_start(&self, writer: &mut WriterGuard<'_>, offset: i64) {
        if offset <= self.log_start_offset() {
            return;
        }
        assert!(offset <= writer.next_offset, "a log does not begin behind its end");
        self.log_start_offset.store(offset, Ordering::Release);
        if writer.epochs.truncate_from_start(offset) {
            writer.epochs_unwritten = true;
        }
    }

    /// Deletes the segments that `retention.ms`, `retention.bytes` or the log's start have made
    /// superfluous. Returns how many. Only what readers may see is deleted.
    pub fn delete_old_segments(self: &Arc<Self>, now_ms: i64) -> Result<usize, RetentionError> {
        let config = self.config.load();
        if self.deletable(&config, now_ms)?.segments.is_empty() {
            return Ok(0);
        }
        // A sync under way would write the indexes of what goes, a truncation or a compaction would
        // change what is judged, and a partition that is deleted and made again at the same time
        // would have its new files renamed.
        let _no_sync = self.sync_lock.lock();
        let deletable = self.deletable(&config, now_ms)?;
        self.delete(&deletable, now_ms, config.file_delete_delay_ms)
    }

    /// The caller holds `sync_lock` since it has judged.
    pub(super) fn delete(
        self: &Arc<Self>,
        deletable: &Deletable,
        now_ms: i64,
        delay_ms: i64,
    ) -> Result<usize, RetentionError> {
        let count = deletable.segments.len();
        if !self.make_way_for(deletable)? {
            return Ok(0);
        }
        let has_producers = !self.lock_writer().producers.is_empty();
        if let Some(first) = self.segments.load().get(count).filter(|_| has_producers) {
            self.keep_producers(&deletable.segments, first)?;
        }
        let mut writer = self.lock_to_write()?;
        let segments = Vec::clone(&self.segments.load());
        let (old, kept) = segments.split_at_checked(count).unwrap_or_default();
        let Some(first) = kept.first() else { return Ok(0) };
        self.move_start(&mut writer, first.base_offset());
        self.segments.store(Arc::new(kept.to_vec()));
        let is_old = |segment: &Arc<Segment>| old.iter().any(|other| Arc::ptr_eq(other, segment));
        writer.unsynced.retain(|segment| !is_old(segment));
        writer.unsealed.retain(|segment| !is_old(segment));
        writer.names_unsynced = true;
        drop(writer);
        for segment in old {
            tracing::info!(log = %self.topic_partition, %segment, "Deleting segment");
            let deleted = self.delete_later(segment, Delay::new(now_ms, delay_ms));
            deleted.map_err(|source| self.retention_error(source))?;
        }
        Ok(old.len())
    }

    /// Before segments go there is one behind them. If the active one goes too, a new one takes its
    /// place; and the name of an empty one, which holds the next offset, is made durable. Appends go on
    /// meanwhile: nothing is synced under the writer's lock. Returns false if an append to what was
    /// judged has come between: the next check judges anew.
    fn make_way_for(self: &Arc<Self>, deletable: &Deletable) -> Result<bool, RetentionError> {
        let mut writer = self.lock_to_write()?;
        let segments = Arc::clone(&self.segments.load());
        let (count, there) = (deletable.segments.len(), segments.iter().zip(&deletable.segments));
        let same = there.filter(|(a, b)| Arc::ptr_eq(a, b)).count();
        let all = count == segments.len();
        if count == 0 || same < count || all && writer.next_offset != deletable.end_offset {
            return Ok(false);
        }
        if all {
            self.roll_locked(&mut writer);
        }
        let last_is_new = all || count + 1 == segments.len();
        if last_is_new && !writer.active.has_file() {
            let made = self.make_active_file(&mut writer);
            drop(writer);
            let synced = made.and_then(|()| self.sync_own_names());
            synced.map_err(|source| self.retention_error(source))?;
        }
        Ok(true)
    }

    /// What is known of producers outlives the segments `old`, after which `first` begins. Where
    /// that cannot be, for damage or a full disk, the segments go all the same.
    fn keep_producers(&self, old: &[Arc<Segment>], first: &Segment) -> Result<(), RetentionError> {
        let (fs, dir, offset) = (self.fs(), &self.path, first.base_offset());
        let warn = |why: &dyn std::fmt::Display| {
            let log = &self.topic_partition;
            tracing::warn!(%log, %why, "Cannot keep what is known of producers in deleted segments");
        };
        let content = match producers::missing_snapshot(fs, dir, old, offset) {
            Err(damage @ SegmentError::Corrupt { .. }) => {
                warn(&damage);
                return Ok(());
            }
            content => content?,
        };
        match producers::keep(fs, dir, offset, content.as_deref()) {
            Err(error) if is_out_of_space(&error) => {
                warn(&error);
                Ok(())
            }
            kept => kept.map_err(|source| self.retention_error(source)),
        }
    }

    /// The segments at the front that may go. Kafka asks for the log's start, the size and the age
    /// one after the other, each time from the front; that comes to the same.
    pub(super) fn deletable(
        &self,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<Deletable, SegmentError> {
        self.look_at_segments(|segments| self.deletable_of(segments, config, now_ms))
    }

    fn deletable_of(
        &self,
        segments: &[Arc<Segment>],
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<Deletable, SegmentError> {
        let end = self.end.load();
        let (start_offset, visible_end) = (self.log_start_offset(), self.visible_end());
        let delete = config.cleanup_policy.delete;
        let mut excess = match u64::try_from(config.retention_bytes) {
            Ok(limit) if delete => self.size().checked_sub(limit),
            _ => None,
        };
        let mut deletable = Deletable { segments: Vec::new(), end_offset: end.offset };
        for (segment, next_base) in with_next_base(segments, 0) {
            let end_offset = next_base.unwrap_or(end.offset);
            let is_empty_active = next_base.is_none() && segment.size() == 0;
            if end_offset > visible_end || is_empty_active {
                break;
            }
            let before_start = next_base.is_some_and(|next| next <= start_offset);
            let left = excess.and_then(|excess| excess.checked_sub(segment.size()));
            let too_much = left.is_some();
            if !(before_start || too_much || delete && self.is_too_old(segment, config, now_ms)?) {
                break;
            }
            excess = left;
            deletable.segments.push(Arc::clone(segment));
        }
        Ok(deletable)
    }

    /// By the records' own times; a time in the future keeps a segment until it is past.
    fn is_too_old(
        &self,
        segment: &Segment,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<bool, SegmentError> {
        if config.retention_ms < 0 {
            return Ok(false);
        }
        let newest_ms = segment.largest_timestamp(self.fs())?;
        if newest_ms > now_ms {
            tracing::warn!(
                log = %self.topic_partition, %segment, newest_ms,
                "Segment has records of the future: it is not deleted before they are old"
            );
        }
        Ok(now_ms.saturating_sub(newest_ms) > config.retention_ms)
    }

    fn retention_error(&self, source: io::Error) -> RetentionError {
        if !is_out_of_space(&source) {
            let what = format!("cannot delete segments of {}: {source}", self.topic_partition);
            self.context.dir.take_offline(&what);
        }
        RetentionError::Io { log: self.topic_partition.to_string(), source }
    }

    fn files_of(&self, segment: &Segment) -> io::Result<Vec<PathBuf>> {
        let mut paths: Vec<PathBuf> =
            SEGMENT_SUFFIXES.iter().map(|suffix| segment.path(suffix)).collect();
        paths.push(producers::path_of_segment(segment));
        let mut there = Vec::new();
        for path in paths {
            if self.fs().exists(&path)? {
                there.push(path);
            }
        }
        Ok(there)
    }

    fn delete_later(&self, segment: &Segment, delay: Delay) -> io::Result<()> {
        segment.retire();
        self.rename_to_deleted(self.files_of(segment)?, delay)
    }

    pub(super) fn delete_after(&self, delay: Delay, paths: Vec<PathBuf>) {
        self.deleted_files.lock().push(DeletedFiles { delay, paths });
    }

    /// Removes the files whose time has come. What cannot be removed is said and left: the next
    /// start removes it.
    pub(super) fn remove_deleted_files(&self, now_ms: i64) {
        let due: Vec<DeletedFiles> =
            self.deleted_files.lock().extract_if(.., |files| files.delay.is_over(now_ms)).collect();
        for path in due.into_iter().flat_map(|files| files.paths) {
            // A segment that compaction replaces again leaves files of the same names.
            if let Err(error) = self.fs().remove_file(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "Cannot remove a deleted file");
            }
        }
    }

    /// Removes a segment's files at once.
    pub(super) fn remove_files(&self, segment: &Segment) -> io::Result<()> {
        segment.retire();
        for path in self.files_of(segment)? {
            self.fs().remove_file(&path)?;
        }
        Ok(())
    }
}
