//! A file system that fails by rule, around another one.
//!
//! A [`Rule`] names an operation, a part of the path and which occurrence fails and how. Tests
//! count with it too: [`FaultyFs::count`] says how often an operation has been asked for; and they look
//! at what is going on at a sync ([`FaultyFs::at_each_sync`]).

use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{DirEntry, DiskSpace, File, Fs, Metadata, OpenMode};

/// The operations that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Open,
    Write,
    Read,
    SyncData,
    SyncDir,
    SyncAll,
    SetLen,
    Rename,
    Remove,
}

/// What happens instead of the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// EIO; nothing is done.
    Io,
    /// ENOSPC; nothing is done.
    NoSpace,
    /// EMFILE; nothing is done.
    NoDescriptor,
    /// A write writes only this many bytes, and says so.
    ShortWrite(usize),
    /// A write writes this many bytes, the next one gets ENOSPC.
    ShortWriteThenNoSpace(usize),
}

/// When a fault happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub op: Op,
    /// The operation's path must contain this; empty: any path.
    pub path_contains: String,
    /// Matching operations that are still let through.
    pub skip: usize,
    /// Matching operations that fail after that.
    pub times: usize,
    pub fault: Fault,
}

impl Rule {
    /// The next `times` operations of this kind fail, wherever they are.
    pub fn next(op: Op, times: usize, fault: Fault) -> Self {
        Self { op, path_contains: String::new(), skip: 0, times, fault }
    }
}

/// Called before a sync.
type Watcher = Arc<dyn Fn() + Send + Sync>;

/// A file system that fails by rule; clones share the rules.
#[derive(Clone)]
pub struct FaultyFs {
    inner: Arc<dyn Fs>,
    rules: Arc<Mutex<Rules>>,
    watcher: Arc<Mutex<Option<Watcher>>>,
}

impl fmt::Debug for FaultyFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyFs").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Rules {
    rules: Vec<Rule>,
    counts: Vec<(Op, usize)>,
}

impl FaultyFs {
    pub fn new(inner: Arc<dyn Fs>) -> Self {
        Self { inner, rules: Arc::default(), watcher: Arc::default() }
    }

    pub fn add(&self, rule: Rule) {
        self.rules.lock().rules.push(rule);
    }

    /// `watcher` is called before each sync of a file or a directory.
    pub fn at_each_sync(&self, watcher: impl Fn() + Send + Sync + 'static) {
        *self.watcher.lock() = Some(Arc::new(watcher));
    }

    /// From now on nothing fails.
    pub fn heal(&self) {
        self.rules.lock().rules.clear();
    }

    /// How often `op` has been asked for, failed ones included.
    pub fn count(&self, op: Op) -> usize {
        let rules = self.rules.lock();
        rules.counts.iter().find(|(counted, _)| *counted == op).map_or(0, |(_, count)| *count)
    }

    fn check(&self, op: Op, path: &Path) -> io::Result<()> {
        if matches!(op, Op::SyncData | Op::SyncDir | Op::SyncAll) {
            // Called without the lock: it may use this file system.
            let watcher = self.watcher.lock().clone();
            if let Some(watcher) = watcher {
                watcher();
            }
        }
        self.rules.lock().fault(op, path).map_or(Ok(()), |fault| Err(error_of(fault)))
    }
}

impl Rules {
    fn fault(&mut self, op: Op, path: &Path) -> Option<Fault> {
        match self.counts.iter_mut().find(|(counted, _)| *counted == op) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((op, 1)),
        }
        let path = path.to_string_lossy();
        let matches = |rule: &&mut Rule| {
            rule.op == op && rule.times > 0 && path.contains(&rule.path_contains)
        };
        let rule = self.rules.iter_mut().find(matches)?;
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        rule.times -= 1;
        let fault = rule.fault;
        if let Fault::ShortWriteThenNoSpace(_) = fault {
            rule.fault = Fault::NoSpace;
            rule.times += 1;
        }
        Some(fault)
    }
}

fn error_of(fault: Fault) -> io::Error {
    match fault {
        Fault::Io | Fault::ShortWrite(_) => rustix::io::Errno::IO.into(),
        Fault::NoDescriptor => rustix::io::Errno::MFILE.into(),
        Fault::NoSpace | Fault::ShortWriteThenNoSpace(_) => rustix::io::Errno::NOSPC.into(),
    }
}

