//! All replicas of this broker.
//!
//! The map follows the metadata: the controller's thread hands every delta to
//! [`ReplicaManager::apply`] before it answers the command that caused it, so that a topic can be
//! used as soon as its creation is answered. Readers take a snapshot without a lock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, Guard};
use controller::command::ReplicaDirectory;
use controller::image::topics::{LOST_DIRECTORY, TopicImage, UNASSIGNED_DIRECTORY};
use controller::{MetadataDelta, MetadataImage};
use imbl::HashMap;
use protocol_codec::Uuid;
use storage::{CreateLogError, Log, LogConfig, LogManager, Placement, TopicPartition};

use super::directory_assignments::DirectoryAssignments;
use super::partition::{Leadership, Partition, Replication};

/// Gives the settings of a topic's logs.
pub type TopicLogConfig<'a> = dyn Fn(&MetadataImage, &str) -> LogConfig + 'a;

/// The replicas of one broker.
pub struct ReplicaManager {
    node_id: i32,
    logs: Arc<LogManager>,
    /// A log directory was missing or new at the start.
    may_miss_logs: bool,
    assignments: DirectoryAssignments,
    topics: ArcSwap<Topics>,
    /// Rises when any partition here is created, deleted or gets another log.
    generation: AtomicU64,
}

/// A snapshot of all topics with replicas here.
#[derive(Clone, Debug, Default)]
pub struct Topics {
    by_name: HashMap<Arc<str>, Arc<TopicReplicas>>,
    by_id: HashMap<Uuid, Arc<TopicReplicas>>,
}

/// The replicas of one topic, by partition number.
#[derive(Clone, Debug)]
pub struct TopicReplicas {
    pub name: Arc<str>,
    pub id: Uuid,
    partitions: Vec<Option<Arc<Partition>>>,
}

/// Where the log of a partition is looked for.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// The partition was there before this start.
    is_start: bool,
    /// Where it belongs if the metadata does not know.
    unassigned: Placement,
}

/// Partitions whose directory is not here, by its id.
type Missing = BTreeMap<Uuid, Vec<TopicPartition>>;

/// What is known of a partition that was asked for.
#[derive(Debug)]
pub enum Lookup<'a> {
    Here(&'a Arc<Partition>),
    /// The topic exists, but this partition has no replica here or does not exist.
    NotHere,
    UnknownTopic,
}

impl Topics {
    pub fn by_name(&self, name: &str) -> Option<&Arc<TopicReplicas>> {
        self.by_name.get(name)
    }

    pub fn by_id(&self, id: &Uuid) -> Option<&Arc<TopicReplicas>> {
        self.by_id.get(id)
    }

    /// A partition by the name of its topic.
    pub fn partition(&self, topic: &str, partition: i32) -> Lookup<'_> {
        match self.by_name(topic) {
            None => Lookup::UnknownTopic,
            Some(topic) => topic.partition(partition).map_or(Lookup::NotHere, Lookup::Here),
        }
    }

    /// Whether a partition has its replica here in a log directory that is offline or missing.
    pub fn is_offline(&self, topic: &Uuid, partition: i32) -> bool {
        let found = self.by_id(topic).and_then(|topic| topic.partition(partition));
        found.is_some_and(|partition| partition.is_offline())
    }

    /// All partitions, in no particular order.
    pub fn partitions(&self) -> impl Iterator<Item = &Arc<Partition>> {
        self.by_name.values().flat_map(|topic| topic.partitions.iter().flatten())
    }

    fn insert(&mut self, topic: TopicReplicas) {
        let topic = Arc::new(topic);
        self.by_name.insert(topic.name.clone(), topic.clone());
        self.by_id.insert(topic.id, topic);
    }

    fn remove(&mut self, id: &Uuid) -> Option<Arc<TopicReplicas>> {
        let topic = self.by_id.remove(id)?;
        // A topic created again under the same name has another id and stays.
        if self.by_name.get(&topic.name).is_some_and(|named| named.id == *id) {
            self.by_name.remove(&topic.name);
        }
        Some(topic)
    }
}

impl TopicReplicas {
    pub fn partition(&self, partition: i32) -> Option<&Arc<Partition>> {
        self.partitions.get(usize::try_from(partition).ok()?)?.as_ref()
    }
}

