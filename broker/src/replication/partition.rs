//! One replica on this broker.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use arc_swap::ArcSwap;
use protocol_codec::Uuid;
use protocol_codec::records::ValidatedBatch;
use storage::{
    AbortedTxn, AppendError, Appended, CommittedRead, Log, LogConfig, ReadError, RequiredAcks,
    Slices, TopicPartition,
};
use tokio::sync::Notify;

use super::waiters::Waiters;
use crate::metrics::{Metrics, TopicCounters};

/// A partition that has a replica here.
#[derive(Debug)]
pub struct Partition {
    topic_partition: TopicPartition,
    topic_id: Uuid,
    node_id: i32,
    /// Absent when its directory is offline or missing.
    log: Option<Arc<Log>>,
    /// Leader and leader epoch, see [`Leadership::pack`].
    leadership: AtomicU64,
    /// Replicas and in-sync replicas, as far as admission needs them.
    replication: ArcSwap<Replication>,
    waiters: Waiters,
    /// The counters of the topic, once there was traffic.
    counters: OnceLock<Arc<TopicCounters>>,
}

/// Who leads a partition, and in which epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// -1: nobody.
    pub leader: i32,
    pub epoch: i32,
}

/// What a consumer gets of a partition.
#[derive(Debug, Default)]
pub struct PartitionData {
    pub slices: Slices,
    /// What of it `read_committed` is to skip.
    pub aborted: Vec<AbortedTxn>,
    pub high_watermark: i64,
    /// Never beyond the high watermark.
    pub last_stable_offset: i64,
}

/// How many replicas there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replication {
    pub replicas: usize,
    pub in_sync: usize,
}

/// Why a partition cannot be used for what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotUsable {
    #[error("this broker is not the leader")]
    NotLeader(Leadership),
    #[error("the leader epoch of the request is older than the broker's")]
    Fenced(Leadership),
    #[error("the leader epoch of the request is newer than the broker's")]
    UnknownEpoch(Leadership),
    #[error("the log directory is offline")]
    Offline,
}

impl Leadership {
    fn pack(self) -> u64 {
        (u64::from(self.leader.cast_unsigned()) << 32) | u64::from(self.epoch.cast_unsigned())
    }

    fn unpack(packed: u64) -> Self {
        let half = |bits: u64| (bits as u32).cast_signed();
        Self { leader: half(packed >> 32), epoch: half(packed) }
    }
}

impl Partition {
    pub fn new(
        topic_partition: TopicPartition,
        topic_id: Uuid,
        node_id: i32,
        log: Option<Arc<Log>>,
        leadership: Leadership,
        replication: Replication,
    ) -> Arc<Self> {
        let partition = Arc::new(Self {
            topic_partition,
            topic_id,
            node_id,
            log,
            leadership: AtomicU64::new(leadership.pack()),
            replication: ArcSwap::from_pointee(replication),
            waiters: Waiters::default(),
            counters: OnceLock::new(),
        });
        if let Some(log) = &partition.log {
            let weak = Arc::downgrade(&partition);
            log.set_on_visible(Arc::new(move |_| {
                if let Some(partition) = Weak::upgrade(&weak) {
                    partition.waiters.wake_all();
                }
            }));
            if leadership.leader == node_id {
                log.begin_leader_epoch(leadership.epoch);
            }
        }
        partition
    }

    pub fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    pub fn topic_id(&self) -> Uuid {
        self.topic_id
    }

    pub fn leadership(&self) -> Leadership {
        Leadership::unpack(self.leadership.load(Ordering::Acquire))
    }

    pub fn replication(&self) -> Replication {
        **self.replication.load()
    }

    /// The log, whoever leads.
    pub fn log(&self) -> Option<&Arc<Log>> {
        self.log.as_ref()
    }

    /// The log directory is offline or missing.
    pub fn is_offline(&self) -> bool {
        self.log.as_ref().is_none_or(|log| log.dir().is_offline())
    }

    pub fn is_leader(&self) -> bool {
        self.leadership().leader == self.node_id
    }

