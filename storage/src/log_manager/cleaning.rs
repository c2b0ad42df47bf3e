//! Compaction of this manager's logs: which one is next, what becomes of it, what is remembered.
//!
//! `cleaner-offset-checkpoint` in each log directory has, as in Kafka, the first offset of each
//! log that was not cleaned yet. A log whose cleaning has failed is not tried again before the
//! next start; one for which there was no room on the disk is tried again later.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;
use std::{io, mem};

use parking_lot::Mutex;

use super::{LogManager, ManagedDir};
use crate::TopicPartition;
use crate::cleaner::choose::{Cleanable, InvalidCheckpoint, cleanable, dirtiest};
use crate::cleaner::clean::{CleanError, CleanedStats, Cleaning};
use crate::cleaner::offset_map::OffsetMap;
use crate::cleaner::status::LastCleaning;
use crate::cleaner::threads::{CleanerClock, CleanerThreads, Stop};
use crate::cleaner::throttle::Throttle;
use crate::cleaner::{CleanerConfig, CleanerStatus};
use crate::log::Log;
use crate::log_dir::is_out_of_space;

/// How long a log is let alone for which the disk had no room.
const NO_SPACE_WAIT_MS: i64 = 300_000;

/// What the cleaners of a manager share.
#[derive(Debug)]
pub(super) struct Cleaners {
    config: Mutex<CleanerConfig>,
    throttle: Mutex<Throttle>,
    state: Mutex<State>,
    last: Mutex<HashMap<usize, LastCleaning>>,
    threads: Mutex<Option<CleanerThreads>>,
    reconfiguring: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    in_progress: HashSet<TopicPartition>,
    /// Logs that cannot be cleaned, with their log directory. A log of the same name that is made
    /// later is another one.
    uncleanable: HashMap<TopicPartition, (Weak<Log>, PathBuf)>,
    postponed_until_ms: HashMap<TopicPartition, i64>,
    dirtiest_ratio: f64,
    last_run_ms: Option<i64>,
}

/// A log that is to be cleaned.
struct Chosen {
    log: Arc<Log>,
    range: Cleanable,
    delay_ms: i64,
}

impl Cleaners {
    pub(super) fn new() -> Self {
        let config = CleanerConfig::default();
        Self {
            throttle: Mutex::new(Throttle::new(config.io_max_bytes_per_second)),
            config: Mutex::new(config),
            state: Mutex::default(),
            last: Mutex::default(),
            threads: Mutex::default(),
            reconfiguring: Mutex::default(),
        }
    }
}

impl LogManager {
    /// Starts the threads that compact logs. Until then none is compacted.
    pub fn start_cleaner(
        self: &Arc<Self>,
        config: CleanerConfig,
        clock: Arc<dyn CleanerClock>,
    ) -> io::Result<()> {
        self.reconfigure_cleaner(&|| config.clone(), clock)
    }

    /// Gives the cleaners other settings: as in Kafka the threads end, and others begin. `config`
    /// gives the latest: of several callers the last one finds them.
    pub fn reconfigure_cleaner(
        self: &Arc<Self>,
        config: &dyn Fn() -> CleanerConfig,
        clock: Arc<dyn CleanerClock>,
    ) -> io::Result<()> {
        let _one_at_a_time = self.cleaners.reconfiguring.lock();
        self.stop_cleaner();
        if self.is_closed() {
            return Ok(());
        }
        let config = config();
        let count = if config.enable { config.threads } else { 0 };
        let limits = config.limits();
        if count > 0 && OffsetMap::is_useless(limits.map_bytes, limits.load_factor) {
            tracing::error!("log.cleaner.dedupe.buffer.size is too small: nothing is compacted");
            return Ok(());
        }
        *self.cleaners.throttle.lock() = Throttle::new(config.io_max_bytes_per_second);
        *self.cleaners.config.lock() = config;
        *self.cleaners.threads.lock() = Some(CleanerThreads::start(self, count, &clock)?);
        Ok(())
    }

