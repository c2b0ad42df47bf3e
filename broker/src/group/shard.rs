//! One partition's machine with its log: who waits, what is being written, what comes next.
//!
//! At most one batch is in flight. What events write meanwhile collects in the queue and forms
//! the next batches; replies wait with the batch that their event wrote, or saw written, last.
//! So nothing is answered, and nothing read, that a failover could take back.
//!
//! A failed write, or a panic inside the machine, ends the shard: whoever waits gets an error,
//! and the coordinator loads the partition again. A shard that has ended stays so.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use parking_lot::{Mutex, MutexGuard};
use protocol_codec::ErrorCode;
use protocol_codec::records::BatchBuilder;
use tokio::sync::oneshot;
use tracing::error;

use super::event::{Answer, Event, Now, Outcome, Token};
use super::log::{AppendError, OffsetsLog};
use super::machine::Machine;
use super::record::Record;
use super::view::GroupView;

/// No deadline.
pub(super) const NEVER: i64 = i64::MAX;

/// Bytes that may wait for the log in one shard; more is refused for the moment.
const QUEUED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a client that waits gets: its answer, or why the shard cannot give one.
pub(super) type Reply = Result<Answer, ErrorCode>;

/// What a shard tells its coordinator.
pub(super) trait ShardOwner: Send + Sync {
    /// The shard wants to be called at `at_ms`, which may be sooner than before.
    fn deadline_moved(&self, at_ms: i64);
    /// The shard has ended by itself and has to be loaded again.
    fn shard_failed(&self, partition: i32, epoch: i32);
}

/// Which partition, as leader of which epoch, and the largest batch that it takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShardAt {
    pub(super) partition: i32,
    pub(super) epoch: i32,
    pub(super) batch_bytes_max: usize,
}

pub(super) struct Shard {
    at: ShardAt,
    log: Arc<dyn OffsetsLog>,
    owner: Arc<dyn ShardOwner>,
    deadline_ms: AtomicI64,
    inner: Mutex<Inner>,
}

struct Inner {
    /// `None` once the shard has ended (or while an event is being handled).
    machine: Option<Box<Machine>>,
    next_token: u64,
    waiters: HashMap<Token, oneshot::Sender<Reply>>,
    in_flight: Option<Vec<(Token, Answer)>>,
    queue: VecDeque<PendingBatch>,
    queued_bytes: usize,
}

/// Records that are written together, and the replies that wait for them.
struct PendingBatch {
    builder: BatchBuilder,
    replies: Vec<(Token, Answer)>,
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shard").field("at", &self.at).finish_non_exhaustive()
    }
}

impl Shard {
    /// A shard around a machine that has replayed its whole log.
    pub(super) fn start(
        at: ShardAt,
        machine: Machine,
        log: Arc<dyn OffsetsLog>,
        owner: Arc<dyn ShardOwner>,
        now: Now,
    ) -> Arc<Self> {
        let inner = Inner {
            machine: Some(Box::new(machine)),
            next_token: 0,
            waiters: HashMap::new(),
            in_flight: None,
            queue: VecDeque::new(),
            queued_bytes: 0,
        };
        let shard = Arc::new(Self {
            at,
            log,
            owner,
            deadline_ms: AtomicI64::new(NEVER),
            inner: Mutex::new(inner),
        });
        shard.run(now, |machine| machine.on_loaded(now));
        shard
    }

    pub(super) fn epoch(&self) -> i32 {
        self.at.epoch
    }

    pub(super) fn deadline_ms(&self) -> i64 {
        self.deadline_ms.load(Ordering::Acquire)
    }

