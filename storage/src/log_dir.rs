//! The health of one log directory, shared by everything that writes into it.
//!
//! Two kinds of trouble are told apart. A full disk (ENOSPC, EDQUOT) passes: appends are refused
//! until space is back, reads go on. Any other failed write and any failed fsync is final: what is
//! on the disk is no longer known, so the directory stays offline until the process is restarted,
//! and no fsync is ever tried again (the kernel may have dropped the dirty pages already and would
//! report success).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::sealed_sums::SealedFiles;

/// One of the `log.dirs`. Cheap to ask on every append.
#[derive(Debug)]
pub struct LogDir {
    path: PathBuf,
    offline: AtomicBool,
    full: AtomicBool,
    /// Bytes appended here since the logs were last brought to their recovery points.
    appended: AtomicU64,
    /// Why it is offline; the first reason stays.
    reason: Mutex<Option<String>>,
    sealed: SealedFiles,
}

impl LogDir {
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            offline: AtomicBool::new(false),
            full: AtomicBool::new(false),
            appended: AtomicU64::new(0),
            reason: Mutex::new(None),
            sealed: SealedFiles::default(),
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is known of its sealed files.
    pub(crate) fn sealed(&self) -> &SealedFiles {
        &self.sealed
    }

    /// True once anything has failed here that is not a full disk. Never becomes false again.
    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    /// True after a write has met a full disk, until [`LogDir::set_full`] takes it back.
    pub fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// Why the directory is offline.
    pub fn offline_reason(&self) -> Option<String> {
        self.reason.lock().clone()
    }

    /// Takes the directory offline for the rest of this process.
    pub fn take_offline(&self, reason: &str) {
        let mut first = self.reason.lock();
        if first.is_none() {
            tracing::error!(dir = %self.path.display(), reason, "Log directory is taken offline");
            *first = Some(reason.to_owned());
        }
        self.offline.store(true, Ordering::Release);
    }

    pub(crate) fn note_appended(&self, bytes: u64) {
        self.appended.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn appended_bytes(&self) -> u64 {
        self.appended.load(Ordering::Relaxed)
    }

    /// The logs are about to be brought to their recovery points.
    pub(crate) fn reset_appended(&self) {
        self.appended.store(0, Ordering::Relaxed);
    }

    /// Notes that the disk is full, or that space is back.
    pub fn set_full(&self, full: bool) {
        if self.full.swap(full, Ordering::AcqRel) != full {
            if full {
                tracing::error!(dir = %self.path.display(), "Log directory is out of space: appends are refused");
            } else {
                tracing::info!(dir = %self.path.display(), "Log directory has space again");
            }
        }
    }

    /// Judges a failed write or sync: a full disk is noted as such, anything else is final.
    /// `what` says what was tried, with the file's name.
    pub fn judge_write_error(&self, error: &io::Error, what: &str) {
        if is_out_of_space(error) {
            self.set_full(true);
        } else if is_out_of_descriptors(error) {
            tracing::error!(dir = %self.path.display(), what, %error, "Too many open files");
        } else {
            self.take_offline(&format!("{what}: {error}"));
        }
    }
}

/// True for the errors that mean "no room now": ENOSPC and EDQUOT.
pub fn is_out_of_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// True for the errors that say nothing bad of the disk: a later try may succeed.
pub(crate) fn is_passing(error: &io::Error) -> bool {
    is_out_of_space(error) || is_out_of_descriptors(error)
}

/// True for EMFILE and ENFILE: nothing is wrong with the disk.
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    let errno = rustix::io::Errno::from_io_error(error);
    matches!(errno, Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_passes_and_an_io_error_does_not() {
        let dir = LogDir::new("/logs");
        dir.judge_write_error(&io::Error::from(io::ErrorKind::StorageFull), "write");
        assert!(dir.is_full() && !dir.is_offline());
        dir.set_full(false);
        assert!(!dir.is_full());

        dir.judge_write_error(&io::Error::from_raw_os_error(5), "write of 0.log");
        dir.take_offline("a later reason");
        assert!(dir.is_offline());
        assert!(dir.offline_reason().unwrap().starts_with("write of 0.log: "));
    }
}
