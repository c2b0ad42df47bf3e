//! The start of a node's directories: locking, `meta.properties`, formatting what is new.
//!
//! This comes before anything else is read, so that every mistake in where the data lies ends in
//! one sentence:
//!
//! - another process's lock, another cluster's or node's directory, data without its metadata:
//!   refused, nothing is changed;
//! - a directory that cannot be used (I/O error, not writable, a file): offline, the others go on;
//! - all directories empty and no metadata: formatted. A new empty directory beside formatted ones
//!   is formatted for the same cluster, with its own directory id; it never takes the place of
//!   one that is missing, because the metadata knows directories by their ids.

mod check;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol_codec::Uuid;
use thiserror::Error;

use crate::LogDir;
use crate::clean_shutdown::{self, CleanShutdown};
use crate::dir_lock::{DirLock, LockError};
use crate::fs::Fs;
use crate::meta_properties::{MetaProperties, MetaPropertiesError};
use crate::random_id::random_uuid;
use check::Contents;

/// Folder of our own metadata in the metadata directory.
pub const METADATA_FOLDER: &str = "__cluster_metadata-1";
/// Folder of Kafka's metadata log; only ever read.
pub const KAFKA_METADATA_FOLDER: &str = "__cluster_metadata-0";

/// Where a node's data is to lie, from its configuration.
#[derive(Clone, Debug)]
pub struct DataDirsConfig {
    /// `log.dirs`, at least one.
    pub log_dirs: Vec<PathBuf>,
    /// `metadata.log.dir`; the first log directory if not set.
    pub metadata_dir: Option<PathBuf>,
    pub node_id: i32,
    /// The cluster id that is asked for; otherwise that of the directories, or a new one.
    pub cluster_id: Option<String>,
}

/// One log directory after the start.
#[derive(Debug)]
pub struct DataDir {
    pub log_dir: Arc<LogDir>,
    /// `None` for a directory that is offline and whose id could not be read.
    pub directory_id: Option<Uuid>,
    /// The marker of a clean stop. It is still there: the log manager takes it away.
    pub clean_shutdown: Option<CleanShutdown>,
    /// Formatted by this start.
    pub is_new: bool,
}

/// All directories of a node, locked until this is dropped.
#[derive(Debug)]
pub struct DataDirs {
    pub cluster_id: String,
    pub node_id: i32,
    /// In the order of the configuration.
    pub log_dirs: Vec<DataDir>,
    pub metadata_dir: PathBuf,
    /// There is no metadata yet: this node has never run.
    pub is_new: bool,
    pub(crate) locks: Vec<DirLock>,
}

/// Why a node's directories cannot be used. Every text is one sentence for the user.
#[derive(Debug, Error)]
pub enum DataDirsError {
    #[error("No log directory is configured")]
    NoneConfigured,
    #[error("Duplicate log directory found: {}", .0.display())]
    Duplicate(PathBuf),
    #[error(transparent)]
    Locked(LockError),
    #[error("{} is not a directory", .0.display())]
    NotADirectory(PathBuf),
    #[error("Cannot use the directory {}: {source}", dir.display())]
    Unusable { dir: PathBuf, source: io::Error },
    #[error("Cannot read {}: {source}", file.display())]
    DamagedMetaProperties { file: PathBuf, source: MetaPropertiesError },
    #[error(
        "Invalid cluster.id in: {}. Expected {expected}, but read {found}: the directory belongs to another cluster",
        file.display()
    )]
    ForeignCluster { file: PathBuf, expected: String, found: String },
    #[error(
        "Stored node id {found} doesn't match node.id {expected} in {}: the directory belongs to another node",
        file.display()
    )]
    ForeignNode { file: PathBuf, expected: i32, found: i32 },
    #[error("The directories {} and {} have the same directory.id: one is a copy of the other", .0.display(), .1.display())]
    SameDirectoryId(PathBuf, PathBuf),
    #[error(
        "{} is not empty (it holds {found}) and has no meta.properties: nothing is formatted over it, choose an empty directory",
        dir.display()
    )]
    NotEmpty { dir: PathBuf, found: String },
    #[error(
        "The log directories are empty, but {} holds the metadata of a cluster: a disk is missing, or log.dirs has changed",
        dir.display()
    )]
    MetadataWithoutLogDirs { dir: PathBuf },
    #[error(
        "{} holds topics ({found}) that no metadata in {} knows of: this is how an Apache Kafka node leaves it; `barnabas storage import --dry-run` with the same server.properties tells whether it can be taken over",
        dir.display(),
        metadata_dir.display()
    )]
    TopicsWithoutMetadata { dir: PathBuf, found: String, metadata_dir: PathBuf },
    #[error("All log directories are offline: {reasons}")]
    AllOffline { reasons: String },
}