impl ReplicaManager {
    /// `may_miss_logs`: a partition that was there before this start and has no log now may have
    /// lain in a directory that is missing.
    pub fn new(node_id: i32, logs: Arc<LogManager>, may_miss_logs: bool) -> Self {
        Self {
            node_id,
            logs,
            may_miss_logs,
            assignments: DirectoryAssignments::default(),
            topics: ArcSwap::default(),
            generation: AtomicU64::new(0),
        }
    }

    /// The logs behind the partitions.
    pub fn logs(&self) -> &Arc<LogManager> {
        &self.logs
    }

    /// What the controller has to be told of the directories.
    pub fn assignments(&self) -> &DirectoryAssignments {
        &self.assignments
    }

    /// A snapshot of all topics. Keep it for one request at most.
    pub fn topics(&self) -> Guard<Arc<Topics>> {
        self.topics.load()
    }

    /// Changes whenever a partition that was looked up before may be another one now.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// One partition of this broker, by name.
    pub fn partition(&self, topic: &str, partition: i32) -> Option<Arc<Partition>> {
        match self.topics().partition(topic, partition) {
            Lookup::Here(partition) => Some(partition.clone()),
            Lookup::NotHere | Lookup::UnknownTopic => None,
        }
    }

    /// Makes this broker's replicas what the image says. Runs on the controller's thread.
    pub fn apply(
        &self,
        delta: &MetadataDelta,
        image: &MetadataImage,
        log_config: &TopicLogConfig<'_>,
        now_ms: i64,
    ) {
        if delta.topics_deleted.is_empty() && delta.partitions_changed.is_empty() {
            return;
        }
        let mut topics = Topics::clone(&self.topics.load());
        let mut gone = Vec::new();
        for id in delta.topics_deleted.keys() {
            gone.extend(topics.remove(id));
        }
        // Deleted before anything is created: the names may be the same.
        for topic in &gone {
            self.delete_logs(topic, now_ms);
        }
        // Only what the metadata knew before this start can have been lost.
        let is_start = delta.previous.last_applied.index == 0;
        let unassigned = self.unassigned_placement(is_start, image);
        let mut missing = Missing::new();
        for (id, partitions) in &delta.partitions_changed {
            let Some(topic) = image.topics.by_id(id) else { continue };
            let mut replicas = topics.by_id(id).map_or_else(
                || TopicReplicas { name: topic.name.clone(), id: *id, partitions: Vec::new() },
                |replicas| TopicReplicas::clone(replicas),
            );
            let config = log_config(image, &topic.name);
            for number in partitions {
                let place = Place { is_start, unassigned };
                self.update(&mut replicas, topic, *number, &config, place, &mut missing);
            }
            topics.insert(replicas);
        }
        report_missing(&missing);
        self.topics.store(Arc::new(topics));
        self.generation.fetch_add(1, Ordering::AcqRel);
        // Fetches that wait on a deleted partition answer at once.
        for partition in gone.iter().flat_map(|topic| topic.partitions.iter().flatten()) {
            partition.wake_waiters();
        }
    }

    /// Gives the logs of a topic new settings.
    pub fn update_config(&self, topic: &str, config: &LogConfig) {
        let topics = self.topics();
        let Some(topic) = topics.by_name(topic) else { return };
        for partition in topic.partitions.iter().flatten() {
            partition.update_config(config.clone());
        }
    }

