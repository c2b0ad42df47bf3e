//! The segments of a log that do not change any more, and the sums of their files.

use std::io;
use std::sync::Arc;

use parking_lot::MutexGuard;

use super::Log;
use super::read::with_next_base;
use crate::fs::Fs;
use crate::segment::Segment;

impl Log {
    /// Sealed segments, oldest first, each with the base offset of the one behind it. Their bytes
    /// and indexes are on the disk: the recovery point has passed them.
    pub(crate) fn sealed_segments(&self) -> Vec<(Arc<Segment>, i64)> {
        let segments = self.segments.load();
        let recovery_point = self.recovery_point();
        with_next_base(&segments, 0)
            .filter_map(|(segment, next)| Some((Arc::clone(segment), next?)))
            .filter(|(_, next)| *next <= recovery_point)
            .collect()
    }

    /// Whether the very same segment is still in the row, and sealed.
    pub(crate) fn is_sealed(&self, segment: &Arc<Segment>) -> bool {
        self.sealed_segments().iter().any(|(sealed, _)| Arc::ptr_eq(sealed, segment))
    }

    pub(crate) fn shared_fs(&self) -> Arc<dyn Fs> {
        Arc::clone(&self.context.fs)
    }

    /// These segments were sealed: somebody else sums them up, later.
    pub(super) fn sums_are_due(&self, segments: &[Arc<Segment>]) {
        if !segments.is_empty() {
            let bases = segments.iter().map(|segment| segment.base_offset());
            self.context.dir.sealed().sealed(&self.topic_partition, bases);
        }
    }

    /// Before the end of the log is cut off at `offset`: the segment that holds it and those behind
    /// it change. The caller holds `sync_lock`, and the guard until the row of segments is changed.
    pub(super) fn forget_sums_from(&self, offset: i64) -> io::Result<Option<MutexGuard<'_, ()>>> {
        let segments = self.segments.load();
        let behind = segments.partition_point(|segment| segment.base_offset() <= offset);
        let first = segments.get(behind.saturating_sub(1)..).unwrap_or_default();
        // The last segment has no sums.
        let [first, _, ..] = first else { return Ok(None) };
        let from = first.base_offset();
        self.context.dir.sealed().forget(self.fs(), &self.path, |base| base >= from).map(Some)
    }
}
