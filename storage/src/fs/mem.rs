//! A file system in memory that knows what a power cut would leave.
//!
//! Every file has the bytes that readers see, the bytes of its last `sync_data`, and the writes
//! between the two; every directory has the same of its names. A power cut
//! ([`MemFs::crash`], [`MemFs::cut_power`]) keeps what was synced, and of the rest what the disk
//! happened to do: any sector, any length, the first of the names. Handles that were open before
//! the cut go on working on files that nobody else sees any more, as a dead process's would.
//!
//! | file | holds |
//! |---|---|
//! | `file.rs` | the bytes of a file |
//! | `dir.rs` | the names of a directory |
//! | `power.rs` | what a power cut keeps |

use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::{DirEntry, DiskSpace, File, Fs, Metadata, OpenMode};
use dir::{MemDir, Node};
use file::MemFile;

mod dir;
mod file;
mod power;
#[cfg(test)]
mod tests;

pub use power::{PowerCut, Survivors, Unsynced};

/// What `space` answers: there is no real limit.
const SPACE_BYTES: u64 = 1 << 40;

/// A file system in memory; clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemFs {
    root: Arc<Mutex<MemDir>>,
    clock: Clock,
}

/// Numbers the changes of a file system.
#[derive(Debug, Clone, Default)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl MemFs {
    pub fn new() -> Self {
        Self::default()
    }

    /// A file system of its own with what readers see in this one, all of it synced.
    pub fn copy(&self) -> Self {
        let root = self.root.lock().left(Path::new("/"), &mut |_, times| times.len());
        Self { root: Arc::new(Mutex::new(root)), clock: self.clock.clone() }
    }

    /// A power cut: only synced bytes under synced names are left.
    pub fn crash(&self) {
        self.cut_power(PowerCut::NothingUnsynced, 0);
    }

    /// A power cut that keeps of the unsynced changes what `survivors` says.
    pub fn cut_power_keeping(&self, survivors: &mut Survivors<'_>) {
        let mut root = self.root.lock();
        *root = root.left(Path::new("/"), survivors);
    }

    fn dir(&self, path: &Path) -> io::Result<Arc<Mutex<MemDir>>> {
        let mut dir = Arc::clone(&self.root);
        for name in names(path)? {
            let next = match dir.lock().get(&name) {
                Some(Node::Dir(next)) => Arc::clone(next),
                Some(Node::File(_)) => return Err(ErrorKind::NotADirectory.into()),
                None => return Err(ErrorKind::NotFound.into()),
            };
            dir = next;
        }
        Ok(dir)
    }

    /// The directory that holds `path`, and the last name.
    fn parent(&self, path: &Path) -> io::Result<(Arc<Mutex<MemDir>>, String)> {
        let name = path.file_name().and_then(OsStr::to_str).ok_or(ErrorKind::InvalidInput)?;
        let parent = path.parent().ok_or(ErrorKind::InvalidInput)?;
        Ok((self.dir(parent)?, name.to_owned()))
    }

    /// The directory `name` in `dir`, made if it is not there.
    fn dir_in(&self, dir: &mut MemDir, name: String) -> io::Result<Arc<Mutex<MemDir>>> {
        match dir.get(&name) {
            Some(Node::Dir(there)) => Ok(Arc::clone(there)),
            Some(Node::File(_)) => Err(ErrorKind::NotADirectory.into()),
            None => {
                let made = Arc::default();
                dir.add(self.clock.next(), name, Node::Dir(Arc::clone(&made)));
                Ok(made)
            }
        }
    }
}

impl Fs for MemFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let (dir, name) = self.parent(path)?;
        let mut dir = dir.lock();
        let file = match (dir.get(&name), mode) {
            (Some(Node::Dir(_)), _) => return Err(ErrorKind::IsADirectory.into()),
            (Some(Node::File(_)), OpenMode::CreateNew) => {
                return Err(ErrorKind::AlreadyExists.into());
            }
            (Some(Node::File(file)), _) => Arc::clone(file),
            (None, OpenMode::Create | OpenMode::CreateNew) => {
                let file = Arc::new(MemFile::new(self.clock.clone()));
                dir.add(self.clock.next(), name, Node::File(Arc::clone(&file)));
                file
            }
            (None, OpenMode::Read | OpenMode::ReadWrite) => return Err(ErrorKind::NotFound.into()),
        };
        Ok(file)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut dir = Arc::clone(&self.root);
        for name in names(path)? {
            let next = self.dir_in(&mut dir.lock(), name)?;
            dir = next;
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_dir, from_name) = self.parent(from)?;
        let (to_dir, to_name) = self.parent(to)?;
        let node = from_dir.lock().get(&from_name).cloned().ok_or(ErrorKind::NotFound)?;
        if let Some(Node::Dir(there)) = to_dir.lock().get(&to_name)
            && !there.lock().is_empty()
        {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        let at = self.clock.next();
        if Arc::ptr_eq(&from_dir, &to_dir) {
            from_dir.lock().rename(at, &from_name, to_name, node);
        } else {
            to_dir.lock().add(at, to_name, node);
            from_dir.lock().remove(at, &from_name);
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        let mut dir = dir.lock();
        match dir.get(&name) {
            Some(Node::File(_)) => {
                dir.remove(self.clock.next(), &name);
                Ok(())
            }
            Some(Node::Dir(_)) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        // Name by name, as a real one does it: a power cut may leave any of them.
        for entry in self.list(path)? {
            let path = path.join(&entry.name);
            if entry.is_dir {
                self.remove_dir_all(&path)?;
            } else {
                self.remove_file(&path)?;
            }
        }
        let (dir, name) = self.parent(path)?;
        dir.lock().remove(self.clock.next(), &name);
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let dir = self.dir(path)?;
        let dir = dir.lock();
        let entry = |(name, node): (&String, &Node)| DirEntry {
            name: name.clone(),
            is_dir: matches!(node, Node::Dir(_)),
        };
        Ok(dir.nodes().map(entry).collect())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        if names(path)?.is_empty() {
            return Ok(true);
        }
        match self.parent(path) {
            Ok((dir, name)) => Ok(dir.lock().get(&name).is_some()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let (dir, name) = self.parent(path)?;
        let dir = dir.lock();
        match dir.get(&name) {
            Some(Node::File(file)) => Ok(Metadata { len: file.size(), modified_ms: 0 }),
            Some(Node::Dir(_)) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.dir(path)?.lock().sync();
        Ok(())
    }

    fn can_sync_all(&self) -> bool {
        true
    }

    fn sync_all(&self, path: &Path) -> io::Result<()> {
        for entry in self.list(path)? {
            let path = path.join(&entry.name);
            if entry.is_dir {
                self.sync_all(&path)?;
            } else {
                self.open(&path, OpenMode::ReadWrite)?.sync_data()?;
            }
        }
        self.sync_dir(path)
    }

    fn space(&self, _path: &Path) -> io::Result<DiskSpace> {
        Ok(DiskSpace { total: SPACE_BYTES, usable: SPACE_BYTES })
    }
}

/// The names that a path is made of. Paths with `..` are not used here.
fn names(path: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::RootDir | Component::CurDir => {}
            Component::Normal(name) => {
                names.push(name.to_str().ok_or(ErrorKind::InvalidInput)?.to_owned());
            }
            Component::ParentDir | Component::Prefix(_) => {
                let text = format!("path {} is not supported", PathBuf::from(path).display());
                return Err(io::Error::new(ErrorKind::InvalidInput, text));
            }
        }
    }
    Ok(names)
}
