//! The partitions of this broker: who leads them, what was appended, who waits for more.
//!
//! | module | is |
//! |---|---|
//! | [`partition`] | one replica: its log, its leadership, its waiters |
//! | [`replica_manager`] | all replicas of this broker, kept by the metadata's deltas |
//! | [`directory_assignments`] | tells the controller where each replica lies |
//! | [`waiters`] | fetches that wait for data |
//! | [`produce_wait`] | a produce that waits until its records are durable |
//! | [`fetch_session`] | incremental fetch sessions (KIP-227) |
//! | [`offsets_log`] | the partitions of `__consumer_offsets`, for the group coordinator |
//!
//! With one replica the high watermark is the log's visible end: the log's end, except that it
//! stops at the first `acks=all` batch that is not synced yet.

pub mod directory_assignments;
pub mod fetch_session;
pub mod offsets_log;
pub mod partition;
pub mod produce_wait;
pub mod replica_manager;
pub mod waiters;

pub use partition::{Leadership, Partition};
pub use replica_manager::{Lookup, ReplicaManager};
