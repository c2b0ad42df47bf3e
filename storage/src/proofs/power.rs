//! A switch between the product and its disks that goes off at a certain change: the process sees
//! errors from then on, and nothing of what it still tries reaches a disk. And the place where a
//! thread stops for another, before an operation (see `pauses.rs`).

use std::io::{self, IoSlice};
use std::mem;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::pauses;
use crate::fs::{DirEntry, DiskSpace, File, Fs, Metadata, OpenMode};

/// The power of a process on a machine; clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Power {
    machine: Arc<Mutex<State>>,
    is_killed: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct State {
    is_off: bool,
    cut: Option<Cut>,
    /// Counts while a log is cleaned, in the place of the other.
    cut_of_cleaning: Option<Cut>,
}

/// When the power goes: at the change number `at`, from 0 on, of a file whose path has one of
/// `paths` in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub(super) at: u64,
    /// Empty: any path.
    pub(super) paths: &'static [&'static str],
    /// The change is done, but the process does not hear of it.
    pub(super) is_done: bool,
}

impl Power {
    pub(super) fn until(cut: Cut) -> Self {
        Self::of(State { cut: Some(cut), ..State::default() })
    }

    /// Only changes count that are made while logs are cleaned.
    pub(super) fn until_cleaning(cut: Cut) -> Self {
        Self::of(State { cut_of_cleaning: Some(cut), ..State::default() })
    }

    fn of(state: State) -> Self {
        Self { machine: Arc::new(Mutex::new(state)), is_killed: Arc::default() }
    }

    /// A cleaning begins or ends.
    pub(super) fn change_work(&self) {
        let State { cut, cut_of_cleaning, .. } = &mut *self.machine.lock();
        mem::swap(cut, cut_of_cleaning);
    }

    /// For the next process on the same machine.
    pub(super) fn of_next_process(&self) -> Self {
        Self { machine: Arc::clone(&self.machine), is_killed: Arc::default() }
    }

    pub(super) fn is_off(&self) -> bool {
        self.machine.lock().is_off
    }

    /// Nothing that is still tried reaches a disk.
    pub(super) fn turn_off(&self) {
        self.machine.lock().is_off = true;
    }

    /// Nothing that this process still tries reaches a disk.
    pub(super) fn kill(&self) {
        self.is_killed.store(true, Ordering::Relaxed);
    }

    /// Before each operation, which may have to wait for its turn.
    fn check(&self) -> io::Result<()> {
        pauses::point();
        let is_dead = self.is_killed.load(Ordering::Relaxed) || self.is_off();
        if is_dead { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    fn change<T>(&self, path: &Path, change: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        self.check()?;
        let mut state = self.machine.lock();
        let path = path.to_string_lossy();
        let Some(cut) = state.cut.as_mut().filter(|cut| cut.concerns(&path)) else {
            drop(state);
            return change();
        };
        if cut.at > 0 {
            cut.at -= 1;
            drop(state);
            return change();
        }
        let is_done = cut.is_done;
        state.is_off = true;
        drop(state);
        if is_done {
            change()?;
        }
        Err(io::Error::other("the power has gone"))
    }
}

impl Cut {
    fn concerns(&self, path: &str) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|part| path.contains(part))
    }
}

/// Disks behind a switch.
#[derive(Clone, Debug)]
pub(super) struct PoweredFs {
    inner: Arc<dyn Fs>,
    power: Power,
}

impl PoweredFs {
    pub(super) fn new(inner: Arc<dyn Fs>, power: Power) -> Self {
        Self { inner, power }
    }
}

impl Fs for PoweredFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        self.power.check()?;
        let makes = matches!(mode, OpenMode::Create | OpenMode::CreateNew);
        let inner = if makes && !self.inner.exists(path)? {
            self.power.change(path, || self.inner.open(path, mode))?
        } else {
            self.inner.open(path, mode)?
        };
        Ok(Arc::new(PoweredFile { inner, path: path.to_owned(), power: self.power.clone() }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.power.change(path, || self.inner.create_dir_all(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.power.change(to, || self.inner.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.power.change(path, || self.inner.remove_file(path))
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.power.change(path, || self.inner.remove_dir_all(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.power.check()?;
        self.inner.list(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.power.check()?;
        self.inner.exists(path)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.power.check()?;
        self.inner.metadata(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.power.change(path, || self.inner.sync_dir(path))
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        self.power.check()?;
        self.inner.space(path)
    }
}

#[derive(Debug)]
struct PoweredFile {
    inner: Arc<dyn File>,
    path: PathBuf,
    power: Power,
}

impl File for PoweredFile {
    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        self.power.change(&self.path, || self.inner.write_at(parts, position))
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.power.check()?;
        self.inner.read_at(buf, position)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.power.change(&self.path, || self.inner.sync_data())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.power.change(&self.path, || self.inner.set_len(len))
    }

    fn len(&self) -> io::Result<u64> {
        self.power.check()?;
        self.inner.len()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
