//! The queue of logs that want to be durable, and the threads that serve it.
//!
//! One thread takes all logs that are queued and commits them together through the directory's
//! journal (`commit.rs`); while it waits for the disk the next group gathers. Other threads sync
//! files: of logs that have too much for the journal, or of all logs if there is none, and of those
//! that owe when the journal is half full (`settle.rs`).
//!
//! A log is in the queue at most once, so the queue is never longer than there are logs. While a
//! log is being synced its next wish is remembered and queued afterwards: two threads never wait
//! for each other over one log.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::Log;
use super::commit::{Committed, Fate, commit};
use super::flush_timer::FlushTimer;
use crate::journal::{CommitError, Journal, PartitionKey};

/// After this a log is tried again that somebody else was flushing or cutting.
const BUSY_RETRY: Duration = Duration::from_millis(1);

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
    journal: Option<Arc<Journal>>,
    timer: FlushTimer,
    queue: Mutex<Queue>,
    wake_commit: Condvar,
    wake_files: Condvar,
    /// Who may owe something.
    logs: Mutex<HashMap<PartitionKey, Weak<Log>>>,
}

#[derive(Debug, Default)]
struct Queue {
    /// For the next commit.
    wanted: Vec<Arc<Log>>,
    /// Their own files are to be synced.
    files: VecDeque<Arc<Log>>,
    /// They owe, and the journal is getting full.
    settling: VecDeque<Arc<Log>>,
    /// Of `settling`, also those that a thread is at.
    unsettled: usize,
    stopped: bool,
    committer_stopped: bool,
}

/// The threads that serve a queue. Dropping it ends them after the queue is empty.
#[derive(Debug)]
pub struct SyncThreads {
    queue: SyncQueue,
    committer: Option<JoinHandle<()>>,
    threads: Vec<JoinHandle<()>>,
}

/// What a thread that syncs files does next.
enum Work {
    Sync(Arc<Log>),
    Settle(Arc<Log>),
}

impl SyncQueue {
    /// A queue without a journal that nobody serves yet: see [`SyncThreads::start`], or
    /// [`SyncQueue::run_pending`].
    pub fn new() -> Self {
        Self::default()
    }

    /// A queue whose logs are made durable through `journal`, if there is one. `timer` is told of
    /// what `flush.ms` asks for.
    pub fn with(journal: Option<Arc<Journal>>, timer: FlushTimer) -> Self {
        let shared = Shared { journal, timer, ..Shared::default() };
        Self { shared: Arc::new(shared) }
    }

    pub(crate) fn journal(&self) -> Option<&Arc<Journal>> {
        self.shared.journal.as_ref()
    }

    pub(super) fn timer(&self) -> &FlushTimer {
        &self.shared.timer
    }

    /// Makes a log known that may come to owe something.
    pub(super) fn register(&self, key: PartitionKey, log: &Arc<Log>) {
        if self.shared.journal.is_some() {
            self.shared.logs.lock().insert(key, Arc::downgrade(log));
        }
    }

    pub(super) fn unregister(&self, key: PartitionKey) {
        self.shared.logs.lock().remove(&key);
    }

    /// Asks for everything to become durable that has been appended to `log` so far.
    pub fn push(&self, log: &Arc<Log>) {
        let mut queue = self.shared.queue.lock();
        let mut state = log.queue_state.0.lock();
        match *state {
            State::Idle => {
                *state = State::Queued;
                self.enqueue(&mut queue, Arc::clone(log));
            }
            State::Syncing => *state = State::SyncingAndWanted,
            State::Queued | State::SyncingAndWanted => {}
        }
    }

    fn enqueue(&self, queue: &mut Queue, log: Arc<Log>) {
        if self.shared.journal.is_some() && !queue.committer_stopped {
            queue.wanted.push(log);
            self.shared.wake_commit.notify_one();
        } else {
            queue.files.push_back(log);
            self.shared.wake_files.notify_one();
        }
    }

