//! The group coordinator: classic groups and committed offsets, kept in `__consumer_offsets`.
//!
//! - [`machine`]: the state machine of one partition, pure; [`event`] goes in and comes out,
//!   [`record`] is what it writes and replays
//! - [`classic`]: the classic group protocol, one file for each operation
//! - [`offsets`]: committed offsets
//! - [`describe`]: what administrators see and delete
//! - [`shard`]: one machine with its log: batching, waiting for durability
//! - [`coordinator`]: all shards of this broker, the timer, loading ([`load`])
//! - [`api`]: what the handlers call; [`follow`]: what the metadata's changes mean here
//! - [`view`]: what metrics see of the groups
//! - [`log`]: what the shards need of the partition's log
//!
//! Invariants: the machine never does I/O, reads a clock or draws a random number. No reply
//! leaves before the records that it rests on are durable. No task for a group; one timer.

mod api;
pub(crate) mod classic;
mod context;
pub mod coordinator;
mod describe;
pub mod event;
mod follow;
mod load;
pub mod log;
pub mod machine;
pub(crate) mod offsets;
mod owned;
pub mod partition;
pub mod record;
mod shard;
mod subscription;
mod timer;
pub mod view;

pub use coordinator::GroupCoordinator;
pub use partition::partition_for;

use crate::config::BrokerConfig;

/// Name of the internal topic.
pub const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// The settings of the coordinator; `Default` is Kafka's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfig {
    /// `group.min.session.timeout.ms`
    pub session_timeout_ms_min: i32,
    /// `group.max.session.timeout.ms`
    pub session_timeout_ms_max: i32,
    /// `group.initial.rebalance.delay.ms`
    pub initial_rebalance_delay_ms: i32,
    /// `group.max.size`
    pub max_size: usize,
    /// `offset.metadata.max.bytes`; UTF-16 units, as Kafka counts them.
    pub offset_metadata_bytes_max: usize,
    /// `offsets.retention.minutes`, in milliseconds.
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`
    pub retention_check_interval_ms: i64,
    /// `offsets.commit.timeout.ms`: how long a write may take to become durable.
    pub commit_timeout_ms: u64,
    /// `offsets.topic.num.partitions`: what the topic is created with.
    pub offsets_topic_partitions: i32,
    /// Largest batch that the internal topic takes (`message.max.bytes`).
    pub record_bytes_max: usize,
}

impl GroupConfig {
    /// The broker's settings.
    pub fn new(broker: &BrokerConfig) -> Self {
        let (groups, offsets) = (&broker.groups, &broker.offsets);
        let as_i32 = |ms: i64| i32::try_from(ms).unwrap_or(i32::MAX);
        Self {
            session_timeout_ms_min: as_i32(groups.group_min_session_timeout_ms),
            session_timeout_ms_max: as_i32(groups.group_max_session_timeout_ms),
            initial_rebalance_delay_ms: as_i32(groups.group_initial_rebalance_delay_ms),
            max_size: groups.group_max_size,
            offset_metadata_bytes_max: offsets.offset_metadata_max_bytes,
            offsets_retention_ms: offsets.offsets_retention_ms,
            retention_check_interval_ms: offsets.offsets_retention_check_interval_ms,
            commit_timeout_ms: offsets.offsets_commit_timeout_ms,
            offsets_topic_partitions: offsets.offsets_topic_num_partitions,
            record_bytes_max: usize::try_from(broker.log.max_message_bytes).unwrap_or(0),
        }
    }
}

impl Default for GroupConfig {
    fn default() -> Self {
        Self {
            session_timeout_ms_min: 6_000,
            session_timeout_ms_max: 1_800_000,
            initial_rebalance_delay_ms: 3_000,
            max_size: i32::MAX as usize,
            offset_metadata_bytes_max: 4_096,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1000,
            retention_check_interval_ms: 600_000,
            commit_timeout_ms: 5_000,
            offsets_topic_partitions: 50,
            record_bytes_max: 1_048_588,
        }
    }
}
