//! The plain files beside sled: snapshots, the mark of what is durable, and the reserve for a full
//! disk.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, fallocate, statvfs};

use super::snapshot;
use crate::image::LogPosition;
use crate::raft::store::{SnapshotWriter, StoreError};

const SNAPSHOT_SUFFIX: &str = ".checkpoint";
const TEMPORARY_SUFFIX: &str = ".tmp";

const DURABLE_MARK: &str = "durable";
const MARK_SIZE: usize = 8 + 8 + 4;

/// Held so that a store can be opened, and the topics of a full disk deleted, when nothing is left.
const RESERVE: &str = "reserve";
const RESERVE_BYTES: u64 = 4 * 1024 * 1024;

/// Snapshots of one directory, named by index and term as Kafka names its own.
#[derive(Debug)]
pub(super) struct SnapshotFiles {
    dir: PathBuf,
    newest: Mutex<Option<LogPosition>>,
}

impl SnapshotFiles {
    /// Finds what is there and removes what an interrupted write left.
    pub(super) fn open(dir: &Path) -> Result<SnapshotFiles, StoreError> {
        let files = SnapshotFiles { dir: dir.to_owned(), newest: Mutex::new(None) };
        let mut newest = None;
        for name in files.names()? {
            if name.ends_with(TEMPORARY_SUFFIX) {
                let path = dir.join(&name);
                fs::remove_file(&path).map_err(io("remove", &path))?;
            }
            newest = newest.max(position_of(&name));
        }
        *files.newest.lock() = newest;
        Ok(files)
    }

    pub(super) fn newest(&self) -> Option<LogPosition> {
        *self.newest.lock()
    }

    /// The newest snapshot, whole.
    pub(super) fn read_newest(&self) -> Result<Option<(LogPosition, Vec<u8>)>, StoreError> {
        let Some(at) = self.newest() else { return Ok(None) };
        let path = self.path(at);
        let bytes = fs::read(&path).map_err(io("read", &path))?;
        let corrupt = |what: String| StoreError::Corrupt { path: path.clone(), what };
        match snapshot::check(&bytes) {
            Ok(position) if position == at => Ok(Some((at, bytes))),
            Ok(position) => Err(corrupt(format!(
                "it holds the state of entry {}, term {}",
                position.index, position.term
            ))),
            Err(snapshot::SnapshotError::NewerFormat(found)) => {
                Err(StoreError::NewerFormat { path, found: found.into(), known: 1 })
            }
            Err(error) => Err(corrupt(error.to_string())),
        }
    }

    pub(super) fn remove_older(&self) -> Result<(), StoreError> {
        let newest = self.newest();
        for name in self.names()? {
            if position_of(&name).is_some_and(|position| Some(position) < newest) {
                let path = self.dir.join(&name);
                fs::remove_file(&path).map_err(io("remove", &path))?;
            }
        }
        Ok(())
    }

    fn path(&self, at: LogPosition) -> PathBuf {
        self.dir.join(format!("{:020}-{:010}{SNAPSHOT_SUFFIX}", at.index, at.term))
    }

    fn names(&self) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(io("list", &self.dir))? {
            let entry = entry.map_err(io("list", &self.dir))?;
            names.extend(entry.file_name().into_string());
        }
        Ok(names)
    }
}

impl SnapshotWriter for SnapshotFiles {
    fn write(&self, at: LogPosition, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.path(at);
        let mut temporary = path.clone().into_os_string();
        temporary.push(TEMPORARY_SUFFIX);
        let temporary = PathBuf::from(temporary);
        File::create(&temporary)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
            .map_err(io("write", &temporary))?;
        fs::rename(&temporary, &path).map_err(io("rename", &temporary))?;
        sync_dir(&self.dir)?;
        let mut newest = self.newest.lock();
        *newest = (*newest).max(Some(at));
        Ok(())
    }
}

/// The last entry that is known to be durable: `index u64, term u64, crc32c u32`.
///
/// sled takes a damaged page for the torn end of its log and drops what comes after it. The mark
/// tells the difference. It is written after each sync of the log and not synced itself: after a
/// power cut it may be older than the log, but never newer.
#[derive(Debug)]
pub(super) struct DurableMark {
    file: File,
    path: PathBuf,
    /// `None` before it is first written.
    at: Option<LogPosition>,
}

impl DurableMark {
    /// A mark that is damaged says nothing: it reads as the start of the log.
    pub(super) fn open(dir: &Path) -> Result<DurableMark, StoreError> {
        let path = dir.join(DURABLE_MARK);
        let mut options = File::options();
        let options = options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(io("open", &path))?;
        let mut bytes = [0; MARK_SIZE];
        let at = match file.read_exact_at(&mut bytes, 0) {
            Ok(()) => Some(decode_mark(&bytes).unwrap_or_else(|| {
                tracing::warn!(path = %path.display(), "The mark of what is durable is damaged");
                LogPosition::default()
            })),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(io("read", &path)(error)),
        };
        Ok(DurableMark { file, path, at })
    }

