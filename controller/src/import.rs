//! Taking over the metadata of an Apache Kafka node: its records become ours, one by one.
//!
//! [`Takeover`] replays what `__cluster_metadata-0` holds on a [`MetadataImage`] of ours: the two
//! mean the same by the same names. [`Takeover::finish`] then either gives the image that this node
//! goes on with, or all the reasons why it cannot be taken over. Both are pure; the image is made
//! durable by [`write`].
//!
//! The image's position is that of Kafka's log, so that broker epochs and the epoch of the features
//! go on rising. What this release does not act on yet (access control entries, SCRAM credentials,
//! quotas, delegation tokens) is kept. Features that it does not know cannot be: a node refuses to
//! run with one finalized. They are named in [`TakenOver::features_left_out`].

mod convert;
mod obstacle;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;

use protocol_codec::data::VotersRecord;
use protocol_codec::metadata_records::{
    ClearElrRecord, MetadataRecord as KafkaMetadata, QuorumRecord,
};

use crate::image::{ApplyError, LogPosition, MetadataImage};
use crate::record::{MetadataRecord, PartitionChange};
use crate::state::features;

pub use self::obstacle::Obstacle;
pub use self::write::write;

/// Producer ids that are left out, so that a Kafka that is started on this data again does not give
/// out those that we have given out: a partition would take one producer's records for repetitions
/// of the other's.
const PRODUCER_IDS_LEFT_OUT: i64 = 1 << 32;

/// Why a record of Kafka's log cannot be replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TakeoverError {
    #[error("a {name} contradicts what came before it: {source}")]
    Apply { name: &'static str, source: ApplyError },
    #[error("a ConfigRecord is about a resource of type {0}, which no Kafka up to 4.4 stores")]
    UnknownResourceType(i8),
}

/// What has been read of Kafka's metadata so far.
#[derive(Debug, Default)]
pub struct Takeover {
    image: MetadataImage,
    /// The records of a change that has begun and not ended: it counts as a whole or not at all.
    open_change: Option<Vec<KafkaMetadata>>,
    voters: BTreeSet<i32>,
    controllers: BTreeSet<i32>,
    zk_migration_state: i8,
}

/// An image of ours, and what did not come along.
#[derive(Clone, Debug, PartialEq)]
pub struct TakenOver {
    pub image: MetadataImage,
    /// Features by name, with the level that Kafka had finalized.
    pub features_left_out: Vec<(Arc<str>, i16)>,
}

impl Takeover {
    /// What a control record says.
    pub fn quorum(&mut self, record: &QuorumRecord) {
        match record {
            QuorumRecord::LeaderChange(change) => {
                self.voters = change.voters.iter().map(|voter| voter.voter_id).collect();
            }
            QuorumRecord::Voters(VotersRecord { voters, .. }) => {
                self.voters = voters.iter().map(|voter| voter.voter_id).collect();
            }
            QuorumRecord::SnapshotHeader(_)
            | QuorumRecord::SnapshotFooter(_)
            | QuorumRecord::KRaftVersion(_)
            | QuorumRecord::Other(_) => {}
        }
    }

    /// Replays the next record.
    pub fn replay(&mut self, record: KafkaMetadata) -> Result<(), TakeoverError> {
        match record {
            KafkaMetadata::BeginTransaction(_) => self.open_change = Some(Vec::new()),
            KafkaMetadata::AbortTransaction(_) => self.open_change = None,
            KafkaMetadata::EndTransaction(_) => {
                for record in self.open_change.take().unwrap_or_default() {
                    self.apply(record)?;
                }
            }
            record => match &mut self.open_change {
                Some(records) => records.push(record),
                None => self.apply(record)?,
            },
        }
        Ok(())
    }

