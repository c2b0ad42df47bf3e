//! The thread that drives a node: a bounded queue of events, the clock, and the snapshot writer.
//!
//! With one voter the thread sleeps until a command comes: no ticks, no heartbeats, nothing on the
//! disk. Commands that queued up while a write was under way share the next one.

use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::node::{Listener, Node, NodeError, Reply};
use super::store::StoreError;
use crate::command::Command;
use crate::handle::{ControllerState, Shared};
use crate::image::LogPosition;

/// The length of a tick, where there are other voters.
const TICK: Duration = Duration::from_millis(100);

/// Events taken before the node processes them: the most that one store write is shared by.
const EVENTS_PER_ROUND_MAX: usize = 256;

/// What the thread is told.
pub(crate) enum Event {
    Submit { command: Command, reply: Reply },
    Shutdown,
}

pub(crate) struct Driver {
    node: Node,
    listener: Listener,
    events: Receiver<Event>,
    shared: Arc<Shared>,
    seeds: Seeds,
    snapshots: SnapshotThread,
}

impl Driver {
    pub(crate) fn new(
        node: Node,
        listener: Listener,
        events: Receiver<Event>,
        shared: Arc<Shared>,
    ) -> std::io::Result<Self> {
        let seeds = Seeds::from_system()?;
        Ok(Driver { node, listener, events, shared, seeds, snapshots: SnapshotThread::default() })
    }

    /// Runs until it is told to stop, the last handle is gone, or the node fails. Says which in the
    /// shared state.
    pub(crate) fn run(mut self) {
        // raft asserts its own invariants; a panic there must stop the controller, not the process.
        let result = catch_unwind(AssertUnwindSafe(|| self.drive()));
        self.node.fail_all();
        let state = match result {
            Ok(Ok(())) => ControllerState::Stopped,
            Ok(Err(error)) => ControllerState::Failed(error.to_string().into()),
            Err(panic) => ControllerState::Failed(panic_message(&*panic).into()),
        };
        if let ControllerState::Failed(reason) = &state {
            tracing::error!(%reason, "The metadata controller stops");
        }
        let Driver { node, mut snapshots, shared, .. } = self;
        snapshots.join();
        // Whoever waits for the end may open the store again right away.
        drop(node);
        shared.set_state(state);
    }

    fn drive(&mut self) -> Result<(), NodeError> {
        let ticks = !self.node.is_sole_voter();
        if !ticks {
            self.node.campaign()?;
        }
        let mut next_tick = Instant::now() + TICK;
        self.round()?;
        loop {
            let event = if ticks {
                self.events.recv_timeout(next_tick.saturating_duration_since(Instant::now()))
            } else {
                self.events.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            match event {
                Ok(event) => {
                    if !self.take(event) {
                        return Ok(());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
            let mut stop = false;
            for _ in 1..EVENTS_PER_ROUND_MAX {
                match self.events.try_recv() {
                    Ok(event) => stop |= !self.take(event),
                    Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
                }
            }
            if ticks && Instant::now() >= next_tick {
                self.node.tick();
                next_tick = Instant::now() + TICK;
            }
            self.round()?;
            if stop {
                return Ok(());
            }
        }
    }

    /// Whether to go on.
    fn take(&mut self, event: Event) -> bool {
        match event {
            Event::Submit { command, reply } => {
                let seed = self.seeds.next();
                self.node.submit(now_ms(), seed, command, reply);
                true
            }
            Event::Shutdown => false,
        }
    }

    fn round(&mut self) -> Result<(), NodeError> {
        let shared = &self.shared;
        let listener = &mut self.listener;
        self.node.process(
            now_ms(),
            // What the listener leaves half done is its own to repair; the log goes on.
            &mut |delta, image| {
                let told = catch_unwind(AssertUnwindSafe(|| listener(delta, image)));
                if let Err(panic) = told {
                    let reason = panic_message(&*panic);
                    tracing::error!(reason, "The listener of the metadata panicked");
                }
            },
            &mut |image| shared.publish(image.clone()),
        )?;
        self.shared.set_quorum(self.node.quorum_status());
        if self.node.is_ready() && self.node.image().cluster_id.is_some() {
            self.shared.set_state(ControllerState::Ready);
        }
        self.snapshot_if_due()
    }

    fn snapshot_if_due(&mut self) -> Result<(), NodeError> {
        if let Some(written) = self.snapshots.take_finished() {
            match written {
                Ok((at, bytes)) => self.node.snapshot_written(at, bytes)?,
                // The log still holds everything; the next snapshot is tried when it has grown.
                Err(error) => tracing::warn!(%error, "Cannot write a metadata snapshot"),
            }
        }
        if !self.snapshots.is_running()
            && let Some((image, writer)) = self.node.snapshot_due()
        {
            self.snapshots.start(move || {
                let bytes = super::snapshot::encode(&image);
                writer.write(image.last_applied, &bytes)?;
                Ok((image.last_applied, bytes.len()))
            });
        }
        Ok(())
    }
}

/// At most one thread that writes a snapshot. Its result is taken when the next event comes:
/// nothing hurries.
#[derive(Debug, Default)]
struct SnapshotThread {
    thread: Option<std::thread::JoinHandle<SnapshotWritten>>,
}

/// Position and size of what was written.
type SnapshotWritten = Result<(LogPosition, usize), StoreError>;

impl SnapshotThread {
    fn is_running(&self) -> bool {
        self.thread.is_some()
    }

    fn start(&mut self, write: impl FnOnce() -> SnapshotWritten + Send + 'static) {
        let builder = std::thread::Builder::new().name("metadata-snapshot".to_owned());
        match builder.spawn(write) {
            Ok(thread) => self.thread = Some(thread),
            Err(error) => tracing::warn!(%error, "Cannot start the snapshot thread"),
        }
    }

    fn take_finished(&mut self) -> Option<SnapshotWritten> {
        let thread = self.thread.take_if(|thread| thread.is_finished())?;
        thread.join().ok()
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && let Ok(Err(error)) = thread.join()
        {
            tracing::warn!(%error, "Cannot write a metadata snapshot");
        }
    }
}

/// Seeds for decisions: 128 bits from the system's generator, then a count in both halves.
#[derive(Debug)]
struct Seeds {
    base: u128,
    count: u64,
}

impl Seeds {
    fn from_system() -> std::io::Result<Self> {
        let mut bytes = [0; 16];
        std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(Seeds { base: u128::from_le_bytes(bytes), count: 0 })
    }

    fn next(&mut self) -> u128 {
        /// 2^128 divided by the golden ratio, odd: multiples of it lie far apart.
        const STEP: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
        self.count += 1;
        self.base.wrapping_add(STEP.wrapping_mul(u128::from(self.count)))
    }
}

pub(crate) fn queue(bound: usize) -> (SyncSender<Event>, Receiver<Event>) {
    sync_channel(bound)
}

fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}
