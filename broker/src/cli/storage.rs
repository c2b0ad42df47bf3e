//! `barnabas storage`: log directories as a whole.

mod import;
mod info;

use clap::Subcommand;

use super::repair::RepairArgs;

pub use import::ImportArgs;
pub use info::InfoArgs;

/// What to do with log directories.
#[derive(Debug, Subcommand)]
pub enum StorageCommand {
    /// Show what a log directory is and holds.
    ///
    /// Reads a little of each partition and changes nothing; it may run beside a broker. The
    /// metadata of a stopped node is copied to the temporary directory to be read.
    Info(InfoArgs),
    /// Take over the data of a stopped single-node Apache Kafka 4 (KRaft).
    ///
    /// Looks at everything first and changes nothing if anything stands against it. Then it writes
    /// one folder, Barnabas's own metadata. Partition logs, groups and offsets are served where they
    /// lie; Kafka's own metadata is only read.
    Import(ImportArgs),
    /// Cut damaged logs off where the damage begins, and keep what is cut off.
    ///
    /// For partitions that stay offline because something is damaged that was durable once. Nothing
    /// is thrown away: what is cut off stays beside the log as <segment>.log.cut-<position>. Only
    /// files that are made anew from the log are removed. The broker must be stopped.
    ///
    /// Exit code 0: nothing was wrong, or all of it was repaired; 1: something is left, or, with
    /// --dry-run, something would be done.
    Repair(RepairArgs),
}
