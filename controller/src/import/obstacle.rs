//! What in Kafka's metadata one node of ours cannot take over, each with what to do about it.

use std::sync::Arc;

use super::{Takeover, TakeoverError};
use crate::image::configs::ConfigResource;
use crate::image::features::METADATA_VERSION;
use crate::image::topics::PartitionRegistration;
use crate::state::features::{METADATA_VERSION_LATEST, METADATA_VERSION_MIN};

/// A migration from ZooKeeper that has neither not begun (0) nor ended (3 and above).
const ZK_MIGRATION_UNDER_WAY: std::ops::RangeInclusive<i8> = 1..=2;

/// One reason against a take-over. The text is one sentence for the user, with the remedy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    #[error(
        "metadata.version {level} is newer than {METADATA_VERSION_LATEST} (4.4), the newest that is \
         known here: downgrade it with kafka-features.sh, or use a newer Barnabas"
    )]
    NewerMetadataVersion { level: i16 },
    #[error(
        "metadata.version {level} is older than {METADATA_VERSION_MIN} (3.3), the oldest that Kafka 4 \
         knows: upgrade it with kafka-features.sh first"
    )]
    OlderMetadataVersion { level: i16 },
    #[error(
        "the migration from ZooKeeper has not ended: finish it with Kafka 3.9, then upgrade to Kafka 4"
    )]
    ZkMigration,
    #[error(
        "the voters of the metadata quorum are {voters:?}, not node {node_id} alone: what is committed \
         is not known here; remove the other controllers (kafka-metadata-quorum.sh remove-controller)"
    )]
    OtherVoters { node_id: i32, voters: Vec<i32> },
    #[error(
        "what is left of the metadata log does not tell who its voters are: start Kafka and stop it \
         cleanly once more, which writes it down"
    )]
    UnknownVoters,
    #[error("node {0} never registered as a broker: this is the directory of a controller alone")]
    NotABroker(i32),
    #[error(
        "broker {broker_id} is registered beside node {node_id}: move its partitions away \
         (kafka-reassign-partitions.sh), stop it, and remove it with kafka-cluster.sh unregister"
    )]
    OtherBroker { node_id: i32, broker_id: i32 },
    #[error(
        "{topic}-{partition} has its replicas on {replicas:?}, not on node {node_id} alone: reassign \
         it with kafka-reassign-partitions.sh, or delete the topic"
    )]
    OtherReplicas { topic: Arc<str>, partition: i32, replicas: Vec<i32>, node_id: i32 },
    #[error(
        "{topic}-{partition} is being reassigned: let that finish, or cancel it with \
         kafka-reassign-partitions.sh"
    )]
    Reassignment { topic: Arc<str>, partition: i32 },
    #[error(
        "{topic}-{partition} has no in-sync replica: start Kafka, see that it has a leader, and stop \
         it cleanly"
    )]
    NotInSync { topic: Arc<str>, partition: i32 },
    #[error(
        "topic {topic} is tiered (remote.storage.enable=true), and what lies in remote storage cannot \
         be read here: turn it off with remote.log.delete.on.disable=true after copying what is needed"
    )]
    Tiered { topic: Arc<str> },
    #[error(transparent)]
    Contradiction(TakeoverError),
}

/// Everything that stands against it, in a stable order.
pub(super) fn find(takeover: &Takeover, node_id: i32) -> Vec<Obstacle> {
    let mut found = Vec::new();
    cluster(takeover, node_id, &mut found);
    for topic in takeover.image.topics.iter() {
        let remote = takeover
            .image
            .configs
            .value(&ConfigResource::topic(topic.name.clone()), "remote.storage.enable");
        if remote.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            found.push(Obstacle::Tiered { topic: topic.name.clone() });
        }
        for (partition, registration) in topic.numbered_partitions() {
            found.extend(replicas(&topic.name, partition, registration, node_id));
        }
    }
    found
}

fn cluster(takeover: &Takeover, node_id: i32, found: &mut Vec<Obstacle>) {
    match takeover.image.features.level(METADATA_VERSION) {
        level if level > METADATA_VERSION_LATEST => {
            found.push(Obstacle::NewerMetadataVersion { level });
        }
        level if level < METADATA_VERSION_MIN => {
            found.push(Obstacle::OlderMetadataVersion { level });
        }
        _ => {}
    }
    if ZK_MIGRATION_UNDER_WAY.contains(&takeover.zk_migration_state) {
        found.push(Obstacle::ZkMigration);
    }
    // The record that names the voters may have gone with the segments that a snapshot covers.
    let known = if takeover.voters.is_empty() { &takeover.controllers } else { &takeover.voters };
    let voters: Vec<i32> = known.iter().copied().collect();
    if voters.is_empty() {
        found.push(Obstacle::UnknownVoters);
    } else if voters != [node_id] {
        found.push(Obstacle::OtherVoters { node_id, voters });
    }
    if takeover.image.brokers.get(node_id).is_none() {
        found.push(Obstacle::NotABroker(node_id));
    }
    for broker in takeover.image.brokers.iter().filter(|broker| broker.id != node_id) {
        found.push(Obstacle::OtherBroker { node_id, broker_id: broker.id });
    }
}

fn replicas(
    topic: &Arc<str>,
    partition: i32,
    registration: &PartitionRegistration,
    node_id: i32,
) -> Option<Obstacle> {
    let topic = topic.clone();
    if registration.replicas != [node_id] {
        let replicas = registration.replicas.clone();
        return Some(Obstacle::OtherReplicas { topic, partition, replicas, node_id });
    }
    if !registration.adding_replicas.is_empty() || !registration.removing_replicas.is_empty() {
        return Some(Obstacle::Reassignment { topic, partition });
    }
    (registration.isr != [node_id]).then_some(Obstacle::NotInSync { topic, partition })
}
