//! What the journal knows of each partition: from which frame on it is needed, how far the
//! partition is durable. Pure: it only reckons.
//!
//! - A partition is *in debt* from its oldest frame whose bytes may be missing in the partition's
//!   file. Frames before the oldest debt of all, the *tail*, no longer count.
//! - The durable end of a partition is repeated in a later frame before the frame that holds it
//!   falls behind the tail, so the journal always knows it.
//! - Room is used again only after a frame that says so is durable: a restart that finds the frames
//!   from the tail on has found all that count.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use protocol_codec::Uuid;

use super::ring::{Place, Ring};

/// A partition of one life of a topic: a topic that is made again has another id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionKey {
    pub topic_id: Uuid,
    pub partition: i32,
}

#[derive(Debug)]
struct Known {
    topic: Arc<str>,
    durable_end: i64,
    /// The newest frame that names it; 0 if there is none.
    mentioned: u64,
    /// The newest frame that holds bytes of it; 0 if there is none.
    held: u64,
    /// The oldest frame that it needs.
    needed: Option<u64>,
}

/// A durable end that has to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) key: PartitionKey,
    pub(super) topic: Arc<str>,
    pub(super) durable_end: i64,
}

/// A frame that is about to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) sequence: u64,
    pub(super) tail: u64,
    pub(super) notes: Vec<Note>,
}

/// Most notes in one frame, so that its size is bounded.
const NOTES_MAX: usize = 1024;

#[derive(Debug)]
pub(super) struct Ledger {
    next_sequence: u64,
    /// What the last durable frame says is the oldest that counts.
    recorded_tail: u64,
    partitions: HashMap<PartitionKey, Known>,
    needs: BTreeSet<(u64, PartitionKey)>,
    mentions: BTreeSet<(u64, PartitionKey)>,
    /// Their durable ends are further than any frame says.
    unwritten: BTreeSet<PartitionKey>,
    pub(super) ring: Ring,
}

impl Ledger {
    pub(super) fn new(ring: Ring) -> Self {
        Self {
            next_sequence: 1,
            recorded_tail: 1,
            partitions: HashMap::new(),
            needs: BTreeSet::new(),
            mentions: BTreeSet::new(),
            unwritten: BTreeSet::new(),
            ring,
        }
    }

    /// After a replay: its frames still say how far partitions were durable, the last one in
    /// `ends` with the frame that says it, and nothing else.
    pub(super) fn replayed(ring: Ring, tail: u64, next: u64, ends: &[(u64, Note)]) -> Self {
        let mut ledger = Self::new(ring);
        (ledger.recorded_tail, ledger.next_sequence) = (tail, next);
        for (sequence, note) in ends {
            ledger.known(note.key, &note.topic).durable_end = note.durable_end;
            ledger.mention(note.key, *sequence);
        }
        ledger
    }

    /// The newest frame that is durable.
    pub(super) fn last_sequence(&self) -> u64 {
        self.next_sequence - 1
    }

    /// The oldest frame that is needed.
    fn tail(&self) -> u64 {
        self.needs.first().map_or(self.next_sequence, |(sequence, _)| *sequence)
    }

    /// Whether a frame would free more room than it takes.
    pub(super) fn can_move_tail(&self) -> bool {
        self.tail() > self.recorded_tail && self.ring.frames() > 1
    }

    pub(super) fn has_unwritten(&self) -> bool {
        !self.unwritten.is_empty()
    }

    /// What the next frame has to say beside its entries.
    pub(super) fn draft(&self) -> Draft {
        let wanted = self.tail();
        let mut keys: Vec<PartitionKey> = self.unwritten.iter().take(NOTES_MAX).copied().collect();
        let mut tail = wanted;
        let taken: BTreeSet<PartitionKey> = keys.iter().copied().collect();
        for (mentioned, key) in &self.mentions {
            if *mentioned >= wanted {
                break;
            }
            if taken.contains(key) {
                continue;
            }
            if keys.len() >= NOTES_MAX {
                tail = tail.min(*mentioned);
                break;
            }
            keys.push(*key);
        }
        let note = |key: PartitionKey| {
            let known = self.partitions.get(&key)?;
            Some(Note { key, topic: Arc::clone(&known.topic), durable_end: known.durable_end })
        };
        let notes = keys.into_iter().filter_map(note).collect();
        Draft { sequence: self.next_sequence, tail, notes }
    }

