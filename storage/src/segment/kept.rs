//! The files of a segment, which are open or not: see [`crate::open_files`].
//!
//! A file is opened by its name, so a segment whose names are given away must not open anything
//! any more: other files may have these names then. [`SegmentFiles::retire`] comes before any
//! renaming or removal; who opens a file looks whether that has happened after it is open. Whoever
//! has a file open goes on with it.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::files;
use crate::fs::{File, Fs, OpenMode};
use crate::log::LogContext;
use crate::log_dir::LogDir;
use crate::open_files::{Handle, OpenFile, OpenFiles};

/// What the segments of a log share.
#[derive(Debug)]
pub(crate) struct SegmentDir {
    path: Arc<Path>,
    fs: Arc<dyn Fs>,
    log_dir: Arc<LogDir>,
    open_files: OpenFiles,
}

/// Where the files of one segment are.
#[derive(Debug)]
pub(crate) struct SegmentFiles {
    dir: Arc<SegmentDir>,
    base_offset: i64,
    retired: AtomicBool,
}

/// A file of a sealed segment that is only read: opened when it is asked for something.
#[derive(Debug)]
pub(crate) struct KeptFile {
    files: Arc<SegmentFiles>,
    suffix: &'static str,
    handle: Handle,
}

impl SegmentDir {
    pub(crate) fn new(context: &LogContext, path: &Arc<Path>) -> Arc<Self> {
        Arc::new(Self {
            path: Arc::clone(path),
            fs: Arc::clone(&context.fs),
            log_dir: Arc::clone(&context.dir),
            open_files: context.open_files.clone(),
        })
    }

    /// The partition's directory.
    pub(crate) fn path(&self) -> &Arc<Path> {
        &self.path
    }
}

impl SegmentFiles {
    pub(super) fn new(dir: Arc<SegmentDir>, base_offset: i64) -> Arc<Self> {
        Arc::new(Self { dir, base_offset, retired: AtomicBool::new(false) })
    }

    pub(super) fn path(&self, suffix: &str) -> PathBuf {
        files::path(&self.dir.path, self.base_offset, suffix)
    }

    /// From now on nothing is opened.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// The file of `handle`, opened now by `open` if it is not.
    pub(super) fn open(
        &self,
        handle: &Handle,
        open: &dyn Fn() -> io::Result<Arc<dyn File>>,
    ) -> io::Result<Arc<OpenFile>> {
        handle.get_or_open(&self.dir.open_files, &self.dir.log_dir, &|| {
            let file = open()?;
            if self.retired.load(Ordering::Acquire) {
                return Err(io::Error::new(
                    io::ErrorKind::StaleNetworkFileHandle,
                    "the segment was deleted",
                ));
            }
            Ok(file)
        })
    }
}

impl KeptFile {
    pub(super) fn new(files: &Arc<SegmentFiles>, suffix: &'static str) -> Self {
        Self { files: Arc::clone(files), suffix, handle: Handle::default() }
    }

    fn open(&self) -> io::Result<Arc<OpenFile>> {
        self.files.open(&self.handle, &|| {
            self.files.dir.fs.open(&self.files.path(self.suffix), OpenMode::Read)
        })
    }
}

impl File for KeptFile {
    fn write_at(&self, _parts: &[IoSlice<'_>], _position: u64) -> io::Result<usize> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.open()?.read_at(buf, position)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.open()?.sync_data()
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn len(&self) -> io::Result<u64> {
        self.open()?.len()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
