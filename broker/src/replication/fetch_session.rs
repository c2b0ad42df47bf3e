//! Incremental fetch sessions (KIP-227): the broker remembers what a consumer fetches, requests
//! name only what changes, and answers only what has changed.
//!
//! A request takes the session out of the cache while it works and puts it back when it is
//! answered, so that no lock is held meanwhile. A second request of the same session at the same
//! time is a client's mistake and gets INVALID_FETCH_SESSION_EPOCH.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use protocol_codec::{ErrorCode, StrBytes, Uuid};

use super::Partition;

/// A session that was not used for this long makes room for a new one. Kafka's value.
const EVICTION_MS: i64 = 120_000;

/// Partitions of all sessions together. What would make them more becomes no session, or ends one.
const PARTITIONS_MAX: usize = 1_000_000;

/// The epoch of a request that wants a new session.
pub const INITIAL_EPOCH: i32 = 0;

/// The epoch of a request that wants none.
pub const FINAL_EPOCH: i32 = -1;

/// All sessions of this broker.
#[derive(Debug)]
pub struct FetchSessionCache {
    slots_max: usize,
    sessions: Mutex<HashMap<i32, Slot>>,
}

#[derive(Debug)]
struct Slot {
    created_ms: i64,
    last_used_ms: i64,
    size: usize,
    /// `None` while a request works with it.
    session: Option<FetchSession>,
}

/// What one consumer fetches.
#[derive(Debug, Default)]
pub struct FetchSession {
    /// 0: the request has no session.
    pub id: i32,
    /// The epoch that the next request must have.
    pub epoch: i32,
    pub uses_topic_ids: bool,
    entries: Vec<Entry>,
    index: HashMap<Key, usize>,
    /// Where the next fetch starts, so that every partition has its turn.
    start: usize,
    /// The generation of the replica manager that the partitions were looked up in.
    pub generation: Option<u64>,
}

/// Names a partition as the client does: by topic name, or by topic id.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub topic: StrBytes,
    pub topic_id: Uuid,
    pub partition: i32,
}

/// One partition of a fetch.
#[derive(Debug)]
pub struct Entry {
    pub key: Key,
    pub wanted: Wanted,
    /// What was found for the key.
    pub partition: Result<Arc<Partition>, ErrorCode>,
    pub known: Known,
}

/// What the client wants of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub fetch_offset: i64,
    pub max_bytes: i32,
    pub current_leader_epoch: i32,
    pub last_fetched_epoch: i32,
    pub log_start_offset: i64,
}

/// What the client was told of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// -1: it must be told again.
    pub high_watermark: i64,
    pub log_start_offset: i64,
}

impl Known {
    /// Nothing was told.
    pub const NOTHING: Known = Known { high_watermark: -1, log_start_offset: -1 };
}

impl FetchSession {
    pub fn new(uses_topic_ids: bool) -> Self {
        Self { uses_topic_ids, ..Self::default() }
    }

    /// Adds or changes a partition.
    pub fn set(&mut self, key: Key, wanted: Wanted) {
        if let Some(entry) = self.index.get(&key).and_then(|index| self.entries.get_mut(*index)) {
            entry.wanted = wanted;
            return;
        }
        self.index.insert(key.clone(), self.entries.len());
        let partition = Err(ErrorCode::UnknownTopicOrPartition);
        self.entries.push(Entry { key, wanted, partition, known: Known::NOTHING });
        self.generation = None;
    }

    /// As [`FetchSession::set`] for a request that names each partition once and whose session is
    /// not kept: nothing is looked up.
    pub fn push(&mut self, key: Key, wanted: Wanted) {
        let partition = Err(ErrorCode::UnknownTopicOrPartition);
        self.entries.push(Entry { key, wanted, partition, known: Known::NOTHING });
    }

    /// Forgets a partition.
    pub fn remove(&mut self, key: &Key) {
        let Some(index) = self.index.remove(key) else { return };
        self.entries.swap_remove(index);
        if let Some(moved) = self.entries.get(index) {
            self.index.insert(moved.key.clone(), index);
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All partitions, whose turn it is first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        let (head, tail) = self.entries.split_at(self.start.min(self.entries.len()));
        tail.iter().chain(head)
    }

    /// As [`FetchSession::entries`], to be changed.
    pub fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        let start = self.start.min(self.entries.len());
        let (head, tail) = self.entries.split_at_mut(start);
        tail.iter_mut().chain(head)
    }

