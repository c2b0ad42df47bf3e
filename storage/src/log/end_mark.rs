//! Where the log ends: offset and place in the file, published together by the writer and read by
//! anybody without a lock.
//!
//! A sequence lock over atomics: the writer makes the sequence odd, writes the fields, makes it
//! even again; a reader that meets an odd or a changed sequence reads again. The writer is inside
//! for a few nanoseconds only.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};

/// The end of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Offset of the next record.
    pub(crate) offset: i64,
    /// The segment that it will be in.
    pub(crate) segment_base: i64,
    /// Bytes in that segment.
    pub(crate) position: u64,
    /// The last batch in that segment: its base offset and where it begins. Without one they are
    /// `offset` and `position`. A reader who is at the end all the time looks for just this.
    pub(crate) last_batch_offset: i64,
    pub(crate) last_batch_position: u64,
}

impl End {
    /// The end of a segment without batches, or whose last batch is not known.
    pub(crate) fn of_segment(offset: i64, segment_base: i64, position: u64) -> Self {
        Self {
            offset,
            segment_base,
            position,
            last_batch_offset: offset,
            last_batch_position: position,
        }
    }
}

/// The published [`End`].
#[derive(Debug)]
pub(crate) struct EndMark {
    sequence: AtomicU64,
    offset: AtomicI64,
    segment_base: AtomicI64,
    position: AtomicU64,
    last_batch_offset: AtomicI64,
    last_batch_position: AtomicU64,
}

impl EndMark {
    pub(crate) fn new(end: End) -> Self {
        Self {
            sequence: AtomicU64::new(0),
            offset: AtomicI64::new(end.offset),
            segment_base: AtomicI64::new(end.segment_base),
            position: AtomicU64::new(end.position),
            last_batch_offset: AtomicI64::new(end.last_batch_offset),
            last_batch_position: AtomicU64::new(end.last_batch_position),
        }
    }

    /// Publishes a new end. Only under the log's lock: there is one writer at a time.
    pub(crate) fn publish(&self, end: End) {
        let sequence = self.sequence.load(Ordering::Relaxed);
        debug_assert_eq!(sequence % 2, 0, "one writer at a time");
        self.sequence.store(sequence + 1, Ordering::Relaxed);
        fence(Ordering::Release);
        self.segment_base.store(end.segment_base, Ordering::Relaxed);
        self.position.store(end.position, Ordering::Relaxed);
        self.last_batch_offset.store(end.last_batch_offset, Ordering::Relaxed);
        self.last_batch_position.store(end.last_batch_position, Ordering::Relaxed);
        // Release for those who read the offset alone.
        self.offset.store(end.offset, Ordering::Release);
        self.sequence.store(sequence + 2, Ordering::Release);
    }

    /// The offset alone.
    pub(crate) fn offset(&self) -> i64 {
        self.offset.load(Ordering::Acquire)
    }

    pub(crate) fn load(&self) -> End {
        loop {
            let before = self.sequence.load(Ordering::Acquire);
            let end = End {
                offset: self.offset.load(Ordering::Relaxed),
                segment_base: self.segment_base.load(Ordering::Relaxed),
                position: self.position.load(Ordering::Relaxed),
                last_batch_offset: self.last_batch_offset.load(Ordering::Relaxed),
                last_batch_position: self.last_batch_position.load(Ordering::Relaxed),
            };
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && before == self.sequence.load(Ordering::Relaxed) {
                return end;
            }
            spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(number: i64) -> End {
        End {
            offset: number,
            segment_base: number * 2,
            position: number as u64 * 3,
            last_batch_offset: number * 5,
            last_batch_position: number as u64 * 7,
        }
    }

    #[test]
    fn readers_never_see_a_mixture() {
        const LAST: i64 = 50_000;
        let mark = EndMark::new(end(0));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut seen = 0;
                    while seen < LAST {
                        let loaded = mark.load();
                        assert_eq!(loaded, end(loaded.offset));
                        assert!(loaded.offset >= seen);
                        seen = loaded.offset;
                    }
                });
            }
            for number in 1..=LAST {
                mark.publish(end(number));
            }
        });
        assert_eq!((mark.load(), mark.offset()), (end(LAST), LAST));
    }
}
