//! Regular work, and the thread that does it.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, mem};

use parking_lot::{Condvar, Mutex};

use super::{LogManager, LogManagerConfig, ManagedDir};
use crate::LogDir;
use crate::log::Log;

/// Between two ticks of the manager's own thread. `flush.ms` is kept to this precision.
const TICK_INTERVAL: Duration = Duration::from_secs(1);
const SPACE_INTERVAL_MS: i64 = 10_000;
/// Kafka's `producer.id.expiration.check.interval.ms`. Expiry goes by the timestamps of records, so
/// a producer of old records is forgotten at the next check, and its batch sent again is a new one.
const PRODUCER_EXPIRY_INTERVAL_MS: i64 = 600_000;

/// What a tick has found that the broker must act on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TickReport {
    /// Directories that have gone offline since the last tick, with the reason.
    pub newly_offline: Vec<(PathBuf, String)>,
    /// No directory is left: the process has nothing to live for.
    pub all_offline: bool,
}

/// When each kind of work is due.
#[derive(Debug)]
pub(super) struct TickSchedule {
    recovery_points: Every,
    pub(super) checkpoints: Every,
    log_starts: Every,
    retention: Every,
    producers: Every,
    space: Every,
}

/// Something that is done every `interval_ms`, for the first time one interval after the start.
#[derive(Debug)]
pub(super) struct Every {
    interval_ms: i64,
    last_ms: Option<i64>,
}

impl Every {
    fn new(interval_ms: i64) -> Self {
        Self { interval_ms, last_ms: None }
    }

    pub(super) fn is_due(&mut self, now_ms: i64) -> bool {
        let last_ms = *self.last_ms.get_or_insert(now_ms);
        // A clock that was set back must not put the work off until it has caught up.
        let due = now_ms < last_ms || now_ms.saturating_sub(last_ms) >= self.interval_ms;
        if due {
            self.last_ms = Some(now_ms);
        }
        due
    }
}

impl TickSchedule {
    pub(super) fn new(config: &LogManagerConfig) -> Self {
        Self {
            recovery_points: Every::new(config.recovery_point_checkpoint_interval_ms),
            checkpoints: Every::new(config.recovery_point_checkpoint_interval_ms),
            log_starts: Every::new(config.log_start_checkpoint_interval_ms),
            retention: Every::new(config.retention_check_interval_ms),
            producers: Every::new(PRODUCER_EXPIRY_INTERVAL_MS),
            space: Every::new(SPACE_INTERVAL_MS),
        }
    }
}

impl LogManager {
    /// Does the regular work that is due at `now_ms`. It may wait for a disk, so it is not for an
    /// async task; see [`LogManager::start_ticking`].
    pub fn tick(&self, now_ms: i64) -> TickReport {
        if self.is_closed() {
            return TickReport::default();
        }
        let (recovery_points, log_starts, retention, producers, space) = {
            let mut schedule = self.schedule.lock();
            (
                schedule.recovery_points.is_due(now_ms),
                schedule.log_starts.is_due(now_ms),
                schedule.retention.is_due(now_ms),
                schedule.producers.is_due(now_ms),
                schedule.space.is_due(now_ms),
            )
        };
        for log in self.wanted_logs() {
            log.tick(now_ms);
            if producers {
                log.remove_expired_producers(now_ms);
            }
            if retention
                && !log.dir().is_offline()
                && let Err(error) = log.delete_old_segments(now_ms)
            {
                tracing::warn!(log = %log.topic_partition(), %error, "Retention has failed");
            }
        }
        self.open_files.make_room_ahead(&|dir, files| self.sync_together(dir, files));
        self.remove_due(now_ms);
        self.care_for_journals(recovery_points);
        if recovery_points {
            self.checkpoint_recovery_points();
        }
        if log_starts {
            self.checkpoint_log_start_offsets();
        }
        if space || self.dirs.iter().any(|dir| dir.log_dir().is_full()) {
            self.watch_space();
        }
        self.report()
    }

    fn sync_together(&self, log_dir: &LogDir, files: usize) -> bool {
        let is_it = |dir: &&ManagedDir| std::ptr::eq(&**dir.log_dir(), log_dir);
        let dir = self.dirs.iter().find(is_it);
        dir.is_some_and(|dir| dir.syncs_together(files) && dir.sync_together())
    }

    /// Has the journals say what they have not said yet, and has what they hold synced in its own
    /// files, so that the recovery points move.
    fn care_for_journals(&self, settle: bool) {
        for dir in self.dirs.iter().filter(|dir| dir.is_online()) {
            if settle {
                dir.context.sync_queue.settle_all();
            }
            dir.context.sync_queue.write_notes();
        }
    }