    /// The frame of `draft` is durable.
    pub(super) fn wrote(&mut self, draft: &Draft, place: Place, bytes: u64) {
        assert_eq!(draft.sequence, self.next_sequence, "one frame is written at a time");
        self.ring.push(draft.sequence, place, bytes);
        self.next_sequence += 1;
        for note in &draft.notes {
            self.mention(note.key, draft.sequence);
        }
        assert!(draft.tail >= self.recorded_tail, "the tail does not go back");
        self.recorded_tail = draft.tail;
        self.ring.release(draft.tail);
    }

    /// The frame `sequence` holds bytes of this partition, up to `durable_end`.
    pub(super) fn owes(
        &mut self,
        key: PartitionKey,
        topic: &Arc<str>,
        durable_end: i64,
        sequence: u64,
    ) {
        let known = self.known(key, topic);
        (known.durable_end, known.held) = (durable_end, sequence);
        if known.needed.is_none() {
            known.needed = Some(sequence);
            self.needs.insert((sequence, key));
        }
        self.mention(key, sequence);
    }

    /// Everything of the frames up to `sequence` is in the partition's own files.
    pub(super) fn settled(&mut self, key: PartitionKey, sequence: u64) {
        let Some(known) = self.partitions.get_mut(&key) else { return };
        let Some(needed) = known.needed.filter(|needed| *needed <= sequence) else { return };
        self.needs.remove(&(needed, key));
        known.needed = (known.held > sequence).then_some(sequence + 1);
        if let Some(needed) = known.needed {
            self.needs.insert((needed, key));
        }
    }

    /// The partition is durable up to `durable_end`, by its own files.
    pub(super) fn note(&mut self, key: PartitionKey, topic: &Arc<str>, durable_end: i64) {
        let known = self.known(key, topic);
        if known.mentioned == 0 || known.durable_end != durable_end {
            known.durable_end = durable_end;
            self.unwritten.insert(key);
        }
    }

    /// The frame `sequence` says that what earlier ones hold of the partition, or of some of its
    /// segments, no longer counts. If of all, it `settles` the debt.
    pub(super) fn forgot(
        &mut self,
        key: PartitionKey,
        durable_end: i64,
        settles: bool,
        sequence: u64,
    ) {
        let Some(known) = self.partitions.get_mut(&key) else { return };
        known.durable_end = durable_end;
        if settles && let Some(needed) = known.needed.take() {
            self.needs.remove(&(needed, key));
        }
        self.mention(key, sequence);
    }

    /// The partition is no more.
    pub(super) fn remove(&mut self, key: PartitionKey) {
        let Some(known) = self.partitions.remove(&key) else { return };
        self.unwritten.remove(&key);
        self.mentions.remove(&(known.mentioned, key));
        if let Some(needed) = known.needed {
            self.needs.remove(&(needed, key));
        }
    }

    /// Whether a restart would look at bytes of the partition, or take it for durable beyond `end`;
    /// and up to where it is durable then.
    pub(super) fn must_forget(&self, key: PartitionKey, end: Option<i64>) -> Option<i64> {
        let known = self.partitions.get(&key)?;
        let end = end.unwrap_or(known.durable_end);
        let is_held = known.held >= self.recorded_tail;
        // What no frame says yet the next one would.
        (is_held || known.durable_end > end).then_some(end)
    }

    /// No frame counts any more; nobody is in debt. What is known goes into the next frames.
    pub(super) fn restart(&mut self) {
        assert!(self.needs.is_empty(), "what is needed is not thrown away");
        self.ring.clear();
        self.recorded_tail = self.next_sequence;
        self.mentions.clear();
        for (key, known) in &mut self.partitions {
            (known.mentioned, known.held) = (0, 0);
            self.unwritten.insert(*key);
        }
    }

    pub(super) fn is_in_debt(&self, key: PartitionKey) -> bool {
        self.partitions.get(&key).is_some_and(|known| known.needed.is_some())
    }

    /// All partitions in debt, oldest debt first.
    pub(super) fn debtors(&self) -> Vec<PartitionKey> {
        self.needs.iter().map(|(_, key)| *key).collect()
    }

    fn known(&mut self, key: PartitionKey, topic: &Arc<str>) -> &mut Known {
        self.partitions.entry(key).or_insert_with(|| Known {
            topic: Arc::clone(topic),
            durable_end: 0,
            mentioned: 0,
            held: 0,
            needed: None,
        })
    }

    fn mention(&mut self, key: PartitionKey, sequence: u64) {
        let Some(known) = self.partitions.get_mut(&key) else { return };
        self.mentions.remove(&(known.mentioned, key));
        known.mentioned = sequence;
        self.mentions.insert((sequence, key));
        self.unwritten.remove(&key);
    }
}
