//! A file system in memory that knows what a power cut would leave.
//!
//! Every file has the bytes that readers see and the bytes of its last `sync_data`; every
//! directory has the names that readers see and the names of its last `sync_dir`.
//! [`MemFs::crash`] gives up everything that was not synced. Handles that were open before the
//! crash go on working on files that nobody else sees any more, as a dead process's would.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, ErrorKind, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::{DirEntry, DiskSpace, File, Fs, Metadata, OpenMode};

/// What `space` answers: there is no real limit.
const SPACE_BYTES: u64 = 1 << 40;

/// A file system in memory; clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemFs {
    root: Arc<Mutex<MemDir>>,
}

#[derive(Debug, Default)]
struct MemDir {
    live: BTreeMap<String, Node>,
    synced: BTreeMap<String, Node>,
}

#[derive(Debug, Clone)]
enum Node {
    Dir(Arc<Mutex<MemDir>>),
    File(Arc<MemFile>),
}

#[derive(Debug, Default)]
struct MemFile {
    content: Mutex<Content>,
}

#[derive(Debug, Default)]
struct Content {
    live: Vec<u8>,
    synced: Vec<u8>,
    /// `live` and `synced` are equal before this position.
    changed_from: usize,
}

impl MemFs {
    pub fn new() -> Self {
        Self::default()
    }

    /// A power cut: only synced bytes under synced names are left.
    pub fn crash(&self) {
        self.crash_keeping(&mut |_, _| 0);
    }

    /// A power cut that some unsynced bytes survive: `keep(path, n)` says how many of the `n`
    /// bytes after the synced ones are left in a file, as when the kernel had written back a part.
    pub fn crash_keeping(&self, keep: &mut dyn FnMut(&Path, usize) -> usize) {
        let mut root = self.root.lock();
        *root = crash_dir(&root, Path::new("/"), keep);
    }