    /// Whether it was ever written, which is the last step of making a store.
    pub(super) fn exists(&self) -> bool {
        self.at.is_some()
    }

    pub(super) fn at(&self) -> LogPosition {
        self.at.unwrap_or_default()
    }

    /// Writes it for the first time, durably.
    pub(super) fn create(&mut self) -> Result<(), StoreError> {
        self.set(LogPosition::default())?;
        self.file.sync_all().map_err(io("sync", &self.path))
    }

    /// Before the log is cut back to end at `end`: synced, lest the old mark survive a power cut
    /// that the cut log survives too.
    pub(super) fn lower(&mut self, end: LogPosition) -> Result<(), StoreError> {
        if self.at().index <= end.index {
            return Ok(());
        }
        self.set(end)?;
        self.file.sync_data().map_err(io("sync", &self.path))
    }

    /// After the log up to `end` was synced.
    pub(super) fn set(&mut self, end: LogPosition) -> Result<(), StoreError> {
        let mut bytes = Vec::with_capacity(MARK_SIZE);
        bytes.extend_from_slice(&end.index.to_le_bytes());
        bytes.extend_from_slice(&end.term.to_le_bytes());
        let crc = snapshot::checksum(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        self.file.write_all_at(&bytes, 0).map_err(io("write", &self.path))?;
        self.at = Some(end);
        Ok(())
    }
}

fn decode_mark(bytes: &[u8; MARK_SIZE]) -> Option<LogPosition> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    let (index, term) = body.split_first_chunk::<8>()?;
    let at = LogPosition {
        index: u64::from_le_bytes(*index),
        term: u64::from_le_bytes(term.try_into().ok()?),
    };
    (u32::from_le_bytes(*crc) == snapshot::checksum(body)).then_some(at)
}

fn position_of(name: &str) -> Option<LogPosition> {
    let (index, term) = name.strip_suffix(SNAPSHOT_SUFFIX)?.split_once('-')?;
    Some(LogPosition { index: index.parse().ok()?, term: term.parse().ok()? })
}

/// Makes names in a directory durable.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|file| file.sync_all()).map_err(io("sync", dir))
}

/// Whether a start needs this file of the store.
pub(crate) fn is_read_at_start(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name != RESERVE && !name.ends_with(TEMPORARY_SUFFIX)
}

/// Gives the reserve back if the disk has less than `needed` left.
pub(super) fn make_room(dir: &Path, needed: u64) {
    let reserve = dir.join(RESERVE);
    if free_bytes(dir).is_some_and(|free| free < needed) && fs::remove_file(reserve).is_ok() {
        tracing::warn!(dir = %dir.display(), "The disk is full: the metadata reserve is given up");
    }
}

/// Makes the reserve if it is not there and the disk has plenty left. A disk that cannot reserve is
/// served without one.
pub(super) fn fill_reserve(dir: &Path) {
    let path = dir.join(RESERVE);
    let plenty = free_bytes(dir).is_some_and(|free| free >= 4 * RESERVE_BYTES);
    if !plenty || fs::metadata(&path).is_ok_and(|file| file.len() == RESERVE_BYTES) {
        return;
    }
    let reserved = File::create(&path).and_then(|file| {
        fallocate(&file, FallocateFlags::empty(), 0, RESERVE_BYTES).map_err(io::Error::from)
    });
    if let Err(error) = reserved {
        tracing::debug!(%error, "no reserve for a full disk");
    }
}

/// What a process without privileges can still write, if the system says.
pub(super) fn free_bytes(dir: &Path) -> Option<u64> {
    let stat = statvfs(dir).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// Renames a directory that cannot be read and holds nothing that was promised. What an earlier one
/// left under the new name is replaced.
pub(super) fn set_aside(dir: &Path, name: &str) -> Result<(), StoreError> {
    let (from, to) = (dir.join(name), dir.join(format!("{name}.unfinished")));
    tracing::warn!(from = %from.display(), to = %to.display(), "Setting aside an unfinished store");
    if to.exists() {
        fs::remove_dir_all(&to).map_err(io("remove", &to))?;
    }
    fs::rename(&from, &to).map_err(io("rename", &from))
}

/// Removes sled's own snapshots, which it can do without, and says how many they were.
pub(super) fn remove_sled_snapshots(sled_dir: &Path) -> usize {
    let Ok(entries) = fs::read_dir(sled_dir) else { return 0 };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("snap."))
        .filter(|entry| fs::remove_file(entry.path()).is_ok())
        .count()
}

pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}
