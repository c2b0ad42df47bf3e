//! The disk seam: the few operations that the log engine asks of a file system.
//!
//! [`RealFs`] is the machine's own; [`MemFs`] keeps files in memory, knows what has been synced
//! and forgets the rest at a simulated power cut; [`FaultyFs`] wraps another one and fails by
//! rule. Everything in this crate takes an `Arc<dyn Fs>`.
//!
//! What a caller may rely on, and what it may not:
//!
//! - `sync_data` makes a file's bytes and length durable, not its name. A new, renamed or removed
//!   name is durable after `sync_dir` of the directory that holds it.
//! - A write may be short, and may fail after it has written a part.
//! - After a failed sync nothing is known about the file's bytes on the disk.

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

mod faulty;
mod mem;
mod paced;
mod real;

pub use faulty::{Fault, FaultyFs, Op, Rule};
pub use mem::{MemFs, PowerCut, Survivors, Unsynced};
pub(crate) use paced::PacedFs;
pub use real::RealFs;

/// How a file is opened. Every mode but `Read` allows reading and writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Must exist.
    Read,
    /// Must exist.
    ReadWrite,
    /// Made if it is not there; its bytes are kept if it is.
    Create,
    /// Must not exist.
    CreateNew,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    pub name: String,
    pub is_dir: bool,
}

/// What is known of a file without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Size in bytes.
    pub len: u64,
    /// When it was last written, in ms since 1970.
    pub modified_ms: i64,
}

/// The space of the file system that holds a path, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    pub total: u64,
    pub usable: u64,
}

/// A file system.
pub trait Fs: Debug + Send + Sync + 'static {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;
    /// Makes a directory and those above it; no error if it exists.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Renames a file or a directory; a file at `to` is replaced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory with all that it holds.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, sorted. Names that are not UTF-8 are left out: Kafka makes none.
    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>>;
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Of a file; `NotFound` if there is none.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;
    /// Sets when a file was last written, in ms since 1970. It may do nothing: only retention of
    /// records without timestamps goes by it.
    fn set_modified(&self, _path: &Path, _modified_ms: i64) -> io::Result<()> {
        Ok(())
    }
    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Has everything below a directory written in one go, so that many syncs that follow find
    /// little left to do. It may do nothing: what has to be durable is synced all the same.
    fn sync_ahead(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
    /// Whether [`Fs::sync_all`] may be asked for.
    fn can_sync_all(&self) -> bool {
        false
    }
    /// Makes everything below a directory durable, names included, as if each file and directory
    /// had been synced; an error that any of them would have told of is told here.
    fn sync_all(&self, _path: &Path) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
    fn space(&self, path: &Path) -> io::Result<DiskSpace>;
}

/// An open file. All operations name their position, so a file may be shared by threads.
pub trait File: Debug + Send + Sync + 'static {
    /// One `pwritev`: may write less than all of `parts`. Returns the bytes written.
    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<usize>;
    /// One `pread`: may read less than `buf` holds; 0 at the end of the file.
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize>;
    /// `fdatasync`.
    fn sync_data(&self) -> io::Result<()>;
    /// Has the disk begin to write these bytes, so that a sync that follows finds little left to
    /// do. It may do nothing.
    fn write_out_soon(&self, _position: u64, _bytes: u64) {}
    fn set_len(&self, len: u64) -> io::Result<()>;
    fn len(&self) -> io::Result<u64>;
    /// The file's descriptor, for `sendfile` and for locks; `None` where there is none.
    fn as_fd(&self) -> Option<BorrowedFd<'_>>;

    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// Writes all of `parts` at `position`, going on after short writes. On an error some of it may
/// have been written.
pub fn write_all_at(
    file: &dyn File,
    mut parts: &mut [IoSlice<'_>],
    mut position: u64,
) -> io::Result<()> {
    IoSlice::advance_slices(&mut parts, 0);
    while !parts.is_empty() {
        match file.write_at(parts, position) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                position += written as u64;
                IoSlice::advance_slices(&mut parts, written);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes `bytes` all that the file holds.
pub(crate) fn write_whole(file: &dyn File, bytes: &[u8]) -> io::Result<()> {
    write_all_at(file, &mut [IoSlice::new(bytes)], 0)?;
    end_at(file, bytes.len() as u64)
}

/// Makes the file end at `len`. One that ends there is let alone: ext4 takes a file that is cut to
/// nothing, were it new, for one that is being replaced, and writes it out as soon as it is closed,
/// each by itself.
pub(crate) fn end_at(file: &dyn File, len: u64) -> io::Result<()> {
    if file.len()? == len { Ok(()) } else { file.set_len(len) }
}

/// Fills `buf` from `position` on. `UnexpectedEof` when the file ends before.
pub fn read_exact_at(file: &dyn File, mut buf: &mut [u8], mut position: u64) -> io::Result<()> {
    while !buf.is_empty() {
        match file.read_at(buf, position) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                buf = buf.get_mut(read..).unwrap_or_default();
                position += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills as much of `buf` from `position` on as the file has. Returns the bytes read.
pub fn read_at_most(file: &dyn File, buf: &mut [u8], position: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, position + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Reads a whole small file. `InvalidData` when it is larger than `limit` bytes.
pub fn read_file(fs: &dyn Fs, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = fs.open(path, OpenMode::Read)?;
    let len = file.len()?;
    if len > limit {
        let text = format!("{} has {len} bytes, at most {limit} are expected", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let mut bytes = vec![0; len as usize];
    read_exact_at(&*file, &mut bytes, 0)?;
    Ok(bytes)
}

/// Replaces a small file in one step that survives a power cut: writes `<path>.tmp`, syncs it,
/// renames it over `path`, syncs the directory.
pub fn replace_file(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(fs, path, bytes, true)?;
    match path.parent() {
        Some(parent) => fs.sync_dir(parent),
        None => Ok(()),
    }
}

/// Replaces a small file for everybody who reads it; the caller makes the new one durable. A power
/// cut before that may leave neither.
pub(crate) fn replace_file_unsynced(fs: &dyn Fs, path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(fs, path, bytes, false)
}

/// Removes a file that may not be there.
pub(crate) fn remove_if_there(fs: &dyn Fs, path: &Path) -> io::Result<()> {
    match fs.remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn replace(fs: &dyn Fs, path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    let file = fs.open(temporary, OpenMode::Create)?;
    write_whole(&*file, bytes)?;
    if sync {
        file.sync_data()?;
    } else {
        // A rename over another file is written out at once, each by itself, by ext4.
        remove_if_there(fs, path)?;
    }
    drop(file);
    fs.rename(temporary, path)
}
