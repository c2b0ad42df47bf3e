//! What a raft node keeps across restarts, behind one trait.
//!
//! A store holds a hard state (term, vote), the entries after a truncation point, and the newest
//! snapshot. What `append` was given is on stable storage when it returns: raft's promises rest on
//! that. After an error a store must not be used again, because what it holds is not known.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use raft::eraftpb::{ConfState, Entry, HardState, Snapshot};
use raft::{GetEntriesContext, RaftState, Storage, StorageError};

use crate::image::LogPosition;

/// Why the store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot {action} {}: {source}", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("the metadata store {} fails: {source}", path.display())]
    Sled { path: PathBuf, source: sled::Error },
    #[error("the metadata in {} is damaged: {what}", path.display())]
    Corrupt { path: PathBuf, what: String },
    #[error(
        "the metadata in {} has format {found}, written by a newer release; this one reads up to \
         format {known}", path.display()
    )]
    NewerFormat { path: PathBuf, found: u32, known: u32 },
}

impl StoreError {
    /// The same of a store whose copy in `copy` was used in its stead.
    pub(crate) fn of_original(mut self, original: &Path, copy: &Path) -> Self {
        let (Self::Io { path, .. }
        | Self::Sled { path, .. }
        | Self::Corrupt { path, .. }
        | Self::NewerFormat { path, .. }) = &mut self;
        if let Ok(within) = path.strip_prefix(copy) {
            *path = original.join(within);
        }
        self
    }
}

/// The durable state of a raft node.
pub trait RaftStore: Send + std::fmt::Debug {
    /// Term, vote and a commit index that may be older than the real one.
    fn hard_state(&self) -> HardState;

    /// The entry before the first one kept; its index and term stay known.
    fn truncated(&self) -> LogPosition;

    /// The newest entry, which is [`RaftStore::truncated`] when no entry is kept.
    fn last(&self) -> LogPosition;

    /// The term of an entry from the truncated one to the last.
    fn term(&self, index: u64) -> Option<u64>;

    /// Entries `low..high`, as many as fit into `bytes_max` but at least one.
    fn entries(&self, low: u64, high: u64, bytes_max: u64) -> Result<Vec<Entry>, StoreError>;

    /// Appends entries after dropping those from the first one's index on, and sets the hard state,
    /// all or nothing. Durable on return.
    fn append(
        &mut self,
        entries: &[Entry],
        hard_state: Option<&HardState>,
    ) -> Result<(), StoreError>;

    /// The newest snapshot's position and bytes.
    fn read_snapshot(&self) -> Result<Option<(LogPosition, Vec<u8>)>, StoreError>;

    /// What writes snapshots from another thread.
    fn snapshot_writer(&self) -> Arc<dyn SnapshotWriter>;

    /// Drops entries that a written snapshot covers, except the newest `keep` of them, which
    /// followers that lag a little still need. Need not be durable.
    fn compact(&mut self, snapshot: LogPosition, keep: u64) -> Result<(), StoreError>;

    /// Makes a snapshot that the leader sent the whole state: no entry is left. Durable on return.
    fn install_snapshot(&mut self, at: LogPosition, bytes: &[u8]) -> Result<(), StoreError>;

    /// Whether the disk has room for this many more bytes and something to spare.
    fn has_room(&self, bytes: usize) -> bool;
}

/// Writes snapshots; used by one thread at a time.
pub trait SnapshotWriter: Send + Sync + std::fmt::Debug {
    /// The snapshot is durable, and the newest one, when this returns.
    fn write(&self, at: LogPosition, bytes: &[u8]) -> Result<(), StoreError>;
}

/// A [`RaftStore`] in the form that the raft crate reads.
#[derive(Debug)]
pub(crate) struct RaftStorage {
    pub(crate) store: Box<dyn RaftStore>,
    conf_state: ConfState,
    /// Where the snapshot ends that the node started from.
    applied_at_start: u64,
    /// Entries that were appended and not applied yet, so that applying need not read them back.
    recent: std::collections::VecDeque<Entry>,
}

impl RaftStorage {
    pub(crate) fn new(store: Box<dyn RaftStore>, voters: Vec<u64>, applied_at_start: u64) -> Self {
        let conf_state = ConfState { voters, ..ConfState::default() };
        let recent = std::collections::VecDeque::new();
        RaftStorage { store, conf_state, applied_at_start, recent }
    }

    pub(crate) fn append(
        &mut self,
        entries: &[Entry],
        hard_state: Option<&HardState>,
    ) -> Result<(), StoreError> {
        self.store.append(entries, hard_state)?;
        if let Some(first) = entries.first() {
            while self.recent.back().is_some_and(|entry| entry.index >= first.index) {
                self.recent.pop_back();
            }
        }
        self.recent.extend(entries.iter().cloned());
        Ok(())
    }

    pub(crate) fn install_snapshot(
        &mut self,
        at: LogPosition,
        bytes: &[u8],
    ) -> Result<(), StoreError> {
        self.recent.clear();
        self.store.install_snapshot(at, bytes)
    }

    /// Lets go of entries that have been applied.
    pub(crate) fn applied(&mut self, index: u64) {
        while self.recent.front().is_some_and(|entry| entry.index <= index) {
            self.recent.pop_front();
        }
    }

    fn recent_entries(&self, low: u64, high: u64, bytes_max: u64) -> Option<Vec<Entry>> {
        let first = self.recent.front()?.index;
        let (start, end) = (low.checked_sub(first)?, high.checked_sub(first)?);
        let (start, end) = (usize::try_from(start).ok()?, usize::try_from(end).ok()?);
        if end > self.recent.len() || start >= end {
            return None;
        }
        let mut bytes = 0;
        let fits = |entry: &&Entry| {
            let before = bytes;
            bytes += entry.data.len() as u64;
            before == 0 || bytes <= bytes_max
        };
        Some(self.recent.range(start..end).take_while(fits).cloned().collect())
    }
}

impl Storage for RaftStorage {
    fn initial_state(&self) -> raft::Result<RaftState> {
        let mut hard_state = self.store.hard_state();
        // The commit index is not written with every commit, so a snapshot may be ahead of it.
        hard_state.commit = hard_state.commit.max(self.applied_at_start);
        Ok(RaftState { hard_state, conf_state: self.conf_state.clone() })
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        if low <= self.store.truncated().index {
            return Err(StorageError::Compacted.into());
        }
        let bytes_max = max_size.into().unwrap_or(u64::MAX);
        if let Some(entries) = self.recent_entries(low, high, bytes_max) {
            return Ok(entries);
        }
        self.store.entries(low, high, bytes_max).map_err(other)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index < self.store.truncated().index {
            return Err(StorageError::Compacted.into());
        }
        self.store.term(index).ok_or_else(|| StorageError::Unavailable.into())
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.store.truncated().index + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.store.last().index)
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        let Some((at, bytes)) = self.store.read_snapshot().map_err(other)? else {
            return Err(StorageError::SnapshotTemporarilyUnavailable.into());
        };
        if at.index < request_index {
            return Err(StorageError::SnapshotTemporarilyUnavailable.into());
        }
        let mut snapshot = Snapshot { data: bytes.into(), ..Snapshot::default() };
        let metadata = snapshot.mut_metadata();
        metadata.index = at.index;
        metadata.term = at.term;
        *metadata.mut_conf_state() = self.conf_state.clone();
        Ok(snapshot)
    }
}

fn other(error: StoreError) -> raft::Error {
    StorageError::Other(Box::new(error)).into()
}
