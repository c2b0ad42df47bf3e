//! The lock of a log directory: its file `.lock`, locked as Java does it.
//!
//! Java's `FileChannel.tryLock` is a POSIX record lock (`fcntl`) on the whole file, so a running
//! Kafka keeps us out of its directory, and we keep it out of ours. Such a lock has two traps:
//! closing *any* descriptor of the file gives it up, and it does not hold within its own process.
//! So the locks of this process are kept in a table, and a descriptor that was opened in vain
//! stays open as long as the lock does.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use rustix::fs::{FlockOperation, fcntl_lock, fstat};
use rustix::process::{Flock, FlockType, fcntl_getlk};
use thiserror::Error;

use crate::fs::{File, Fs, OpenMode};

pub const LOCK_FILE: &str = ".lock";

/// Why a directory could not be locked.
#[derive(Debug, Error)]
pub enum LockError {
    /// Kafka's words.
    #[error(
        "Failed to acquire lock on file .lock in {}. A Kafka instance in another process or thread is using this directory.",
        dir.display()
    )]
    Held { dir: PathBuf },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The process that holds the lock of `dir`, without locking or writing anything: for tools that
/// only look. Not for a process that may hold the lock itself.
pub fn holder(fs: &dyn Fs, dir: &Path) -> io::Result<Option<i32>> {
    let file = match fs.open(&dir.join(LOCK_FILE), OpenMode::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let Some(fd) = file.as_fd() else { return Ok(None) };
    let wanted = Flock::from(FlockType::WriteLock);
    let held = fcntl_getlk(fd, &wanted)?;
    Ok(held.map(|lock| lock.pid.map_or(0, |pid| pid.as_raw_nonzero().get())))
}

/// Device and number of a locked file.
type FileId = (u64, u64);

/// The files that this process has locked, with every descriptor that it has of them.
static LOCKED: LazyLock<Mutex<LockedFiles>> = LazyLock::new(Mutex::default);

type LockedFiles = HashMap<FileId, Vec<Arc<dyn File>>>;

/// Holds a log directory's lock until it is dropped.
#[derive(Debug)]
pub struct DirLock {
    /// `None` on a file system without descriptors (in memory): nobody else can see it.
    file_id: Option<FileId>,
}

impl DirLock {
    /// Locks `dir`, which must exist. Does not wait.
    pub fn acquire(fs: &dyn Fs, dir: &Path) -> Result<Self, LockError> {
        // Taken first: while it is held, nobody in this process opens or closes a `.lock`.
        let mut locked = LOCKED.lock();
        let file = fs.open(&dir.join(LOCK_FILE), OpenMode::Create)?;
        let Some(fd) = file.as_fd() else {
            return Ok(Self { file_id: None });
        };
        let stat = fstat(fd).map_err(io::Error::from)?;
        let file_id = (stat.st_dev, stat.st_ino);
        if let Some(descriptors) = locked.get_mut(&file_id) {
            descriptors.push(Arc::clone(&file));
            return Err(LockError::Held { dir: dir.to_owned() });
        }
        match fcntl_lock(fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {
                locked.insert(file_id, vec![Arc::clone(&file)]);
                Ok(Self { file_id: Some(file_id) })
            }
            // POSIX allows either for a lock that somebody else holds.
            Err(rustix::io::Errno::ACCESS | rustix::io::Errno::AGAIN) => {
                Err(LockError::Held { dir: dir.to_owned() })
            }
            Err(error) => Err(io::Error::from(error).into()),
        }
    }
}

impl Drop for DirLock {
    fn drop(&mut self) {
        if let Some(file_id) = self.file_id {
            // Closing the descriptors gives the lock up.
            LOCKED.lock().remove(&file_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    use super::*;
    use crate::fs::{MemFs, RealFs};

    const CHILD_DIR: &str = "BARNABAS_TEST_LOCK_DIR";

    /// Not a test of its own: the process that the next test starts. It locks the directory that
    /// its environment names, says so, and holds it until its standard input ends.
    #[test]
    fn child_that_holds_a_lock() {
        let Some(dir) = std::env::var_os(CHILD_DIR) else {
            return;
        };
        let lock = DirLock::acquire(&RealFs, Path::new(&dir));
        println!("{}", if lock.is_ok() { "locked" } else { "refused" });
        io::stdout().flush().unwrap();
        let _ = io::stdin().lines().next();
    }

    fn start_child(dir: &Path) -> (std::process::Child, String) {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "dir_lock::tests::child_that_holds_a_lock", "--nocapture"])
            .env(CHILD_DIR, dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The test runner's own output stands around the answer, even on the same line.
        let answer = BufReader::new(child.stdout.as_mut().unwrap())
            .lines()
            .map(Result::unwrap)
            .find_map(|line| ["locked", "refused"].into_iter().find(|a| line.ends_with(a)))
            .unwrap();
        (child, answer.to_owned())
    }

    #[test]
    fn another_process_is_kept_out_and_keeps_us_out() {
        let dir = tempfile::tempdir().unwrap();
        let (mut holder, answer) = start_child(dir.path());
        assert_eq!(answer, "locked");
        let refused = DirLock::acquire(&RealFs, dir.path());
        assert!(matches!(&refused, Err(LockError::Held { dir: d }) if d == dir.path()));
        let held_by = super::holder(&RealFs, dir.path()).unwrap();
        assert_eq!(held_by, i32::try_from(holder.id()).ok());
        // kill -9 gives the lock up.
        holder.kill().unwrap();
        holder.wait().unwrap();

        let ours = DirLock::acquire(&RealFs, dir.path()).unwrap();
        // A second attempt in this process fails, and does not give the lock up by its close.
        assert!(matches!(DirLock::acquire(&RealFs, dir.path()), Err(LockError::Held { .. })));
        let (mut late, answer) = start_child(dir.path());
        assert_eq!(answer, "refused");
        drop(late.stdin.take());
        late.wait().unwrap();
        drop(ours);
        let (mut next, answer) = start_child(dir.path());
        assert_eq!(answer, "locked");
        drop(next.stdin.take());
        next.wait().unwrap();
    }

    #[test]
    fn a_file_system_in_memory_has_no_locks() {
        let (fs, dir) = (MemFs::new(), Path::new("/logs"));
        fs.create_dir_all(dir).unwrap();
        let _held = DirLock::acquire(&fs, dir).unwrap();
        DirLock::acquire(&fs, dir).unwrap();
    }
}
