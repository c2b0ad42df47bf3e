//! One file's bytes: what readers see, what is on the disk, and the changes between the two.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::Path;

use parking_lot::Mutex;

use super::{Clock, Survivors, Unsynced};
use crate::fs::File;

/// What a disk writes in one piece.
pub(super) const SECTOR_BYTES: usize = 512;

#[derive(Debug)]
pub(super) struct MemFile {
    clock: Clock,
    content: Mutex<Content>,
}

#[derive(Debug, Default)]
struct Content {
    live: Vec<u8>,
    synced: Vec<u8>,
    /// Makes `live` of `synced`, oldest first.
    changes: Vec<Change>,
}

/// One write, or one new length.
#[derive(Debug)]
struct Change {
    at: u64,
    position: usize,
    /// Zeros for what a shorter length has cut off.
    bytes: Vec<u8>,
    len_before: usize,
    len_after: usize,
}

impl MemFile {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, content: Mutex::default() }
    }

    pub(super) fn size(&self) -> u64 {
        self.content.lock().live.len() as u64
    }

    /// What a power cut leaves of it, as a new file.
    pub(super) fn left(&self, path: &Path, survivors: &mut Survivors<'_>) -> Self {
        let left = self.content.lock().left(path, survivors);
        let content = Content { live: left.clone(), synced: left, changes: Vec::new() };
        Self { clock: self.clock.clone(), content: Mutex::new(content) }
    }
}

impl Content {
    fn change(&mut self, change: Change) {
        self.live.resize(self.live.len().max(change.len_after), 0);
        change.apply(&mut self.live, 0..usize::MAX);
        self.live.truncate(change.len_after);
        self.changes.push(change);
    }

    fn sync(&mut self) {
        for change in self.changes.drain(..) {
            self.synced.resize(self.synced.len().max(change.len_after), 0);
            change.apply(&mut self.synced, 0..usize::MAX);
            self.synced.truncate(change.len_after);
        }
    }

    fn left(&self, path: &Path, survivors: &mut Survivors<'_>) -> Vec<u8> {
        if self.changes.is_empty() {
            return self.synced.clone();
        }
        let mut left = self.synced.clone();
        let len = self.len_left(path, survivors);
        left.resize(left.len().max(len), 0);
        for (sector, changes) in self.changes_by_sector() {
            let position = sector * SECTOR_BYTES;
            let times: Vec<u64> = changes.iter().map(|change| change.at).collect();
            let what = Unsynced::Sector { file: path, position: position as u64 };
            let done = survivors(what, &times);
            for change in changes.into_iter().take(done) {
                change.apply(&mut left, position..position + SECTOR_BYTES);
            }
        }
        left.truncate(len);
        left
    }

    fn len_left(&self, path: &Path, survivors: &mut Survivors<'_>) -> usize {
        let resized = |change: &&Change| change.len_before != change.len_after;
        let changes: Vec<&Change> = self.changes.iter().filter(resized).collect();
        if changes.is_empty() {
            return self.synced.len();
        }
        let times: Vec<u64> = changes.iter().map(|change| change.at).collect();
        let done = survivors(Unsynced::Length { file: path }, &times);
        let last = changes.into_iter().take(done).next_back();
        last.map_or(self.synced.len(), |change| change.len_after)
    }

    fn changes_by_sector(&self) -> BTreeMap<usize, Vec<&Change>> {
        let mut sectors: BTreeMap<usize, Vec<&Change>> = BTreeMap::new();
        for change in self.changes.iter().filter(|change| !change.bytes.is_empty()) {
            let last = (change.position + change.bytes.len() - 1) / SECTOR_BYTES;
            for sector in change.position / SECTOR_BYTES..=last {
                sectors.entry(sector).or_default().push(change);
            }
        }
        sectors
    }
}

impl Change {
    /// Writes that part of it that lies in `range` and in `target`.
    fn apply(&self, target: &mut [u8], range: std::ops::Range<usize>) {
        let start = self.position.max(range.start);
        let end = (self.position + self.bytes.len()).min(range.end).min(target.len());
        if start >= end {
            return;
        }
        let source = self.bytes.get(start - self.position..end - self.position);
        if let Some((target, source)) = target.get_mut(start..end).zip(source) {
            target.copy_from_slice(source);
        }
    }
}

impl File for MemFile {
    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        let position = position as usize;
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let written = bytes.len();
        let mut content = self.content.lock();
        let len_before = content.live.len();
        let len_after = len_before.max(position + written);
        let at = self.clock.next();
        content.change(Change { at, position, bytes, len_before, len_after });
        Ok(written)
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let content = self.content.lock();
        let rest = content.live.get(position as usize..).unwrap_or_default();
        let len = rest.len().min(buf.len());
        for (to, from) in buf.iter_mut().zip(rest) {
            *to = *from;
        }
        Ok(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.content.lock().sync();
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut content = self.content.lock();
        let (len_before, len_after) = (content.live.len(), len as usize);
        if len_before != len_after {
            let (at, position) = (self.clock.next(), len_after);
            let bytes = vec![0; len_before.saturating_sub(len_after)];
            content.change(Change { at, position, bytes, len_before, len_after });
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.size())
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
