//! The open files of all segments of a node, and the limit of how many there are.
//!
//! A segment refers to each of its files by a [`Handle`], which is open or not. What is used keeps
//! its descriptor; when there are as many as the budget allows, those that were not used lately
//! are closed (CLOCK: a hand goes round, takes the mark "used" away and closes what has none), and
//! opened again by name when they are asked for.
//!
//! Promises:
//!
//! - Who has an [`OpenFile`] may go on with it, whatever becomes of the handle. A file that
//!   somebody has is never closed.
//! - A file with bytes that this process has written and not synced is never closed. The kernel
//!   tells of a failed write-back the descriptors that are open then; between closing and opening
//!   again the error could be lost, and the next sync would say that all is well. So such a file
//!   is synced first, and a failure takes its log directory offline.
//! - Using an open file takes no lock.
//!
//! When the process has no descriptor left at all, because of connections, files are closed for whoever
//! needs one ([`OpenFiles::with_descriptor`]).
//!
//! The budget is exceeded only by files that readers hold. What is closed is decided under the
//! lock of the clock, and everything that enters it is stored under that lock too.

mod clock;
#[cfg(test)]
mod tests;

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;

use crate::fs::File;
use crate::log_dir::{LogDir, is_out_of_descriptors};
use clock::Clock;

/// The hand looks at no more files than this to make room for one.
const LOOKS_MAX: usize = 128;

/// How often a descriptor is asked for, and how long is waited in between: connections come and go.
const DESCRIPTOR_TRIES: u32 = 20;
const DESCRIPTOR_INTERVAL: Duration = Duration::from_millis(50);

/// As many are closed when the process has no descriptor left, before it is tried again.
const CLOSED_IN_NEED: usize = 32;

/// The open files of all segments; clones share them.
#[derive(Clone, Debug)]
pub struct OpenFiles {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    budget: usize,
    /// Descriptors, also those that only a reader has any more.
    open: AtomicUsize,
    clock: Mutex<Clock>,
}

/// A segment's reference to one of its files.
#[derive(Debug, Default)]
pub(crate) struct Handle {
    /// Made when the file is opened for the first time.
    slot: OnceLock<Arc<Slot>>,
}

/// What stays of a file while it is closed.
#[derive(Debug)]
struct Slot {
    files: Arc<Shared>,
    log_dir: Arc<LogDir>,
    open: ArcSwapOption<OpenFile>,
    /// Where the clock has it. Changed under the clock's lock.
    place: AtomicUsize,
    is_used: AtomicBool,
    /// Writes that have been made, and how many of them a sync has covered.
    written: AtomicU64,
    synced: AtomicU64,
}

/// An open file of a segment.
#[derive(Debug)]
pub(crate) struct OpenFile {
    file: Arc<dyn File>,
    slot: Arc<Slot>,
}

