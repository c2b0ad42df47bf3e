//! Producer state on the disk: snapshots (`<offset>.snapshot`), and the replay of what lies behind
//! the last one.
//!
//! A snapshot is taken when a segment is rolled and at a clean stop. It is not synced: it carries
//! a CRC, and a damaged one only makes the replay longer. Not so once the segments before it are
//! deleted or cleaned: then nothing else tells of the producers in them, so it is synced before.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol_codec::records::control::EndTransactionMarker;

use super::transactions::producer_marker;
use super::{Log, Writer};
use crate::fs::{Fs, OpenMode, read_file, write_whole};
use crate::index::txn::AbortedTxn;
use crate::producer_state::{CompletedTxn, ProducerBatch, ProducerStateManager, snapshot};
use crate::segment::scan::BatchAt;
use crate::segment::{Segment, SegmentError, files};

pub(super) const SNAPSHOT_SUFFIX: &str = ".snapshot";
/// Larger than any snapshot of as many producers as are kept.
const SNAPSHOT_BYTES_MAX: u64 = 32 << 20;
/// A log of this size is read about as fast as a snapshot.
const REPLAYED_BYTES_MAX: u64 = 64 << 10;
/// Control batches hold one small record; a larger one is not read.
const CONTROL_BATCH_BYTES_MAX: usize = 64 << 10;

impl Log {
    /// Writes the state as of the end of a log that is being closed. Of a small log without
    /// producers that is not worth a file: the next start reads its batches as quickly.
    pub(super) fn write_last_snapshot(&self, writer: &Writer) {
        if !writer.producers.is_empty() || self.size() > REPLAYED_BYTES_MAX {
            self.write_producer_snapshot(writer);
        }
    }

    /// Writes the state as of the log's end. A failure is only said: recovery replays then.
    pub(super) fn write_producer_snapshot(&self, writer: &Writer) {
        let path = files::path(&self.path, writer.next_offset, SNAPSHOT_SUFFIX);
        if let Err(error) = write(self.fs(), &path, &snapshot::encode(&writer.producers)) {
            let path = path.display();
            tracing::warn!(%path, %error, "Cannot write a producer snapshot");
        }
    }
}

fn write(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = fs.open(path, OpenMode::Create)?;
    write_whole(&*file, bytes)
}

/// The content of the snapshot at `base_offset`, after the segments `before`, if there is no good
/// one.
pub(super) fn missing_snapshot(
    fs: &dyn Fs,
    dir: &Path,
    before: &[Arc<Segment>],
    base_offset: i64,
) -> Result<Option<Vec<u8>>, SegmentError> {
    if read(fs, &files::path(dir, base_offset, SNAPSHOT_SUFFIX)).is_ok() {
        return Ok(None);
    }
    let producers = state_before(fs, dir, before, base_offset)?;
    Ok(Some(snapshot::encode(&producers)))
}

/// Makes the snapshot at `offset` durable, with this content if it is not there yet.
pub(super) fn keep(fs: &dyn Fs, dir: &Path, offset: i64, content: Option<&[u8]>) -> io::Result<()> {
    let path = files::path(dir, offset, SNAPSHOT_SUFFIX);
    if let Some(content) = content {
        write(fs, &path, content)?;
    }
    fs.open(&path, OpenMode::ReadWrite)?.sync_data()?;
    fs.sync_dir(dir)
}

/// The offsets of the snapshots in a directory, rising.
pub(super) fn snapshot_offsets(names: &[String]) -> Vec<i64> {
    names.iter().filter_map(|name| files::base_offset(name, SNAPSHOT_SUFFIX)).collect()
}

/// The state at `end`: the newest good snapshot not beyond it, and a replay from there.
/// Snapshots beyond `end`, damaged ones, and those that are of no use any more are removed.
pub(super) fn load(
    fs: &dyn Fs,
    dir: &Path,
    mut offsets: Vec<i64>,
    segments: &[Arc<Segment>],
    end: i64,
    now_ms: i64,
    expiration_ms: i64,
) -> Result<ProducerStateManager, SegmentError> {
    let start = segments.first().map_or(0, |segment| segment.base_offset());
    let mut producers = ProducerStateManager::new();
    let mut from = start;
    if offsets.last().is_some_and(|last| *last > end) {
        // They tell of what was cut off, and must not come back once there is something else.
        let removed = remove_beyond(fs, dir, end).and_then(|kept| fs.sync_dir(dir).map(|()| kept));
        offsets = removed.map_err(|source| SegmentError::Io { path: dir.to_owned(), source })?;
    }
    while let Some(offset) = offsets.pop() {
        let path = files::path(dir, offset, SNAPSHOT_SUFFIX);
        if offset < start {
            remove(fs, &path);
            continue;
        }
        match read(fs, &path) {
            Ok(entries) => {
                producers = ProducerStateManager::from_entries(entries, now_ms, expiration_ms);
                from = offset;
                break;
            }
            Err(reason) => {
                tracing::warn!(path = %path.display(), reason, "Removing a damaged producer snapshot");
                remove(fs, &path);
            }
        }
    }
    // Those of segments are kept for truncation; any other is older than the one in use.
    let is_of_segment = |offset: i64| segments.iter().any(|s| s.base_offset() == offset);
    for offset in offsets.into_iter().filter(|offset| !is_of_segment(*offset)) {
        remove(fs, &files::path(dir, offset, SNAPSHOT_SUFFIX));
    }
    replay(fs, segments, from, &mut producers, &mut |_| {})?;
    Ok(producers)
}

