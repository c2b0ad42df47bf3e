//! The process's limit of open files, raised as far as it goes.
//!
//! A broker needs about three descriptors a partition that is in use and one a connection;
//! shells hand out 1,024 by default although the hard limit is far higher.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let raised = raise_open_files();
        assert_eq!(raised, getrlimit(Resource::Nofile).maximum);
    }
}
