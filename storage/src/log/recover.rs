//! Opening a log that lies on the disk.
//!
//! After a clean stop the files are believed: of the last segment the few batches behind the last
//! index entry are looked at, of the others nothing. After an unclean one every segment that
//! reaches beyond the recovery point is walked, and the first damage is judged by what was
//! promised, not by what follows it:
//!
//! - before [`OpenLog::durable_end`] it is in what was acknowledged as durable: the log does not
//!   open, nothing is touched, the error names file, position and remedy;
//! - at or after it, it is a write that a crash tore, or a hole that a power cut left in `acks<=1`
//!   data: the log is cut there. What is cut off is kept in files, and said.
//!
//! What has been recovered is synced before the log is used, since readers will see it.
//!
//! | file | holds |
//! |---|---|
//! | `walk.rs` | walk what lies beyond the recovery point |
//! | `cut.rs` | judge damage, cut it off |
//! | `kept.rs` | the files that keep what was cut off |
//! | `sync.rs` | make durable what is left |

mod cut;
pub(crate) mod kept;
mod sync;
mod walk;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use thiserror::Error;

use super::{Log, LogContext, Writer, leftovers, producers, transactions};
use crate::fs::{Fs, read_file};
use crate::leader_epoch_cache::{LEADER_EPOCH_CHECKPOINT, LeaderEpochCache};
use crate::log_config::LogConfig;
use crate::sealed_sums::{self, SEALED_SUMS_FILE};
use crate::segment::files::{LOG_SUFFIX, base_offset};
use crate::segment::kept::SegmentDir;
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
    /// Everything before it was acknowledged as durable, as far as is known; what lies between the
    /// recovery point and here is walked, but may not be cut.
    pub durable_end: i64,
    /// From `cleaner-offset-checkpoint`: before it, too, compaction has left gaps.
    pub clean_point: Option<i64>,
    /// The log directory was closed cleanly.
    pub clean_shutdown: bool,
    /// The caller makes the whole log directory durable before the log is used.
    pub sync_later: bool,
    pub now_ms: i64,
}

/// What opening a log has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogRecovery {
    /// Segments that were walked.
    pub segments_scanned: usize,
    /// Bytes that were cut off.
    pub bytes_cut: u64,
    /// Of those, bytes that are kept in files.
    pub bytes_kept: u64,
}

/// Why a log could not be opened.
#[derive(Debug, Error)]
pub enum OpenLogError {
    #[error(transparent)]
    Segment(#[from] SegmentError),
    #[error("cannot open {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// Only after a clean stop.
    #[error(
        "log-start-offset-checkpoint says that {} begins at offset {log_start_offset}, but it ends at offset {end}: correct the line, or remove it to have all of the log",
        path.display()
    )]
    StartBeyondEnd { path: PathBuf, log_start_offset: i64, end: i64 },
    /// Damage in what was durable once.
    #[error(
        "{damage}; everything before offset {durable_end} was durable once, so nothing is cut off: \
         `barnabas storage repair {} --dry-run` lists what can be saved",
        log_dir.display()
    )]
    DurableDataDamaged { damage: SegmentError, durable_end: i64, log_dir: PathBuf },
    /// All of what was durable once is missing.
    #[error(
        "{} holds no segments; everything before offset {durable_end} was durable once: bring its \
         files back, or let `barnabas storage repair {}` begin it anew at that offset",
        path.display(),
        log_dir.display()
    )]
    NoSegments { path: PathBuf, durable_end: i64, log_dir: PathBuf },
    /// It looks as if a compaction had been interrupted, but none makes such a name.
    #[error("{} is no file of a compaction: it has to be moved away", path.display())]
    UnfinishedCompaction { path: PathBuf },
}

