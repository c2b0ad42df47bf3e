//! `flush.ms`: which logs have to be synced when, and the thread that has it done.
//!
//! A log is in here at most once, and only while its `flush.ms` is set and it holds records that
//! are not synced. The time is a parameter; the thread gets a clock, and looks at it at least once
//! a second, since it may be set.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::io;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::Log;

const LOOK_INTERVAL_MS: i64 = 1000;

/// A handle of the timer; clones share it.
#[derive(Clone, Debug, Default)]
pub struct FlushTimer {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The earliest on top.
    due: BinaryHeap<Due>,
    stopped: bool,
}

#[derive(Debug)]
struct Due {
    due_ms: i64,
    log: Weak<Log>,
}

/// The timer's thread; dropping it ends and joins the thread.
#[derive(Debug)]
pub struct FlushTimerThread {
    timer: FlushTimer,
    thread: Option<JoinHandle<()>>,
}

impl FlushTimer {
    pub(super) fn add(&self, due_ms: i64, log: &Arc<Log>) {
        let mut state = self.shared.state.lock();
        let is_first = state.due.peek().is_none_or(|first| due_ms < first.due_ms);
        state.due.push(Due { due_ms, log: Arc::downgrade(log) });
        if is_first {
            self.shared.wake.notify_one();
        }
    }

    /// Queues the logs whose time has come by `now_ms` for a sync.
    pub fn fire(&self, now_ms: i64) {
        while let Some(log) = self.pop_due(now_ms) {
            if let Some(due_ms) = log.flush_if_due(now_ms) {
                self.add(due_ms, &log);
            }
        }
    }

    fn pop_due(&self, now_ms: i64) -> Option<Arc<Log>> {
        let mut state = self.shared.state.lock();
        while state.due.peek()?.due_ms <= now_ms {
            if let Some(log) = state.due.pop().and_then(|due| due.log.upgrade()) {
                return Some(log);
            }
        }
        None
    }

    /// Fires on a thread of its own, by this clock: the time in ms since 1970.
    pub fn start(&self, clock: impl Fn() -> i64 + Send + 'static) -> io::Result<FlushTimerThread> {
        let timer = self.clone();
        let run = move || {
            while timer.wait(&clock) {
                timer.fire(clock());
            }
        };
        let thread = thread::Builder::new().name("log-flush".to_owned()).spawn(run)?;
        Ok(FlushTimerThread { timer: self.clone(), thread: Some(thread) })
    }

    /// Waits until something may be due. False when the thread is to end.
    fn wait(&self, clock: &dyn Fn() -> i64) -> bool {
        let mut state = self.shared.state.lock();
        if !state.stopped {
            match state.due.peek().map(|first| first.due_ms.saturating_sub(clock())) {
                None => self.shared.wake.wait(&mut state),
                Some(ms) if ms > 0 => {
                    let ms = ms.min(LOOK_INTERVAL_MS).unsigned_abs();
                    self.shared.wake.wait_for(&mut state, Duration::from_millis(ms));
                }
                Some(_) => {}
            }
        }
        !state.stopped
    }
}

impl Log {
    /// Asks for a sync if there are records that wait for one since `flush.ms`. Returns when to
    /// look again; `None` if nothing waits for a sync.
    pub(super) fn flush_if_due(self: &Arc<Self>, now_ms: i64) -> Option<i64> {
        let flush_ms = self.config.load().flush_ms;
        let mut writer = self.lock_writer();
        let Some(since_ms) = writer.unflushed_since_ms.filter(|_| flush_ms < i64::MAX) else {
            writer.is_in_flush_timer = false;
            return None;
        };
        let due_ms = since_ms.saturating_add(flush_ms);
        // A clock that was set back must not put it off.
        if now_ms >= due_ms || now_ms < since_ms {
            writer.is_in_flush_timer = false;
            drop(writer);
            self.context.sync_queue.push(self);
            return None;
        }
        Some(due_ms)
    }
}

impl Drop for FlushTimerThread {
    fn drop(&mut self) {
        self.timer.shared.state.lock().stopped = true;
        self.timer.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            // It runs nothing that panics but for a defect, which was said then.
            let _ = thread.join();
        }
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        other.due_ms.cmp(&self.due_ms)
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.due_ms == other.due_ms
    }
}

impl Eq for Due {}
