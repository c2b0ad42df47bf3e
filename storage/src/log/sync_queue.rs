//! The queue of logs that want a sync, and the threads that serve it.
//!
//! A log is in the queue at most once, so the queue is never longer than there are logs. While a
//! log is being synced its next wish is remembered and queued afterwards: two threads never wait
//! for each other over one log.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use parking_lot::{Condvar, Mutex};

use super::Log;

/// Where a log is with respect to the queue. Read and written under the queue's lock only.
#[derive(Debug, Default)]
pub(super) struct QueueState(Mutex<State>);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Idle,
    Queued,
    Syncing,
    /// Being synced, and wanted again.
    SyncingAndWanted,
}

/// A handle of the queue; clones share it.
#[derive(Clone, Debug, Default)]
pub struct SyncQueue {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    logs: VecDeque<Arc<Log>>,
    stopped: bool,
}

/// The threads that serve a queue. Dropping it ends them after the queue is empty.
#[derive(Debug)]
pub struct SyncThreads {
    queue: SyncQueue,
    threads: Vec<JoinHandle<()>>,
}

impl SyncQueue {
    /// A queue that nobody serves yet: see [`SyncThreads::start`], or [`SyncQueue::run_pending`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a sync of everything that has been appended to `log` so far.
    pub fn push(&self, log: &Arc<Log>) {
        let mut queue = self.shared.queue.lock();
        let mut state = log.queue_state.0.lock();
        match *state {
            State::Idle => {
                *state = State::Queued;
                queue.logs.push_back(Arc::clone(log));
                self.shared.wake.notify_one();
            }
            State::Syncing => *state = State::SyncingAndWanted,
            State::Queued | State::SyncingAndWanted => {}
        }
    }

    /// Syncs in the calling thread whatever is queued. For tests, and where there are no threads.
    pub fn run_pending(&self) {
        loop {
            let log = self.shared.queue.lock().take();
            match log {
                Some(log) => self.serve(&log),
                None => return,
            }
        }
    }

    fn serve(&self, log: &Arc<Log>) {
        let synced = catch_unwind(AssertUnwindSafe(|| log.flush()));
        match synced {
            Ok(Ok(_)) => {}
            Ok(Err(_)) => {
                log.fail_waiters();
            }
            Err(_) => {
                log.fail("a panic while it was synced");
                log.fail_waiters();
            }
        }
        let mut queue = self.shared.queue.lock();
        let mut state = log.queue_state.0.lock();
        if *state == State::SyncingAndWanted {
            *state = State::Queued;
            queue.logs.push_back(Arc::clone(log));
            self.shared.wake.notify_one();
        } else {
            *state = State::Idle;
        }
    }

    fn work(&self) {
        loop {
            let mut queue = self.shared.queue.lock();
            let log = loop {
                match queue.take() {
                    Some(log) => break log,
                    None if queue.stopped => return,
                    None => self.shared.wake.wait(&mut queue),
                }
            };
            drop(queue);
            self.serve(&log);
        }
    }
}

impl Queue {
    fn take(&mut self) -> Option<Arc<Log>> {
        let log = self.logs.pop_front()?;
        *log.queue_state.0.lock() = State::Syncing;
        Some(log)
    }
}

impl SyncThreads {
    /// Starts `count` threads, at least one. Several serve several logs at the same time; one log
    /// is never synced by two.
    pub fn start(queue: &SyncQueue, count: usize) -> io::Result<Self> {
        let mut threads = Vec::new();
        for number in 0..count.max(1) {
            let queue = queue.clone();
            let name = format!("log-sync-{number}");
            threads.push(thread::Builder::new().name(name).spawn(move || queue.work())?);
        }
        Ok(Self { queue: queue.clone(), threads })
    }
}

impl Drop for SyncThreads {
    fn drop(&mut self) {
        self.queue.shared.queue.lock().stopped = true;
        self.queue.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            // A worker catches the panics of what it runs.
            let _ = thread.join();
        }
    }
}
