//! Who leads: what changes in partitions when a broker comes, goes, or comes back unclean.

use std::sync::Arc;

use super::checked_broker;
use crate::command::ApiError;
use crate::image::MetadataImage;
use crate::image::topics::{NO_LEADER, PartitionRegistration, TopicImage};
use crate::record::{MetadataRecord, PartitionChange};

/// After an unclean stop, the leader epoch of every partition that the broker leads rises: a
/// consumer that read records which the stop took back learns of it (KIP-320).
pub(super) fn bump_leader_epochs(
    image: &MetadataImage,
    broker_id: i32,
    broker_epoch: i64,
    out: &mut Vec<MetadataRecord>,
) -> Result<usize, ApiError> {
    checked_broker(image, broker_id, broker_epoch)?;
    let before = out.len();
    for (topic, partition_id, partition) in partitions(image) {
        if partition.leader == broker_id {
            out.push(change(topic, partition_id, Some(broker_id), None));
        }
    }
    Ok(out.len() - before)
}

/// Takes a broker out of leaderships and in-sync replicas. The last in-sync replica stays one,
/// though nobody leads then: no other replica is known to have everything.
pub(super) fn remove_broker(image: &MetadataImage, broker_id: i32, out: &mut Vec<MetadataRecord>) {
    for (topic, partition_id, partition) in partitions(image) {
        if partition.leader != broker_id && !partition.isr.contains(&broker_id) {
            continue;
        }
        let remaining: Vec<i32> =
            partition.isr.iter().copied().filter(|id| *id != broker_id).collect();
        let isr = (!remaining.is_empty() && remaining != partition.isr).then_some(remaining);
        let leader = (partition.leader == broker_id).then(|| {
            let in_sync = isr.as_ref().unwrap_or(&partition.isr);
            elect(partition, in_sync, |id| id != broker_id && image.brokers.is_active(id))
        });
        out.push(change(topic, partition_id, leader, isr));
    }
}

/// Gives a broker the partitions that have no leader and whose in-sync replica it is.
pub(super) fn add_broker(image: &MetadataImage, broker_id: i32, out: &mut Vec<MetadataRecord>) {
    for (topic, partition_id, partition) in partitions(image) {
        if partition.leader != NO_LEADER {
            continue;
        }
        let leader =
            elect(partition, &partition.isr, |id| id == broker_id || image.brokers.is_active(id));
        if leader != NO_LEADER {
            out.push(change(topic, partition_id, Some(leader), None));
        }
    }
}

/// The first in-sync replica, in the order of preference, that may lead.
fn elect(partition: &PartitionRegistration, isr: &[i32], may_lead: impl Fn(i32) -> bool) -> i32 {
    let mut candidates = partition.replicas.iter().copied();
    candidates.find(|id| isr.contains(id) && may_lead(*id)).unwrap_or(NO_LEADER)
}

fn partitions(
    image: &MetadataImage,
) -> impl Iterator<Item = (&Arc<TopicImage>, i32, &Arc<PartitionRegistration>)> {
    image.topics.iter().flat_map(|topic| {
        topic.numbered_partitions().map(move |(id, partition)| (topic, id, partition))
    })
}

fn change(
    topic: &TopicImage,
    partition_id: i32,
    leader: Option<i32>,
    isr: Option<Vec<i32>>,
) -> MetadataRecord {
    MetadataRecord::PartitionChange(PartitionChange {
        topic_id: topic.id,
        partition_id,
        leader,
        isr,
        ..PartitionChange::default()
    })
}
