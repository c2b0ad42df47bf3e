//! Compaction: of the records of a key only the last one stays (`cleanup.policy=compact`).
//!
//! Kafka's rules, as of 4.4.0, and Kafka's bytes. A few threads look for the dirtiest log, map the
//! keys of its dirty part to their last offsets (see `offset_map.rs`), and write all segments up
//! to the end of that part anew without the records that a later one has overtaken. The new
//! segment takes the place of the old ones in steps that a crash may cut anywhere (see
//! `log/replace.rs`). A segment of which everything stays is not written: what a cleaning costs
//! goes by what changes.
//!
//! Promises:
//!
//! - the last record of every key in the cleaned part stays, with its offset; so do all records
//!   behind it, tombstones for `delete.retention.ms`, and what a restart must know of producers;
//! - only segments are cleaned that are not active, stable (no open transaction), old enough, and
//!   safely on the disk; what that goes by (markers, later batches of a producer) is synced first;
//! - a damaged batch is never signed with a new checksum: the partition counts as uncleanable, is
//!   said once, shown in the metrics, and left alone until the next start;
//! - memory is bounded by the settings, a batch and its decompressed records.
//!
//! | file | holds | I/O |
//! |---|---|---|
//! | `choose.rs` | which part of a log may be cleaned, which log is the dirtiest | |
//! | `offset_map.rs`, `key_hash.rs` | the last offset of each key | |
//! | `newest.rs` | what the first walk knows of each offset, for the second | |
//! | `transactions.rs` | aborted data, markers that may go | |
//! | `filter.rs` | which records of a batch stay, the batch that is made of them | |
//! | `group.rs` | which segments become one | |
//! | `throttle.rs`, `status.rs` | pace, metrics | |
//! | `clean.rs`: `mapping.rs`, then `rewrite.rs`; `reader.rs` | one log's cleaning, in two walks | yes |
//! | `threads.rs` | the threads | yes |
//!
//! What becomes of each partition, and the checkpoints, is in `log_manager/cleaning.rs`.

pub(crate) mod choose;
pub(crate) mod clean;
pub(crate) mod filter;
pub(crate) mod group;
pub(crate) mod key_hash;
mod mapping;
pub(crate) mod newest;
pub(crate) mod offset_map;
pub(crate) mod reader;
mod rewrite;
pub(crate) mod status;
pub(crate) mod threads;
pub(crate) mod throttle;
pub(crate) mod transactions;

pub use clean::CleanedStats;
pub use status::CleanerStatus;

/// The keys `log.cleaner.*`, with Kafka's defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanerConfig {
    pub enable: bool,
    pub threads: usize,
    /// Memory of all threads for the keys.
    pub dedupe_buffer_size: u64,
    /// Share of it that may be used.
    pub io_buffer_load_factor: f64,
    /// Memory of all threads for reading and writing.
    pub io_buffer_size: usize,
    pub io_max_bytes_per_second: f64,
    /// How long a thread waits that has found nothing to do.
    pub backoff_ms: u64,
}

impl Default for CleanerConfig {
    fn default() -> Self {
        Self {
            enable: true,
            threads: 1,
            dedupe_buffer_size: 128 << 20,
            io_buffer_load_factor: 0.9,
            io_buffer_size: 512 << 10,
            io_max_bytes_per_second: f64::MAX,
            backoff_ms: 15_000,
        }
    }
}

impl CleanerConfig {
    /// What one thread gets.
    pub(crate) fn limits(&self) -> clean::Limits {
        let threads = self.threads.max(1);
        clean::Limits {
            // Kafka's buffer is a Java array.
            map_bytes: (self.dedupe_buffer_size / threads as u64).min(i32::MAX as u64),
            load_factor: self.io_buffer_load_factor,
            buffer_bytes: self.io_buffer_size / threads / 2,
        }
    }
}
