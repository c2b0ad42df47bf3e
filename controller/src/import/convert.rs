//! One record of Kafka's as one of ours.

use std::sync::Arc;

use protocol_codec::StrBytes;
use protocol_codec::metadata_records::{
    AccessControlEntryRecord, BrokerRegistrationChangeRecord, ClientQuotaRecord, ConfigRecord,
    DelegationTokenRecord, MetadataRecord as KafkaMetadata, PartitionChangeRecord, PartitionRecord,
    RegisterBrokerRecord, UserScramCredentialRecord,
};

use super::TakeoverError;
use crate::image::brokers::{BrokerEndpoint, BrokerFeature, BrokerRegistration};
use crate::image::configs::{ConfigResource, ConfigResourceType};
use crate::image::security::{AccessControlEntry, DelegationToken, ScramCredential};
use crate::image::topics::{PartitionRegistration, UNASSIGNED_DIRECTORY};
use crate::record::{BrokerRegistrationChange, MetadataRecord, PartitionChange};

/// A leader that a change does not name.
const NO_LEADER_CHANGE: i32 = -2;
/// A recovery state that a change does not name.
const NO_RECOVERY_CHANGE: i8 = -1;

/// `None` for what needs no record of ours.
pub(super) fn record(record: KafkaMetadata) -> Result<Option<MetadataRecord>, TakeoverError> {
    use KafkaMetadata as K;
    Ok(Some(match record {
        K::RegisterBroker(broker) => MetadataRecord::RegisterBroker(registration(broker)),
        K::UnregisterBroker(broker) => MetadataRecord::UnregisterBroker {
            broker_id: broker.broker_id,
            broker_epoch: broker.broker_epoch,
        },
        K::FenceBroker(broker) => fenced(broker.id, broker.epoch, true),
        K::UnfenceBroker(broker) => fenced(broker.id, broker.epoch, false),
        K::BrokerRegistrationChange(change) => registration_change(change),
        K::Topic(topic) => {
            MetadataRecord::Topic { name: text(&topic.name), topic_id: topic.topic_id }
        }
        K::RemoveTopic(topic) => MetadataRecord::RemoveTopic { topic_id: topic.topic_id },
        K::Partition(partition) => MetadataRecord::Partition {
            topic_id: partition.topic_id,
            partition_id: partition.partition_id,
            registration: partition_registration(partition),
        },
        K::PartitionChange(change) => MetadataRecord::PartitionChange(partition_change(change)),
        K::Config(config) => config_change(&config)?,
        K::FeatureLevel(feature) => {
            MetadataRecord::FeatureLevel { name: text(&feature.name), level: feature.feature_level }
        }
        K::ProducerIds(ids) => MetadataRecord::ProducerIds {
            broker_id: ids.broker_id,
            broker_epoch: ids.broker_epoch,
            next_producer_id: ids.next_producer_id,
        },
        K::AccessControlEntry(entry) => MetadataRecord::AccessControlEntry(acl(&entry)),
        K::RemoveAccessControlEntry(entry) => {
            MetadataRecord::RemoveAccessControlEntry { id: entry.id }
        }
        K::UserScramCredential(credential) => {
            MetadataRecord::UserScramCredential(scram(&credential))
        }
        K::RemoveUserScramCredential(credential) => MetadataRecord::RemoveUserScramCredential {
            user: text(&credential.name),
            mechanism: credential.mechanism,
        },
        K::ClientQuota(quota) => client_quota(&quota),
        K::DelegationToken(token) => MetadataRecord::DelegationToken(delegation_token(&token)),
        K::RemoveDelegationToken(token) => {
            MetadataRecord::RemoveDelegationToken { token_id: text(&token.token_id) }
        }
        K::NoOp(_)
        | K::ZkMigrationState(_)
        | K::RegisterController(_)
        | K::UnregisterController(_)
        | K::ClearElr(_)
        | K::BeginTransaction(_)
        | K::EndTransaction(_)
        | K::AbortTransaction(_) => return Ok(None),
    }))
}

fn text(text: &StrBytes) -> Arc<str> {
    Arc::from(&**text)
}

fn registration(broker: RegisterBrokerRecord) -> BrokerRegistration {
    BrokerRegistration {
        id: broker.broker_id,
        epoch: broker.broker_epoch,
        incarnation_id: broker.incarnation_id,
        endpoints: broker
            .end_points
            .iter()
            .map(|endpoint| BrokerEndpoint {
                name: text(&endpoint.name),
                host: text(&endpoint.host),
                port: endpoint.port,
                security_protocol: endpoint.security_protocol,
            })
            .collect(),
        features: broker
            .features
            .iter()
            .map(|feature| BrokerFeature {
                name: text(&feature.name),
                min_supported: feature.min_supported_version,
                max_supported: feature.max_supported_version,
            })
            .collect(),
        rack: broker.rack.as_ref().map(text),
        fenced: broker.fenced,
        in_controlled_shutdown: broker.in_controlled_shutdown,
        log_dirs: broker.log_dirs,
    }
}