impl Default for OpenFiles {
    /// Without a limit.
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl OpenFiles {
    pub fn new(budget: usize) -> Self {
        let (budget, open) = (budget.max(1), AtomicUsize::new(0));
        Self { shared: Arc::new(Shared { budget, open, clock: Mutex::default() }) }
    }

    /// How many files are open.
    pub fn count(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    pub fn budget(&self) -> usize {
        self.shared.budget
    }

    /// Does what opens a file for a moment, and again while the process has no descriptor for it.
    /// `open` must open before it does anything else: nothing that failed is ever repeated but that.
    pub(crate) fn with_descriptor<T>(&self, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
        for number in 0..DESCRIPTOR_TRIES {
            match open() {
                Err(error) if is_out_of_descriptors(&error) => {
                    self.shared.close_some(CLOSED_IN_NEED, usize::MAX);
                    if number > 0 {
                        thread::sleep(DESCRIPTOR_INTERVAL);
                    }
                }
                other => return other,
            }
        }
        open()
    }

    /// Makes room ahead of need, where disks may be waited for: when little of the budget is left,
    /// a part of it is freed. `sync_together` is asked for each directory, with the number of its
    /// files that have to be synced: it may make the whole directory durable and return true;
    /// otherwise they are synced one by one.
    pub fn make_room_ahead(&self, sync_together: &dyn Fn(&LogDir, usize) -> bool) {
        let budget = self.shared.budget;
        if self.count() < budget - budget / 8 {
            return;
        }
        let wanted = self.count().saturating_sub(budget - budget / 4);
        let (closed, mut unsynced) = self.shared.clock.lock().close_unused(wanted, usize::MAX);
        unsynced.truncate(wanted.saturating_sub(closed.len()));
        drop(closed);
        while let Some(first) = unsynced.first() {
            let dir = Arc::clone(&first.log_dir);
            let is_here = |slot: &Arc<Slot>| Arc::ptr_eq(&slot.log_dir, &dir);
            let (here, elsewhere) = unsynced.into_iter().partition(is_here);
            self.shared.sync_and_close_all(&dir, here, sync_together);
            unsynced = elsewhere;
        }
    }
}

impl Shared {
    /// Closes what is not used so that one more file may be opened.
    fn make_room(&self) {
        loop {
            let open = self.open.load(Ordering::Relaxed);
            if open < self.budget || !self.close_some(open - self.budget + 1, LOOKS_MAX) {
                return;
            }
        }
    }

    /// Closes files; if all that could be closed are not synced, one of them after a sync. Whether
    /// any was closed: it may be fewer than wanted.
    fn close_some(&self, wanted: usize, looks: usize) -> bool {
        for looks in [looks, usize::MAX] {
            let (closed, unsynced) = self.clock.lock().close_unused(wanted, looks);
            if !closed.is_empty() || unsynced.iter().any(|slot| self.sync_and_close(slot)) {
                return true;
            }
        }
        false
    }

    fn sync_and_close_all(
        &self,
        dir: &LogDir,
        slots: Vec<Arc<Slot>>,
        sync_together: &dyn Fn(&LogDir, usize) -> bool,
    ) {
        let written: Vec<u64> =
            slots.iter().map(|slot| slot.written.load(Ordering::Acquire)).collect();
        let together = sync_together(dir, slots.len());
        for (slot, written) in slots.iter().zip(written) {
            if together {
                slot.synced.fetch_max(written, Ordering::AcqRel);
            }
            self.sync_and_close(slot);
        }
    }

    /// False if somebody has the file, or it cannot be synced.
    fn sync_and_close(&self, slot: &Slot) -> bool {
        if let Some(file) = slot.open.load_full()
            && slot.is_dirty()
            && !slot.log_dir.is_offline()
            && let Err(error) = file.sync_data()
        {
            slot.log_dir.take_offline(&format!("cannot sync a file before it is closed: {error}"));
        }
        let closed = self.clock.lock().close(slot);
        closed.is_some()
    }

    fn open_with_room(
        &self,
        open: &dyn Fn() -> io::Result<Arc<dyn File>>,
    ) -> io::Result<Arc<dyn File>> {
        self.make_room();
        match open() {
            Err(error) if is_out_of_descriptors(&error) => {
                self.close_some(CLOSED_IN_NEED, usize::MAX);
                open()
            }
            other => other,
        }
    }
}

impl Handle {
    /// The file, if it is open.
    pub(crate) fn get(&self) -> Option<Arc<OpenFile>> {
        let slot = self.slot.get()?;
        let file = slot.open.load_full()?;
        if !slot.is_used.load(Ordering::Relaxed) {
            slot.is_used.store(true, Ordering::Relaxed);
        }
        Some(file)
    }

    /// The file, opened now by `open` if it is not.
    pub(crate) fn get_or_open(
        &self,
        files: &OpenFiles,
        log_dir: &Arc<LogDir>,
        open: &dyn Fn() -> io::Result<Arc<dyn File>>,
    ) -> io::Result<Arc<OpenFile>> {
        if let Some(file) = self.get() {
            return Ok(file);
        }
        let file = files.shared.open_with_room(open)?;
        let slot = self.slot.get_or_init(|| Arc::new(Slot::new(files, log_dir)));
        let opened = OpenFile::new(file, slot);
        let mut clock = files.shared.clock.lock();
        if let Some(earlier) = slot.open.load_full() {
            return Ok(earlier);
        }
        slot.open.store(Some(Arc::clone(&opened)));
        slot.is_used.store(true, Ordering::Relaxed);
        clock.add(slot);
        Ok(opened)
    }

    /// Makes durable what this process has written. A file that is closed is durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let Some(slot) = self.slot.get() else { return Ok(()) };
        let mut file = slot.open.load_full();
        if file.is_none() && slot.is_dirty() {
            // The clock is just finding out that it must not close this one.
            let _clock = slot.files.clock.lock();
            file = slot.open.load_full();
        }
        file.map_or(Ok(()), |file| file.sync_data())
    }

    /// Gives the file up, synced or not: nobody wants its bytes any more.
    pub(crate) fn close(&self) {
        if let Some(slot) = self.slot.get() {
            let mut clock = slot.files.clock.lock();
            clock.remove(slot);
            let file = slot.open.swap(None);
            drop(clock);
            drop(file);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

impl Slot {
    fn new(files: &OpenFiles, log_dir: &Arc<LogDir>) -> Self {
        Self {
            files: Arc::clone(&files.shared),
            log_dir: Arc::clone(log_dir),
            open: ArcSwapOption::empty(),
            place: AtomicUsize::new(clock::NOWHERE),
            is_used: AtomicBool::new(false),
            written: AtomicU64::new(0),
            synced: AtomicU64::new(0),
        }
    }

    fn is_dirty(&self) -> bool {
        self.written.load(Ordering::Acquire) != self.synced.load(Ordering::Acquire)
    }

    /// Closes the file, if nobody has it and it is synced. Under the clock's lock: who finds it
    /// closed waits for that lock before anything else is stored here.
    fn take_if_idle(&self) -> Option<Arc<OpenFile>> {
        let file = self.open.swap(None)?;
        if Arc::strong_count(&file) == 1 {
            // What those did who had it is seen now, and nobody can get it any more.
            fence(Ordering::Acquire);
            if !self.is_dirty() {
                return Some(file);
            }
        }
        self.open.store(Some(file));
        None
    }
}

impl OpenFile {
    fn new(file: Arc<dyn File>, slot: &Arc<Slot>) -> Arc<Self> {
        slot.files.open.fetch_add(1, Ordering::Relaxed);
        Arc::new(Self { file, slot: Arc::clone(slot) })
    }

    /// A write has ended: a sync that began before does not cover it.
    fn note_written(&self) {
        self.slot.written.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.slot.files.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl File for OpenFile {
    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        let written = self.file.write_at(parts, position);
        // Also after an error: a part may have been written.
        self.note_written();
        written
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buf, position)
    }

    fn sync_data(&self) -> io::Result<()> {
        let written = self.slot.written.load(Ordering::Acquire);
        self.file.sync_data()?;
        self.slot.synced.fetch_max(written, Ordering::AcqRel);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let set = self.file.set_len(len);
        self.note_written();
        set
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_fd()
    }
}