    /// Does in the calling thread whatever is queued. For tests, and where there are no threads.
    pub fn run_pending(&self) {
        loop {
            let group = self.shared.queue.lock().take_wanted();
            let had_group = !group.is_empty();
            self.commit(group, true);
            let work = self.shared.queue.lock().take_work();
            match work {
                Some(work) => self.work_off(work),
                None if !had_group => return,
                None => {}
            }
        }
    }

    /// What is queued is not done, as when a process dies. Queue and logs hold each other until then.
    #[cfg(test)]
    pub(crate) fn abandon(&self) {
        let Queue { wanted, files, settling, .. } = std::mem::take(&mut *self.shared.queue.lock());
        drop((wanted, files, settling));
    }

    /// Settles all that is owed, in the calling thread, which holds no lock of a log. Errors have
    /// taken the directory offline.
    pub fn settle_all(&self) {
        let Some(journal) = self.journal() else { return };
        for log in self.debtors(journal) {
            // A log that is deleted owes nothing any more.
            let _ = log.settle();
        }
        self.write_to_journal(Journal::make_room);
    }

    /// Has the journal say how far logs are durable that were synced in their own files.
    pub fn write_notes(&self) {
        self.write_to_journal(Journal::write_notes);
    }

    /// A full journal has been said; anything else is final.
    fn write_to_journal(&self, write: impl Fn(&Journal) -> Result<(), CommitError>) {
        let Some(journal) = self.journal() else { return };
        if !journal.dir().is_offline()
            && let Err(error @ CommitError::Io { .. }) = write(journal)
        {
            journal.dir().take_offline(&error.to_string());
        }
    }

    pub(super) fn debtors(&self, journal: &Journal) -> Vec<Arc<Log>> {
        let debtors = journal.debtors();
        let logs = self.shared.logs.lock();
        debtors.iter().filter_map(|key| logs.get(key)?.upgrade()).collect()
    }

    /// Commits a group that was taken out of the queue. Without `wait` a log that is busy is put
    /// back; returns whether there was one.
    fn commit(&self, logs: Vec<Arc<Log>>, wait: bool) -> bool {
        let Some(journal) = self.journal().filter(|_| !logs.is_empty()) else { return false };
        let committed = match catch_unwind(AssertUnwindSafe(|| commit(journal, &logs, wait))) {
            Ok(Ok(committed)) => committed,
            Ok(Err(error)) => {
                journal.dir().take_offline(&error.to_string());
                logs.iter().for_each(|log| drop(log.fail_waiters()));
                Committed::default()
            }
            Err(_) => {
                for log in &logs {
                    log.fail("a panic while it was synced");
                    log.fail_waiters();
                }
                Committed::default()
            }
        };
        if committed.is_full || journal.is_half_full() {
            self.begin_settling(journal);
        }
        let mut is_busy = false;
        let mut queue = self.shared.queue.lock();
        let mut fates = committed.fates.into_iter();
        for log in logs {
            match fates.next().unwrap_or_default() {
                Fate::Done => self.finish(&mut queue, log),
                Fate::ByFiles => {
                    *log.queue_state.0.lock() = State::Queued;
                    queue.files.push_back(log);
                    self.shared.wake_files.notify_one();
                }
                Fate::Busy => {
                    *log.queue_state.0.lock() = State::Queued;
                    queue.wanted.push(log);
                    is_busy = true;
                }
            }
        }
        is_busy
    }

    /// A log has been served; perhaps it is wanted again.
    fn finish(&self, queue: &mut Queue, log: Arc<Log>) {
        let mut state = log.queue_state.0.lock();
        if *state == State::SyncingAndWanted {
            *state = State::Queued;
            drop(state);
            self.enqueue(queue, log);
        } else {
            *state = State::Idle;
        }
    }

