//! The clean stop: everything durable, then the marker that says so.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use super::parallel::for_each;
use super::{LogManager, ManagedDir};
use crate::clean_shutdown;
use crate::log::Log;
use crate::log::close::CloseError;

/// Threads for each directory that sync and close logs, at least, if there are as many logs. They
/// wait for the disk most of the time, and a file system commits what several sync in one go.
const SYNC_THREADS_MIN: usize = 32;
/// The same where the directory is synced as a whole: until then they only use a core.
const WRITE_THREADS_MIN: usize = 4;

impl LogManager {
    /// Stops the regular work, syncs and closes every log, writes the checkpoints and marks each
    /// directory of which all of this succeeded as cleanly stopped by the broker with this epoch.
    /// Returns whether that was all of them. Appends fail from now on.
    pub fn close(&self, broker_epoch: i64) -> bool {
        self.stop_cleaner();
        self.stop_ticking();
        let flushing = self.flush_thread.lock().take();
        drop(flushing);
        {
            // Under this lock no log is made any more.
            let _logs = self.logs.write();
            if self.closed.swap(true, Ordering::AcqRel) {
                return false;
            }
        }
        // Other settings may have started it again.
        self.stop_cleaner();
        let workers = self.config.recovery_threads_per_data_dir;
        let closed: Vec<bool> = thread::scope(|scope| {
            let by_dir = self.dirs.iter().zip(self.logs_by_dir());
            let threads: Vec<_> = by_dir
                .map(|(dir, logs)| scope.spawn(move || close_logs(dir, logs, workers)))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap_or(false)).collect()
        });
        // Ends the threads that sync; nothing is left to be synced. Without the map's lock: what
        // they call may want it.
        for dir in &self.dirs {
            let threads = dir.sync_threads.lock().take();
            drop(threads);
        }
        let mut all_clean = true;
        for (place, (dir, closed)) in self.dirs.iter().zip(closed).enumerate() {
            let clean = closed && self.mark_clean(place, dir, broker_epoch);
            if !clean {
                tracing::warn!(
                    dir = %dir.log_dir().path().display(),
                    "Log directory was not stopped cleanly: the next start will recover it"
                );
            }
            all_clean &= clean;
        }
        all_clean
    }

    /// Writes the checkpoints, and then the marker. Returns whether all of it is there. A log
    /// that could not be opened has to be looked at again: no marker then.
    fn mark_clean(&self, place: usize, dir: &ManagedDir, broker_epoch: i64) -> bool {
        let path = dir.log_dir().path();
        let any_failed = {
            let logs = self.logs.read();
            logs.failed.values().any(|log| log.path.starts_with(path))
        };
        if any_failed || !self.write_checkpoints(place, dir) || !dir.close_journal() {
            return false;
        }
        let marked = clean_shutdown::write(dir.fs(), path, broker_epoch);
        marked
            .inspect_err(|error| {
                dir.log_dir().judge_write_error(error, "write of the clean shutdown marker");
            })
            .is_ok()
    }
}

/// Closes all logs of a directory. Returns whether all of them were.
fn close_logs(dir: &ManagedDir, logs: Vec<Arc<Log>>, threads: usize) -> bool {
    if !dir.syncs_together(logs.len()) {
        let threads = threads.max(SYNC_THREADS_MIN);
        let closed = for_each(logs, threads, |log| said(&log, log.close()).is_some());
        return closed.into_iter().all(|closed| closed);
    }
    let (count, threads) = (logs.len(), threads.max(WRITE_THREADS_MIN));
    let begun =
        for_each(logs, threads, |log| said(&log, log.begin_close()).map(|plan| (log, plan)));
    let begun: Vec<_> = begun.into_iter().flatten().collect();
    let all_begun = begun.len() == count;
    let synced = dir.sync_together();
    for (log, plan) in begun {
        match plan {
            Some(plan) if synced => log.end_close(plan),
            Some(_) => drop(log.fail_waiters()),
            None => {}
        }
    }
    all_begun && synced
}

/// The result of closing a log, or a part of it. A failure is said.
fn said<T>(log: &Log, closed: Result<T, CloseError>) -> Option<T> {
    closed
        .inspect_err(|error| {
            tracing::error!(log = %log.topic_partition(), %error, "Log was not closed cleanly");
        })
        .ok()
}
