//! What a stopped node knows, seen without changing a byte or a time of its directory.
//!
//! sled writes when it opens, so a copy of the store is opened, in a folder of the temporary
//! directory that only this user may enter (there are credentials in the metadata) and that is removed
//! afterwards. The store must not be in use meanwhile: the caller asks for the log directory's lock
//! before and after. What cannot be read, or is too large to be copied, is an error.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::node::{NodeError, replay_entry};
use super::sled_store::{METADATA_DIR, SledStore, files};
use super::snapshot;
use super::store::{RaftStore, StoreError};
use crate::image::MetadataImage;

/// A store that is larger is not copied. It is a few MiB in a cluster of thousands of partitions.
const COPY_BYTES_MAX: u64 = 256 << 20;

/// Why it is not known what a stopped node knows.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    #[error("{0}")]
    Node(#[from] NodeError),
    #[error(
        "{} has {bytes} bytes: more than {COPY_BYTES_MAX} are not copied to be looked at",
        path.display()
    )]
    TooLarge { path: PathBuf, bytes: u64 },
}

impl From<StoreError> for LookError {
    fn from(error: StoreError) -> Self {
        Self::Node(error.into())
    }
}

/// The image that a start of the only voter would have: everything in its log is committed.
///
/// # Errors
/// [`LookError`].
pub fn look(metadata_log_dir: &Path) -> Result<MetadataImage, LookError> {
    let copy = Scratch::new()?;
    copy_store(metadata_log_dir, &copy.0)?;
    let image = read(&copy.0);
    image.map_err(|error| match error {
        NodeError::Store(error) => error.of_original(metadata_log_dir, &copy.0).into(),
        error => error.into(),
    })
}

fn read(metadata_log_dir: &Path) -> Result<MetadataImage, NodeError> {
    let store = SledStore::open(metadata_log_dir)?;
    let mut image = match store.read_snapshot()? {
        Some((_, bytes)) => snapshot::decode(&bytes)?,
        None => MetadataImage::default(),
    };
    // One at a time: what is replayed need not be in memory.
    while image.last_applied < store.last() {
        let next = image.last_applied.index + 1;
        for entry in store.entries(next, next + 1, u64::MAX)? {
            replay_entry(&mut image, &entry)?;
        }
    }
    Ok(image)
}

/// Copies what a start reads: neither the reserve nor what was left unfinished.
fn copy_store(from: &Path, to: &Path) -> Result<(), LookError> {
    let mut left = COPY_BYTES_MAX;
    let mut folders = vec![PathBuf::from(METADATA_DIR)];
    while let Some(folder) = folders.pop() {
        let (here, there) = (from.join(&folder), to.join(&folder));
        fs::create_dir(&there).map_err(files::io("create", &there))?;
        for entry in fs::read_dir(&here).map_err(files::io("list", &here))? {
            let entry = entry.map_err(files::io("list", &here))?;
            let path = entry.path();
            let metadata = entry.metadata().map_err(files::io("look at", &path))?;
            if metadata.is_dir() {
                folders.push(folder.join(entry.file_name()));
            } else if metadata.is_file() && files::is_read_at_start(&entry.file_name()) {
                let bytes = metadata.len();
                left = left
                    .checked_sub(bytes)
                    .ok_or_else(|| LookError::TooLarge { path: path.clone(), bytes })?;
                let target = there.join(entry.file_name());
                fs::copy(&path, target).map_err(files::io("copy", &path))?;
            }
        }
    }
    Ok(())
}

/// A folder that is removed in the end.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    /// It must be new: what is there already belongs to somebody else, or to a process of the same
    /// number that was killed.
    fn new() -> Result<Self, StoreError> {
        let mut number = 0;
        loop {
            let name = format!("barnabas-look-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(files::io("create", &path)(error)),
            }
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "A copy could not be removed");
        }
    }
}