    fn begin_settling(&self, journal: &Journal) {
        if self.shared.queue.lock().unsettled > 0 {
            return;
        }
        let debtors = self.debtors(journal);
        let mut queue = self.shared.queue.lock();
        queue.unsettled += debtors.len();
        queue.settling.extend(debtors);
        self.shared.wake_files.notify_all();
    }

    fn work_off(&self, work: Work) {
        match work {
            Work::Sync(log) => {
                match catch_unwind(AssertUnwindSafe(|| log.flush())) {
                    Ok(Ok(_)) => {}
                    Ok(Err(_)) => drop(log.fail_waiters()),
                    Err(_) => {
                        log.fail("a panic while it was synced");
                        log.fail_waiters();
                    }
                }
                self.finish(&mut self.shared.queue.lock(), log);
            }
            Work::Settle(log) => {
                // What goes wrong has been said, and has taken the directory offline.
                let _ = catch_unwind(AssertUnwindSafe(|| log.settle()));
                let mut queue = self.shared.queue.lock();
                queue.unsettled -= 1;
                let is_last = queue.unsettled == 0;
                drop(queue);
                if is_last {
                    self.write_to_journal(Journal::make_room);
                }
            }
        }
    }

    fn commit_until_stopped(&self) {
        let mut is_busy = false;
        loop {
            let mut queue = self.shared.queue.lock();
            if is_busy && !queue.stopped {
                self.shared.wake_commit.wait_for(&mut queue, BUSY_RETRY);
            }
            while queue.wanted.is_empty() {
                if queue.stopped {
                    return;
                }
                self.shared.wake_commit.wait(&mut queue);
            }
            let group = queue.take_wanted();
            drop(queue);
            is_busy = self.commit(group, false);
        }
    }

    fn sync_until_stopped(&self) {
        loop {
            let mut queue = self.shared.queue.lock();
            let work = loop {
                match queue.take_work() {
                    Some(work) => break work,
                    None if queue.committer_stopped => return,
                    None => self.shared.wake_files.wait(&mut queue),
                }
            };
            drop(queue);
            self.work_off(work);
        }
    }
}

impl Queue {
    fn take_wanted(&mut self) -> Vec<Arc<Log>> {
        let logs = std::mem::take(&mut self.wanted);
        for log in &logs {
            *log.queue_state.0.lock() = State::Syncing;
        }
        logs
    }

    /// Somebody waits for a sync, nobody for settling.
    fn take_work(&mut self) -> Option<Work> {
        if let Some(log) = self.files.pop_front() {
            *log.queue_state.0.lock() = State::Syncing;
            return Some(Work::Sync(log));
        }
        self.settling.pop_front().map(Work::Settle)
    }
}

impl SyncThreads {
    /// Starts `count` threads that sync files, and with a journal one that commits; none at all for
    /// 0. Several serve several logs at the same time; one log is never synced by two.
    pub fn start(queue: &SyncQueue, count: usize) -> io::Result<Self> {
        let mut started =
            Self { queue: queue.clone(), committer: None, threads: Vec::with_capacity(count) };
        if count > 0 && queue.journal().is_some() {
            let queue = queue.clone();
            let thread = thread::Builder::new().name("log-commit".to_owned());
            started.committer = Some(thread.spawn(move || queue.commit_until_stopped())?);
        }
        for number in 0..count {
            let queue = queue.clone();
            let thread = thread::Builder::new().name(format!("log-sync-{number}"));
            started.threads.push(thread.spawn(move || queue.sync_until_stopped())?);
        }
        Ok(started)
    }
}

impl Drop for SyncThreads {
    fn drop(&mut self) {
        let shared = &self.queue.shared;
        shared.queue.lock().stopped = true;
        shared.wake_commit.notify_all();
        // Each catches the panics of what it runs.
        if let Some(committer) = self.committer.take() {
            let _ = committer.join();
        }
        shared.queue.lock().committer_stopped = true;
        shared.wake_files.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
