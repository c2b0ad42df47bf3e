//! Opening a log that lies on the disk.
//!
//! After a clean stop the files are believed: of the last segment the few batches behind the last
//! index entry are looked at, of the others nothing. After an unclean one every segment that
//! reaches beyond the recovery point is walked, and what is found damaged is judged:
//!
//! - damage before the recovery point, or with a good batch anywhere behind it, is a hole in what
//!   may have been acknowledged: the log does not open, the error names file and position;
//! - damage at the very end is a torn write: it is cut off, and said.
//!
//! What has been recovered is synced before the log is used, since readers will see it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use thiserror::Error;

use super::{Log, LogContext, Writer, leftovers, producers, transactions};
use crate::fs::{Fs, read_file};
use crate::leader_epoch_cache::{LEADER_EPOCH_CHECKPOINT, LeaderEpochCache};
use crate::log_config::LogConfig;
use crate::log_dir::is_out_of_space;
use crate::segment::files::{LOG_SUFFIX, base_offset};
use crate::segment::recover::Recovered;
use crate::segment::{Segment, SegmentError};
use crate::topic_partition::TopicPartition;

/// Larger than any real leader epoch file.
const EPOCHS_BYTES_MAX: u64 = 16 << 20;

/// What is known of a log before it is opened.
#[derive(Clone, Debug)]
pub struct OpenLog {
    pub topic_partition: TopicPartition,
    /// The partition's directory.
    pub path: PathBuf,
    pub config: LogConfig,
    /// From `log-start-offset-checkpoint`; 0 if there is none.
    pub log_start_offset: i64,
    /// From `recovery-point-offset-checkpoint`; 0 if there is none.
    pub recovery_point: i64,
    /// The log directory was closed cleanly.
    pub clean_shutdown: bool,
    pub now_ms: i64,
}

/// What opening a log has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogRecovery {
    /// Segments that were walked.
    pub segments_scanned: usize,
    /// Bytes of a torn write that were cut off.
    pub bytes_cut: u64,
}

/// Why a log could not be opened.
#[derive(Debug, Error)]
pub enum OpenLogError {
    #[error(transparent)]
    Segment(#[from] SegmentError),
    #[error("cannot open {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// Damage in the middle of a log. Cutting it off would lose good records.
    #[error("{damage}; good records follow ({}), so nothing is cut off", follows)]
    Hole { damage: SegmentError, follows: String },
    /// Damage in what was synced once.
    #[error("{damage}; everything before offset {recovery_point} was on the disk once")]
    DurableDataDamaged { damage: SegmentError, recovery_point: i64 },
    /// A compaction by Kafka was interrupted.
    #[error("{} belongs to an unfinished compaction: let Kafka finish it first", path.display())]
    UnfinishedCompaction { path: PathBuf },
}

/// A log on its way to being open.
struct Opening<'a> {
    fs: &'a dyn Fs,
    open: &'a OpenLog,
    path: Arc<Path>,
    segments: Vec<Arc<Segment>>,
    epochs: LeaderEpochCache,
    epochs_changed: bool,
    recovery: LogRecovery,
}

impl Log {
    /// Opens the log in `open.path`, which must be a directory. It may be empty.
    pub fn open(
        context: LogContext,
        open: &OpenLog,
    ) -> Result<(Arc<Self>, LogRecovery), OpenLogError> {
        let path: Arc<Path> = Arc::from(open.path.as_path());
        let fs = Arc::clone(&context.fs);
        let mut opening = Opening {
            fs: &*fs,
            open,
            path: Arc::clone(&path),
            segments: Vec::new(),
            epochs: LeaderEpochCache::new(),
            epochs_changed: false,
            recovery: LogRecovery::default(),
        };
        let names = leftovers::settle(&*fs, &path)?;
        opening.find_segments(&names)?;
        opening.read_epochs();
        let next_offset = opening.next_offset()?;
        let Opening { segments, mut epochs, epochs_changed, recovery, .. } = opening;
        let start_offset = segments.first().map_or(0, |segment| segment.base_offset());
        let cut = epochs.truncate_from_end(next_offset);

        let snapshots = producers::snapshot_offsets(&names);
        let producers = producers::load(
            &*fs,
            &path,
            snapshots,
            &segments,
            next_offset,
            open.now_ms,
            context.producer_id_expiration_ms,
        )?;
        let active = match segments.last() {
            Some(active) => Arc::clone(active),
            None => Arc::new(Segment::new(Arc::clone(&path), start_offset)),
        };
        let segments = if segments.is_empty() { vec![Arc::clone(&active)] } else { segments };
        let mut writer = Writer::new(active, next_offset);
        writer.producers = producers;
        writer.epochs = epochs;
        writer.epochs_unwritten = epochs_changed || cut;

        let (partition, config) = (open.topic_partition.clone(), open.config.clone());
        let log = Arc::new(Self::assemble(context, partition, path, config, segments, writer));
        log.start_at(open.log_start_offset)?;
        Ok((log, recovery))
    }

