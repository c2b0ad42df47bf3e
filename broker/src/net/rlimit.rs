//! The process's limit of open files, raised as far as it goes.
//!
//! Shells hand out 1,024 by default although the hard limit is far higher. Three quarters of the
//! descriptors are for connections, a quarter is for files: segments keep theirs open within
//! [`segment_files_max`], the rest of the quarter is for what is opened and closed in passing.

use std::os::fd::RawFd;

use rustix::process::{Resource, getrlimit, setrlimit};

/// Descriptors for files that are opened and closed in passing: directories that are synced,
/// indexes and checkpoints that are written, by some threads at a time.
const PASSING_FILES: u64 = 32;

/// With fewer files, and readers of several partitions, every access would open one.
const SEGMENT_FILES_MIN: u64 = 16;

/// As many partitions are hardly written at the same time, and each file costs the kernel about a
/// kilobyte.
const SEGMENT_FILES_MAX: u64 = 8192;

/// Raises the soft limit of open files to the hard one. Returns the limit that holds now; `None`
/// when there is none. A failure leaves the limit as it was.
pub fn raise_open_files() -> Option<u64> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let before = limit.current;
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(limit = before, %error, "The limit of open files cannot be raised");
            return before;
        }
    }
    limit.current
}

/// Whether a connection with this descriptor would leave too few for files. The kernel gives out
/// the lowest number that is free, so a high one means that all below it are in use. A quarter is
/// kept: a log that cannot open its next segment fails its producers, one that cannot open what it
/// has to sync goes offline.
pub fn is_kept_for_files(descriptor: RawFd) -> bool {
    let limit = getrlimit(Resource::Nofile).current;
    limit.is_some_and(|limit| is_beyond(descriptor, limit - limit / 4))
}

/// How many files segments may keep open.
pub fn segment_files_max() -> usize {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(segment_files_of(limit)).unwrap_or(usize::MAX)
}

fn segment_files_of(limit: u64) -> u64 {
    (limit / 4).saturating_sub(PASSING_FILES).clamp(SEGMENT_FILES_MIN, SEGMENT_FILES_MAX)
}

fn is_beyond(descriptor: RawFd, first_kept: u64) -> bool {
    u64::try_from(descriptor).is_ok_and(|descriptor| descriptor >= first_kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_files() {
        assert!(!is_kept_for_files(3));
        assert!(!is_beyond(767, 768) && is_beyond(768, 768));
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        if let Ok(last) = RawFd::try_from(limit - 1) {
            assert!(is_kept_for_files(last));
        }
    }

    #[test]
    fn segments_leave_descriptors_for_other_files() {
        let files = [64, 256, 1024, 4096, 1 << 20, u64::MAX].map(segment_files_of);
        assert_eq!(files, [16, 32, 224, 992, 8192, 8192]);
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let raised = raise_open_files();
        assert_eq!(raised, getrlimit(Resource::Nofile).maximum);
    }
}
