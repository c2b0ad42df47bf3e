//! Topics and their partitions, by id and by name.
//!
//! Invariants: every name leads to an id that has a topic of that name, and every topic is reached
//! by its name; partitions of a topic are numbered from 0 without gaps.

use std::sync::Arc;

use imbl::{OrdMap, OrdSet, Vector};
use protocol_codec::Uuid;

use super::ApplyError;
use crate::record::PartitionChange;

/// The leader of a partition that has none.
pub const NO_LEADER: i32 = -1;

/// A partition was elected from its in-sync replicas and has nothing to recover.
pub const LEADER_RECOVERED: i8 = 0;

/// The directory of a replica whose broker has not said yet where it lies (KIP-858).
pub const UNASSIGNED_DIRECTORY: Uuid = Uuid::ZERO;

/// The directory of a replica that its broker cannot find, though it may have had a log (KIP-858).
pub const LOST_DIRECTORY: Uuid = Uuid::ONE;

/// All topics of the cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopicsImage {
    by_id: OrdMap<Uuid, Arc<TopicImage>>,
    by_name: OrdMap<Arc<str>, Uuid>,
    /// Names that hold '.' or '_', keyed by the form in which they collide.
    collisions: OrdSet<(Arc<str>, Arc<str>)>,
    partition_count: usize,
}

/// One topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicImage {
    pub name: Arc<str>,
    pub id: Uuid,
    partitions: Vector<Arc<PartitionRegistration>>,
}

/// The state of one partition, as the controller knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionRegistration {
    pub replicas: Vec<i32>,
    /// The log directory of each replica, in the order of `replicas`.
    pub directories: Vec<Uuid>,
    pub isr: Vec<i32>,
    pub removing_replicas: Vec<i32>,
    pub adding_replicas: Vec<i32>,
    pub eligible_leader_replicas: Vec<i32>,
    pub last_known_elr: Vec<i32>,
    /// The broker that leads, or [`NO_LEADER`].
    pub leader: i32,
    pub leader_recovery_state: i8,
    pub leader_epoch: i32,
    pub partition_epoch: i32,
}

impl PartitionRegistration {
    /// Whether this broker holds a replica.
    pub fn has_replica(&self, broker_id: i32) -> bool {
        self.replicas.contains(&broker_id)
    }

    /// The directory that holds this broker's replica, if it has one.
    pub fn directory(&self, broker_id: i32) -> Option<Uuid> {
        let index = self.replicas.iter().position(|replica| *replica == broker_id)?;
        self.directories.get(index).copied()
    }

    /// This registration after a change.
    pub fn merged(&self, change: &PartitionChange) -> PartitionRegistration {
        fn pick<T: Clone>(changed: Option<&T>, current: &T) -> T {
            changed.unwrap_or(current).clone()
        }
        PartitionRegistration {
            replicas: pick(change.replicas.as_ref(), &self.replicas),
            directories: pick(change.directories.as_ref(), &self.directories),
            isr: pick(change.isr.as_ref(), &self.isr),
            removing_replicas: pick(change.removing_replicas.as_ref(), &self.removing_replicas),
            adding_replicas: pick(change.adding_replicas.as_ref(), &self.adding_replicas),
            eligible_leader_replicas: pick(
                change.eligible_leader_replicas.as_ref(),
                &self.eligible_leader_replicas,
            ),
            last_known_elr: pick(change.last_known_elr.as_ref(), &self.last_known_elr),
            leader: pick(change.leader.as_ref(), &self.leader),
            leader_recovery_state: pick(
                change.leader_recovery_state.as_ref(),
                &self.leader_recovery_state,
            ),
            leader_epoch: self.leader_epoch + i32::from(change.leader.is_some()),
            partition_epoch: self.partition_epoch + 1,
        }
    }
}

impl TopicImage {
    /// The partition of this number.
    pub fn partition(&self, partition_id: i32) -> Option<&Arc<PartitionRegistration>> {
        self.partitions.get(usize::try_from(partition_id).ok()?)
    }

    /// Partitions by number, from 0.
    pub fn partitions(&self) -> impl ExactSizeIterator<Item = &Arc<PartitionRegistration>> {
        self.partitions.iter()
    }

    /// Partitions with their numbers.
    pub fn numbered_partitions(&self) -> impl Iterator<Item = (i32, &Arc<PartitionRegistration>)> {
        (0..).zip(self.partitions.iter())
    }

