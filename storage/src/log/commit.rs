//! Group commit: the new bytes of all logs of a directory that want to be durable, in one write to
//! the journal and one sync.
//!
//! A log takes part if it has little to add and everything that the journal relies on is durable:
//! its names and `partition.metadata`. Otherwise its own files are synced, on other threads, which
//! also settles what it owes: a log with much to add would be written twice for nothing, and one
//! that has begun a new segment has names to sync anyway.
//!
//! The commit holds the `sync_lock` of all its logs from the plan until the result is published,
//! so that none of them is cut or closed meanwhile. It only tries to take them: a log that is being
//! flushed or cut waits for the next commit, and not all others for it. Those who wait are called
//! after all locks are given back.

use std::sync::Arc;

use parking_lot::MutexGuard;

use super::Log;
use super::durable::Published;
use crate::fs::read_exact_at;
use crate::journal::{CommitError, Dirty, Frame, Journal, PartitionKey};
use crate::segment::Segment;

/// More new bytes of one log than this are synced in its own files. Writing 64 KiB twice costs
/// about as much as the sync of one file that it saves on a local disk (100 us and more, at about
/// 1 GB/s), and a quarter of that on cloud volumes (1-3 ms, at 100-200 MB/s).
const LOG_BYTES_MAX: u64 = 64 << 10;
/// Most bytes of all logs in one commit.
const GROUP_BYTES_MAX: u64 = 1 << 20;

/// How a log is to become durable.
enum Way<'a> {
    Journal(Part<'a>),
    Files,
    /// It is durable already.
    None,
    /// Somebody else is at it.
    Busy,
}

/// One log's part in a commit.
struct Part<'a> {
    log: &'a Arc<Log>,
    key: PartitionKey,
    active: Arc<Segment>,
    leader_epoch: i32,
    position: u64,
    bytes: usize,
    base_offset: i64,
    end: i64,
    _no_sync: MutexGuard<'a, ()>,
}

/// What has become of a log in a commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Fate {
    /// Those who waited have been called.
    #[default]
    Done,
    /// Its own files are to be synced.
    ByFiles,
    /// It is to be tried again.
    Busy,
}

#[derive(Debug, Default)]
pub(super) struct Committed {
    /// In the order of the logs.
    pub(super) fates: Vec<Fate>,
    /// The journal has no room.
    pub(super) is_full: bool,
}

/// Makes `logs` durable through the journal, as far as that is the way for them, and calls those
/// who wait. `wait`: for logs that are busy, too. An error is final for the directory.
pub(super) fn commit(
    journal: &Journal,
    logs: &[Arc<Log>],
    wait: bool,
) -> Result<Committed, CommitError> {
    let mut fates = Vec::with_capacity(logs.len());
    let mut parts = Vec::with_capacity(logs.len());
    let mut room = GROUP_BYTES_MAX;
    for (place, log) in logs.iter().enumerate() {
        fates.push(match log.plan_commit(wait, room) {
            Way::Journal(part) => {
                room -= part.bytes as u64;
                parts.push((place, part));
                Fate::Done
            }
            Way::Files => Fate::ByFiles,
            Way::None => Fate::Done,
            Way::Busy => Fate::Busy,
        });
    }
    if parts.is_empty() {
        return Ok(Committed { fates, is_full: false });
    }
    let mut by_files = |place: usize| {
        if let Some(fate) = fates.get_mut(place) {
            *fate = Fate::ByFiles;
        }
    };
    let mut frame = journal.begin();
    parts.retain(|(place, part)| {
        let added = part.add_to(&mut frame).is_ok();
        if !added {
            // The sync of the files will tell what is wrong.
            by_files(*place);
        }
        added
    });
    match frame.commit() {
        Ok(()) => {}
        Err(CommitError::Full) => {
            parts.iter().for_each(|(place, _)| by_files(*place));
            return Ok(Committed { fates, is_full: true });
        }
        Err(error) => return Err(error),
    }
    // One after the other, so that the locks are free when the first callback runs.
    let published: Vec<_> = parts.into_iter().map(|(_, part)| part.publish()).collect();
    for (log, published) in published {
        published.call(log);
    }
    Ok(Committed { fates, is_full: false })
}

impl Log {
    fn plan_commit(self: &Arc<Self>, wait: bool, room: u64) -> Way<'_> {
        let guard = if wait { Some(self.sync_lock.lock()) } else { self.sync_lock.try_lock() };
        let Some(_no_sync) = guard else { return Way::Busy };
        let Some((_, key)) = self.journal() else { return Way::Files };
        if self.check_writable().is_err() {
            return Way::Files;
        }
        let mut writer = self.lock_writer();
        if !writer.identity_synced {
            writer.identity_synced = true;
            (writer.names_unsynced, writer.dir_unsynced) = (true, true);
        }
        if writer.names_unsynced || writer.dir_unsynced || !writer.unsynced.is_empty() {
            return Way::Files;
        }
        let (base_offset, end) = (self.durable_end(), writer.next_offset);
        if base_offset == end {
            return Way::None;
        }
        let (position, size) = (writer.durable_bytes, writer.active.size());
        let bytes = size.saturating_sub(position);
        if bytes == 0 || bytes > LOG_BYTES_MAX.min(room) {
            return Way::Files;
        }
        writer.begin_sync();
        Way::Journal(Part {
            log: self,
            key,
            active: Arc::clone(&writer.active),
            leader_epoch: writer.epochs.latest().map_or(-1, |latest| latest.epoch),
            position,
            bytes: bytes as usize,
            base_offset,
            end,
            _no_sync,
        })
    }
}

impl<'a> Part<'a> {
    /// Copies the bytes from the segment's file, where they are in the page cache.
    fn add_to(&self, frame: &mut Frame<'_>) -> Result<(), std::io::Error> {
        let dirty = Dirty {
            key: self.key,
            topic: &self.log.topic_partition.topic,
            leader_epoch: self.leader_epoch,
            segment_base: self.active.base_offset(),
            position: self.position,
            bytes: self.bytes,
            base_offset: self.base_offset,
            end_offset: self.end,
        };
        let file = self.active.open(self.log.fs())?;
        frame.add(&dirty, |buffer| read_exact_at(&*file, buffer, self.position))
    }

    fn publish(self) -> (&'a Log, Published) {
        let log = self.log;
        let bytes = self.position + self.bytes as u64;
        let published = log.publish_durable_end(log.lock_writer(), self.end, &self.active, bytes);
        (log, published)
    }
}
