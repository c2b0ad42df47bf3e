//! Leader epochs of a partition: at which offset each epoch began (KIP-101, KIP-279).
//!
//! In memory only; [`LeaderEpochCache::encode`] and [`LeaderEpochCache::decode`] are the content
//! of the file `leader-epoch-checkpoint` in Kafka's format, which the log writes whenever a call
//! says that the entries have changed.
//!
//! Invariant: epochs and start offsets both rise from entry to entry, epochs strictly.

use crate::checkpoint::{CheckpointError, CheckpointReader, CheckpointWriter};

/// File name in a partition's directory.
pub const LEADER_EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";

pub const UNDEFINED_EPOCH: i32 = -1;
pub const UNDEFINED_EPOCH_OFFSET: i64 = -1;

/// `epoch` began at `start_offset`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    pub epoch: i32,
    pub start_offset: i64,
}

/// The answer to OffsetForLeaderEpoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEndOffset {
    /// Largest known epoch that is not above the one asked for.
    pub epoch: i32,
    pub end_offset: i64,
}

/// All epochs of which the log holds records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochCache {
    entries: Vec<EpochEntry>,
}

impl LeaderEpochCache {
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that the batch at `start_offset` is of `epoch`; called for every batch, in order.
    /// Returns whether the entries changed. Entries that contradict the new one are dropped. A
    /// negative epoch (none is known) or offset changes nothing.
    pub fn assign(&mut self, epoch: i32, start_offset: i64) -> bool {
        if epoch < 0 || start_offset < 0 {
            return false;
        }
        if let Some(latest) = self.latest()
            && latest.epoch == epoch
            && latest.start_offset <= start_offset
        {
            return false;
        }
        while let Some(latest) = self.latest()
            && (latest.epoch >= epoch || latest.start_offset >= start_offset)
        {
            self.entries.pop();
        }
        self.entries.push(EpochEntry { epoch, start_offset });
        true
    }

    /// End offset of the largest epoch that is not above `epoch`: the start of the next larger
    /// one, or `log_end_offset` for the latest. An epoch before the first known one answers with
    /// itself and the start of the first. An epoch above all known ones is undefined.
    pub fn end_offset_for_epoch(&self, epoch: i32, log_end_offset: i64) -> EpochEndOffset {
        let undefined =
            EpochEndOffset { epoch: UNDEFINED_EPOCH, end_offset: UNDEFINED_EPOCH_OFFSET };
        if epoch == UNDEFINED_EPOCH {
            return undefined;
        }
        if self.latest().is_some_and(|latest| latest.epoch == epoch) {
            return EpochEndOffset { epoch, end_offset: log_end_offset };
        }
        let above = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let Some(next) = self.entries.get(above) else {
            return undefined;
        };
        let found = above.checked_sub(1).and_then(|index| self.entries.get(index));
        EpochEndOffset {
            epoch: found.map_or(epoch, |entry| entry.epoch),
            end_offset: next.start_offset,
        }
    }

    /// Epoch of the record at `offset`, if it is known.
    pub fn epoch_for_offset(&self, offset: i64) -> Option<i32> {
        let above = self.entries.partition_point(|entry| entry.start_offset <= offset);
        let found = above.checked_sub(1).and_then(|index| self.entries.get(index))?;
        Some(found.epoch)
    }

    /// Drops the epochs that begin at or after `end_offset`: the log was cut there. Returns
    /// whether the entries changed.
    pub fn truncate_from_end(&mut self, end_offset: i64) -> bool {
        let kept = self.entries.partition_point(|entry| entry.start_offset < end_offset);
        let changed = kept < self.entries.len();
        self.entries.truncate(kept);
        changed
    }

    /// Drops the epochs that lie wholly before `start_offset`, the new start of the log; the epoch
    /// it lies in begins there from now on. Returns whether the entries changed.
    pub fn truncate_from_start(&mut self, start_offset: i64) -> bool {
        let before = self.entries.partition_point(|entry| entry.start_offset <= start_offset);
        let Some(index) = before.checked_sub(1) else {
            return false;
        };
        let moved = self.entries.get(index).is_some_and(|e| e.start_offset < start_offset);
        self.entries.drain(..index);
        if let Some(first) = self.entries.first_mut() {
            first.start_offset = start_offset;
        }
        index > 0 || moved
    }

    /// Forgets all epochs.
    pub fn clear(&mut self) {
        self.entries = Vec::new();
    }

    pub fn latest(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// The largest epoch below `epoch`.
    pub fn previous(&self, epoch: i32) -> Option<EpochEntry> {
        let below = self.entries.partition_point(|entry| entry.epoch < epoch);
        below.checked_sub(1).and_then(|index| self.entries.get(index)).copied()
    }

    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Content of the file `leader-epoch-checkpoint`.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_before(i64::MAX)
    }

    /// The same, without the epochs that begin at or after `end`.
    pub fn encode_before(&self, end: i64) -> Vec<u8> {
        let before = self.entries.partition_point(|entry| entry.start_offset < end);
        let entries = self.entries.get(..before).unwrap_or_default();
        let mut writer = CheckpointWriter::new(entries.len());
        for entry in entries {
            writer.line(format_args!("{} {}", entry.epoch, entry.start_offset));
        }
        writer.finish()
    }