    /// How many partitions the topic has.
    pub fn partition_count(&self) -> i32 {
        i32::try_from(self.partitions.len()).unwrap_or(i32::MAX)
    }
}

impl TopicsImage {
    /// The topic of this name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<TopicImage>> {
        self.by_id.get(self.by_name.get(name)?)
    }

    /// The topic of this id.
    pub fn by_id(&self, id: &Uuid) -> Option<&Arc<TopicImage>> {
        self.by_id.get(id)
    }

    /// All topics in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<TopicImage>> {
        self.by_name.values().filter_map(|id| self.by_id.get(id))
    }

    /// Topics whose name is not before `name`, in the order of their names.
    pub fn from_name(&self, name: &str) -> impl Iterator<Item = &Arc<TopicImage>> {
        let start: (std::ops::Bound<&str>, std::ops::Bound<&str>) =
            (std::ops::Bound::Included(name), std::ops::Bound::Unbounded);
        self.by_name.range::<_, str>(start).filter_map(|(_, id)| self.by_id.get(id))
    }

    /// How many topics there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is no topic.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// How many partitions all topics have together.
    pub fn partition_count(&self) -> usize {
        self.partition_count
    }

    /// An existing topic whose name collides with this one: metric names write '.' as '_'.
    pub fn colliding(&self, name: &str) -> Option<&Arc<str>> {
        if !has_collision_chars(name) {
            return None;
        }
        let unified: Arc<str> = unify_collision_chars(name);
        let (found, existing) = self.collisions.range((unified.clone(), Arc::from(""))..).next()?;
        (*found == unified).then_some(existing)
    }

    pub(crate) fn diff<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = imbl::ordmap::DiffItem<'a, 'a, Uuid, Arc<TopicImage>>> {
        self.by_id.diff(&other.by_id)
    }

    pub(super) fn add_topic(&mut self, name: &Arc<str>, id: Uuid) -> Result<(), ApplyError> {
        if self.by_name.contains_key(name) || self.by_id.contains_key(&id) {
            return Err(ApplyError::TopicExists { name: name.clone(), topic_id: id });
        }
        let topic = TopicImage { name: name.clone(), id, partitions: Vector::new() };
        self.by_name.insert(name.clone(), id);
        self.by_id.insert(id, Arc::new(topic));
        if has_collision_chars(name) {
            self.collisions.insert((unify_collision_chars(name), name.clone()));
        }
        Ok(())
    }

    /// Returns the name of the removed topic.
    pub(super) fn remove_topic(&mut self, id: &Uuid) -> Result<Arc<str>, ApplyError> {
        let topic = self.by_id.remove(id).ok_or(ApplyError::UnknownTopic(*id))?;
        self.by_name.remove(&topic.name);
        if has_collision_chars(&topic.name) {
            self.collisions.remove(&(unify_collision_chars(&topic.name), topic.name.clone()));
        }
        self.partition_count -= topic.partitions.len();
        Ok(topic.name.clone())
    }

    pub(super) fn set_partition(
        &mut self,
        topic_id: &Uuid,
        partition_id: i32,
        registration: PartitionRegistration,
    ) -> Result<(), ApplyError> {
        let unknown = ApplyError::UnknownPartition { topic_id: *topic_id, partition_id };
        let topic = self.by_id.get_mut(topic_id).ok_or(ApplyError::UnknownTopic(*topic_id))?;
        let index = usize::try_from(partition_id).map_err(|_| unknown.clone())?;
        let topic = Arc::make_mut(topic);
        if index == topic.partitions.len() {
            topic.partitions.push_back(Arc::new(registration));
            self.partition_count += 1;
        } else {
            *topic.partitions.get_mut(index).ok_or(unknown)? = Arc::new(registration);
        }
        Ok(())
    }

    pub(super) fn change_partition(&mut self, change: &PartitionChange) -> Result<(), ApplyError> {
        let PartitionChange { topic_id, partition_id, .. } = *change;
        let current = self
            .by_id(&topic_id)
            .ok_or(ApplyError::UnknownTopic(topic_id))?
            .partition(partition_id)
            .ok_or(ApplyError::UnknownPartition { topic_id, partition_id })?;
        let merged = current.merged(change);
        self.set_partition(&topic_id, partition_id, merged)
    }
}

fn has_collision_chars(name: &str) -> bool {
    name.contains(['.', '_'])
}

fn unify_collision_chars(name: &str) -> Arc<str> {
    Arc::from(name.replace('.', "_"))
}
