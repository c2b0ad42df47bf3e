//! Bringing a running log's recovery point up to its end, and writing down what a recovery from
//! there needs: the producers (a snapshot) and the indexes of the active segment
//! (see [`crate::segment::saved`]). A recovery then walks what was appended since, and no more.
//!
//! Invariant: what is written down is durable before it is; whatever cuts the log takes it back
//! before ([`Log::forget_checkpoint`]).

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::durable::NotDurable;
use super::{Log, producers};
use crate::fs::{Fs, OpenMode, write_whole};
use crate::segment::files;
use crate::segment::saved::SAVED_FILE;

/// New bytes that are worth writing anything down, at least.
const SAVE_BYTES_MIN: u64 = 1 << 20;
/// And the part of the segment that they must be: the file holds the indexes of all of it.
const SAVE_SHARE: u64 = 16;

/// Where a log was at its last checkpoint.
#[derive(Debug, Default)]
pub(super) struct Checkpointed {
    /// The active segment, and its size then.
    flushed: (i64, u64),
    /// The segment whose indexes were saved, and its size then.
    saved: Option<(i64, u64)>,
    /// The snapshot that was taken then; that of a segment's beginning is not ours to remove.
    snapshot: Option<i64>,
    /// How often the log was cut.
    cuts: u64,
}

/// What is to be written down once it is durable.
struct Draft {
    offset: i64,
    base_offset: i64,
    size: u64,
    saved: Option<Vec<u8>>,
}

impl Log {
    /// About as many bytes as a recovery would have to walk now, because no checkpoint was made
    /// since they came.
    pub(crate) fn bytes_since_checkpoint(&self) -> u64 {
        let (base_offset, size) = self.checkpointed.lock().flushed;
        let segments = self.segments.load();
        let since = segments.iter().filter(|segment| segment.base_offset() >= base_offset);
        let bytes: u64 = since.clone().map(|segment| segment.size()).sum();
        let is_there = since.clone().any(|segment| segment.base_offset() == base_offset);
        bytes.saturating_sub(if is_there { size } else { 0 })
    }

    /// Notes that all there is was found, or made, durable.
    pub(super) fn note_checkpointed(&self) {
        let active = Arc::clone(&self.lock_writer().active);
        self.checkpointed.lock().flushed = (active.base_offset(), active.size());
    }

    /// Makes the log durable and writes down where it is.
    pub(crate) fn checkpoint(self: &Arc<Self>) -> Result<(), NotDurable> {
        let cuts = self.checkpointed.lock().cuts;
        let Some(draft) = self.draft() else { return Ok(()) };
        self.flush()?;
        // Neither cut nor deleted while it is written down.
        let _no_sync = self.sync_lock.lock();
        self.check_writable()?;
        let mut checkpointed = self.checkpointed.lock();
        if checkpointed.cuts != cuts || self.recovery_point() < draft.offset {
            return Ok(());
        }
        checkpointed.flushed = (draft.base_offset, draft.size);
        let Some(saved) = &draft.saved else { return Ok(()) };
        if let Err(error) = write(self.fs(), &self.path.join(SAVED_FILE), saved) {
            // A recovery will walk more.
            tracing::warn!(log = %self.topic_partition, %error, "Cannot save the indexes");
            return Ok(());
        }
        checkpointed.saved = Some((draft.base_offset, draft.size));
        let old = checkpointed.snapshot.replace(draft.offset);
        let is_of_segment = |offset| self.segment_offsets().contains(&offset);
        if let Some(old) = old.filter(|old| *old != draft.offset && !is_of_segment(*old)) {
            producers::remove(self.fs(), &files::path(&self.path, old, producers::SNAPSHOT_SUFFIX));
        }
        Ok(())
    }

    /// What the log is now. `None` if it is closed, or has no files.
    fn draft(&self) -> Option<Draft> {
        let saved = self.checkpointed.lock().saved;
        let writer = self.lock_writer();
        if writer.closed || !self.is_on_disk(&writer) {
            return None;
        }
        let (base_offset, size) = (writer.active.base_offset(), writer.active.size());
        let before = saved.filter(|(base, _)| *base == base_offset).map_or(0, |(_, size)| size);
        let is_due = size.saturating_sub(before) >= SAVE_BYTES_MIN.max(size / SAVE_SHARE);
        let offset = writer.next_offset;
        let saved = if is_due { writer.active.encode_saved(offset) } else { None };
        if saved.is_some() {
            self.write_producer_snapshot(&writer);
        }
        Some(Draft { offset, base_offset, size, saved })
    }

    /// Takes back what is written down: the log is about to be cut.
    pub(super) fn forget_checkpoint(&self) -> io::Result<()> {
        let mut checkpointed = self.checkpointed.lock();
        *checkpointed = Checkpointed { cuts: checkpointed.cuts + 1, ..Checkpointed::default() };
        match self.fs().remove_file(&self.path.join(SAVED_FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn write(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = fs.open(path, OpenMode::Create)?;
    write_whole(&*file, bytes)
}
