//! The metadata image: all the facts of the log up to one position, as one immutable value.
//!
//! The maps are persistent (imbl), so a clone costs a few reference counts and shares everything
//! that does not change afterwards. [`apply`] is the only way to change an image; it is a pure
//! function of the image and the records, the same on every node and at every restart.

use std::sync::Arc;

use protocol_codec::Uuid;

use crate::record::MetadataRecord;

pub mod brokers;
pub mod client_quotas;
pub mod configs;
pub mod features;
pub mod producer_ids;
pub mod security;
pub mod topics;

#[cfg(test)]
mod tests;

use self::brokers::BrokersImage;
use self::client_quotas::ClientQuotasImage;
use self::configs::{ConfigResource, ConfigsImage};
use self::features::FeaturesImage;
use self::producer_ids::ProducerIdsImage;
use self::security::{AclsImage, DelegationTokensImage, ScramImage};
use self::topics::TopicsImage;

/// Everything the cluster has agreed on, up to [`MetadataImage::last_applied`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetadataImage {
    /// `None` only before the first entry of a new cluster is committed.
    pub cluster_id: Option<Arc<str>>,
    pub topics: TopicsImage,
    pub brokers: BrokersImage,
    pub configs: ConfigsImage,
    pub features: FeaturesImage,
    pub producer_ids: ProducerIdsImage,
    /// Kept, not acted on yet; so are the next three.
    pub acls: AclsImage,
    pub scram: ScramImage,
    pub delegation_tokens: DelegationTokensImage,
    pub client_quotas: ClientQuotasImage,
    /// The last log entry whose records are in this image.
    pub last_applied: LogPosition,
}

/// An entry of the metadata log. Kafka calls the two numbers offset and epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LogPosition {
    pub index: u64,
    pub term: u64,
}

/// A record that contradicts the image it is replayed on: the log is damaged or was written by a
/// broken release. A node that meets one stops, rather than go on with a state of its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    #[error("topic {name} with id {topic_id} exists already")]
    TopicExists { name: Arc<str>, topic_id: Uuid },
    #[error("no topic has the id {0}")]
    UnknownTopic(Uuid),
    #[error("topic {topic_id} has no partition {partition_id} and it is not the next one")]
    UnknownPartition { topic_id: Uuid, partition_id: i32 },
    #[error("no broker {broker_id} with epoch {epoch} is registered")]
    UnknownBroker { broker_id: i32, epoch: i64 },
    #[error("no access control entry has the id {0}")]
    UnknownAcl(Uuid),
    #[error("the cluster id is {current} and cannot become {new}")]
    ClusterIdChanged { current: Arc<str>, new: Arc<str> },
}

/// The image after these records, which are those of the entry at `position`.
pub fn apply(
    image: &MetadataImage,
    position: LogPosition,
    records: &[MetadataRecord],
) -> Result<MetadataImage, ApplyError> {
    let mut next = image.clone();
    for record in records {
        next.replay(record)?;
    }
    next.last_applied = position;
    Ok(next)
}

impl MetadataImage {
    /// The records that, replayed on an empty image, give this one; its position excepted.
    pub fn to_records(&self, mut write: impl FnMut(MetadataRecord)) {
        if let Some(cluster_id) = &self.cluster_id {
            write(MetadataRecord::ClusterId { cluster_id: cluster_id.clone() });
        }
        for (name, level) in self.features.iter() {
            write(MetadataRecord::FeatureLevel { name: name.clone(), level });
        }
        for broker in self.brokers.iter() {
            write(MetadataRecord::RegisterBroker((**broker).clone()));
        }
        for topic in self.topics.iter() {
            write(MetadataRecord::Topic { name: topic.name.clone(), topic_id: topic.id });
            for (partition_id, registration) in topic.numbered_partitions() {
                let registration = (**registration).clone();
                let topic_id = topic.id;
                write(MetadataRecord::Partition { topic_id, partition_id, registration });
            }
        }
        for (resource, configs) in self.configs.iter() {
            for (name, value) in configs {
                let (name, value) = (name.clone(), Some(value.clone()));
                write(MetadataRecord::Config { resource: resource.clone(), name, value });
            }
        }
        if self.producer_ids != ProducerIdsImage::default() {
            write(MetadataRecord::ProducerIds {
                broker_id: self.producer_ids.last_broker_id,
                broker_epoch: self.producer_ids.last_broker_epoch,
                next_producer_id: self.producer_ids.next_producer_id,
            });
        }
        self.access_records(write);
    }