    /// The image with the log's end as its position. A change without an end does not count: the
    /// next leader gives it up.
    pub fn finish(
        mut self,
        node_id: i32,
        cluster_id: &str,
        end_offset: i64,
        epoch: i32,
    ) -> Result<TakenOver, Vec<Obstacle>> {
        self.elect_eligible(node_id).map_err(|error| vec![Obstacle::Contradiction(error)])?;
        let obstacles = obstacle::find(&self, node_id);
        if !obstacles.is_empty() {
            return Err(obstacles);
        }
        let mut image = self.image;
        image.cluster_id = Some(cluster_id.into());
        let unknown = |(name, level): (&Arc<str>, i16)| {
            (level > features::supported_level(name)).then(|| (name.clone(), level))
        };
        let features_left_out: Vec<_> = image.features.iter().filter_map(unknown).collect();
        for (name, _) in &features_left_out {
            image.features.set(name, features::supported_level(name));
        }
        let next = &mut image.producer_ids.next_producer_id;
        *next = next.saturating_add(PRODUCER_IDS_LEFT_OUT);
        image.last_applied = LogPosition {
            index: u64::try_from(end_offset).unwrap_or_default().max(1),
            term: u64::try_from(epoch).unwrap_or_default().max(1),
        };
        Ok(TakenOver { image, features_left_out })
    }

    fn apply(&mut self, record: KafkaMetadata) -> Result<(), TakeoverError> {
        let name = record.name();
        let records = match record {
            KafkaMetadata::ZkMigrationState(state) => {
                self.zk_migration_state = state.zk_migration_state;
                return Ok(());
            }
            KafkaMetadata::RegisterController(controller) => {
                self.controllers.insert(controller.controller_id);
                return Ok(());
            }
            KafkaMetadata::UnregisterController(controller) => {
                self.controllers.remove(&controller.controller_id);
                return Ok(());
            }
            KafkaMetadata::ClearElr(record) => self.cleared_elr(&record),
            record => convert::record(record)?.into_iter().collect(),
        };
        self.replay_all(name, &records)
    }

    /// With eligible leader replicas (KIP-966), a clean stop moves the last in-sync replica among
    /// those: it has everything that was committed, so it is in sync again where it is the only one.
    fn elect_eligible(&mut self, node_id: i32) -> Result<(), TakeoverError> {
        let mut records = Vec::new();
        for topic in self.image.topics.iter() {
            for (partition_id, partition) in topic.numbered_partitions() {
                let eligible = partition.eligible_leader_replicas == [node_id];
                if partition.replicas == [node_id] && partition.isr.is_empty() && eligible {
                    records.push(MetadataRecord::PartitionChange(PartitionChange {
                        topic_id: topic.id,
                        partition_id,
                        isr: Some(vec![node_id]),
                        eligible_leader_replicas: Some(Vec::new()),
                        ..PartitionChange::default()
                    }));
                }
            }
        }
        self.replay_all("PartitionChangeRecord", &records)
    }

    fn replay_all(
        &mut self,
        name: &'static str,
        records: &[MetadataRecord],
    ) -> Result<(), TakeoverError> {
        for record in records {
            let replayed = self.image.replay(record);
            replayed.map_err(|source| TakeoverError::Apply { name, source })?;
        }
        Ok(())
    }

    /// The partitions of one topic, or of all of them, lose their eligible leader replicas.
    fn cleared_elr(&self, record: &ClearElrRecord) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        let named = |name: &str| record.topic_name.is_empty() || *record.topic_name == *name;
        for topic in self.image.topics.iter().filter(|topic| named(&topic.name)) {
            for (partition_id, partition) in topic.numbered_partitions() {
                let has_none = partition.eligible_leader_replicas.is_empty()
                    && partition.last_known_elr.is_empty();
                if !has_none {
                    records.push(MetadataRecord::PartitionChange(PartitionChange {
                        topic_id: topic.id,
                        partition_id,
                        eligible_leader_replicas: Some(Vec::new()),
                        last_known_elr: Some(Vec::new()),
                        ..PartitionChange::default()
                    }));
                }
            }
        }
        records
    }
}

#[cfg(test)]
mod tests;
