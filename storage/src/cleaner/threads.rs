//! The threads that clean, each one log after the other.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{fmt, io};

use parking_lot::{Condvar, Mutex};

use crate::log_manager::LogManager;

/// The time, as the caller knows it.
pub trait CleanerClock: Send + Sync + 'static {
    /// In ms since 1970.
    fn wall_ms(&self) -> i64;
    /// In ms since any moment; never goes back.
    fn monotonic_ms(&self) -> i64;
}

/// Ends the threads, or wakes them.
#[derive(Default)]
pub(crate) struct Stop {
    wanted: AtomicBool,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Stop {
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// Waits, but not longer than until the end is wanted. Returns whether to go on.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let mut lock = self.lock.lock();
        if !self.is_wanted() && !time.is_zero() {
            self.wake.wait_for(&mut lock, time);
        }
        !self.is_wanted()
    }

    fn set(&self) {
        let _lock = self.lock.lock();
        self.wanted.store(true, Ordering::Release);
        self.wake.notify_all();
    }
}

/// The running threads; dropping them ends and joins them.
pub(crate) struct CleanerThreads {
    stop: Arc<Stop>,
    threads: Vec<JoinHandle<()>>,
}

impl CleanerThreads {
    pub(crate) fn start(
        manager: &Arc<LogManager>,
        count: usize,
        clock: &Arc<dyn CleanerClock>,
    ) -> io::Result<Self> {
        let mut started = Self { stop: Arc::default(), threads: Vec::new() };
        for number in 0..count {
            let (manager, stop) = (Arc::downgrade(manager), Arc::clone(&started.stop));
            let clock = Arc::clone(clock);
            let name = format!("kafka-log-cleaner-thread-{number}");
            let run = move || work(&manager, number, &stop, &*clock);
            started.threads.push(thread::Builder::new().name(name).spawn(run)?);
        }
        Ok(started)
    }

    /// Threads that have ended though nobody asked them to.
    pub(crate) fn dead(&self) -> usize {
        self.threads.iter().filter(|thread| thread.is_finished()).count()
    }
}

fn work(manager: &Weak<LogManager>, number: usize, stop: &Stop, clock: &dyn CleanerClock) {
    while !stop.is_wanted() {
        let backoff = match manager.upgrade() {
            Some(manager) if manager.clean_dirtiest(number, stop, clock) => Duration::ZERO,
            Some(manager) => Duration::from_millis(manager.cleaner_config().backoff_ms),
            None => return,
        };
        if !backoff.is_zero() {
            stop.wait(backoff);
        }
    }
}

impl Drop for CleanerThreads {
    fn drop(&mut self) {
        self.stop.set();
        for thread in self.threads.drain(..) {
            // A thread itself may hold the last reference to the manager.
            if thread.thread().id() != thread::current().id() {
                // It catches the panics of what it runs.
                let _ = thread.join();
            }
        }
    }
}

impl fmt::Debug for CleanerThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CleanerThreads").field("count", &self.threads.len()).finish()
    }
}
