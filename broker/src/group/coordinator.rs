//! All shards of this broker: which partitions it leads, the one timer, loading.
//!
//! Handlers call the methods of [`super::api`]. The broker calls [`GroupCoordinator::elected`]
//! and [`GroupCoordinator::resigned`] as leadership comes and goes, and runs
//! [`GroupCoordinator::run`] once, as the only task here. Where no group lives nothing runs: the
//! task sleeps until the earliest deadline of any shard, or for ever.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use protocol_codec::ErrorCode;
use tokio::sync::{Notify, oneshot};
use tracing::{error, info};

use super::event::{DeletedTopic, Event, Now, Token};
use super::load::load;
use super::log::{OffsetsLog, ReplayError};
use super::machine::Machine;
use super::shard::{NEVER, Reply, Shard, ShardAt, ShardOwner};
use super::view::GroupView;
use super::{GroupConfig, partition_for};

/// How long a partition that could not be loaded is left alone.
const RELOAD_DELAY_MS: i64 = 10_000;

/// Reads both clocks; the shell's, so that tests have their own.
pub type GroupClock = Arc<dyn Fn() -> Now + Send + Sync>;

#[derive(Clone)]
pub struct GroupCoordinator {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) config: Arc<GroupConfig>,
    log: Arc<dyn OffsetsLog>,
    clock: GroupClock,
    partition_count: AtomicI32,
    slots: RwLock<HashMap<i32, Slot>>,
    loads: Mutex<Loads>,
    wake: Wake,
    is_stopped: AtomicBool,
}

/// A partition that this broker leads.
enum Slot {
    Loading { epoch: i32 },
    Active(Arc<Shard>),
}

#[derive(Default)]
struct Loads {
    queue: VecDeque<(i32, i32)>,
    is_running: bool,
    /// When partitions that failed are tried again.
    retry: VecDeque<(i64, i32, i32)>,
}

/// Wakes the timer task.
struct Wake {
    /// The deadline that the task sleeps for.
    armed_ms: AtomicI64,
    notify: Notify,
}

impl fmt::Debug for GroupCoordinator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupCoordinator").finish_non_exhaustive()
    }
}