    fn dir(&self, path: &Path) -> io::Result<Arc<Mutex<MemDir>>> {
        let mut dir = Arc::clone(&self.root);
        for name in names(path)? {
            let next = match dir.lock().live.get(&name) {
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
}

impl Fs for MemFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let (dir, name) = self.parent(path)?;
        let mut dir = dir.lock();
        let file = match (dir.live.get(&name), mode) {
            (Some(Node::Dir(_)), _) => return Err(ErrorKind::IsADirectory.into()),
            (Some(Node::File(_)), OpenMode::CreateNew) => {
                return Err(ErrorKind::AlreadyExists.into());
            }
            (Some(Node::File(file)), _) => Arc::clone(file),
            (None, OpenMode::Create | OpenMode::CreateNew) => {
                let file = Arc::new(MemFile::default());
                dir.live.insert(name, Node::File(Arc::clone(&file)));
                file
            }
            (None, OpenMode::Read | OpenMode::ReadWrite) => return Err(ErrorKind::NotFound.into()),
        };
        Ok(file)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut dir = Arc::clone(&self.root);
        for name in names(path)? {
            let next = match dir
                .lock()
                .live
                .entry(name)
                .or_insert_with(|| Node::Dir(Arc::new(Mutex::new(MemDir::default()))))
            {
                Node::Dir(next) => Arc::clone(next),
                Node::File(_) => return Err(ErrorKind::NotADirectory.into()),
            };
            dir = next;
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (from_dir, from_name) = self.parent(from)?;
        let (to_dir, to_name) = self.parent(to)?;
        let node = from_dir.lock().live.get(&from_name).cloned().ok_or(ErrorKind::NotFound)?;
        if let Some(Node::Dir(there)) = to_dir.lock().live.get(&to_name)
            && !there.lock().live.is_empty()
        {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        from_dir.lock().live.remove(&from_name);
        to_dir.lock().live.insert(to_name, node);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let (dir, name) = self.parent(path)?;
        let mut dir = dir.lock();
        match dir.live.get(&name) {
            Some(Node::File(_)) => {
                dir.live.remove(&name);
                Ok(())
            }
            Some(Node::Dir(_)) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.dir(path)?;
        let (dir, name) = self.parent(path)?;
        dir.lock().live.remove(&name);
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let dir = self.dir(path)?;
        let dir = dir.lock();
        let entry = |(name, node): (&String, &Node)| DirEntry {
            name: name.clone(),
            is_dir: matches!(node, Node::Dir(_)),
        };
        Ok(dir.live.iter().map(entry).collect())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        if names(path)?.is_empty() {
            return Ok(true);
        }
        match self.parent(path) {
            Ok((dir, name)) => Ok(dir.lock().live.contains_key(&name)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let (dir, name) = self.parent(path)?;
        let dir = dir.lock();
        match dir.live.get(&name) {
            Some(Node::File(file)) => Ok(Metadata { len: file.len()?, modified_ms: 0 }),
            Some(Node::Dir(_)) => Err(ErrorKind::IsADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let dir = self.dir(path)?;
        let mut dir = dir.lock();
        dir.synced = dir.live.clone();
        Ok(())
    }

    fn space(&self, _path: &Path) -> io::Result<DiskSpace> {
        Ok(DiskSpace { total: SPACE_BYTES, usable: SPACE_BYTES })
    }
}

impl File for MemFile {
    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        let start = position as usize;
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let mut content = self.content.lock();
        let old_len = content.live.len();
        content.changed_from = content.changed_from.min(start).min(old_len);
        if old_len < start + len {
            content.live.resize(start + len, 0);
        }
        let mut at = start;
        for part in parts {
            if let Some(target) = content.live.get_mut(at..at + part.len()) {
                target.copy_from_slice(part);
            }
            at += part.len();
        }
        Ok(len)
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let content = self.content.lock();
        let rest = content.live.get(position as usize..).unwrap_or_default();
        let len = rest.len().min(buf.len());
        for (to, from) in buf.iter_mut().zip(rest) {
            *to = *from;
        }
        Ok(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut content = self.content.lock();
        let Content { live, synced, changed_from } = &mut *content;
        synced.truncate(*changed_from);
        synced.extend_from_slice(live.get(*changed_from..).unwrap_or_default());
        *changed_from = live.len();
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut content = self.content.lock();
        let len = len as usize;
        content.changed_from = content.changed_from.min(len).min(content.live.len());
        content.live.resize(len, 0);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.content.lock().live.len() as u64)
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// What is left of a directory, as a new one: old handles stay on the old files.
fn crash_dir(dir: &MemDir, path: &Path, keep: &mut dyn FnMut(&Path, usize) -> usize) -> MemDir {
    let mut left = BTreeMap::new();
    for (name, node) in &dir.synced {
        let path = path.join(name);
        let node = match node {
            Node::Dir(dir) => Node::Dir(Arc::new(Mutex::new(crash_dir(&dir.lock(), &path, keep)))),
            Node::File(file) => Node::File(Arc::new(crash_file(&file.content.lock(), &path, keep))),
        };
        left.insert(name.clone(), node);
    }
    MemDir { live: left.clone(), synced: left }
}

fn crash_file(
    content: &Content,
    path: &Path,
    keep: &mut dyn FnMut(&Path, usize) -> usize,
) -> MemFile {
    let mut left = content.synced.clone();
    // Only what lies behind the synced bytes can survive in part; overwritten bytes are lost.
    let grown = content.live.get(content.synced.len()..).unwrap_or_default();
    if !grown.is_empty() && content.changed_from >= content.synced.len() {
        let kept = keep(path, grown.len()).min(grown.len());
        left.extend(grown.iter().take(kept));
    }
    let changed_from = left.len();
    let content = Content { live: left.clone(), synced: left, changed_from };
    MemFile { content: Mutex::new(content) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{read_file, replace_file, write_all_at};

    fn write(fs: &MemFs, path: &str, bytes: &[u8], position: u64) -> Arc<dyn File> {
        let file = fs.open(Path::new(path), OpenMode::Create).unwrap();
        write_all_at(&*file, &mut [IoSlice::new(bytes)], position).unwrap();
        file
    }

    #[test]
    fn a_crash_keeps_synced_bytes_under_synced_names_only() {
        let fs = MemFs::new();
        fs.create_dir_all(Path::new("/a/b")).unwrap();
        fs.sync_dir(Path::new("/")).unwrap();
        fs.sync_dir(Path::new("/a")).unwrap();
        let kept = write(&fs, "/a/b/kept", b"12345", 0);
        kept.sync_data().unwrap();
        fs.sync_dir(Path::new("/a/b")).unwrap();
        write(&fs, "/a/b/kept", b"XX67", 3);
        let nameless = write(&fs, "/a/b/nameless", b"1", 0);
        nameless.sync_data().unwrap();

        fs.crash();

        assert_eq!(read_file(&fs, Path::new("/a/b/kept"), 100).unwrap(), b"12345");
        assert!(!fs.exists(Path::new("/a/b/nameless")).unwrap());
        // The old handle still sees its own bytes.
        assert_eq!(kept.len().unwrap(), 7);
    }

    #[test]
    fn a_crash_may_keep_a_part_of_what_was_appended() {
        let fs = MemFs::new();
        let file = write(&fs, "/f", b"abc", 0);
        file.sync_data().unwrap();
        fs.sync_dir(Path::new("/")).unwrap();
        write(&fs, "/f", b"defg", 3);
        fs.crash_keeping(&mut |path, unsynced| {
            assert_eq!((path, unsynced), (Path::new("/f"), 4));
            2
        });
        assert_eq!(read_file(&fs, Path::new("/f"), 100).unwrap(), b"abcde");
    }

    #[test]
    fn a_replaced_file_is_old_or_new() {
        let fs = MemFs::new();
        replace_file(&fs, Path::new("/f"), b"old").unwrap();
        replace_file(&fs, Path::new("/f"), b"new!").unwrap();
        fs.crash();
        assert_eq!(read_file(&fs, Path::new("/f"), 100).unwrap(), b"new!");
        assert!(!fs.exists(Path::new("/f.tmp")).unwrap());
        assert!(read_file(&fs, Path::new("/f"), 3).is_err());
    }

    #[test]
    fn names_behave_like_a_file_system() {
        let fs = MemFs::new();
        let open = |path: &str, mode| fs.open(Path::new(path), mode).map(|_| ());
        assert_eq!(open("/x", OpenMode::Read).unwrap_err().kind(), ErrorKind::NotFound);
        open("/x", OpenMode::CreateNew).unwrap();
        assert_eq!(open("/x", OpenMode::CreateNew).unwrap_err().kind(), ErrorKind::AlreadyExists);
        fs.create_dir_all(Path::new("/d")).unwrap();
        fs.rename(Path::new("/x"), Path::new("/d/y")).unwrap();
        assert_eq!(fs.list(Path::new("/d")).unwrap().len(), 1);
        assert_eq!(open("/x", OpenMode::ReadWrite).unwrap_err().kind(), ErrorKind::NotFound);
        fs.remove_dir_all(Path::new("/d")).unwrap();
        assert!(!fs.exists(Path::new("/d/y")).unwrap());
        assert!(fs.list(Path::new("/")).unwrap().is_empty());
    }
}