fn fenced(broker_id: i32, broker_epoch: i64, fenced: bool) -> MetadataRecord {
    MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
        broker_id,
        broker_epoch,
        fenced: Some(fenced),
        ..BrokerRegistrationChange::default()
    })
}

/// In `fenced`, 1 fences, -1 unfences and 0 changes nothing; nobody leaves a controlled shutdown
/// but by a new registration. Directories are given only where they have changed.
fn registration_change(change: BrokerRegistrationChangeRecord) -> MetadataRecord {
    let flag = |code: i8| match code {
        0 => None,
        code => Some(code > 0),
    };
    MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
        broker_id: change.broker_id,
        broker_epoch: change.broker_epoch,
        fenced: flag(change.fenced),
        in_controlled_shutdown: flag(change.in_controlled_shutdown),
        log_dirs: (!change.log_dirs.is_empty()).then_some(change.log_dirs),
    })
}

/// Before Kafka 3.7 directories were not told.
fn partition_registration(partition: PartitionRecord) -> PartitionRegistration {
    let mut directories = partition.directories;
    directories.resize(partition.replicas.len(), UNASSIGNED_DIRECTORY);
    PartitionRegistration {
        replicas: partition.replicas,
        directories,
        isr: partition.isr,
        removing_replicas: partition.removing_replicas,
        adding_replicas: partition.adding_replicas,
        eligible_leader_replicas: partition.eligible_leader_replicas.unwrap_or_default(),
        last_known_elr: partition.last_known_elr.unwrap_or_default(),
        leader: partition.leader,
        leader_recovery_state: partition.leader_recovery_state,
        leader_epoch: partition.leader_epoch,
        partition_epoch: partition.partition_epoch,
    }
}

fn partition_change(change: PartitionChangeRecord) -> PartitionChange {
    PartitionChange {
        topic_id: change.topic_id,
        partition_id: change.partition_id,
        isr: change.isr,
        leader: (change.leader != NO_LEADER_CHANGE).then_some(change.leader),
        replicas: change.replicas,
        removing_replicas: change.removing_replicas,
        adding_replicas: change.adding_replicas,
        leader_recovery_state: (change.leader_recovery_state != NO_RECOVERY_CHANGE)
            .then_some(change.leader_recovery_state),
        directories: change.directories,
        eligible_leader_replicas: change.eligible_leader_replicas,
        last_known_elr: change.last_known_elr,
    }
}

fn config_change(config: &ConfigRecord) -> Result<MetadataRecord, TakeoverError> {
    let kind = ConfigResourceType::from_code(config.resource_type)
        .ok_or(TakeoverError::UnknownResourceType(config.resource_type))?;
    Ok(MetadataRecord::Config {
        resource: ConfigResource::new(kind, text(&config.resource_name)),
        name: text(&config.name),
        value: config.value.as_ref().map(text),
    })
}

fn acl(entry: &AccessControlEntryRecord) -> AccessControlEntry {
    AccessControlEntry {
        id: entry.id,
        resource_type: entry.resource_type,
        resource_name: text(&entry.resource_name),
        pattern_type: entry.pattern_type,
        principal: text(&entry.principal),
        host: text(&entry.host),
        operation: entry.operation,
        permission_type: entry.permission_type,
    }
}

fn scram(credential: &UserScramCredentialRecord) -> ScramCredential {
    ScramCredential {
        user: text(&credential.name),
        mechanism: credential.mechanism,
        salt: credential.salt.to_vec(),
        stored_key: credential.stored_key.to_vec(),
        server_key: credential.server_key.to_vec(),
        iterations: credential.iterations,
    }
}

fn client_quota(quota: &ClientQuotaRecord) -> MetadataRecord {
    let pairs = quota.entity.iter();
    let pairs = pairs.map(|pair| (text(&pair.entity_type), pair.entity_name.as_ref().map(text)));
    let mut entity: Vec<_> = pairs.collect();
    entity.sort_unstable();
    MetadataRecord::ClientQuota {
        entity,
        key: text(&quota.key),
        value: (!quota.remove).then_some(quota.value),
    }
}

fn delegation_token(token: &DelegationTokenRecord) -> DelegationToken {
    DelegationToken {
        token_id: text(&token.token_id),
        owner: text(&token.owner),
        requester: text(&token.requester),
        renewers: token.renewers.iter().map(text).collect(),
        issue_timestamp_ms: token.issue_timestamp,
        max_timestamp_ms: token.max_timestamp,
        expiration_timestamp_ms: token.expiration_timestamp,
    }
}
