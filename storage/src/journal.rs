//! The redo journal of a log directory: what makes many small durable appends cost one sync.
//!
//! Records are always written to their partition's own file first, so that fetches and a restart
//! after `kill -9` never need the journal. Syncing a dozen partition files for a dozen small batches
//! is slow, though. Instead a commit copies the new bytes of all partitions, a *frame*, into one
//! preallocated file and syncs that. After a loss of power the start writes back what the
//! partitions' files lack ([`replay`]), before any log is opened.
//!
//! Promise: when [`Frame::commit`] has returned `Ok`, a start after a power cut finds the frame's
//! bytes in the partitions' files, or an error. It also finds how far each partition was durable:
//! damage before that is no torn tail.
//!
//! State: a partition is *in debt* while frames hold bytes of it that its own file may lack.
//! Syncing the file settles the debt, and frames that nobody needs are written over. The space is
//! bounded: when there is none left, logs sync their own files instead ([`CommitError::Full`]).
//!
//! Invariants:
//!
//! - bytes are in the partition's file before they are in a frame; names and `partition.metadata` of
//!   that file are durable before;
//! - one frame is written and synced at a time, so of all frames that count only the newest may be
//!   torn; a gap before it is damage;
//! - before a file that frames may hold bytes of is cut or replaced, the frames' bytes are
//!   *forgotten*, durably ([`Journal::forget`]). A deleted segment is not there any more, a topic
//!   that was made anew has another id: replay passes their bytes over;
//! - a clean stop closes the journal: then nothing in it counts, whatever it holds.
//!
//! Failure cases: a full disk passes (the logs sync their own files); any other failed write or sync
//! is final for the log directory, and is never repeated. A journal that cannot be read or that was
//! damaged takes its directory offline at the start, in one sentence: it may hold the only copy of
//! acknowledged records.
//!
//! | file | holds |
//! |---|---|
//! | `format.rs` | the bytes |
//! | `ring.rs` | which bytes may be written over |
//! | `ledger.rs` | who needs which frame, and how far each partition is durable |
//! | `write.rs` | writing frames |
//! | `replay.rs` | what a start does with them |
//! | `pending.rs` | the same, seen without writing |
//! | `listing.rs` | what the file holds, for people |

mod format;
mod ledger;
pub mod listing;
pub mod pending;
mod replay;
mod ring;
#[cfg(test)]
mod tests;
mod write;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;
use thiserror::Error;

use crate::LogDir;
use crate::fs::Fs;
use crate::random_id::random_uuid;
use format::Header;
use ledger::Ledger;
use replay::Replayed;
use ring::Ring;
use write::JournalFile;

pub use ledger::PartitionKey;
pub(crate) use write::{CommitError, Dirty, Frame};

/// Its name in the log directory. Kafka lets plain files there alone.
pub const JOURNAL_FILE: &str = "barnabas-journal";

/// A smaller one would be full all the time.
const CAPACITY_MIN: u64 = 32 << 10;

/// Why a log directory's journal cannot be used at the start. Every text is one sentence.
#[derive(Debug, Error)]
pub enum JournalError {
    #[error("cannot use the journal {}: {source}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "{} is damaged at position {position}: it may hold the only copy of acknowledged records; restore it, or remove it to go on with what the partitions' own files hold",
        path.display()
    )]
    Damaged { path: PathBuf, position: u64 },
    #[error(
        "{} has the format version {version}, which only a newer release of this broker can read",
        path.display()
    )]
    Newer { path: PathBuf, version: u32 },
}

/// What a start has found in a journal.
#[derive(Debug, Default)]
pub struct Started {
    /// `None` if none is wanted.
    pub journal: Option<Arc<Journal>>,
    /// How far each partition was durable before.
    pub durable_ends: HashMap<PartitionKey, i64>,
    /// Segments that were made sure of, and bytes that they had lacked.
    pub segments: usize,
    pub bytes_written: u64,
}

/// The journal of one log directory.
#[derive(Debug)]
pub struct Journal {
    fs: Arc<dyn Fs>,
    dir: Arc<LogDir>,
    path: PathBuf,
    /// Held while a frame is written and synced. Taken before `ledger`.
    file: Mutex<JournalFile>,
    ledger: Mutex<Ledger>,
}