impl GroupCoordinator {
    /// A coordinator that leads nothing yet.
    pub fn new(config: GroupConfig, log: Arc<dyn OffsetsLog>, clock: GroupClock) -> Self {
        let partition_count = AtomicI32::new(config.offsets_topic_partitions.max(1));
        let wake = Wake { armed_ms: AtomicI64::new(NEVER), notify: Notify::new() };
        let shared = Shared {
            config: Arc::new(config),
            log,
            clock,
            partition_count,
            slots: RwLock::new(HashMap::new()),
            loads: Mutex::new(Loads::default()),
            wake,
            is_stopped: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// How many partitions the topic has, once it exists; until then the configuration counts.
    pub fn set_partition_count(&self, count: i32) {
        if count > 0 {
            self.shared.partition_count.store(count, Ordering::Release);
        }
    }

    /// The partition of `__consumer_offsets` whose leader coordinates the group.
    pub fn partition_for(&self, group_id: &str) -> i32 {
        partition_for(group_id, self.shared.partition_count.load(Ordering::Acquire))
    }

    /// This broker leads the partition from `epoch` on: its groups are loaded.
    pub fn elected(&self, partition: i32, epoch: i32) {
        let mut slots = self.shared.slots.write();
        match slots.get(&partition) {
            Some(slot) if slot.epoch() >= epoch => return,
            Some(Slot::Active(shard)) => shard.close(ErrorCode::NotCoordinator),
            Some(Slot::Loading { .. }) | None => {}
        }
        slots.insert(partition, Slot::Loading { epoch });
        drop(slots);
        if self.shared.log.is_empty(partition) {
            // The first group of a new cluster need not wait.
            let machine = Machine::new(Arc::clone(&self.shared.config));
            self.shared.serve(partition, epoch, machine);
        } else {
            self.shared.queue_load(partition, epoch);
        }
    }

    /// This broker does not lead the partition any more; whoever waits is sent elsewhere.
    pub fn resigned(&self, partition: i32) {
        let slot = self.shared.slots.write().remove(&partition);
        if let Some(Slot::Active(shard)) = slot {
            shard.close(ErrorCode::NotCoordinator);
        }
    }

    /// Offsets of deleted topics go.
    pub fn topics_deleted(&self, topics: &[DeletedTopic]) {
        if topics.is_empty() {
            return;
        }
        for shard in self.shared.active_shards() {
            shard.tell(self.shared.now(), Event::TopicsDeleted(topics.to_vec()));
        }
    }

    /// Shows `visit` every group that this broker coordinates.
    pub fn visit(&self, mut visit: impl FnMut(GroupView<'_>)) {
        for shard in self.shared.active_shards() {
            shard.visit(&mut visit);
        }
    }

    /// Ends all shards; whoever waits is told to look for another coordinator.
    pub fn stop(&self) {
        self.shared.is_stopped.store(true, Ordering::Release);
        let slots = std::mem::take(&mut *self.shared.slots.write());
        for slot in slots.into_values() {
            if let Slot::Active(shard) = slot {
                shard.close(ErrorCode::NotCoordinator);
            }
        }
        self.shared.wake.notify.notify_one();
    }

    /// Runs timers and loads until [`GroupCoordinator::stop`]. To be spawned once.
    pub async fn run(self) {
        let shared = self.shared;
        while !shared.is_stopped.load(Ordering::Acquire) {
            shared.start_loads();
            let now = shared.now();
            for shard in shared.active_shards() {
                shard.tick(now);
            }
            let deadline_ms = shared.arm();
            let notified = shared.wake.notify.notified();
            if deadline_ms == NEVER {
                notified.await;
            } else {
                let wait_ms = u64::try_from(deadline_ms.saturating_sub(shared.now().ms));
                let wait = Duration::from_millis(wait_ms.unwrap_or(0));
                tokio::select! {
                    () = notified => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }
    }

    /// Hands an event to the shard of the group.
    pub(super) fn submit(
        &self,
        group_id: &str,
        event: impl FnOnce(Token) -> Event,
    ) -> Result<oneshot::Receiver<Reply>, ErrorCode> {
        let shard = self.shared.shard(self.partition_for(group_id))?;
        shard.submit(self.shared.now(), event)
    }

    /// Hands an event to every shard; an error if one is still loading.
    pub(super) fn submit_all(
        &self,
        event: impl Fn(Token) -> Event,
    ) -> Result<Vec<oneshot::Receiver<Reply>>, ErrorCode> {
        let is_loading = |slot: &Slot| matches!(slot, Slot::Loading { .. });
        if self.shared.slots.read().values().any(is_loading) {
            return Err(ErrorCode::CoordinatorLoadInProgress);
        }
        let now = self.shared.now();
        self.shared.active_shards().iter().map(|shard| shard.submit(now, &event)).collect()
    }
}

impl Slot {
    fn epoch(&self) -> i32 {
        match self {
            Slot::Loading { epoch } => *epoch,
            Slot::Active(shard) => shard.epoch(),
        }
    }

    fn is_loading(&self, epoch: i32) -> bool {
        matches!(self, Slot::Loading { epoch: wanted } if *wanted == epoch)
    }
}

impl Shared {
    fn now(&self) -> Now {
        (self.clock)()
    }

    fn shard(&self, partition: i32) -> Result<Arc<Shard>, ErrorCode> {
        if self.is_stopped.load(Ordering::Acquire) {
            return Err(ErrorCode::CoordinatorNotAvailable);
        }
        match self.slots.read().get(&partition) {
            Some(Slot::Active(shard)) => Ok(Arc::clone(shard)),
            Some(Slot::Loading { .. }) => Err(ErrorCode::CoordinatorLoadInProgress),
            None => Err(ErrorCode::NotCoordinator),
        }
    }

    pub(super) fn active_shards(&self) -> Vec<Arc<Shard>> {
        let slots = self.slots.read();
        let active = slots.values().filter_map(|slot| match slot {
            Slot::Active(shard) => Some(Arc::clone(shard)),
            Slot::Loading { .. } => None,
        });
        active.collect()
    }

    /// Notes for which deadline the task is about to sleep.
    fn arm(&self) -> i64 {
        // First "for ever", so that a shard that moves its deadline meanwhile wakes the task.
        self.wake.armed_ms.store(NEVER, Ordering::SeqCst);
        let shards = self.active_shards();
        let soonest = shards.iter().map(|shard| shard.deadline_ms()).min().unwrap_or(NEVER);
        let retry = self.loads.lock().retry.front().map_or(NEVER, |(at_ms, _, _)| *at_ms);
        let deadline_ms = soonest.min(retry);
        self.wake.armed_ms.store(deadline_ms, Ordering::SeqCst);
        deadline_ms
    }

    fn queue_load(&self, partition: i32, epoch: i32) {
        self.loads.lock().queue.push_back((partition, epoch));
        self.wake.notify.notify_one();
    }

    /// Starts the loading thread if there is something to load and it does not run.
    fn start_loads(self: &Arc<Self>) {
        let now = self.now();
        let mut loads = self.loads.lock();
        while loads.retry.front().is_some_and(|(at_ms, _, _)| *at_ms <= now.ms) {
            let again = loads.retry.pop_front();
            loads.queue.extend(again.map(|(_, partition, epoch)| (partition, epoch)));
        }
        if loads.is_running || loads.queue.is_empty() {
            return;
        }
        loads.is_running = true;
        drop(loads);
        let shared = Arc::clone(self);
        tokio::task::spawn_blocking(move || shared.run_loads());
    }

    fn run_loads(self: Arc<Self>) {
        loop {
            let mut loads = self.loads.lock();
            let Some((partition, epoch)) = loads.queue.pop_front() else {
                loads.is_running = false;
                return;
            };
            drop(loads);
            self.load_one(partition, epoch);
        }
    }

    fn load_one(self: &Arc<Self>, partition: i32, epoch: i32) {
        if !self.slots.read().get(&partition).is_some_and(|slot| slot.is_loading(epoch)) {
            return;
        }
        let started = self.now();
        match load(&self.config, &*self.log, partition, epoch) {
            Ok((machine, records)) => {
                let now = self.now();
                if records > 0 {
                    info!(
                        "Finished loading of metadata from __consumer_offsets-{partition} with \
                         epoch {epoch} in {} milliseconds, {records} records",
                        now.ms.saturating_sub(started.ms)
                    );
                }
                self.serve(partition, epoch, machine);
            }
            Err(ReplayError::NotLeader) => {
                let mut slots = self.slots.write();
                if slots.get(&partition).is_some_and(|slot| slot.is_loading(epoch)) {
                    slots.remove(&partition);
                }
            }
            Err(error) => {
                error!("__consumer_offsets-{partition} cannot be loaded: {error}");
                let at_ms = self.now().ms.saturating_add(RELOAD_DELAY_MS);
                self.loads.lock().retry.push_back((at_ms, partition, epoch));
                self.wake.notify.notify_one();
            }
        }
    }
}

impl Shared {
    /// The machine serves from now on, unless leadership has moved while it was loaded.
    fn serve(self: &Arc<Self>, partition: i32, epoch: i32, machine: Machine) {
        let at = ShardAt { partition, epoch, batch_bytes_max: self.config.record_bytes_max };
        let owner: Arc<dyn ShardOwner> = Arc::clone(self) as _;
        let shard = Shard::start(at, machine, Arc::clone(&self.log), owner, self.now());
        let mut slots = self.slots.write();
        if slots.get(&partition).is_some_and(|slot| slot.is_loading(epoch)) {
            slots.insert(partition, Slot::Active(shard));
        } else {
            shard.close(ErrorCode::NotCoordinator);
        }
        drop(slots);
        self.wake.notify.notify_one();
    }
}

impl ShardOwner for Shared {
    fn deadline_moved(&self, at_ms: i64) {
        if at_ms < self.wake.armed_ms.load(Ordering::SeqCst) {
            self.wake.notify.notify_one();
        }
    }

    fn shard_failed(&self, partition: i32, epoch: i32) {
        let mut slots = self.slots.write();
        match slots.get(&partition) {
            Some(Slot::Active(shard)) if shard.epoch() == epoch => {
                slots.insert(partition, Slot::Loading { epoch });
            }
            Some(_) | None => return,
        }
        drop(slots);
        self.queue_load(partition, epoch);
    }
}

#[cfg(test)]
mod tests;
