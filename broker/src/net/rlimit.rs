//! The process's limit of open files, raised as far as it goes.
//!
//! A broker needs about three descriptors a partition that is in use and one a connection;
//! shells hand out 1,024 by default although the hard limit is far higher.

use std::os::fd::RawFd;

use rustix::process::{Resource, getrlimit, setrlimit};

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
    fn the_soft_limit_becomes_the_hard_one() {
        let raised = raise_open_files();
        assert_eq!(raised, getrlimit(Resource::Nofile).maximum);
    }
}