    /// Hands an event to the machine; the reply comes through the channel.
    pub(super) fn submit(
        self: &Arc<Self>,
        now: Now,
        event: impl FnOnce(Token) -> Event,
    ) -> Result<oneshot::Receiver<Reply>, ErrorCode> {
        let (sender, receiver) = oneshot::channel();
        let mut inner = self.inner.lock();
        if inner.queued_bytes > QUEUED_BYTES_MAX {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        let token = Token(inner.next_token);
        inner.next_token += 1;
        inner.waiters.insert(token, sender);
        self.run_locked(inner, now, |machine| machine.handle(now, event(token)));
        Ok(receiver)
    }

    /// Hands over an event that nobody waits for.
    pub(super) fn tell(self: &Arc<Self>, now: Now, event: Event) {
        self.run(now, |machine| machine.handle(now, event));
    }

    /// Does what is due.
    pub(super) fn tick(self: &Arc<Self>, now: Now) {
        if self.deadline_ms() <= now.ms {
            self.run(now, |machine| machine.on_time(now));
        }
    }

    /// Shows `visit` every group.
    pub(super) fn visit(&self, visit: &mut impl FnMut(GroupView<'_>)) {
        self.inner.lock().machine.iter().flat_map(|machine| machine.views()).for_each(visit);
    }

    /// Ends the shard: the partition is led by another now, or the broker stops.
    pub(super) fn close(&self, error: ErrorCode) {
        self.inner.lock().end(error);
        self.deadline_ms.store(NEVER, Ordering::Release);
    }

    fn run(self: &Arc<Self>, now: Now, step: impl FnOnce(&mut Machine) -> Outcome) {
        self.run_locked(self.inner.lock(), now, step);
    }

    fn run_locked(
        self: &Arc<Self>,
        mut inner: MutexGuard<'_, Inner>,
        now: Now,
        step: impl FnOnce(&mut Machine) -> Outcome,
    ) {
        // Taken out, so that a panic leaves a shard that has ended, not one that is half done.
        let Some(mut machine) = inner.machine.take() else {
            inner.end(ErrorCode::NotCoordinator);
            drop(inner);
            return self.owner.shard_failed(self.at.partition, self.at.epoch);
        };
        let outcome = step(&mut machine);
        let deadline_ms = machine.next_deadline().unwrap_or(NEVER);
        inner.machine = Some(machine);
        let enqueued = inner.enqueue(outcome, now, self.at.batch_bytes_max);
        let next = inner.next_batch();
        drop(inner);

        if self.deadline_ms.swap(deadline_ms, Ordering::AcqRel) != deadline_ms {
            self.owner.deadline_moved(deadline_ms);
        }
        match enqueued {
            Ok(()) => self.append(next),
            Err(error) => self.fail(&error),
        }
    }

    fn append(self: &Arc<Self>, builder: Option<BatchBuilder>) {
        let Some(builder) = builder else { return };
        match builder.build() {
            Ok(batch) => {
                let shard = Arc::clone(self);
                let done = Box::new(move |result| shard.on_appended(result));
                self.log.append(self.at.partition, self.at.epoch, batch, done);
            }
            Err(error) => self.fail(&AppendError::Storage(error.to_string())),
        }
    }

    fn on_appended(self: &Arc<Self>, result: Result<(), AppendError>) {
        if let Err(error) = result {
            return self.fail(&error);
        }
        let mut inner = self.inner.lock();
        let replies = inner.in_flight.take().unwrap_or_default();
        inner.deliver(replies);
        let next = inner.next_batch();
        drop(inner);
        self.append(next);
    }

    fn fail(&self, error: &AppendError) {
        let mut inner = self.inner.lock();
        let was_alive = inner.machine.is_some();
        inner.end(error.error_code());
        drop(inner);
        self.deadline_ms.store(NEVER, Ordering::Release);
        if was_alive {
            error!(
                "__consumer_offsets-{}: {error}; its groups are loaded again",
                self.at.partition
            );
            self.owner.shard_failed(self.at.partition, self.at.epoch);
        }
    }
}

impl Inner {
    /// Puts records into the queue and replies where they have to wait.
    fn enqueue(
        &mut self,
        outcome: Outcome,
        now: Now,
        batch_bytes_max: usize,
    ) -> Result<(), AppendError> {
        for record in &outcome.records {
            self.enqueue_record(record, now, batch_bytes_max)?;
        }
        if let Some(batch) = self.queue.back_mut() {
            batch.replies.extend(outcome.replies);
        } else if let Some(replies) = &mut self.in_flight {
            replies.extend(outcome.replies);
        } else {
            self.deliver(outcome.replies);
        }
        Ok(())
    }

    fn enqueue_record(
        &mut self,
        record: &Record,
        now: Now,
        batch_bytes_max: usize,
    ) -> Result<(), AppendError> {
        let (key, value) =
            record.encode().map_err(|error| AppendError::Storage(error.to_string()))?;
        let size = key.len() + value.as_ref().map_or(0, |v| v.len()) + Record::OVERHEAD_BYTES_MAX;
        let fits =
            |batch: &&mut PendingBatch| batch.builder.uncompressed_size() + size <= batch_bytes_max;
        if self.queue.back_mut().filter(fits).is_none() {
            self.queue
                .push_back(PendingBatch { builder: BatchBuilder::new(), replies: Vec::new() });
        }
        let Some(batch) = self.queue.back_mut() else { return Ok(()) };
        self.queued_bytes += size;
        batch
            .builder
            .append(now.wall_ms, Some(&key), value.as_deref(), &[])
            .map_err(|error| AppendError::Storage(error.to_string()))
    }

    /// The batch to write now, if none is in flight.
    fn next_batch(&mut self) -> Option<BatchBuilder> {
        if self.in_flight.is_some() {
            return None;
        }
        let batch = self.queue.pop_front()?;
        if self.queue.is_empty() {
            self.queued_bytes = 0;
        }
        self.in_flight = Some(batch.replies);
        Some(batch.builder)
    }

    fn deliver(&mut self, replies: Vec<(Token, Answer)>) {
        for (token, answer) in replies {
            if let Some(waiter) = self.waiters.remove(&token) {
                // A client that has gone does not listen any more.
                let _ = waiter.send(Ok(answer));
            }
        }
    }

    fn end(&mut self, error: ErrorCode) {
        self.machine = None;
        self.in_flight = None;
        self.queue.clear();
        self.queued_bytes = 0;
        for (_, waiter) in self.waiters.drain() {
            let _ = waiter.send(Err(error));
        }
    }
}
