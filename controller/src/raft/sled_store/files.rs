//! The plain files beside sled: snapshots, and the reserve for a full disk.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, fallocate, statvfs};

use super::snapshot;
use crate::image::LogPosition;
use crate::raft::store::{SnapshotWriter, StoreError};

const SNAPSHOT_SUFFIX: &str = ".checkpoint";
const TEMPORARY_SUFFIX: &str = ".tmp";

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

fn position_of(name: &str) -> Option<LogPosition> {
    let (index, term) = name.strip_suffix(SNAPSHOT_SUFFIX)?.split_once('-')?;
    Some(LogPosition { index: index.parse().ok()?, term: term.parse().ok()? })
}

/// Makes names in a directory durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|file| file.sync_all()).map_err(io("sync", dir))
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

/// Removes sled's own snapshots, which it can do without, and says how many they were.
pub(super) fn remove_sled_snapshots(sled_dir: &Path) -> usize {
    let Ok(entries) = fs::read_dir(sled_dir) else { return 0 };
    entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("snap."))
        .filter(|entry| fs::remove_file(entry.path()).is_ok())
        .count()
}

pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}