    pub(super) fn stop_cleaner(&self) {
        let threads = mem::take(&mut *self.cleaners.threads.lock());
        // Joins them, without the lock.
        drop(threads);
        self.cleaners.last.lock().clear();
    }

    pub(crate) fn cleaner_config(&self) -> CleanerConfig {
        self.cleaners.config.lock().clone()
    }

    /// Notes up to where a log is clean, on the disk too. A failed write is judged like any other.
    ///
    /// No cleaner has looked at what lies before the log's start. It must not come back, and pass for
    /// clean: so what was deleted stays deleted before this is said.
    fn note_clean(&self, log: &Log, offset: i64) {
        if !log.keep_names() {
            return;
        }
        log.set_clean_point(offset);
        if let Some((place, dir)) = self.dir_of(log) {
            self.write_clean_points(place, dir);
        }
    }

    fn dir_of(&self, log: &Log) -> Option<(usize, &ManagedDir)> {
        let path = log.dir().path();
        self.dirs.iter().enumerate().find(|(_, dir)| dir.log_dir().path() == path)
    }

    /// Cleans the dirtiest log that is due, if there is one. Returns whether one was cleaned: after
    /// a failure, too, a thread waits.
    pub(crate) fn clean_dirtiest(
        &self,
        thread: usize,
        stop: &Stop,
        clock: &dyn CleanerClock,
    ) -> bool {
        let now_ms = clock.wall_ms();
        let Some(chosen) = self.choose(now_ms) else { return false };
        let begun_ms = clock.monotonic_ms();
        let done = catch_unwind(AssertUnwindSafe(|| self.clean(&chosen, now_ms, stop, clock)));
        let took_ms = clock.monotonic_ms().saturating_sub(begun_ms);
        let log = &chosen.log;
        let is_done = matches!(done, Ok(Ok(_)));
        match done {
            Ok(Ok(stats)) => {
                self.note_clean(log, stats.end_offset);
                report(log, &stats, took_ms);
                let last = LastCleaning { stats, took_ms, delay_ms: chosen.delay_ms };
                self.cleaners.last.lock().insert(thread, last);
            }
            Ok(Err(error)) => self.judge(log, &error, now_ms),
            Err(_) => self.mark_uncleanable(log, "a panic while it was cleaned"),
        }
        self.cleaners.state.lock().in_progress.remove(log.topic_partition());
        is_done
    }

    /// Cleans one log in the calling thread, whether it is due or not: for tests and measurements.
    /// `None` if nothing of it may be cleaned, or it could not be.
    pub fn clean_now(
        &self,
        partition: &TopicPartition,
        clock: &dyn CleanerClock,
    ) -> Option<CleanedStats> {
        let log = self.get(partition)?;
        let now_ms = clock.wall_ms();
        let range = cleanable(&log.facts(now_ms).ok()?, now_ms);
        let chosen = Chosen { log, range, delay_ms: 0 };
        if range.cleanable_bytes == 0 {
            return None;
        }
        let done = self.clean(&chosen, now_ms, &Stop::default(), clock);
        if let Err(error) = &done {
            self.judge(&chosen.log, error, now_ms);
        }
        let stats = done.ok()?;
        self.note_clean(&chosen.log, stats.end_offset);
        Some(stats)
    }

    fn choose(&self, now_ms: i64) -> Option<Chosen> {
        let (chosen, reset) = self.choose_among(now_ms);
        for (log, first_dirty_offset) in reset {
            self.note_clean(&log, first_dirty_offset);
        }
        chosen
    }

