//! The directories themselves: whose they are, that nobody uses them, that Kafka stopped cleanly.

use std::path::{Path, PathBuf};

use protocol_codec::Uuid;
use storage::clean_shutdown::{self, CLEAN_SHUTDOWN_FILE};
use storage::data_dirs::{KAFKA_METADATA_FOLDER, METADATA_FOLDER};
use storage::dir_lock::{DirLock, LOCK_FILE, LockError};
use storage::fs::Fs;
use storage::meta_properties::{MetaProperties, MetaPropertiesError};

use super::{Obstacles, Source, shown};

const META_PROPERTIES: &str = storage::meta_properties::META_PROPERTIES_FILE;

/// The directories of one Kafka node, locked.
#[derive(Debug)]
pub(super) struct Directories {
    pub(super) cluster_id: String,
    pub(super) node_id: i32,
    pub(super) log_dirs: Vec<LogDir>,
    pub(super) metadata_dir: PathBuf,
    locks: Vec<DirLock>,
    /// Without a lock file: Kafka takes its own away when it stops.
    unlocked: Vec<PathBuf>,
}

#[derive(Debug)]
pub(super) struct LogDir {
    pub(super) path: PathBuf,
    pub(super) id: Uuid,
}

impl Directories {
    /// Locks and reads them. Nothing is made: a directory without a lock file is in nobody's use,
    /// and is locked by [`Self::lock_all`].
    pub(super) fn open(fs: &dyn Fs, source: &Source) -> Result<Self, Obstacles> {
        let metadata_dir = source.metadata_dir.clone().or_else(|| source.log_dirs.first().cloned());
        let metadata_dir = metadata_dir.ok_or_else(|| Obstacles::one("log.dirs is empty"))?;
        let mut dirs = source.log_dirs.clone();
        if !dirs.contains(&metadata_dir) {
            dirs.push(metadata_dir.clone());
        }
        let (mut locks, mut unlocked) = (Vec::new(), Vec::new());
        for dir in &dirs {
            let io = |error| Obstacles::one(format!("cannot read {}: {error}", dir.display()));
            fs.list(dir).map_err(io)?;
            if fs.exists(&dir.join(LOCK_FILE)).map_err(io)? {
                locks.push(DirLock::acquire(fs, dir).map_err(|error| held(&error))?);
            } else {
                unlocked.push(dir.clone());
            }
        }
        is_kafkas(fs, &metadata_dir)?;
        let mut found = Obstacles(Vec::new());
        let mut metas = Vec::new();
        for dir in &dirs {
            match meta_properties(fs, dir) {
                Ok(meta) => metas.push((dir, meta)),
                Err(sentence) => found.0.push(sentence),
            }
            if source.log_dirs.contains(dir)
                && !matches!(clean_shutdown::read(fs, dir), Ok(Some(_)))
            {
                found.0.push(format!(
                    "{} is missing: Kafka did not stop cleanly, and its logs have to be recovered; \
                     start Kafka and stop it with SIGTERM",
                    shown(dir, CLEAN_SHUTDOWN_FILE)
                ));
            }
        }
        found.check()?;
        let (cluster_id, node_id) = one_node(source, &metas)?;
        let mut log_dirs = Vec::new();
        for (dir, meta) in metas {
            let id = meta.directory_id.ok_or_else(|| no_directory_id(dir))?;
            if source.log_dirs.contains(dir) {
                log_dirs.push(LogDir { path: dir.clone(), id });
            }
        }
        Ok(Self { cluster_id, node_id, log_dirs, metadata_dir, locks, unlocked })
    }

    /// Locks what is not locked yet.
    pub(super) fn lock_all(&mut self, fs: &dyn Fs) -> Result<(), Obstacles> {
        for dir in self.unlocked.drain(..) {
            self.locks.push(DirLock::acquire(fs, &dir).map_err(|error| held(&error))?);
        }
        Ok(())
    }
}

fn held(error: &LockError) -> Obstacles {
    Obstacles::one(format!("{error} Stop Kafka first."))
}

/// Kafka's metadata is there, and ours is not.
fn is_kafkas(fs: &dyn Fs, metadata_dir: &Path) -> Result<(), Obstacles> {
    let exists = |name: &str| {
        let path = metadata_dir.join(name);
        let io = |error| Obstacles::one(format!("cannot read {}: {error}", path.display()));
        fs.exists(&path).map_err(io)
    };
    if exists(METADATA_FOLDER)? {
        return Err(Obstacles::one(format!(
            "{} is there: Barnabas uses this directory already, start it with barnabas server",
            shown(metadata_dir, METADATA_FOLDER)
        )));
    }
    if !exists(KAFKA_METADATA_FOLDER)? {
        return Err(Obstacles::one(format!(
            "{} is not there: this is no data of Kafka in KRaft mode. If metadata.log.dir is set, \
             give the server.properties instead of the directory; a cluster with ZooKeeper has to be \
             migrated to KRaft first, with Kafka 3.9",
            shown(metadata_dir, KAFKA_METADATA_FOLDER)
        )));
    }
    Ok(())
}

fn meta_properties(fs: &dyn Fs, dir: &Path) -> Result<MetaProperties, String> {
    let file = shown(dir, META_PROPERTIES);
    match MetaProperties::read(fs, dir) {
        Ok(Some(meta)) => Ok(meta),
        Ok(None) => Err(format!("{file} is missing: this is no log directory of Kafka")),
        Err(MetaPropertiesError::UnknownVersion { version: 0 }) => Err(format!(
            "{file} is of the time of ZooKeeper (version 0): migrate the cluster to KRaft first, with \
             Kafka 3.9, then upgrade it to Kafka 4"
        )),
        Err(error) => Err(format!("cannot read {file}: {error}")),
    }
}

fn no_directory_id(dir: &Path) -> Obstacles {
    Obstacles::one(format!(
        "{} has no directory.id, which Kafka writes since 3.7: start Kafka 4 on it and stop it",
        shown(dir, META_PROPERTIES)
    ))
}

/// All directories are of the same cluster and node, and of those that are asked for.
fn one_node(
    source: &Source,
    metas: &[(&PathBuf, MetaProperties)],
) -> Result<(String, i32), Obstacles> {
    let mut cluster_id = source.cluster_id.clone();
    let mut node_id = source.node_id;
    let mut found = Obstacles(Vec::new());
    for (dir, meta) in metas {
        let file = shown(dir, META_PROPERTIES);
        let expected = cluster_id.get_or_insert_with(|| meta.cluster_id.clone());
        if meta.cluster_id != *expected {
            let other = &meta.cluster_id;
            found.0.push(format!("{file} is of cluster {other}, not of {expected}"));
        }
        let expected = *node_id.get_or_insert(meta.node_id);
        if meta.node_id != expected {
            let other = meta.node_id;
            found.0.push(format!("{file} is of node {other}, not of node.id {expected}"));
        }
    }
    found.check()?;
    Ok((cluster_id.unwrap_or_default(), node_id.unwrap_or_default()))
}