    /// Sets the start of a log that has just been opened.
    fn start_at(self: &Arc<Self>, log_start_offset: i64) -> Result<(), OpenLogError> {
        if log_start_offset > self.log_end_offset() {
            tracing::warn!(
                log = %self.topic_partition, log_start_offset,
                log_end_offset = self.log_end_offset(),
                "Log ends before its start offset: it begins anew there"
            );
            return self.truncate_fully_and_start_at(log_start_offset).map_err(|error| {
                let source = io::Error::other(error);
                OpenLogError::Io { path: self.path.to_path_buf(), source }
            });
        }
        let start = self.log_start_offset().max(log_start_offset);
        self.log_start_offset.store(start, Ordering::Release);
        let mut writer = self.lock_writer();
        if writer.epochs.truncate_from_start(start) {
            writer.epochs_unwritten = true;
        }
        Ok(())
    }
}

impl Opening<'_> {
    fn io_error(&self, path: &Path, source: io::Error) -> OpenLogError {
        OpenLogError::Io { path: path.to_owned(), source }
    }

    /// The names are sorted, and so are the segments.
    fn find_segments(&mut self, names: &[String]) -> Result<(), OpenLogError> {
        for base in names.iter().filter_map(|name| base_offset(name, LOG_SUFFIX)) {
            let segment = Segment::existing(self.fs, Arc::clone(&self.path), base)
                .map_err(|error| self.io_error(&self.path, error))?;
            self.segments.push(Arc::new(segment));
        }
        debug_assert!(self.segments.is_sorted_by_key(|segment| segment.base_offset()));
        Ok(())
    }

    /// A missing or damaged file is made anew as far as the scanned segments tell.
    fn read_epochs(&mut self) {
        let path = self.path.join(LEADER_EPOCH_CHECKPOINT);
        let bytes = match read_file(self.fs, &path, EPOCHS_BYTES_MAX) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "Cannot read the leader epochs");
                return;
            }
        };
        match LeaderEpochCache::decode(&bytes) {
            Ok(epochs) => self.epochs = epochs,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "Leader epochs are damaged");
                self.epochs_changed = true;
            }
        }
    }

    fn next_offset(&mut self) -> Result<i64, OpenLogError> {
        let Some(last) = self.segments.last() else { return Ok(0) };
        if !self.open.clean_shutdown {
            return self.recover();
        }
        let next_offset = last.activate(self.fs)?;
        if next_offset < self.open.recovery_point {
            let recovery_point = self.open.recovery_point;
            let damage = last.corrupt(last.size(), format!("it ends before offset {next_offset}"));
            return Err(OpenLogError::DurableDataDamaged { damage, recovery_point });
        }
        Ok(next_offset)
    }

    /// Walks the segments that reach beyond the recovery point. Returns the next offset.
    fn recover(&mut self) -> Result<i64, OpenLogError> {
        let recovery_point = self.open.recovery_point;
        // Without leader epochs all batches have to be asked for theirs.
        let epochs_missing = self.epochs.is_empty();
        let from = if epochs_missing { 0 } else { recovery_point };
        let after = self.segments.partition_point(|segment| segment.base_offset() <= from);
        let first = after.saturating_sub(1);
        let mut next_offset = 0;
        for number in first..self.segments.len() {
            let Some(segment) = self.segments.get(number).map(Arc::clone) else { break };
            if number > first {
                self.check_gap(number, next_offset)?;
            }
            let recovered = self.scan(&segment)?;
            self.recovery.segments_scanned += 1;
            next_offset = recovered.next_offset;
            if let Some(damage) = recovered.damage {
                let end = next_offset;
                self.judge_damage(&segment, number, damage, recovered.valid_bytes, end)?;
                break;
            }
        }
        if next_offset < recovery_point
            && let Some(last) = self.segments.last()
        {
            let damage = last.corrupt(last.size(), format!("the log ends at offset {next_offset}"));
            return Err(OpenLogError::DurableDataDamaged { damage, recovery_point });
        }
        transactions::rebuild_stale(self.fs, &self.path, &self.segments)?;
        self.sync_recovered(first)?;
        Ok(next_offset)
    }

    /// A segment begins where the one before it ends, unless compaction took what was between.
    fn check_gap(&self, number: usize, next_offset: i64) -> Result<(), OpenLogError> {
        let pair = self.segments.get(number - 1).zip(self.segments.get(number));
        let Some((before, segment)) = pair else { return Ok(()) };
        let is_gap = segment.base_offset() > next_offset && segment.size() > 0;
        if !is_gap || self.open.config.cleanup_policy.compact {
            return Ok(());
        }
        let reason = format!("it ends at offset {next_offset}");
        let damage = before.corrupt(before.size(), reason);
        Err(OpenLogError::Hole { damage, follows: segment.to_string() })
    }

    fn scan(&mut self, segment: &Segment) -> Result<Recovered, OpenLogError> {
        let interval = u64::try_from(self.open.config.index_interval_bytes).unwrap_or(0);
        let (epochs, changed) = (&mut self.epochs, &mut self.epochs_changed);
        let recovered =
            segment.recover(self.fs, self.open.recovery_point, interval, &mut |header| {
                *changed |= epochs.assign(header.partition_leader_epoch, header.base_offset);
            })?;
        Ok(recovered)
    }

    /// Cuts a torn end off, and refuses everything else.
    fn judge_damage(
        &mut self,
        segment: &Arc<Segment>,
        number: usize,
        damage: SegmentError,
        valid_bytes: u64,
        next_offset: i64,
    ) -> Result<(), OpenLogError> {
        let recovery_point = self.open.recovery_point;
        if next_offset < recovery_point {
            return Err(OpenLogError::DurableDataDamaged { damage, recovery_point });
        }
        let later = self.segments.get(number..).unwrap_or_default();
        for (at, candidate) in later.iter().enumerate() {
            let position = if at == 0 { valid_bytes } else { 0 };
            let found = candidate.find_good_batch(self.fs, position, next_offset)?;
            if let Some(position) = found {
                let follows = format!("{candidate} at position {position}");
                return Err(OpenLogError::Hole { damage, follows });
            }
        }
        let bytes_cut = segment.size() - valid_bytes;
        tracing::warn!(
            log = %self.open.topic_partition, %damage, next_offset, bytes_cut,
            "Cutting off a write that was not finished"
        );
        self.recovery.bytes_cut = bytes_cut;
        let file = segment.file(self.fs)?;
        file.set_len(valid_bytes).map_err(|error| segment.io_error(error))?;
        segment.set_size(valid_bytes);
        for later in self.segments.drain(number + 1..) {
            self.recovery.bytes_cut += later.size();
            let path = later.path(LOG_SUFFIX);
            let removed = self.fs.remove_file(&path);
            removed.map_err(|source| OpenLogError::Io { path, source })?;
        }
        Ok(())
    }

    /// On a full disk the indexes stay in memory: the log opens all the same, and they are made
    /// anew when they are missed.
    fn seal(&self, segment: &Segment) -> io::Result<()> {
        match segment.seal(self.fs) {
            Ok(files) => files.into_iter().flatten().try_for_each(|file| file.sync_data()),
            Err(error) if is_out_of_space(&error) => segment.remove_index_files(self.fs),
            Err(error) => Err(error),
        }
    }

    /// Makes durable what was walked, and writes the indexes of all but the last segment.
    fn sync_recovered(&self, first: usize) -> Result<(), OpenLogError> {
        let recovered = self.segments.get(first..).unwrap_or_default();
        let count = recovered.len();
        for segment in recovered {
            segment.sync_whole(self.fs).map_err(|error| segment.io_error(error))?;
        }
        // The names may have been made just before the crash.
        for dir in [Some(&*self.path), self.path.parent()].into_iter().flatten() {
            self.fs.sync_dir(dir).map_err(|error| self.io_error(dir, error))?;
        }
        for (at, segment) in recovered.iter().enumerate() {
            let failed = |error| segment.io_error(error);
            // What is there may point into what was cut off. Until the next clean stop, which
            // syncs the names again, no start believes an index.
            segment.remove_index_files(self.fs).map_err(failed)?;
            if at + 1 < count {
                self.seal(segment).map_err(failed)?;
            }
        }
        if count > 1 {
            let path = &self.path;
            self.fs.sync_dir(path).map_err(|error| self.io_error(path, error))?;
        }
        Ok(())
    }
}