impl DataDirsError {
    /// Whether only this directory is concerned, so that the others can go on without it.
    fn is_local(&self) -> bool {
        matches!(self, Self::NotADirectory(_) | Self::Unusable { .. })
    }
}

/// A directory that was opened and locked.
struct Opened {
    dir: PathBuf,
    contents: Contents,
    meta: Option<MetaProperties>,
    clean_shutdown: Option<CleanShutdown>,
    lock: DirLock,
}

impl DataDirs {
    /// Locks and checks all directories and formats the new ones.
    pub fn open(config: &DataDirsConfig, fs: &dyn Fs) -> Result<Self, DataDirsError> {
        let first = config.log_dirs.first().ok_or(DataDirsError::NoneConfigured)?;
        if let Some(twice) = check::duplicate(&config.log_dirs) {
            return Err(DataDirsError::Duplicate(twice));
        }
        let metadata_dir = config.metadata_dir.clone().unwrap_or_else(|| first.clone());
        let mut dirs = config.log_dirs.clone();
        if !dirs.contains(&metadata_dir) {
            dirs.push(metadata_dir.clone());
        }
        let mut opened = Vec::new();
        let mut failed = Vec::new();
        for dir in dirs {
            match open_dir(fs, &dir) {
                Ok(one) => opened.push(one),
                // Without its metadata a node can do nothing.
                Err(error) if error.is_local() && dir != metadata_dir => failed.push((dir, error)),
                Err(error) => return Err(error),
            }
        }
        check::belong_together(&opened, config)?;
        check::not_formatted_over(&opened, &config.log_dirs, &metadata_dir)?;
        let stored = opened.iter().find_map(|one| one.meta.as_ref());
        if stored.is_none() && !failed.is_empty() {
            // What a directory holds that cannot be read is not known: no new cluster then.
            return Err(failed.swap_remove(0).1);
        }
        let known =
            stored.map(|meta| meta.cluster_id.clone()).or_else(|| config.cluster_id.clone());
        let cluster_id = match known {
            Some(id) => id,
            None => new_id(&metadata_dir)?.to_string(),
        };
        let mut all = Self {
            cluster_id,
            node_id: config.node_id,
            log_dirs: Vec::new(),
            is_new: true,
            metadata_dir,
            locks: Vec::new(),
        };
        all.format(fs, opened, failed)?;
        all.keep_log_dirs(&config.log_dirs)?;
        Ok(all)
    }

    /// Ids of the log directories that are online.
    pub fn online_directory_ids(&self) -> Vec<Uuid> {
        let online = self.log_dirs.iter().filter(|dir| !dir.log_dir.is_offline());
        online.filter_map(|dir| dir.directory_id).collect()
    }

    /// True if every log directory that is online was stopped cleanly.
    pub fn was_clean_shutdown(&self) -> bool {
        let mut online = self.log_dirs.iter().filter(|dir| !dir.log_dir.is_offline());
        online.all(|dir| dir.clean_shutdown.is_some() || dir.is_new)
    }

    /// Formats what is new among `opened`; whatever has `failed` is offline.
    fn format(
        &mut self,
        fs: &dyn Fs,
        opened: Vec<Opened>,
        mut failed: Vec<(PathBuf, DataDirsError)>,
    ) -> Result<(), DataDirsError> {
        for one in opened {
            let dir = one.dir.clone();
            match self.format_dir(fs, one) {
                Ok(data_dir) => self.log_dirs.push(data_dir),
                Err(error) if error.is_local() && dir != self.metadata_dir => {
                    failed.push((dir, error));
                }
                Err(error) => return Err(error),
            }
        }
        self.log_dirs.extend(failed.into_iter().map(|(dir, error)| offline(dir, &error)));
        Ok(())
    }