    fn access_records(&self, mut write: impl FnMut(MetadataRecord)) {
        for entry in self.acls.iter() {
            write(MetadataRecord::AccessControlEntry((**entry).clone()));
        }
        for credential in self.scram.iter() {
            write(MetadataRecord::UserScramCredential((**credential).clone()));
        }
        for token in self.delegation_tokens.iter() {
            write(MetadataRecord::DelegationToken((**token).clone()));
        }
        for (entity, quotas) in self.client_quotas.iter() {
            for (key, value) in quotas {
                let (entity, key) = (entity.clone(), key.clone());
                write(MetadataRecord::ClientQuota { entity, key, value: Some(*value) });
            }
        }
    }

    /// Makes one record true.
    pub(crate) fn replay(&mut self, record: &MetadataRecord) -> Result<(), ApplyError> {
        match record {
            MetadataRecord::ClusterId { cluster_id } => self.set_cluster_id(cluster_id)?,
            MetadataRecord::FeatureLevel { name, level } => self.features.set(name, *level),
            MetadataRecord::RegisterBroker(registration) => self.brokers.register(registration),
            MetadataRecord::UnregisterBroker { broker_id, broker_epoch } => {
                self.brokers.unregister(*broker_id, *broker_epoch)?;
            }
            MetadataRecord::BrokerRegistrationChange(change) => self.brokers.change(change)?,
            MetadataRecord::Topic { name, topic_id } => self.topics.add_topic(name, *topic_id)?,
            MetadataRecord::RemoveTopic { topic_id } => {
                let name = self.topics.remove_topic(topic_id)?;
                self.configs.remove_all(&ConfigResource::topic(name));
            }
            MetadataRecord::Partition { topic_id, partition_id, registration } => {
                self.topics.set_partition(topic_id, *partition_id, registration.clone())?;
            }
            MetadataRecord::PartitionChange(change) => self.topics.change_partition(change)?,
            MetadataRecord::Config { resource, name, value: Some(value) } => {
                self.configs.set(resource, name, value);
            }
            MetadataRecord::Config { resource, name, value: None } => {
                self.configs.remove(resource, name);
            }
            MetadataRecord::ProducerIds { broker_id, broker_epoch, next_producer_id } => {
                self.producer_ids = ProducerIdsImage {
                    next_producer_id: *next_producer_id,
                    last_broker_id: *broker_id,
                    last_broker_epoch: *broker_epoch,
                };
            }
            MetadataRecord::AccessControlEntry(entry) => self.acls.set(entry),
            MetadataRecord::RemoveAccessControlEntry { id } => self.acls.remove(id)?,
            MetadataRecord::UserScramCredential(credential) => self.scram.set(credential),
            MetadataRecord::RemoveUserScramCredential { user, mechanism } => {
                self.scram.remove(user, *mechanism);
            }
            MetadataRecord::ClientQuota { entity, key, value } => {
                self.client_quotas.set(entity, key, *value);
            }
            MetadataRecord::DelegationToken(token) => self.delegation_tokens.set(token),
            MetadataRecord::RemoveDelegationToken { token_id } => {
                self.delegation_tokens.remove(token_id);
            }
        }
        Ok(())
    }

    fn set_cluster_id(&mut self, cluster_id: &Arc<str>) -> Result<(), ApplyError> {
        match &self.cluster_id {
            Some(current) if current != cluster_id => Err(ApplyError::ClusterIdChanged {
                current: current.clone(),
                new: cluster_id.clone(),
            }),
            Some(_) | None => {
                self.cluster_id = Some(cluster_id.clone());
                Ok(())
            }
        }
    }
}