    /// The partition `served` places after the first one had data: the next fetch starts behind.
    pub fn rotate(&mut self, served: usize) {
        if !self.entries.is_empty() {
            self.start = (self.start + served + 1) % self.entries.len();
        }
    }

    /// Copies every name, so that the session does not keep a request's frame, and makes its
    /// partitions findable. Of one that was named twice, the first stays.
    fn detach(&mut self) {
        let mut index = HashMap::with_capacity(self.entries.len());
        self.entries.retain_mut(|entry| {
            entry.key.topic = StrBytes::from(&*entry.key.topic);
            let next = index.len();
            *index.entry(entry.key.clone()).or_insert(next) == next
        });
        self.index = index;
    }
}

impl FetchSessionCache {
    /// `slots_max`: `max.incremental.fetch.session.cache.slots`.
    pub fn new(slots_max: usize) -> Self {
        Self { slots_max, sessions: Mutex::default() }
    }

    pub fn len(&self) -> usize {
        self.sessions.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends a session.
    pub fn remove(&self, id: i32) {
        self.sessions.lock().remove(&id);
    }

    /// Takes a session out for a request with this epoch. [`FetchSessionCache::put_back`] follows.
    pub fn take(&self, id: i32, epoch: i32, by_topic_ids: bool) -> Result<FetchSession, ErrorCode> {
        let mut sessions = self.sessions.lock();
        let slot = sessions.get_mut(&id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        let session = slot.session.as_ref().ok_or(ErrorCode::InvalidFetchSessionEpoch)?;
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.uses_topic_ids != by_topic_ids {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        slot.session.take().ok_or(ErrorCode::InvalidFetchSessionEpoch)
    }

    /// Puts back what was taken.
    pub fn put_back(&self, session: FetchSession, now_ms: i64) {
        let mut sessions = self.sessions.lock();
        // It is gone if it was evicted or ended meanwhile.
        let Some(known) = sessions.get(&session.id).map(|slot| slot.size) else { return };
        let added = session.len().saturating_sub(known);
        if added > 0 && partitions(&sessions) + added > PARTITIONS_MAX {
            sessions.remove(&session.id);
            return;
        }
        let Some(slot) = sessions.get_mut(&session.id) else { return };
        slot.last_used_ms = now_ms;
        slot.size = session.len();
        slot.session = Some(session);
    }

    /// Keeps `session` under a new id, if there is room or somebody can go. Returns the id, 0 if
    /// there is no room: the client goes on without a session.
    pub fn create(&self, mut session: FetchSession, now_ms: i64) -> i32 {
        if session.is_empty() {
            return 0;
        }
        let mut sessions = self.sessions.lock();
        if sessions.len() >= self.slots_max && !evict(&mut sessions, session.len(), now_ms) {
            return 0;
        }
        if partitions(&sessions) + session.len() > PARTITIONS_MAX {
            return 0;
        }
        let id = loop {
            let id = (random_u32() >> 1).cast_signed();
            if id != 0 && !sessions.contains_key(&id) {
                break id;
            }
        };
        session.id = id;
        session.epoch = INITIAL_EPOCH + 1;
        session.detach();
        let size = session.len();
        let slot = Slot { created_ms: now_ms, last_used_ms: now_ms, size, session: Some(session) };
        sessions.insert(id, slot);
        id
    }
}

/// The epoch after `epoch`: it never becomes 0 or negative.
pub fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

fn partitions(sessions: &HashMap<i32, Slot>) -> usize {
    sessions.values().map(|slot| slot.size).sum()
}

/// Makes room: for the longest idle session if it is idle for long, else for a smaller one that is
/// not new. Kafka's rules, without its privileged sessions, which are those of followers.
fn evict(sessions: &mut HashMap<i32, Slot>, size: usize, now_ms: i64) -> bool {
    let idle = sessions.iter().min_by_key(|(_, slot)| slot.last_used_ms);
    let victim = match idle {
        Some((id, slot)) if now_ms - slot.last_used_ms > EVICTION_MS => Some(*id),
        _ => sessions
            .iter()
            .filter(|(_, slot)| now_ms - slot.created_ms > EVICTION_MS && slot.size < size)
            .min_by_key(|(_, slot)| slot.size)
            .map(|(id, _)| *id),
    };
    victim.is_some_and(|id| sessions.remove(&id).is_some())
}

/// A number that clients cannot guess.
fn random_u32() -> u32 {
    let random = storage::random_id::random_uuid().unwrap_or(Uuid::ONE);
    random.as_bytes().first_chunk().map_or(1, |bytes| u32::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(partitions: i32) -> FetchSession {
        let mut session = FetchSession::default();
        for partition in 0..partitions {
            session.set(key(partition), wanted(i64::from(partition)));
        }
        session
    }

    fn key(partition: i32) -> Key {
        Key { topic: StrBytes::from("t"), topic_id: Uuid::ZERO, partition }
    }

    fn wanted(fetch_offset: i64) -> Wanted {
        Wanted {
            fetch_offset,
            max_bytes: 1,
            current_leader_epoch: -1,
            last_fetched_epoch: -1,
            log_start_offset: -1,
        }
    }

    #[test]
    fn partitions_are_added_changed_and_forgotten() {
        let mut session = session(4);
        session.set(key(1), wanted(77));
        session.remove(&key(0));
        session.remove(&key(9));
        session.rotate(0);
        let mut found: Vec<_> =
            session.entries().map(|e| (e.key.partition, e.wanted.fetch_offset)).collect();
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].0, 1, "the one behind the served one comes first");
        found.sort_unstable();
        assert_eq!(found, [(1, 77), (2, 2), (3, 3)]);
    }

    #[test]
    fn epochs_and_ids_are_checked() {
        let cache = FetchSessionCache::new(10);
        assert_eq!(cache.create(FetchSession::default(), 0), 0);
        let id = cache.create(session(2), 0);
        assert_ne!(id, 0);
        let error = |id, epoch, ids| cache.take(id, epoch, ids).err();
        assert_eq!(error(id ^ 1, 1, false), Some(ErrorCode::FetchSessionIdNotFound));
        assert_eq!(error(id, 2, false), Some(ErrorCode::InvalidFetchSessionEpoch));
        assert_eq!(error(id, 1, true), Some(ErrorCode::FetchSessionTopicIdError));
        let mut taken = cache.take(id, 1, false).unwrap();
        assert_eq!(error(id, 1, false), Some(ErrorCode::InvalidFetchSessionEpoch));
        taken.epoch = next_epoch(taken.epoch);
        cache.put_back(taken, 5);
        assert_eq!(cache.take(id, 2, false).unwrap().len(), 2);
        assert_eq!(next_epoch(i32::MAX), 1);
    }

    #[test]
    fn sessions_do_not_grow_without_end() {
        let cache = FetchSessionCache::new(10);
        let id = cache.create(session(1), 0);
        let other = cache.create(session(3), 0);
        let mut grown = cache.take(id, 1, false).unwrap();
        for partition in 0..PARTITIONS_MAX as i32 {
            grown.push(Key { topic: StrBytes::default(), ..key(partition) }, wanted(0));
        }
        cache.put_back(grown, 0);
        assert_eq!(cache.take(id, 1, false).err(), Some(ErrorCode::FetchSessionIdNotFound));
        assert!(cache.take(other, 1, false).is_ok());
        assert_eq!(cache.create(session(PARTITIONS_MAX as i32), 0), 0);
    }

    #[test]
    fn full_caches_evict_idle_and_small_sessions_only() {
        let cache = FetchSessionCache::new(2);
        let small = cache.create(session(1), 0);
        let large = cache.create(session(5), 10_000);
        assert_eq!(cache.create(session(3), 20_000), 0, "nobody is old enough");
        let third = cache.create(session(7), 120_001);
        assert_ne!(third, 0, "the small one has been idle for long");
        assert!(cache.take(small, 1, false).is_err());

        let used = cache.take(large, 1, false).unwrap();
        cache.put_back(used, 130_500);
        let used = cache.take(third, 1, false).unwrap();
        cache.put_back(used, 240_500);
        // Both are in use and old, but neither is smaller than five.
        assert_eq!(cache.create(session(5), 250_000), 0);
        assert_ne!(cache.create(session(6), 250_000), 0);
        assert!(cache.take(large, 1, false).is_err());
    }
}