/// The state where a segment begins, by the `segments` before it and the snapshots in `dir`, of
/// which none is removed. Nobody is expired: this is to find out whose transactions were open.
pub(super) fn state_before(
    fs: &dyn Fs,
    dir: &Path,
    segments: &[Arc<Segment>],
    base_offset: i64,
) -> Result<ProducerStateManager, SegmentError> {
    let list = fs.list(dir).map_err(|source| SegmentError::Io { path: dir.to_owned(), source })?;
    let names: Vec<String> = list.into_iter().map(|entry| entry.name).collect();
    let start = segments.first().map_or(base_offset, |segment| segment.base_offset());
    let usable = snapshot_offsets(&names)
        .into_iter()
        .rev()
        .filter(|offset| (start..=base_offset).contains(offset));
    let mut producers = ProducerStateManager::new();
    let mut from = start;
    for offset in usable {
        if let Ok(entries) = read(fs, &files::path(dir, offset, SNAPSHOT_SUFFIX)) {
            producers = ProducerStateManager::from_entries(entries, 0, i64::MAX);
            from = offset;
            break;
        }
    }
    replay(fs, segments, from, &mut producers, &mut |_| {})?;
    Ok(producers)
}

fn read(
    fs: &dyn Fs,
    path: &Path,
) -> Result<Vec<crate::producer_state::ProducerStateEntry>, String> {
    let bytes = read_file(fs, path, SNAPSHOT_BYTES_MAX).map_err(|error| error.to_string())?;
    snapshot::decode(&bytes).map_err(|error| error.to_string())
}

pub(super) fn remove(fs: &dyn Fs, path: &Path) {
    if let Err(error) = fs.remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "Cannot remove a producer snapshot");
    }
}

/// Takes all batches from offset `from` on over into the state. `on_abort` is told of every
/// transaction that is aborted.
pub(super) fn replay(
    fs: &dyn Fs,
    segments: &[Arc<Segment>],
    from: i64,
    producers: &mut ProducerStateManager,
    on_abort: &mut dyn FnMut(AbortedTxn),
) -> Result<(), SegmentError> {
    let first = segments.partition_point(|segment| segment.base_offset() <= from);
    for segment in segments.get(first.saturating_sub(1)..).unwrap_or_default() {
        if segment.size() == 0 {
            continue;
        }
        let position = segment.position_before(fs, from)?;
        let mut scan = segment.scan_in_bulk(fs, position)?;
        while let Some(at) = scan.next()? {
            if at.header.base_offset >= from {
                replay_batch(fs, segment, &at, producers, on_abort)?;
            }
        }
    }
    Ok(())
}

fn replay_batch(
    fs: &dyn Fs,
    segment: &Segment,
    at: &BatchAt,
    producers: &mut ProducerStateManager,
    on_abort: &mut dyn FnMut(AbortedTxn),
) -> Result<(), SegmentError> {
    let header = &at.header;
    if !header.has_producer_id() {
        return Ok(());
    }
    if !header.attributes.is_control() {
        producers.update(&ProducerBatch::from(header), header.base_offset);
        return Ok(());
    }
    if header.size() > CONTROL_BATCH_BYTES_MAX {
        return Err(segment.corrupt(at.position, "a control batch of an impossible size"));
    }
    if header.records_count == 0 {
        // Compaction has taken the marker out, after everything that belonged to it.
        return Ok(());
    }
    let batch = segment.read_batch(fs, at)?;
    let marker = EndTransactionMarker::from_batch(&batch.view())
        .map_err(|error| segment.corrupt(at.position, error))?;
    let state = producer_marker(header, marker);
    let completed = producers.end_transaction(&state, header.base_offset);
    if let Some(completed) = completed.filter(|_| !marker.committed) {
        on_abort(completed.into());
    }
    Ok(())
}

impl From<CompletedTxn> for AbortedTxn {
    fn from(completed: CompletedTxn) -> Self {
        let CompletedTxn { producer_id, first_offset, last_offset, last_stable_offset } = completed;
        Self { producer_id, first_offset, last_offset, last_stable_offset }
    }
}

/// Removes the snapshots that lie beyond a new end of the log.
pub(super) fn remove_beyond(fs: &dyn Fs, dir: &Path, end: i64) -> io::Result<Vec<i64>> {
    let names: Vec<String> = fs.list(dir)?.into_iter().map(|entry| entry.name).collect();
    let (kept, beyond) = snapshot_offsets(&names).into_iter().partition(|offset| *offset <= end);
    let beyond: Vec<i64> = beyond;
    for path in beyond.iter().map(|offset| files::path(dir, *offset, SNAPSHOT_SUFFIX)) {
        fs.remove_file(&path)?;
    }
    Ok(kept)
}

/// The path of the snapshot that was taken when the segment began.
pub(super) fn path_of_segment(segment: &Segment) -> PathBuf {
    segment.path(SNAPSHOT_SUFFIX)
}
