//! Deleting partitions, and setting aside those that no topic knows of.
//!
//! A deleted partition's folder is renamed at once, so that its name is free, and removed after
//! `file.delete.delay.ms`, for the readers that still send from its files. Removals that a stop
//! has cut off go on at the next start.

use std::io;
use std::path::{Path, PathBuf};

use protocol_codec::Uuid;
use thiserror::Error;

use super::folders::{deleted_name, stray_name};
use super::{LogManager, Logs, ManagedDir};
use crate::TopicPartition;
use crate::delay::Delay;
use crate::random_id::random_uuid;
use crate::segment::files::{LOG_SUFFIX, base_offset};

/// A renamed folder that is to be removed.
#[derive(Debug)]
pub(super) struct PendingRemoval {
    pub(super) path: PathBuf,
    pub(super) delay: Delay,
}

/// A partition on a disk that the metadata does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stray {
    pub partition: TopicPartition,
    pub topic_id: Option<Uuid>,
    pub path: PathBuf,
}

/// Why a partition's folder could not be renamed. The log is closed all the same.
#[derive(Debug, Error)]
#[error("Cannot rename {}: {source}", path.display())]
pub struct DeleteLogError {
    pub path: PathBuf,
    pub source: io::Error,
}

impl LogManager {
    /// Deletes the log of `partition`, also one that could not be opened. Its files go
    /// `file.delete.delay.ms` after `now_ms`. Returns whether there was one.
    pub fn delete(&self, partition: &TopicPartition, now_ms: i64) -> Result<bool, DeleteLogError> {
        self.stop_log(partition);
        let is_unsynced = self.topic_id(partition).is_none()
            || self.get(partition).is_some_and(|log| log.is_name_unsynced());
        let mut logs = self.logs.write();
        let delay_ms = match logs.by_partition.get(partition) {
            Some(entry) => entry.log.config().file_delete_delay_ms,
            None => self.config.default_log_config.file_delete_delay_ms,
        };
        let Some(taken) = self.take(&mut logs, partition) else {
            return Ok(false);
        };
        let Some(dir) = taken.dir.and_then(|place| self.dirs.get(place)) else {
            return Ok(true);
        };
        if let Some(path) = dir.rename(&taken.path, |id| deleted_name(partition, id))? {
            tracing::info!(%partition, path = %path.display(), "Log is deleted, its files will be removed");
            let delay = Delay::new(now_ms, delay_ms);
            dir.removals.lock().push(PendingRemoval { path, delay });
            drop(logs);
            if is_unsynced {
                dir.sync_names();
            }
        }
        Ok(true)
    }

    /// The logs that `is_known` does not accept. Nothing is done with them: their topics may have
    /// been deleted while this node was down, or the metadata may be the wrong one.
    pub fn strays(&self, is_known: impl Fn(&TopicPartition, Option<Uuid>) -> bool) -> Vec<Stray> {
        let logs = self.logs.read();
        let opened = logs.by_partition.iter();
        let opened = opened.map(|(name, entry)| (name, entry.topic_id, entry.log.path()));
        let failed = logs.failed.iter();
        let failed = failed.map(|(name, failed)| (name, failed.topic_id, &*failed.path));
        let unknown = opened.chain(failed).filter(|(name, id, _)| !is_known(name, *id));
        let strays = unknown.map(|(partition, topic_id, path)| Stray {
            partition: partition.clone(),
            topic_id,
            path: path.to_owned(),
        });
        strays.collect()
    }

    /// Renames the folder of `partition` to Kafka's name for strays and closes its log: its bytes
    /// stay, its name is free. Returns where they are now, `None` if there were none.
    pub fn set_aside(&self, partition: &TopicPartition) -> Result<Option<PathBuf>, DeleteLogError> {
        self.stop_log(partition);
        let mut logs = self.logs.write();
        let Some(taken) = self.take(&mut logs, partition) else {
            return Ok(None);
        };
        let Some(dir) = taken.dir.and_then(|place| self.dirs.get(place)) else {
            return Ok(None);
        };
        let path = dir.rename(&taken.path, |id| stray_name(partition, id))?;
        if let Some(path) = &path {
            tracing::warn!(%partition, path = %path.display(), "Log of an unknown topic is set aside");
        }
        Ok(path)
    }