impl Fs for FaultyFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        self.check(Op::Open, path)?;
        let inner = self.inner.open(path, mode)?;
        Ok(Arc::new(FaultyFile { inner, path: path.to_owned(), fs: self.clone() }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check(Op::Rename, from)?;
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.check(Op::Remove, path)?;
        self.inner.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.check(Op::Remove, path)?;
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

    fn set_modified(&self, path: &Path, modified_ms: i64) -> io::Result<()> {
        self.inner.set_modified(path, modified_ms)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.check(Op::SyncDir, path)?;
        self.inner.sync_dir(path)
    }

    fn can_sync_all(&self) -> bool {
        self.inner.can_sync_all()
    }

    fn sync_all(&self, path: &Path) -> io::Result<()> {
        self.check(Op::SyncAll, path)?;
        self.inner.sync_all(path)
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        let mut space = self.inner.space(path)?;
        // A rule that names a directory is about its disk only.
        let dir = format!("{}/", path.display());
        let is_here =
            |part: &str| !part.starts_with('/') || dir.contains(part) || part.starts_with(&dir);
        let full = |rule: &Rule| {
            matches!(rule.fault, Fault::NoSpace | Fault::ShortWriteThenNoSpace(_))
                && rule.times > 0
                && rule.skip == 0
                && is_here(&rule.path_contains)
        };
        if self.rules.lock().rules.iter().any(full) {
            space.usable = 0;
        }
        Ok(space)
    }
}

#[derive(Debug)]
struct FaultyFile {
    inner: Arc<dyn File>,
    path: PathBuf,
    fs: FaultyFs,
}

impl File for FaultyFile {
    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        let fault = self.fs.rules.lock().fault(Op::Write, &self.path);
        match fault {
            None => self.inner.write_at(parts, position),
            Some(Fault::ShortWrite(len) | Fault::ShortWriteThenNoSpace(len)) => {
                let mut bytes: Vec<u8> =
                    parts.iter().flat_map(|part| part.iter().copied()).collect();
                bytes.truncate(len);
                self.inner.write_at(&[IoSlice::new(&bytes)], position)
            }
            Some(fault) => Err(error_of(fault)),
        }
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.fs.check(Op::Read, &self.path)?;
        self.inner.read_at(buf, position)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.fs.check(Op::SyncData, &self.path)?;
        self.inner.sync_data()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.fs.check(Op::SetLen, &self.path)?;
        self.inner.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.inner.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{MemFs, write_all_at};

    fn faulty() -> (FaultyFs, Arc<dyn File>) {
        let fs = FaultyFs::new(Arc::new(MemFs::new()));
        let file = fs.open(Path::new("/f"), OpenMode::Create).unwrap();
        (fs, file)
    }

    #[test]
    fn the_nth_operation_fails_and_then_none() {
        let (fs, file) = faulty();
        fs.add(Rule { skip: 1, ..Rule::next(Op::SyncData, 1, Fault::Io) });
        assert!(file.sync_data().is_ok());
        assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(5));
        assert!(file.sync_data().is_ok());
        assert_eq!(fs.count(Op::SyncData), 3);
    }

    #[test]
    fn a_short_write_is_gone_on_with_and_a_full_disk_is_not() {
        let (fs, file) = faulty();
        fs.add(Rule::next(Op::Write, 1, Fault::ShortWrite(2)));
        write_all_at(&*file, &mut [IoSlice::new(b"ab"), IoSlice::new(b"cde")], 0).unwrap();
        assert_eq!(file.len().unwrap(), 5);

        fs.add(Rule::next(Op::Write, 1, Fault::ShortWriteThenNoSpace(3)));
        let error = write_all_at(&*file, &mut [IoSlice::new(b"12345")], 5).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.len().unwrap(), 8);
        assert_eq!(fs.space(Path::new("/")).unwrap().usable, 1 << 40);
    }

    #[test]
    fn rules_choose_paths() {
        let (fs, file) = faulty();
        let rule = Rule::next(Op::Write, usize::MAX, Fault::NoSpace);
        fs.add(Rule { path_contains: ".log".to_owned(), ..rule });
        assert!(file.write_at(&[IoSlice::new(b"x")], 0).is_ok());
        let log = fs.open(Path::new("/0.log"), OpenMode::Create).unwrap();
        assert!(log.write_at(&[IoSlice::new(b"x")], 0).is_err());
        assert_eq!(fs.space(Path::new("/")).unwrap().usable, 0);
        fs.heal();
        assert!(log.write_at(&[IoSlice::new(b"x")], 0).is_ok());
    }
}