    /// The log that is next, and those that are dirty from another offset on than was noted.
    fn choose_among(&self, now_ms: i64) -> (Option<Chosen>, Vec<(Arc<Log>, i64)>) {
        let mut state = self.cleaners.state.lock();
        state.last_run_ms = Some(now_ms);
        state.forget_old(now_ms);
        let (mut logs, mut ranges, mut reset) = (Vec::new(), Vec::new(), Vec::new());
        for log in self.wanted_logs() {
            let config = log.config();
            // The active segment alone is never cleaned.
            if !config.cleanup_policy.compact || log.segment_count() < 2 || log.failure().is_some()
            {
                continue;
            }
            if state.is_let_alone(&log) {
                continue;
            }
            match log.facts(now_ms) {
                Ok(facts) => {
                    let range = cleanable(&facts, now_ms);
                    if range.invalid_checkpoint.is_some() {
                        report_invalid_checkpoint(&log, &range);
                        reset.push((Arc::clone(&log), range.first_dirty_offset));
                    }
                    ranges.push((range, config.min_cleanable_dirty_ratio));
                    logs.push(log);
                }
                Err(error) => state.mark_uncleanable(&log, &error.to_string()),
            }
        }
        let ratios = ranges.iter().map(|(range, _)| range.ratio());
        state.dirtiest_ratio = ratios.fold(0.0, f64::max);
        let chosen = dirtiest(&ranges).and_then(|at| {
            let (log, (range, _)) = (logs.get(at).map(Arc::clone)?, *ranges.get(at)?);
            state.in_progress.insert(log.topic_partition().clone());
            let delay_ms = ranges.iter().map(|(range, _)| range.delay_ms).max().unwrap_or(0);
            Some(Chosen { log, range, delay_ms })
        });
        (chosen, reset)
    }

    fn clean(
        &self,
        chosen: &Chosen,
        now_ms: i64,
        stop: &Stop,
        clock: &dyn CleanerClock,
    ) -> Result<CleanedStats, CleanError> {
        let pace = |bytes: u64| {
            let wait_ms = self.cleaners.throttle.lock().note(bytes, clock.monotonic_ms());
            if wait_ms == 0 { !stop.is_wanted() } else { stop.wait(Duration::from_millis(wait_ms)) }
        };
        let before_replacing = |offset: i64| {
            is_all_durable(&chosen.log) && self.checkpoint_recovery_point(&chosen.log, offset)
        };
        let cleaning = Cleaning {
            log: &chosen.log,
            range: chosen.range,
            limits: &self.cleaner_config().limits(),
            now_ms,
            pace: &pace,
            before_replacing: &before_replacing,
        };
        cleaning.run()
    }

    /// Makes sure that the next start does not recover the log from before `offset`.
    fn checkpoint_recovery_point(&self, log: &Log, offset: i64) -> bool {
        let written =
            self.dir_of(log).is_some_and(|(place, dir)| self.write_recovery_points(place, dir));
        written && log.recovery_point() >= offset
    }

    fn judge(&self, log: &Arc<Log>, error: &CleanError, now_ms: i64) {
        let partition = log.topic_partition();
        match error {
            CleanError::Aborted | CleanError::Offline => {
                tracing::debug!(%partition, %error, "Cleaning has ended early");
            }
            CleanError::NoSpace { .. } => self.postpone(log, error, now_ms),
            CleanError::Io(source) if is_out_of_space(source) => self.postpone(log, error, now_ms),
            CleanError::Io(source) => {
                log.dir().judge_write_error(source, &format!("cleaning of {partition}"));
                self.postpone(log, error, now_ms);
            }
            CleanError::Segment(error) => self.mark_uncleanable(log, &error.to_string()),
        }
    }

    fn postpone(&self, log: &Log, error: &CleanError, now_ms: i64) {
        let partition = log.topic_partition();
        tracing::warn!(%partition, %error, "Log is cleaned later");
        let until_ms = now_ms.saturating_add(NO_SPACE_WAIT_MS);
        self.cleaners.state.lock().postponed_until_ms.insert(partition.clone(), until_ms);
    }

    fn mark_uncleanable(&self, log: &Arc<Log>, reason: &str) {
        self.cleaners.state.lock().mark_uncleanable(log, reason);
    }