    fn update(
        &self,
        replicas: &mut TopicReplicas,
        topic: &TopicImage,
        number: i32,
        config: &LogConfig,
        place: Place,
        missing: &mut Missing,
    ) {
        let (Some(registration), Ok(index)) = (topic.partition(number), usize::try_from(number))
        else {
            return;
        };
        if !registration.has_replica(self.node_id) {
            return;
        }
        let leadership =
            Leadership { leader: registration.leader, epoch: registration.leader_epoch };
        let replication =
            Replication { replicas: registration.replicas.len(), in_sync: registration.isr.len() };
        if replicas.partitions.len() <= index {
            replicas.partitions.resize(index + 1, None);
        }
        let Some(slot) = replicas.partitions.get_mut(index) else { return };
        if let Some(partition) = slot {
            partition.update(leadership, replication);
            return;
        }
        let topic_partition = TopicPartition::new(topic.name.clone(), number);
        let assigned = registration.directory(self.node_id).unwrap_or(UNASSIGNED_DIRECTORY);
        let placement = if assigned == UNASSIGNED_DIRECTORY {
            place.unassigned
        } else {
            Placement::In(assigned)
        };
        let not_lost = if place.is_start {
            self.logs.check_not_lost(&topic_partition, placement)
        } else {
            Ok(())
        };
        let opened =
            not_lost.and_then(|()| self.open_log(&topic_partition, topic.id, placement, config));
        let found = match &opened {
            Ok(_) => self.logs.directory_id(&topic_partition),
            Err(CreateLogError::DirectoryOffline { directory_id, .. }) => {
                missing.entry(*directory_id).or_default().push(topic_partition.clone());
                Some(*directory_id)
            }
            Err(error) => {
                tracing::error!(partition = %topic_partition, %error, "Partition is offline");
                None
            }
        };
        if let Some(directory) = found.filter(|directory| *directory != assigned) {
            self.assignments.push(ReplicaDirectory {
                topic_id: topic.id,
                partition_id: number,
                directory,
            });
        }
        *slot = Some(Partition::new(
            topic_partition,
            topic.id,
            self.node_id,
            opened.ok(),
            leadership,
            replication,
        ));
    }

    /// Where a partition belongs of which the metadata does not know the directory. A new one may
    /// lie anywhere. One of before this start has its log, or never got a record, or lay in a
    /// directory that is missing now: if one is missing it is not begun anew.
    fn unassigned_placement(&self, is_start: bool, image: &MetadataImage) -> Placement {
        let online = self.logs.online_directory_ids();
        let any_missing = self.may_miss_logs
            || image
                .brokers
                .get(self.node_id)
                .is_some_and(|before| before.log_dirs.iter().any(|dir| !online.contains(dir)));
        if is_start && any_missing { Placement::In(LOST_DIRECTORY) } else { Placement::Any }
    }

    fn open_log(
        &self,
        partition: &TopicPartition,
        topic_id: Uuid,
        placement: Placement,
        config: &LogConfig,
    ) -> Result<Arc<Log>, CreateLogError> {
        let create = || self.logs.get_or_create(partition, topic_id, config.clone(), placement);
        let created = match create() {
            Err(CreateLogError::InconsistentTopicId { found, .. }) => {
                // The topic was deleted and created again while this broker was down.
                match self.logs.set_aside(partition) {
                    Ok(path) => tracing::warn!(
                        %partition, %found, kept = ?path,
                        "The folder belonged to a deleted topic of the same name and was set aside"
                    ),
                    Err(error) => tracing::error!(%partition, %error, "Folder cannot be set aside"),
                }
                create()
            }
            other => other,
        };
        if let Ok(log) = &created {
            log.update_config(config.clone());
        }
        created
    }

    fn delete_logs(&self, topic: &TopicReplicas, now_ms: i64) {
        for partition in topic.partitions.iter().flatten() {
            let name = partition.topic_partition();
            if let Err(error) = self.logs.delete(name, now_ms) {
                tracing::error!(partition = %name, %error, "The log of a deleted topic stays");
            }
        }
    }
}

/// One line for each missing directory, however many partitions lie in it.
fn report_missing(missing: &Missing) {
    for (directory, partitions) in missing {
        let (count, first) = (partitions.len(), partitions.first());
        let example = first.map(ToString::to_string).unwrap_or_default();
        if *directory == LOST_DIRECTORY {
            tracing::error!(
                partitions = count,
                example,
                "Partitions without a log are offline: a log directory is missing or new, and \
                 their records may lie in the one that was there before"
            );
        } else {
            tracing::error!(
                partitions = count, example, directory_id = %directory,
                "Partitions are offline: the log directory that they lie in is missing or has failed"
            );
        }
    }
}

impl std::fmt::Debug for ReplicaManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReplicaManager").field("node_id", &self.node_id).finish_non_exhaustive()
    }
}