/// A log on its way to being open.
#[derive(Debug)]
struct Opening<'a> {
    fs: &'a dyn Fs,
    open: &'a OpenLog,
    segment_dir: Arc<SegmentDir>,
    path: Arc<Path>,
    segments: Vec<Arc<Segment>>,
    epochs: LeaderEpochCache,
    epochs_changed: bool,
    /// Their file is missing or damaged.
    epochs_lost: bool,
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
            segment_dir: SegmentDir::new(&context, &path),
            path: Arc::clone(&path),
            segments: Vec::new(),
            epochs: LeaderEpochCache::new(),
            epochs_changed: false,
            epochs_lost: false,
            recovery: LogRecovery::default(),
        };
        let names = leftovers::settle(&*fs, &path)?;
        opening.find_segments(&names)?;
        if names.iter().any(|name| name == SEALED_SUMS_FILE) {
            // The last segment will be written to again, whatever it was.
            opening.forget_sums_from(opening.segments.len().saturating_sub(1))?;
        }
        opening.read_epochs()?;
        let next_offset = opening.next_offset()?;
        opening.epochs_changed |= opening.epochs.truncate_from_end(next_offset);
        let epochs_written = opening.write_epochs()?;
        let Opening { segment_dir, segments, epochs, recovery, .. } = opening;
        let start_offset = segments.first().map_or(0, |segment| segment.base_offset());

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
            None => Arc::new(Segment::new(Arc::clone(&segment_dir), start_offset)),
        };
        let segments = if segments.is_empty() { vec![Arc::clone(&active)] } else { segments };
        let mut writer = Writer::new(active, next_offset);
        writer.producers = producers;
        writer.epochs = epochs;
        writer.epochs_unwritten = !epochs_written;

        let (partition, config) = (open.topic_partition.clone(), open.config.clone());
        let log =
            Arc::new(Self::assemble(context, partition, segment_dir, config, segments, writer));
        if !epochs_written {
            log.recovery_point.fetch_min(open.recovery_point, Ordering::AcqRel);
        }
        log.start_at(open)?;
        log.note_checkpointed();
        Ok((log, recovery))
    }

    /// Sets the start of a log that has just been opened. A power cut may have taken back the end
    /// and not the start; after a clean stop a start beyond the end was not written by us, and
    /// believing it would delete the log.
    fn start_at(self: &Arc<Self>, open: &OpenLog) -> Result<(), OpenLogError> {
        let log_start_offset = open.log_start_offset;
        if log_start_offset > self.log_end_offset() {
            if open.clean_shutdown {
                let (path, end) = (open.path.clone(), self.log_end_offset());
                return Err(OpenLogError::StartBeyondEnd { path, log_start_offset, end });
            }
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
            let segment = Segment::existing(self.fs, Arc::clone(&self.segment_dir), base)
                .map_err(|error| self.io_error(&self.path, error))?;
            self.segments.push(Arc::new(segment));
        }
        debug_assert!(self.segments.is_sorted_by_key(|segment| segment.base_offset()));
        Ok(())
    }

    /// A missing or damaged file is made anew: the batches are asked then.
    fn read_epochs(&mut self) -> Result<(), OpenLogError> {
        let path = self.path.join(LEADER_EPOCH_CHECKPOINT);
        let decoded = match read_file(self.fs, &path, EPOCHS_BYTES_MAX) {
            Ok(bytes) => LeaderEpochCache::decode(&bytes).map_err(|error| error.to_string()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.epochs_lost = true;
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(error.to_string()),
            Err(error) => return Err(self.io_error(&path, error)),
        };
        match decoded {
            Ok(epochs) if self.covers_start(&epochs) => self.epochs = epochs,
            Ok(_) => self.lose_epochs(&path, "they do not say with which epoch the log begins"),
            Err(error) => self.lose_epochs(&path, &error),
        }
        Ok(())
    }

    fn lose_epochs(&mut self, path: &Path, why: &str) {
        tracing::warn!(path = %path.display(), why, "Leader epochs are damaged");
        (self.epochs_lost, self.epochs_changed) = (true, true);
    }

    fn covers_start(&self, epochs: &LeaderEpochCache) -> bool {
        let Some((first, entry)) = self.segments.first().zip(epochs.entries().first()) else {
            return true;
        };
        let start = first.base_offset().max(self.open.log_start_offset);
        let is_empty = self.segments.iter().all(|segment| segment.size() == 0);
        is_empty || entry.start_offset <= start
    }

    /// Forgets the sums of the segments from this one on, before they are changed.
    fn forget_sums_from(&self, number: usize) -> Result<(), OpenLogError> {
        let Some(from) = self.segments.get(number).map(|segment| segment.base_offset()) else {
            return Ok(());
        };
        sealed_sums::forget(self.fs, &self.path, |base| base >= from)
            .map_err(|error| self.io_error(&self.path.join(SEALED_SUMS_FILE), error))
    }

    /// The offset of the next record. After an unclean stop: once the damage has been judged, and
    /// what is left is on stable storage.
    fn next_offset(&mut self) -> Result<i64, OpenLogError> {
        if self.segments.is_empty() {
            return self.check_end(0).map(|()| 0);
        }
        if self.open.clean_shutdown && !self.epochs_lost {
            let Some(last) = self.segments.last() else { return Ok(0) };
            // What was stopped cleanly was durable, all of it.
            let next_offset = last.activate(self.fs).map_err(|error| self.durable(error))?;
            return self.check_end(next_offset).map(|()| next_offset);
        }
        let walk = self.walk()?;
        if let Some(damage) = walk.damage {
            self.cut(damage, walk.next_offset)?;
        }
        self.check_end(walk.next_offset)?;
        transactions::rebuild_stale(self.fs, &self.path, &self.segments)?;
        self.sync(walk.first)?;
        Ok(walk.next_offset)
    }

    /// A log does not end before what was durable once.
    fn check_end(&self, next_offset: i64) -> Result<(), OpenLogError> {
        let durable_end = self.open.durable_end();
        if next_offset >= durable_end {
            return Ok(());
        }
        let log_dir = self.open.log_dir();
        let Some(last) = self.segments.last() else {
            let path = self.open.path.clone();
            return Err(OpenLogError::NoSegments { path, durable_end, log_dir });
        };
        let damage = last.corrupt(last.size(), format!("the log ends at offset {next_offset}"));
        Err(OpenLogError::DurableDataDamaged { damage, durable_end, log_dir })
    }

    /// Damage in what was durable; other errors stay what they are.
    fn durable(&self, error: SegmentError) -> OpenLogError {
        match error {
            damage @ SegmentError::Corrupt { .. } => {
                let (durable_end, log_dir) = (self.open.durable_end(), self.open.log_dir());
                OpenLogError::DurableDataDamaged { damage, durable_end, log_dir }
            }
            io @ SegmentError::Io { .. } => io.into(),
        }
    }
}

impl OpenLog {
    /// Everything before this offset was durable once, whoever knows it.
    fn durable_end(&self) -> i64 {
        self.durable_end.max(self.recovery_point)
    }

    /// The log directory that the partition's lies in.
    fn log_dir(&self) -> PathBuf {
        self.path.parent().unwrap_or(&self.path).to_owned()
    }
}