    pub(super) fn wanted_logs(&self) -> Vec<Arc<Log>> {
        let logs = self.logs.read();
        let wanted = logs.by_partition.values().filter(|entry| entry.is_wanted);
        wanted.map(|entry| Arc::clone(&entry.log)).collect()
    }

    fn report(&self) -> TickReport {
        let mut newly_offline = Vec::new();
        for dir in self.dirs.iter().filter(|dir| !dir.is_online()) {
            if !dir.offline_reported.swap(true, Ordering::Relaxed) {
                let reason = dir.log_dir().offline_reason().unwrap_or_default();
                newly_offline.push((dir.log_dir().path().to_owned(), reason));
            }
        }
        TickReport { all_offline: self.all_offline(), newly_offline }
    }

    /// Ticks about every second on a thread of this manager until it is closed or dropped. Another
    /// thread brings the recovery points of logs up to their ends, which may wait for a disk for
    /// long. `clock` gives the time in ms since 1970; `on_report` gets each report that says
    /// something.
    pub fn start_ticking(
        self: &Arc<Self>,
        clock: impl Fn() -> i64 + Clone + Send + 'static,
        on_report: impl Fn(TickReport) + Send + 'static,
    ) -> io::Result<()> {
        let flushing = self.flush_timer.start(clock.clone())?;
        let earlier = self.flush_thread.lock().replace(flushing);
        drop(earlier);
        let stop = Arc::new(Stop::default());
        let mut ticker = Ticker { stop: Arc::clone(&stop), threads: Vec::new() };
        let checkpoint_clock = clock.clone();
        ticker.start("log-manager", self, move |manager| {
            let report = manager.tick(clock());
            if report.all_offline || !report.newly_offline.is_empty() {
                on_report(report);
            }
        })?;
        ticker.start("log-checkpoint", self, move |manager| {
            manager.checkpoint_logs_if_due(checkpoint_clock());
        })?;
        let earlier = self.ticker.lock().replace(ticker);
        // Ends the threads of an earlier call, if there was one.
        drop(earlier);
        Ok(())
    }

    pub(super) fn stop_ticking(&self) {
        let ticker = mem::take(&mut *self.ticker.lock());
        drop(ticker);
    }
}

#[derive(Default)]
struct Stop {
    wanted: Mutex<bool>,
    wake: Condvar,
}

/// The manager's own threads; dropping it ends and joins them.
pub(super) struct Ticker {
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

impl Ticker {
    /// Starts a thread that does `work` about every second.
    fn start(
        &mut self,
        name: &str,
        manager: &Arc<LogManager>,
        work: impl Fn(&LogManager) + Send + 'static,
    ) -> io::Result<()> {
        let (stop, manager) = (Arc::clone(&self.stop), Arc::downgrade(manager));
        let run = move || work_until_stopped(&manager, &stop, &work);
        self.threads.push(thread::Builder::new().name(name.to_owned()).spawn(run)?);
        Ok(())
    }
}

impl fmt::Debug for Ticker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticker").finish_non_exhaustive()
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        *self.stop.wanted.lock() = true;
        self.stop.wake.notify_all();
        for thread in self.threads.drain(..) {
            // The thread itself may hold the last reference to the manager.
            if thread.thread().id() != thread::current().id() {
                // It catches the panics of what it runs.
                let _ = thread.join();
            }
        }
    }
}

fn work_until_stopped(manager: &Weak<LogManager>, stop: &Stop, work: &dyn Fn(&LogManager)) {
    loop {
        {
            let mut wanted = stop.wanted.lock();
            if !*wanted {
                stop.wake.wait_for(&mut wanted, TICK_INTERVAL);
            }
            if *wanted {
                return;
            }
        }
        let Some(manager) = manager.upgrade() else {
            return;
        };
        if catch_unwind(AssertUnwindSafe(|| work(&manager))).is_err() {
            tracing::error!("The log manager's regular work has panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_due_once_an_interval_even_if_the_clock_jumps_back() {
        let mut every = Every::new(10);
        assert!(!every.is_due(100) && !every.is_due(109));
        assert!(every.is_due(110) && !every.is_due(119) && every.is_due(130));
        assert!(every.is_due(50) && !every.is_due(59) && every.is_due(60));
        assert!(every.is_due(i64::MAX) && !Every::new(i64::MAX).is_due(0));
    }
}