    /// Takes over what the metadata says.
    pub fn update(&self, leadership: Leadership, replication: Replication) {
        let before = self.leadership();
        self.replication.store(Arc::new(replication));
        if before == leadership {
            return;
        }
        if leadership.leader == self.node_id
            && let Some(log) = &self.log
        {
            log.begin_leader_epoch(leadership.epoch);
        }
        self.leadership.store(leadership.pack(), Ordering::Release);
        self.waiters.wake_all();
    }

    /// Settings that changed.
    pub fn update_config(&self, config: LogConfig) {
        if let Some(log) = &self.log {
            log.update_config(config);
        }
    }

    /// The log, if this broker leads in the epoch that the request knows of; -1 asks for none.
    pub fn leader_log(
        &self,
        current_leader_epoch: i32,
    ) -> Result<(&Arc<Log>, Leadership), NotUsable> {
        let leadership = self.leadership();
        if current_leader_epoch >= 0 && current_leader_epoch < leadership.epoch {
            return Err(NotUsable::Fenced(leadership));
        }
        if current_leader_epoch > leadership.epoch {
            return Err(NotUsable::UnknownEpoch(leadership));
        }
        if leadership.leader != self.node_id {
            return Err(NotUsable::NotLeader(leadership));
        }
        let log = self.log.as_ref().ok_or(NotUsable::Offline)?;
        Ok((log, leadership))
    }

    /// Whether the in-sync replicas are enough for `acks=all`. A topic cannot ask for more of
    /// them than it has replicas, as in Kafka.
    pub fn has_enough_in_sync(&self, min_insync_replicas: i32) -> bool {
        let Replication { replicas, in_sync } = self.replication();
        let wanted = usize::try_from(min_insync_replicas).unwrap_or(1).min(replicas);
        in_sync >= wanted
    }

    /// Appends a batch to `log`, which is this partition's, and wakes who waits for data.
    pub fn append(
        &self,
        log: &Arc<Log>,
        batch: &ValidatedBatch,
        leader_epoch: i32,
        acks: RequiredAcks,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let appended = log.append_as_leader(batch, leader_epoch, acks, now_ms)?;
        self.waiters.wake_all();
        Ok(appended)
    }

    /// The end of what consumers may read.
    pub fn high_watermark(log: &Log) -> i64 {
        log.visible_end()
    }

    /// Reads what a consumer may see from `offset` on. Without `read_committed` no transaction is
    /// looked at.
    pub fn read(
        log: &Log,
        offset: i64,
        max_bytes: usize,
        read_committed: bool,
        min_one_batch: bool,
    ) -> Result<PartitionData, ReadError> {
        if read_committed {
            let CommittedRead { slices, aborted, last_stable_offset } =
                log.read_committed(offset, max_bytes, min_one_batch)?;
            let high_watermark = Self::high_watermark(log);
            return Ok(PartitionData { slices, aborted, high_watermark, last_stable_offset });
        }
        let high_watermark = Self::high_watermark(log);
        let slices = log.read(offset, max_bytes, high_watermark, min_one_batch)?;
        let last_stable_offset = log.last_stable_offset().min(high_watermark);
        Ok(PartitionData { slices, aborted: Vec::new(), high_watermark, last_stable_offset })
    }

    /// The counters of the topic.
    pub fn counters(&self, metrics: &Metrics) -> &Arc<TopicCounters> {
        self.counters.get_or_init(|| metrics.topics.of(&self.topic_partition.topic))
    }

    /// Has `waiter` woken when there is more to read or the leadership changes.
    pub fn register(&self, waiter: &Arc<Notify>) {
        self.waiters.register(waiter);
    }

    /// Wakes who waits: the partition is going away.
    pub fn wake_waiters(&self) {
        self.waiters.wake_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leadership_survives_packing() {
        for (leader, epoch) in [(0, 0), (-1, 7), (i32::MAX, i32::MAX), (1, -1)] {
            let leadership = Leadership { leader, epoch };
            assert_eq!(Leadership::unpack(leadership.pack()), leadership);
        }
    }
}