    /// Reads what [`Self::encode`] or Kafka wrote. Entries that contradict a later one are
    /// dropped, as in Kafka.
    pub fn decode(file: &[u8]) -> Result<Self, CheckpointError> {
        let mut reader = CheckpointReader::new(file)?;
        let mut cache = Self::new();
        while let Some(line) = reader.line()? {
            let (epoch, start_offset) =
                line.text.split_once(' ').ok_or_else(|| line.malformed())?;
            let epoch: i32 = epoch.parse().map_err(|_| line.malformed())?;
            let start_offset: i64 =
                start_offset.trim_end().parse().map_err(|_| line.malformed())?;
            if epoch < 0 || start_offset < 0 {
                return Err(line.malformed());
            }
            cache.assign(epoch, start_offset);
        }
        Ok(cache)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(entries: &[(i32, i64)]) -> LeaderEpochCache {
        let mut cache = LeaderEpochCache::new();
        for &(epoch, start) in entries {
            assert!(cache.assign(epoch, start));
        }
        cache
    }

    fn pairs(cache: &LeaderEpochCache) -> Vec<(i32, i64)> {
        cache.entries().iter().map(|entry| (entry.epoch, entry.start_offset)).collect()
    }

    fn end(cache: &LeaderEpochCache, epoch: i32) -> (i32, i64) {
        let end = cache.end_offset_for_epoch(epoch, 100);
        (end.epoch, end.end_offset)
    }

    #[test]
    fn only_the_first_batch_of_an_epoch_changes_the_entries() {
        let mut cache = cache(&[(0, 0), (2, 10)]);
        assert!(!cache.assign(2, 10));
        assert!(!cache.assign(2, 15));
        assert!(!cache.assign(-1, 20));
        assert_eq!(pairs(&cache), [(0, 0), (2, 10)]);
        assert_eq!(cache.latest(), Some(EpochEntry { epoch: 2, start_offset: 10 }));
        assert_eq!(cache.previous(2), Some(EpochEntry { epoch: 0, start_offset: 0 }));
        assert_eq!(cache.previous(0), None);
    }

    #[test]
    fn contradicting_entries_give_way_to_the_new_one() {
        let mut offsets_back = cache(&[(0, 0), (1, 10), (2, 20)]);
        assert!(offsets_back.assign(3, 10));
        assert_eq!(pairs(&offsets_back), [(0, 0), (3, 10)]);
        let mut epoch_back = cache(&[(0, 0), (1, 10), (5, 20)]);
        assert!(epoch_back.assign(4, 25));
        assert_eq!(pairs(&epoch_back), [(0, 0), (1, 10), (4, 25)]);
    }

    #[test]
    fn end_offset_is_that_of_the_largest_epoch_not_above() {
        let cache = cache(&[(2, 5), (4, 20), (7, 50)]);
        assert_eq!(end(&cache, -1), (-1, -1));
        assert_eq!(end(&cache, 0), (0, 5));
        assert_eq!(end(&cache, 2), (2, 20));
        assert_eq!(end(&cache, 3), (2, 20));
        assert_eq!(end(&cache, 6), (4, 50));
        assert_eq!(end(&cache, 7), (7, 100));
        assert_eq!(end(&cache, 8), (-1, -1));
        assert_eq!(end(&LeaderEpochCache::new(), 0), (-1, -1));
    }

    #[test]
    fn epoch_of_an_offset() {
        let cache = cache(&[(2, 5), (4, 20)]);
        assert_eq!(cache.epoch_for_offset(4), None);
        assert_eq!(cache.epoch_for_offset(5), Some(2));
        assert_eq!(cache.epoch_for_offset(19), Some(2));
        assert_eq!(cache.epoch_for_offset(1000), Some(4));
    }

    #[test]
    fn truncate_from_end_drops_epochs_that_begin_there() {
        let mut cache = cache(&[(2, 5), (4, 20), (7, 50)]);
        assert!(!cache.truncate_from_end(51));
        assert!(cache.truncate_from_end(20));
        assert_eq!(pairs(&cache), [(2, 5)]);
        assert!(cache.truncate_from_end(0));
        assert!(cache.is_empty());
        assert!(!cache.truncate_from_end(0));
    }

    #[test]
    fn truncate_from_start_moves_the_first_epoch_up() {
        let mut cache = cache(&[(2, 5), (4, 20), (7, 50)]);
        assert!(!cache.truncate_from_start(4));
        assert!(!cache.truncate_from_start(5));
        assert!(cache.truncate_from_start(30));
        assert_eq!(pairs(&cache), [(4, 30), (7, 50)]);
        assert!(cache.truncate_from_start(50));
        assert_eq!(pairs(&cache), [(7, 50)]);
    }

    #[test]
    fn file_has_kafkas_format() {
        let cache = cache(&[(0, 0), (3, 42)]);
        assert_eq!(cache.encode(), b"0\n2\n0 0\n3 42\n");
        assert_eq!(LeaderEpochCache::decode(&cache.encode()), Ok(cache));
        assert_eq!(LeaderEpochCache::new().encode(), b"0\n0\n");
        assert_eq!(LeaderEpochCache::decode(b""), Ok(LeaderEpochCache::new()), "as Kafka makes it");
    }

    #[test]
    fn a_damaged_file_is_refused() {
        for bad in ["1\n0\n", "0\n1\n", "0\n1\nx 1\n", "0\n1\n-1 1\n", "0\n1\n1\n", "0\n0\n1 1\n"] {
            assert!(LeaderEpochCache::decode(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
