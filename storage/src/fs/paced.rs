//! A file system whose reads are slowed down: for work that must not get in the way.

use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

use super::{DirEntry, DiskSpace, File, Fs, Metadata, OpenMode};

/// Called with the bytes of each read before the next one; it waits, or ends the work by an error.
type Pace = Arc<dyn Fn(usize) -> io::Result<()> + Send + Sync>;

/// Another file system, read slowly. Writes and names go through as they are.
#[derive(Clone)]
pub(crate) struct PacedFs {
    inner: Arc<dyn Fs>,
    pace: Pace,
}

impl PacedFs {
    pub(crate) fn new(
        inner: Arc<dyn Fs>,
        pace: impl Fn(usize) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { inner, pace: Arc::new(pace) }
    }
}

impl fmt::Debug for PacedFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacedFs").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl Fs for PacedFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let inner = self.inner.open(path, mode)?;
        Ok(Arc::new(PacedFile { inner, pace: Arc::clone(&self.pace) }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.inner.list(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.inner.exists(path)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.inner.metadata(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.inner.sync_dir(path)
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        self.inner.space(path)
    }
}

struct PacedFile {
    inner: Arc<dyn File>,
    pace: Pace,
}

impl fmt::Debug for PacedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacedFile").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl File for PacedFile {
    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        self.inner.write_at(parts, position)
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let read = self.inner.read_at(buf, position)?;
        (self.pace)(read)?;
        Ok(read)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.as_fd()
    }
}