    /// What `/metrics` shows of the cleaners.
    pub fn cleaner_status(&self, now_ms: i64) -> CleanerStatus {
        let mut status = CleanerStatus::default();
        let last: Vec<LastCleaning> = self.cleaners.last.lock().values().copied().collect();
        status.take_over(&last);
        status.dead_threads = self.cleaners.threads.lock().as_ref().map_or(0, CleanerThreads::dead);
        let mut state = self.cleaners.state.lock();
        state.forget_old(now_ms);
        status.max_dirty_percent = (state.dirtiest_ratio * 100.0) as i64;
        let since = state.last_run_ms.map_or(0, |last| now_ms.saturating_sub(last));
        status.time_since_last_run_ms = since;
        for dir in &self.dirs {
            let path = dir.log_dir().path();
            let here = state.uncleanable.values().filter(|(_, dir)| dir == path);
            let logs: Vec<Arc<Log>> = here.filter_map(|(log, _)| log.upgrade()).collect();
            let bytes = logs.iter().filter_map(|log| {
                Some(cleanable(&log.facts(now_ms).ok()?, now_ms).cleanable_bytes)
            });
            status.uncleanable.push((path.to_owned(), logs.len(), bytes.sum()));
        }
        status
    }
}

impl State {
    fn is_let_alone(&self, log: &Log) -> bool {
        let partition = log.topic_partition();
        self.in_progress.contains(partition)
            || self.uncleanable.contains_key(partition)
            || self.postponed_until_ms.contains_key(partition)
    }

    fn mark_uncleanable(&mut self, log: &Arc<Log>, reason: &str) {
        let partition = log.topic_partition();
        tracing::error!(
            %partition, reason,
            "Unexpected error while cleaning log. Marking its partition as uncleanable: it is not \
             compacted until the next start"
        );
        let dir = log.dir().path().to_owned();
        self.uncleanable.insert(partition.clone(), (Arc::downgrade(log), dir));
    }

    fn forget_old(&mut self, now_ms: i64) {
        self.uncleanable.retain(|_, (log, _)| log.upgrade().is_some_and(|l| !l.is_closed()));
        self.postponed_until_ms.retain(|_, until_ms| now_ms < *until_ms);
    }
}

/// Syncs what the cleaning has gone by. A transaction whose marker a power cut may take is not
/// decided, and a batch that it may take is not the last one of its producer.
fn is_all_durable(log: &Arc<Log>) -> bool {
    log.durable_end() == log.log_end_offset() || log.flush().is_ok()
}

fn report_invalid_checkpoint(log: &Log, range: &Cleanable) {
    let Some(invalid) = range.invalid_checkpoint else { return };
    let policy = log.config().cleanup_policy;
    // With both policies the start moves on its own.
    let is_usual =
        invalid == InvalidCheckpoint::BeforeStart && (policy.delete || log.clean_point().is_none());
    if !is_usual {
        tracing::warn!(
            log = %log.topic_partition(), checkpoint = ?log.clean_point(),
            log_start_offset = log.log_start_offset(), log_end_offset = log.log_end_offset(),
            "Resetting first dirty offset to log start offset since the checkpointed offset is invalid"
        );
    }
}

fn report(log: &Log, stats: &CleanedStats, took_ms: i64) {
    let mb = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let seconds = took_ms.max(1) as f64 / 1000.0;
    tracing::info!(
        "Log cleaner cleaned log {} (dirty section = [{}, {}]): {:.1} MB and {} records became \
         {:.1} MB and {} records in {seconds:.1} seconds, buffer utilization {:.1}%",
        log.topic_partition(),
        stats.first_dirty_offset,
        stats.end_offset,
        mb(stats.bytes_read),
        stats.records_read,
        mb(stats.bytes_written),
        stats.records_kept,
        stats.buffer_utilization * 100.0,
    );
    if stats.keyless_records > 0 {
        tracing::warn!(
            log = %log.topic_partition(), records = stats.keyless_records,
            "Found invalid messages during compaction: they have no key and were dropped"
        );
    }
}
