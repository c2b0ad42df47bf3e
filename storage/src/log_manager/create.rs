//! Finding or making the log of a partition.

use std::path::PathBuf;
use std::sync::Arc;

use protocol_codec::Uuid;
use thiserror::Error;

use super::{Entry, FailedLog, LogManager, Logs};
use crate::log::Log;
use crate::partition_metadata;
use crate::{LogConfig, TopicPartition};

/// Where the log of a partition belongs, as the metadata has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// In any directory: the partition is new. The one with the fewest logs is taken.
    Any,
    /// In the directory with this id. If it is offline, so is the partition: it is never begun
    /// anew elsewhere.
    In(Uuid),
}

/// Why a partition has no log. All of these are Kafka's KAFKA_STORAGE_ERROR to a client.
#[derive(Debug, Error)]
pub enum CreateLogError {
    #[error("No log directory is online")]
    AllOffline,
    #[error("The log directory {directory_id} of {partition} is offline or not configured")]
    DirectoryOffline { partition: TopicPartition, directory_id: Uuid },
    /// The folder is there and could not be opened.
    #[error("The log of {partition} in {} could not be opened: {reason}", path.display())]
    Failed { partition: TopicPartition, path: PathBuf, reason: String },
    /// The folder holds the log of another topic of the same name: set it aside first.
    #[error("The folder of {partition} belongs to the topic id {found}, not {expected}")]
    InconsistentTopicId { partition: TopicPartition, found: Uuid, expected: Uuid },
    /// The old log of this name could not be taken out of the checkpoints.
    #[error("The checkpoints in {} cannot be written", dir.display())]
    NotCheckpointed { dir: PathBuf },
    #[error("The log manager is closed")]
    Closed,
}

impl FailedLog {
    /// Whatever is wrong with the log of another topic, it is not this one's.
    fn why_not(&self, partition: &TopicPartition, topic_id: Uuid) -> CreateLogError {
        let partition = partition.clone();
        match self.topic_id {
            Some(found) if found != topic_id => {
                CreateLogError::InconsistentTopicId { partition, found, expected: topic_id }
            }
            _ => {
                let Self { path, reason, .. } = self.clone();
                CreateLogError::Failed { partition, path, reason }
            }
        }
    }
}

impl LogManager {
    /// The log of `partition` of the topic `topic_id`: the one that is there, or a new one. A new
    /// log is in memory only; its files come with its first append, and are durable with its
    /// first durable append.
    pub fn get_or_create(
        &self,
        partition: &TopicPartition,
        topic_id: Uuid,
        config: LogConfig,
        placement: Placement,
    ) -> Result<Arc<Log>, CreateLogError> {
        self.forget_old_log(partition)?;
        let mut logs = self.logs.write();
        if self.is_closed() {
            return Err(CreateLogError::Closed);
        }
        if let Some(entry) = logs.by_partition.get_mut(partition) {
            return self.existing(entry, partition, topic_id, config);
        }
        if let Some(failed) = logs.failed.get(partition) {
            return Err(failed.why_not(partition, topic_id));
        }
        let dir = self.choose_dir(&logs, partition, placement)?;
        let (dir, place) = (self.dirs.get(dir).ok_or(CreateLogError::AllOffline)?, dir);
        let path = dir.log_dir().path().join(partition.dir_name());
        let context = dir.context.clone();
        let log = Log::create(context, partition.clone(), topic_id, &path, config);
        logs.lost.remove(partition);
        let entry =
            Entry { log: Arc::clone(&log), topic_id: Some(topic_id), dir: place, is_wanted: true };
        logs.insert(partition.clone(), entry);
        Ok(log)
    }

    /// The log that is there, if it is that of the topic `topic_id`.
    fn existing(
        &self,
        entry: &mut Entry,
        partition: &TopicPartition,
        topic_id: Uuid,
        config: LogConfig,
    ) -> Result<Arc<Log>, CreateLogError> {
        let found = match entry.topic_id {
            Some(found) => found,
            // Kafka before 2.8 left no file, or it was damaged: the metadata decides. (What an
            // unclean stop of ours leaves without one was set aside.)
            None => {
                entry.topic_id = Some(topic_id);
                let dir = self.dirs.get(entry.dir).ok_or(CreateLogError::AllOffline)?;
                match partition_metadata::adopt(dir.fs(), entry.log.path(), topic_id) {
                    Ok(()) => entry.log.identify(topic_id),
                    // What it appends is synced in its own files: a start would pass over what the
                    // journal holds of it.
                    Err(error) => {
                        tracing::warn!(%partition, %error, "Cannot write partition.metadata");
                    }
                }
                topic_id
            }
        };
        if found != topic_id {
            let (partition, expected) = (partition.clone(), topic_id);
            return Err(CreateLogError::InconsistentTopicId { partition, found, expected });
        }
        entry.is_wanted = true;
        entry.log.update_config(config);
        Ok(Arc::clone(&entry.log))
    }

    /// Takes an earlier log of this name out of the checkpoints before its name is used again: the
    /// next start would believe its recovery point and its start offset.
    fn forget_old_log(&self, partition: &TopicPartition) -> Result<(), CreateLogError> {
        let is_there = {
            let logs = self.logs.read();
            logs.by_partition.contains_key(partition) || logs.failed.contains_key(partition)
        };
        if is_there {
            return Ok(());
        }
        for (place, dir) in self.dirs.iter().enumerate() {
            if dir.is_online()
                && dir.checkpoints_mention(partition)
                && !self.write_checkpoints(place, dir)
            {
                return Err(CreateLogError::NotCheckpointed {
                    dir: dir.log_dir().path().to_owned(),
                });
            }
        }
        Ok(())
    }

    /// The place of the directory for a new log.
    fn choose_dir(
        &self,
        logs: &Logs,
        partition: &TopicPartition,
        placement: Placement,
    ) -> Result<usize, CreateLogError> {
        let mut online = self.dirs.iter().enumerate().filter(|(_, dir)| dir.is_online());
        match placement {
            Placement::In(directory_id) => online
                .find(|(_, dir)| dir.directory_id == Some(directory_id))
                .map(|(place, _)| place)
                .ok_or_else(|| CreateLogError::DirectoryOffline {
                    partition: partition.clone(),
                    directory_id,
                }),
            Placement::Any => online
                .map(|(place, dir)| {
                    let count = logs.counts.get(place).copied().unwrap_or(usize::MAX);
                    // A directory without room comes last.
                    (dir.log_dir().is_full(), count, place)
                })
                .min()
                .map(|(_, _, place)| place)
                .ok_or(CreateLogError::AllOffline),
        }
    }
}