impl Journal {
    /// Replays what an unclean stop has left in `dir`, before any of its logs is opened, and makes
    /// the journal ready. Its file is made by the first commit. Without `capacity` there will be
    /// none, but what an earlier run has left is replayed all the same.
    pub fn start(
        fs: &Arc<dyn Fs>,
        dir: &Arc<LogDir>,
        was_clean_stop: bool,
        capacity: Option<u64>,
    ) -> Result<Started, JournalError> {
        let path = dir.path().join(JOURNAL_FILE);
        let failed = |source| JournalError::Io { path: path.clone(), source };
        let found = replay::read_header(&**fs, &path)?;
        let was_open = found.is_some_and(|header| header.is_open);
        let mut replayed = Replayed { next_sequence: 1, ..Replayed::default() };
        let generation = match found.filter(|_| was_open && !was_clean_stop) {
            Some(header) => {
                replayed = replay::replay(&**fs, dir.path(), &path, header)?;
                header.generation
            }
            None => new_generation().map_err(failed)?,
        };
        if was_open {
            // From here on no bytes count, whatever becomes of the files that they belong to. How
            // far the partitions are durable outlives another power cut.
            let bytes_from = replayed.next_sequence;
            let header = Header { is_open: capacity.is_some(), generation, bytes_from };
            write::rewrite_header(&**fs, &path, header).map_err(failed)?;
        }
        let durable_ends = replayed.durable_ends();
        let Replayed { ends, frames, next_sequence, segments, bytes_written } = replayed;
        let journal = capacity.map(|capacity| {
            let filled = replay::filled_bytes(&**fs, &path);
            let tail = frames.first().map_or(next_sequence, |first| first.sequence);
            let ring = Ring::found(capacity.max(CAPACITY_MIN), filled, frames);
            Arc::new(Self {
                fs: Arc::clone(fs),
                dir: Arc::clone(dir),
                path: path.clone(),
                file: Mutex::new(JournalFile::new(generation, was_open)),
                ledger: Mutex::new(Ledger::replayed(ring, tail, next_sequence, &ends)),
            })
        });
        Ok(Started { journal, durable_ends, segments, bytes_written })
    }

    pub(crate) fn dir(&self) -> &LogDir {
        &self.dir
    }

    /// The newest frame that is durable. What is in a partition's file now holds everything of
    /// that partition in the frames up to it.
    pub(crate) fn last_sequence(&self) -> u64 {
        self.ledger.lock().last_sequence()
    }

    /// The partition's own file holds, durably, what frames up to `sequence` hold of it.
    pub(crate) fn settled(&self, key: PartitionKey, sequence: u64) {
        self.ledger.lock().settled(key, sequence);
    }

    /// The partition's own files are durable up to `durable_end`. The next frame says so.
    pub(crate) fn note(&self, key: PartitionKey, topic: &Arc<str>, durable_end: i64) {
        self.ledger.lock().note(key, topic, durable_end);
    }

    /// The partition has been deleted.
    pub(crate) fn remove(&self, key: PartitionKey) {
        self.ledger.lock().remove(key);
    }

    pub(crate) fn is_in_debt(&self, key: PartitionKey) -> bool {
        self.ledger.lock().is_in_debt(key)
    }

    /// Partitions in debt, oldest debt first.
    pub(crate) fn debtors(&self) -> Vec<PartitionKey> {
        self.ledger.lock().debtors()
    }

    /// Whether it is time to settle debts.
    pub(crate) fn is_half_full(&self) -> bool {
        let ledger = self.ledger.lock();
        ledger.ring.used() > ledger.ring.capacity() / 2
    }

    /// Whether a note waits for the next frame.
    pub(crate) fn has_notes(&self) -> bool {
        self.ledger.lock().has_unwritten()
    }
}

fn new_generation() -> io::Result<u64> {
    let id = random_uuid()?;
    let (first, _) = id.as_bytes().split_at(8);
    Ok(first.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