    /// Leaves out a metadata directory that is no log directory, and puts the others in order.
    fn keep_log_dirs(&mut self, log_dirs: &[PathBuf]) -> Result<(), DataDirsError> {
        let place = |dir: &DataDir| log_dirs.iter().position(|path| path == dir.log_dir.path());
        self.log_dirs.retain(|dir| place(dir).is_some());
        self.log_dirs.sort_by_key(place);
        if self.log_dirs.iter().all(|dir| dir.log_dir.is_offline()) {
            let reasons = self.log_dirs.iter().filter_map(|dir| dir.log_dir.offline_reason());
            let reasons = reasons.collect::<Vec<_>>().join("; ");
            return Err(DataDirsError::AllOffline { reasons });
        }
        Ok(())
    }

    /// Writes what is missing of a directory's `meta.properties`, and keeps its lock.
    fn format_dir(&mut self, fs: &dyn Fs, one: Opened) -> Result<DataDir, DataDirsError> {
        if one.dir == self.metadata_dir {
            self.is_new = !one.contents.has_metadata;
        }
        let is_new = one.meta.is_none();
        let mut meta = one.meta.unwrap_or_else(|| MetaProperties {
            cluster_id: self.cluster_id.clone(),
            node_id: self.node_id,
            directory_id: None,
        });
        let directory_id = match meta.directory_id {
            Some(id) => id,
            None => {
                let id = new_id(&one.dir)?;
                meta.directory_id = Some(id);
                meta.write(fs, &one.dir).map_err(|e| unusable(&one.dir, e))?;
                if let Some(parent) = one.dir.parent().filter(|p| !p.as_os_str().is_empty()) {
                    fs.sync_dir(parent).map_err(|e| unusable(&one.dir, e))?;
                }
                id
            }
        };
        if is_new {
            tracing::info!(dir = %one.dir.display(), cluster_id = %self.cluster_id, "Formatted");
        }
        self.locks.push(one.lock);
        Ok(DataDir {
            log_dir: Arc::new(LogDir::new(one.dir)),
            directory_id: Some(directory_id),
            clean_shutdown: one.clean_shutdown,
            is_new,
        })
    }
}

fn open_dir(fs: &dyn Fs, dir: &Path) -> Result<Opened, DataDirsError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            DataDirsError::NotADirectory(dir.to_owned())
        }
        _ => unusable(dir, error),
    };
    fs.create_dir_all(dir).map_err(failed)?;
    let lock = DirLock::acquire(fs, dir).map_err(|error| match error {
        LockError::Io(error) => failed(error),
        held @ LockError::Held { .. } => DataDirsError::Locked(held),
    })?;
    let contents = Contents::of(&fs.list(dir).map_err(failed)?);
    let meta = match MetaProperties::read(fs, dir) {
        Ok(meta) => meta,
        Err(MetaPropertiesError::Io(error)) if error.kind() != io::ErrorKind::InvalidData => {
            return Err(failed(error));
        }
        Err(source) => {
            let file = meta_file(dir);
            return Err(DataDirsError::DamagedMetaProperties { file, source });
        }
    };
    let clean_shutdown = clean_shutdown::read(fs, dir).map_err(failed)?;
    Ok(Opened { dir: dir.to_owned(), contents, meta, clean_shutdown, lock })
}

fn offline(dir: PathBuf, error: &DataDirsError) -> DataDir {
    let log_dir = Arc::new(LogDir::new(dir));
    log_dir.take_offline(&error.to_string());
    DataDir { log_dir, directory_id: None, clean_shutdown: None, is_new: false }
}

fn new_id(dir: &Path) -> Result<Uuid, DataDirsError> {
    random_uuid().map_err(|error| unusable(dir, error))
}

fn unusable(dir: &Path, source: io::Error) -> DataDirsError {
    DataDirsError::Unusable { dir: dir.to_owned(), source }
}

fn meta_file(dir: &Path) -> PathBuf {
    dir.join(crate::meta_properties::META_PROPERTIES_FILE)
}
