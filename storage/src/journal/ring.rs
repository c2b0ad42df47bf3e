//! Which bytes of the journal hold frames that still count. Pure: it only reckons.
//!
//! Frames lie one behind the other and never across the end. What is before the oldest one that
//! counts may be written over. The file grows only when there is no room at its beginning, so a
//! quiet journal stays small.

use std::collections::VecDeque;

/// The file grows by as much as this at a time: filled with zeros, so that later syncs have no
/// metadata to write.
const GROWTH_BYTES: u64 = 1 << 20;

/// Where a frame goes. Positions count from the end of the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) position: u64,
    /// What must be filled before the frame is written.
    pub(super) filled: u64,
}

/// A frame in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) sequence: u64,
    pub(super) position: u64,
    pub(super) bytes: u64,
}

/// The frames that count, oldest first.
#[derive(Debug)]
pub(super) struct Ring {
    capacity: u64,
    filled: u64,
    head: u64,
    frames: VecDeque<Placed>,
    used: u64,
}

impl Ring {
    /// Without frames. `filled` bytes are in the file already.
    pub(super) fn new(capacity: u64, filled: u64) -> Self {
        Self { capacity, filled: filled.min(capacity), head: 0, frames: VecDeque::new(), used: 0 }
    }

    /// With the frames that a start has found, in their order.
    pub(super) fn found(capacity: u64, filled: u64, frames: Vec<Placed>) -> Self {
        let mut ring = Self::new(capacity, filled);
        ring.head = frames.last().map_or(0, |last| last.position + last.bytes);
        ring.used = frames.iter().map(|frame| frame.bytes).sum();
        ring.frames = frames.into();
        ring
    }

    /// Bytes of all frames that count.
    pub(super) fn used(&self) -> u64 {
        self.used
    }

    pub(super) fn frames(&self) -> usize {
        self.frames.len()
    }

    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Room for a frame of `bytes`, after which there is still room for one of `spare`.
    pub(super) fn place(&self, bytes: u64, spare: u64) -> Option<Place> {
        let tail = self.frames.front().map(|frame| frame.position);
        let place = self.fit(self.head, tail, self.filled, bytes)?;
        if spare > 0 {
            let (head, tail) = (place.position + bytes, tail.unwrap_or(place.position));
            self.fit(head, Some(tail), place.filled, spare)?;
        }
        Some(place)
    }

    /// Room behind `head`, where the oldest frame that counts lies at `tail`.
    fn fit(&self, head: u64, tail: Option<u64>, filled: u64, bytes: u64) -> Option<Place> {
        let here = Place { position: head, filled };
        let Some(tail) = tail else { return self.fit_anywhere(bytes) };
        if head <= tail {
            return (head + bytes <= tail).then_some(here);
        }
        if head + bytes <= filled {
            return Some(here);
        }
        if bytes <= tail {
            return Some(Place { position: 0, filled });
        }
        self.grown(head, bytes)
    }

    /// When no frame counts.
    fn fit_anywhere(&self, bytes: u64) -> Option<Place> {
        let filled = self.filled;
        let place = [self.head, 0].into_iter().find(|position| position + bytes <= filled);
        place.map(|position| Place { position, filled }).or_else(|| self.grown(0, bytes))
    }

    fn grown(&self, position: u64, bytes: u64) -> Option<Place> {
        let end = position + bytes;
        let filled = end.next_multiple_of(GROWTH_BYTES).min(self.capacity);
        (end <= self.capacity).then_some(Place { position, filled })
    }

    /// The frame is in its place, and durable.
    pub(super) fn push(&mut self, sequence: u64, place: Place, bytes: u64) {
        assert!(place.position + bytes <= place.filled && place.filled <= self.capacity);
        assert!(self.frames.back().is_none_or(|last| last.sequence < sequence));
        self.filled = self.filled.max(place.filled);
        self.head = place.position + bytes;
        self.used += bytes;
        self.frames.push_back(Placed { sequence, position: place.position, bytes });
    }

    /// No frame counts any more.
    pub(super) fn clear(&mut self) {
        (self.head, self.used) = (0, 0);
        self.frames.clear();
    }

    /// Frames before `tail` no longer count.
    pub(super) fn release(&mut self, tail: u64) {
        while let Some(frame) = self.frames.pop_front_if(|frame| frame.sequence < tail) {
            self.used -= frame.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn frames_never_overlap(steps in prop::collection::vec((1..9_u64, 0..4_u64), 1..200)) {
            let mut ring = Ring::new(40, 0);
            let mut live: VecDeque<(u64, u64, u64)> = VecDeque::new();
            for (sequence, (bytes, released)) in (1..).zip(steps) {
                if let Some(place) = ring.place(bytes, 2) {
                    let (start, end) = (place.position, place.position + bytes);
                    prop_assert!(end <= 40);
                    for (_, from, to) in &live {
                        prop_assert!(end <= *from || *to <= start, "{start}..{end} in {from}..{to}");
                    }
                    ring.push(sequence, place, bytes);
                    live.push_back((sequence, start, end));
                    prop_assert!(ring.place(2, 0).is_some(), "the spare room is there");
                } else {
                    prop_assert!(!live.is_empty(), "an empty ring has room");
                }
                for _ in 0..released {
                    live.pop_front();
                }
                ring.release(live.front().map_or(u64::MAX, |first| first.0));
                prop_assert_eq!(ring.used(), live.iter().map(|(_, from, to)| to - from).sum::<u64>());
            }
        }
    }

    #[test]
    fn the_beginning_is_used_again_before_the_file_grows() {
        let mut ring = Ring::new(64 << 20, 0);
        for sequence in 1..10_000 {
            let place = ring.place(4096, 4096).unwrap();
            assert!(place.filled <= GROWTH_BYTES);
            ring.push(sequence, place, 4096);
            ring.release(sequence.saturating_sub(100));
        }
    }
}
