//! `barnabas log`: looking into the files of logs.

mod dump;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

/// What to do with log files. Nothing here writes.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Show what files of a log directory hold, line by line.
    ///
    /// Reads segments, indexes, producer snapshots, checkpoints and the small files, of Barnabas
    /// and of Kafka, by their names. A damaged file is shown up to the damage; the exit code is 1
    /// then. After a crash a segment is shown as the next start will find it: what only the journal
    /// of its log directory holds is marked fromJournal.
    Dump(dump::DumpArgs),
    /// Check every byte of a log directory, or of one partition's.
    ///
    /// Compares all checksums, orders, indexes and sums, and lists what is damaged, where, and what
    /// helps. The exit code is 1 if anything is. It may run beside a broker.
    Verify(verify::VerifyArgs),
}

impl LogCommand {
    pub(super) fn run(self) -> ExitCode {
        match self {
            Self::Dump(args) => args.run(),
            Self::Verify(args) => args.run(),
        }
    }
}
