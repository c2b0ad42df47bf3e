//! A store in memory, for tests and simulations: what was appended survives as long as the value.

use std::sync::Arc;

use parking_lot::Mutex;
use raft::eraftpb::{Entry, HardState};

use super::store::{RaftStore, SnapshotWriter, StoreError};
use crate::image::LogPosition;

/// Clones share what they hold, so a test can start a node again from the store of a dead one.
#[derive(Clone, Debug, Default)]
pub struct MemStore {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    hard_state: HardState,
    truncated: LogPosition,
    entries: Vec<Entry>,
    snapshot: Option<(LogPosition, Vec<u8>)>,
    appends: usize,
    full: bool,
}

impl MemStore {
    pub fn new() -> Self {
        MemStore::default()
    }

    /// How many times something was appended: on a disk, each would be a sync.
    pub fn appends(&self) -> usize {
        self.state.lock().appends
    }

    /// Makes the store say that its disk is full, or not any more.
    pub fn set_full(&self, full: bool) {
        self.state.lock().full = full;
    }
}

impl State {
    fn last(&self) -> LogPosition {
        let last = self.entries.last();
        last.map_or(self.truncated, |entry| LogPosition { index: entry.index, term: entry.term })
    }

    fn offset(&self, index: u64) -> usize {
        usize::try_from(index.saturating_sub(self.truncated.index + 1)).unwrap_or(usize::MAX)
    }
}

impl RaftStore for MemStore {
    fn hard_state(&self) -> HardState {
        self.state.lock().hard_state.clone()
    }

    fn truncated(&self) -> LogPosition {
        self.state.lock().truncated
    }

    fn last(&self) -> LogPosition {
        self.state.lock().last()
    }

    fn term(&self, index: u64) -> Option<u64> {
        let state = self.state.lock();
        if index == state.truncated.index {
            return Some(state.truncated.term);
        }
        let entry = state.entries.get(state.offset(index))?;
        (entry.index == index).then_some(entry.term)
    }

    fn entries(&self, low: u64, high: u64, bytes_max: u64) -> Result<Vec<Entry>, StoreError> {
        let state = self.state.lock();
        let mut found: Vec<Entry> = Vec::new();
        let mut bytes = 0;
        for entry in state.entries.iter().filter(|entry| (low..high).contains(&entry.index)) {
            bytes += entry.data.len() as u64;
            if !found.is_empty() && bytes > bytes_max {
                break;
            }
            found.push(entry.clone());
        }
        Ok(found)
    }

    fn append(
        &mut self,
        entries: &[Entry],
        hard_state: Option<&HardState>,
    ) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        state.appends += 1;
        if let Some(first) = entries.first() {
            let kept = state.offset(first.index);
            state.entries.truncate(kept);
        }
        state.entries.extend_from_slice(entries);
        if let Some(hard_state) = hard_state {
            state.hard_state = hard_state.clone();
        }
        Ok(())
    }

    fn read_snapshot(&self) -> Result<Option<(LogPosition, Vec<u8>)>, StoreError> {
        Ok(self.state.lock().snapshot.clone())
    }

    fn snapshot_writer(&self) -> Arc<dyn SnapshotWriter> {
        Arc::new(self.clone())
    }

    fn compact(&mut self, snapshot: LogPosition, keep: u64) -> Result<(), StoreError> {
        let index = snapshot.index.saturating_sub(keep);
        let Some(term) = self.term(index) else { return Ok(()) };
        let mut state = self.state.lock();
        let dropped = state.offset(index + 1).min(state.entries.len());
        state.entries.drain(..dropped);
        state.truncated = LogPosition { index, term };
        Ok(())
    }

    fn install_snapshot(&mut self, at: LogPosition, bytes: &[u8]) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        state.snapshot = Some((at, bytes.to_vec()));
        state.truncated = at;
        state.entries.clear();
        Ok(())
    }

    fn has_room(&self, _bytes: usize) -> bool {
        !self.state.lock().full
    }
}

impl SnapshotWriter for MemStore {
    fn write(&self, at: LogPosition, bytes: &[u8]) -> Result<(), StoreError> {
        self.state.lock().snapshot = Some((at, bytes.to_vec()));
        Ok(())
    }
}
