//! One machine's partition logs on one machine's disks, in Kafka's own bytes and file names.
//!
//! Code map, lowest layer first:
//!
//! | module | is |
//! |---|---|
//! | [`fs`] | the disk seam: real, in memory, faulty |
//! | [`log_dir`] | one log directory's health: online, out of space, failed |
//! | `open_files` | the descriptors of segments, within a budget |
//! | [`topic_partition`], [`log_config`] | names and settings |
//! | [`checkpoint`], [`clean_shutdown`] | Kafka's checkpoint files, the marker of a clean stop |
//! | [`data_dirs`] | the start of a node's directories: locked, checked, formatted |
//! | [`dir_lock`], [`meta_properties`], [`partition_metadata`] | the files that say whose a directory is |
//! | [`leader_epoch_cache`] | at which offset each leader epoch of a partition began |
//! | [`producer_state`] | what a partition remembers of its idempotent producers |
//! | [`journal`] | the redo journal of a log directory: many small durable appends for one sync |
//! | [`log`] | one partition's log: append, read, roll, sync, recover, truncate, retention |
//! | `cleaner` | compaction |
//! | [`log_manager`] | all logs of a node, over its log directories |
//! | [`repair`] | `barnabas storage repair`: cut what is damaged, keep what is cut |
//! | [`info`] | what a log directory holds, without opening it |
//! | [`inspect`], [`verify`] | reading all files without trusting them; `barnabas log verify` |
//! | [`batch_file`], [`survey`], [`kafka_metadata`] | reading what no log has open, for an import from Kafka |
//! | [`sealed_sums`], [`scrub`] | size and CRC of each file of a sealed segment, and who compares them |
//!
//! Invariants of the crate:
//!
//! - Nothing here knows of the network, of async, or of a clock: the time is a parameter.
//! - Every access to a disk goes through [`fs::Fs`] and [`fs::File`].
//! - Bytes that come from a disk are never trusted: damage is an error that names file and
//!   position, never a panic and never a silent cut in the middle of acknowledged data.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::panic))]
#![deny(clippy::todo, clippy::unimplemented)]

pub mod batch_file;
pub mod checkpoint;
pub mod clean_shutdown;
mod cleaner;
pub mod data_dirs;
mod delay;
pub mod dir_lock;
mod fields;
pub mod fs;
mod index;
pub mod info;
pub mod inspect;
pub mod journal;
pub mod kafka_metadata;
pub mod leader_epoch_cache;
pub mod log;
pub mod log_config;
pub mod log_dir;
pub mod log_manager;
pub mod meta_properties;
mod open_files;
pub mod partition_metadata;
pub mod producer_state;
#[cfg(test)]
mod proofs;
pub mod random_id;
pub mod repair;
pub mod scrub;
pub mod sealed_sums;
mod segment;
pub mod survey;
pub mod topic_partition;
pub mod verify;

pub use cleaner::threads::CleanerClock;
pub use cleaner::{CleanedStats, CleanerConfig, CleanerStatus};
pub use data_dirs::{DataDir, DataDirs, DataDirsConfig, DataDirsError};
pub use index::txn::AbortedTxn;
pub use journal::{Journal, JournalError, PartitionKey};
pub use log::append::{AppendError, Appended, RequiredAcks};
pub use log::durable::{Durable, DurableCallback, NotDurable};
pub use log::flush_timer::FlushTimer;
pub use log::read::{FileRegion, ReadError, Slices};
pub use log::recover::{LogRecovery, OpenLog, OpenLogError};
pub use log::sync_queue::{SyncQueue, SyncThreads};
pub use log::timestamps::FoundOffset;
pub use log::transactions::{CommittedRead, EndTransaction};
pub use log::{Log, LogContext, OnVisible, Unwritable};
pub use log_config::{CleanupPolicy, CompressionType, LogConfig, TimestampType};
pub use log_dir::LogDir;
pub use log_manager::{
    CreateLogError, LogManager, LogManagerConfig, Placement, RecoveryReport, TickReport,
};
pub use open_files::OpenFiles;
pub use scrub::{ScrubConfig, Scrubber};
pub use segment::SegmentError;
pub use topic_partition::TopicPartition;
