//! Timers as data: what is due when, and nothing that ticks.
//!
//! Invariant: `by_key` and `queue` hold the same timers, one for each key. The shell asks for the
//! earliest deadline and calls back with the time; the machine takes what is due.

use std::collections::{BTreeSet, HashMap};

use protocol_codec::StrBytes;

/// What a timer is for. Setting a timer again moves it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum TimerKey {
    /// A member (joined, or only handed its id) must be heard of before this fires.
    Session { group: StrBytes, member: StrBytes },
    /// The join phase of a group ends.
    Join { group: StrBytes },
    /// Members that have joined must have sent their SyncGroup.
    Sync { group: StrBytes },
    /// Offsets and empty groups are looked through for what has expired.
    Cleanup,
}

#[derive(Debug, Default)]
pub(super) struct Timers {
    by_key: HashMap<TimerKey, i64>,
    queue: BTreeSet<(i64, TimerKey)>,
}

impl Timers {
    /// `at_ms` is a time of the clock that never jumps.
    pub(super) fn set(&mut self, key: TimerKey, at_ms: i64) {
        if let Some(old_ms) = self.by_key.insert(key.clone(), at_ms) {
            self.queue.remove(&(old_ms, key.clone()));
        }
        self.queue.insert((at_ms, key));
        debug_assert_eq!(self.by_key.len(), self.queue.len());
    }

    pub(super) fn cancel(&mut self, key: &TimerKey) {
        if let Some(at_ms) = self.by_key.remove(key) {
            self.queue.remove(&(at_ms, key.clone()));
        }
    }

    pub(super) fn is_set(&self, key: &TimerKey) -> bool {
        self.by_key.contains_key(key)
    }

    pub(super) fn next_deadline(&self) -> Option<i64> {
        self.queue.first().map(|(at_ms, _)| *at_ms)
    }

    /// Takes the earliest timer that is due at `now_ms`.
    pub(super) fn pop_due(&mut self, now_ms: i64) -> Option<TimerKey> {
        if self.next_deadline()? > now_ms {
            return None;
        }
        let (_, key) = self.queue.pop_first()?;
        self.by_key.remove(&key);
        Some(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_in_order_and_once() {
        let mut timers = Timers::default();
        let join = TimerKey::Join { group: StrBytes::from("g") };
        let sync = TimerKey::Sync { group: StrBytes::from("g") };
        timers.set(join.clone(), 30);
        timers.set(sync.clone(), 20);
        timers.set(TimerKey::Cleanup, 40);
        timers.set(join.clone(), 10);
        timers.cancel(&TimerKey::Cleanup);
        assert_eq!(timers.next_deadline(), Some(10));
        assert_eq!(timers.pop_due(9), None);
        assert_eq!(timers.pop_due(25), Some(join));
        assert_eq!(timers.pop_due(25), Some(sync));
        assert_eq!(timers.pop_due(i64::MAX), None);
        assert_eq!(timers.next_deadline(), None);
    }
}