    /// Lets a log write nothing more. Without the map's lock: it waits for a sync that is under
    /// way, and calls those who wait for one, who may want the map.
    fn stop_log(&self, partition: &TopicPartition) {
        if let Some(log) = self.get(partition) {
            log.mark_deleted();
        }
    }

    /// Takes a partition out of the map.
    fn take(&self, logs: &mut Logs, partition: &TopicPartition) -> Option<Taken> {
        if let Some(entry) = logs.remove(partition) {
            return Some(Taken { path: entry.log.path().to_owned(), dir: Some(entry.dir) });
        }
        let failed = logs.failed.remove(partition)?;
        let dir = self.dirs.iter().position(|dir| failed.path.starts_with(dir.log_dir().path()));
        Some(Taken { path: failed.path, dir })
    }

    /// Removes the folders whose time has come.
    pub(super) fn remove_due(&self, now_ms: i64) {
        for (place, dir) in self.dirs.iter().enumerate() {
            let is_due = |removal: &mut PendingRemoval| removal.delay.is_over(now_ms);
            // Else a start would miss a folder that the checkpoints still speak of.
            let any_due = dir.removals.lock().iter_mut().any(is_due);
            if !any_due || !self.write_checkpoints(place, dir) {
                continue;
            }
            let due: Vec<PendingRemoval> = dir.removals.lock().extract_if(.., is_due).collect();
            if dir.is_online() {
                // A power cut must not bring a partition back that is removed in part.
                dir.sync_names();
            }
            for removal in due {
                dir.remove(&removal.path);
            }
        }
    }
}

struct Taken {
    path: PathBuf,
    dir: Option<usize>,
}

impl ManagedDir {
    /// Makes the names of this directory durable. Before the name of a folder is used again whose `partition.metadata` may not be there: were
    /// it there again after a power cut, nothing would tell that it is another topic's.
    fn sync_names(&self) {
        let path = self.log_dir().path();
        let synced = self.context.open_files.with_descriptor(|| self.fs().sync_dir(path));
        if let Err(error) = synced {
            self.log_dir().take_offline(&format!("cannot sync {}: {error}", path.display()));
        }
    }

    /// Gets a folder out of the way that an unclean stop has left without the id of its topic: what
    /// is in it was never acknowledged as durable, and may be of a topic that was deleted since.
    /// Kafka, too, takes it for a stray. Its records are kept; without any, it is removed. Should
    /// the new name be lost, the next start does it again.
    pub(super) fn set_aside_unowned(
        &self,
        partition: &TopicPartition,
        path: &Path,
        now_ms: i64,
    ) -> Result<(), DeleteLogError> {
        let has_records = self.has_records(path);
        let has_records =
            has_records.map_err(|source| DeleteLogError { path: path.to_owned(), source })?;
        let name = if has_records { stray_name } else { deleted_name };
        let Some(kept) = self.rename(path, |id| name(partition, id))? else { return Ok(()) };
        if has_records {
            tracing::warn!(
                %partition, path = %kept.display(),
                "Log without a topic id is set aside: the power went before it was ever synced"
            );
        } else {
            self.removals.lock().push(PendingRemoval { path: kept, delay: Delay::new(now_ms, 0) });
        }
        Ok(())
    }

    fn has_records(&self, path: &Path) -> io::Result<bool> {
        for entry in self.fs().list(path)? {
            if base_offset(&entry.name, LOG_SUFFIX).is_some()
                && self.fs().metadata(&path.join(&entry.name))?.len > 0
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Renames a partition's folder within this directory. `None` if it was never made.
    fn rename(
        &self,
        path: &Path,
        name: impl Fn(Uuid) -> String,
    ) -> Result<Option<PathBuf>, DeleteLogError> {
        let rename = || {
            if !self.is_online() || !self.fs().exists(path)? {
                return Ok(None);
            }
            let renamed = self.log_dir().path().join(name(random_uuid()?));
            self.fs().rename(path, &renamed)?;
            Ok(Some(renamed))
        };
        rename().map_err(|source: io::Error| {
            self.log_dir().judge_write_error(&source, &format!("rename of {}", path.display()));
            DeleteLogError { path: path.to_owned(), source }
        })
    }

    fn remove(&self, path: &Path) {
        match self.fs().remove_dir_all(path) {
            Ok(()) => tracing::debug!(path = %path.display(), "Removed"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            // Space is lost and nothing else; the next start tries again.
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "Cannot remove a deleted log");
            }
        }
    }
}
