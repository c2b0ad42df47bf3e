//! Generated records: any of them, and sequences that make sense one after the other.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use protocol_codec::Uuid;

use crate::image::brokers::{BrokerEndpoint, BrokerFeature, BrokerRegistration};
use crate::image::client_quotas::QuotaEntity;
use crate::image::configs::{ConfigResource, ConfigResourceType};
use crate::image::security::{AccessControlEntry, DelegationToken, ScramCredential};
use crate::image::topics::PartitionRegistration;
use crate::record::{BrokerRegistrationChange, MetadataRecord, PartitionChange};

fn text() -> impl Strategy<Value = Arc<str>> {
    "[a-z.ü]{0,8}".prop_map(Arc::from)
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<[u8; 16]>().prop_map(Uuid::from_bytes)
}

fn ids() -> impl Strategy<Value = Vec<i32>> {
    vec(any::<i32>(), 0..4)
}

fn resource() -> impl Strategy<Value = ConfigResource> {
    let kind = prop_oneof![
        Just(ConfigResourceType::Topic),
        Just(ConfigResourceType::Broker),
        Just(ConfigResourceType::ClientMetrics),
        Just(ConfigResourceType::Group),
    ];
    (kind, text()).prop_map(|(kind, name)| ConfigResource { kind, name })
}

fn partition() -> impl Strategy<Value = PartitionRegistration> {
    let replicas = (ids(), vec(uuid(), 0..3), ids(), ids(), ids(), ids(), ids());
    let numbers = (any::<i32>(), any::<i8>(), 0..i32::MAX - 1000, 0..i32::MAX - 1000);
    (replicas, numbers).prop_map(|(lists, numbers)| PartitionRegistration {
        replicas: lists.0,
        directories: lists.1,
        isr: lists.2,
        removing_replicas: lists.3,
        adding_replicas: lists.4,
        eligible_leader_replicas: lists.5,
        last_known_elr: lists.6,
        leader: numbers.0,
        leader_recovery_state: numbers.1,
        leader_epoch: numbers.2,
        partition_epoch: numbers.3,
    })
}

fn change() -> impl Strategy<Value = PartitionChange> {
    let lists = vec(option::of(ids()), 6);
    let others = (option::of(any::<i32>()), option::of(any::<i8>()), option::of(vec(uuid(), 0..3)));
    (uuid(), any::<i32>(), lists, others).prop_map(|(topic_id, partition_id, lists, others)| {
        let mut lists = lists.into_iter();
        let mut next = || lists.next().flatten();
        PartitionChange {
            topic_id,
            partition_id,
            isr: next(),
            replicas: next(),
            removing_replicas: next(),
            adding_replicas: next(),
            eligible_leader_replicas: next(),
            last_known_elr: next(),
            leader: others.0,
            leader_recovery_state: others.1,
            directories: others.2,
        }
    })
}

fn broker() -> impl Strategy<Value = BrokerRegistration> {
    let endpoint = (text(), text(), any::<u16>(), any::<i16>()).prop_map(
        |(name, host, port, security_protocol)| BrokerEndpoint {
            name,
            host,
            port,
            security_protocol,
        },
    );
    let feature = (text(), any::<i16>(), any::<i16>()).prop_map(|(name, min, max)| BrokerFeature {
        name,
        min_supported: min,
        max_supported: max,
    });
    let ids = (0..5_i32, any::<i64>(), uuid(), vec(uuid(), 0..3));
    let rest =
        (vec(endpoint, 0..3), vec(feature, 0..3), option::of(text()), any::<bool>(), any::<bool>());
    (ids, rest).prop_map(|(ids, rest)| BrokerRegistration {
        id: ids.0,
        epoch: ids.1,
        incarnation_id: ids.2,
        log_dirs: ids.3,
        endpoints: rest.0,
        features: rest.1,
        rack: rest.2,
        fenced: rest.3,
        in_controlled_shutdown: rest.4,
    })
}

fn entity() -> impl Strategy<Value = QuotaEntity> {
    vec((text(), option::of(text())), 0..3)
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..4)
}

fn acl() -> impl Strategy<Value = AccessControlEntry> {
    let names = (text(), text(), text());
    (uuid(), names, any::<[i8; 4]>()).prop_map(|(id, names, codes)| AccessControlEntry {
        id,
        resource_type: codes[0],
        resource_name: names.0,
        pattern_type: codes[1],
        principal: names.1,
        host: names.2,
        operation: codes[2],
        permission_type: codes[3],
    })
}

fn scram() -> impl Strategy<Value = ScramCredential> {
    (text(), 0..3_i8, bytes(), bytes(), bytes(), any::<i32>()).prop_map(|fields| ScramCredential {
        user: fields.0,
        mechanism: fields.1,
        salt: fields.2,
        stored_key: fields.3,
        server_key: fields.4,
        iterations: fields.5,
    })
}

fn token() -> impl Strategy<Value = DelegationToken> {
    (text(), text(), text(), vec(text(), 0..3), any::<[i64; 3]>()).prop_map(|fields| {
        DelegationToken {
            token_id: fields.0,
            owner: fields.1,
            requester: fields.2,
            renewers: fields.3,
            issue_timestamp_ms: fields.4[0],
            max_timestamp_ms: fields.4[1],
            expiration_timestamp_ms: fields.4[2],
        }
    })
}

/// A record about access or quotas.
fn access_record() -> impl Strategy<Value = MetadataRecord> {
    prop_oneof![
        acl().prop_map(MetadataRecord::AccessControlEntry),
        uuid().prop_map(|id| MetadataRecord::RemoveAccessControlEntry { id }),
        scram().prop_map(MetadataRecord::UserScramCredential),
        (text(), 0..3_i8).prop_map(|(user, mechanism)| {
            MetadataRecord::RemoveUserScramCredential { user, mechanism }
        }),
        (entity(), text(), option::of(0..9_i32)).prop_map(|(entity, key, value)| {
            MetadataRecord::ClientQuota { entity, key, value: value.map(f64::from) }
        }),
        token().prop_map(MetadataRecord::DelegationToken),
        text().prop_map(|token_id| MetadataRecord::RemoveDelegationToken { token_id }),
    ]
}

/// Any record, whether an image could take it or not.
pub(crate) fn record() -> impl Strategy<Value = MetadataRecord> {
    let flags = (option::of(any::<bool>()), option::of(any::<bool>()));
    prop_oneof![
        text().prop_map(|cluster_id| MetadataRecord::ClusterId { cluster_id }),
        (text(), any::<i16>())
            .prop_map(|(name, level)| MetadataRecord::FeatureLevel { name, level }),
        broker().prop_map(MetadataRecord::RegisterBroker),
        (any::<i32>(), any::<i64>()).prop_map(|(broker_id, broker_epoch)| {
            MetadataRecord::UnregisterBroker { broker_id, broker_epoch }
        }),
        (any::<i32>(), any::<i64>(), flags, option::of(vec(uuid(), 0..3))).prop_map(
            |(broker_id, broker_epoch, flags, log_dirs)| {
                MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
                    broker_id,
                    broker_epoch,
                    fenced: flags.0,
                    in_controlled_shutdown: flags.1,
                    log_dirs,
                })
            }
        ),
        (text(), uuid()).prop_map(|(name, topic_id)| MetadataRecord::Topic { name, topic_id }),
        uuid().prop_map(|topic_id| MetadataRecord::RemoveTopic { topic_id }),
        (uuid(), any::<i32>(), partition()).prop_map(|(topic_id, partition_id, registration)| {
            MetadataRecord::Partition { topic_id, partition_id, registration }
        }),
        change().prop_map(MetadataRecord::PartitionChange),
        (resource(), text(), option::of(text())).prop_map(|(resource, name, value)| {
            MetadataRecord::Config { resource, name, value }
        }),
        (any::<i32>(), any::<i64>(), any::<i64>()).prop_map(
            |(broker_id, broker_epoch, next_producer_id)| MetadataRecord::ProducerIds {
                broker_id,
                broker_epoch,
                next_producer_id,
            }
        ),
        access_record(),
    ]
}

/// Records on few topics, brokers and configs, so that they meet each other. Some contradict what
/// came before; an image refuses those.
pub(crate) fn related_record() -> impl Strategy<Value = MetadataRecord> {
    fn topic(number: u8) -> Uuid {
        Uuid::from_bytes([number; 16])
    }
    let name = |number: u8| Arc::from(["a", "a.b", "a_b", "c.", "c_"][usize::from(number)]);
    prop_oneof![
        3 => (0..5_u8, 0..9_u8).prop_map(move |(named, id)| {
            MetadataRecord::Topic { name: name(named), topic_id: topic(id) }
        }),
        2 => (0..9_u8).prop_map(|id| MetadataRecord::RemoveTopic { topic_id: topic(id) }),
        6 => (0..9_u8, 0..3_i32, partition()).prop_map(|(id, partition_id, registration)| {
            MetadataRecord::Partition { topic_id: topic(id), partition_id, registration }
        }),
        4 => (0..9_u8, 0..3_i32, change()).prop_map(|(id, partition_id, change)| {
            let topic_id = topic(id);
            MetadataRecord::PartitionChange(PartitionChange { topic_id, partition_id, ..change })
        }),
        2 => broker().prop_map(|broker| {
            MetadataRecord::RegisterBroker(BrokerRegistration { epoch: 1, ..broker })
        }),
        1 => (0..5_i32).prop_map(|broker_id| {
            MetadataRecord::UnregisterBroker { broker_id, broker_epoch: 1 }
        }),
        1 => (0..5_i32, option::of(any::<bool>())).prop_map(|(broker_id, fenced)| {
            MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
                broker_id,
                broker_epoch: 1,
                fenced,
                ..BrokerRegistrationChange::default()
            })
        }),
        4 => (0..5_u8, 0..3_u8, option::of(text())).prop_map(move |(named, key, value)| {
            MetadataRecord::Config {
                resource: ConfigResource::topic(name(named)),
                name: Arc::from(["x", "y", "z"][usize::from(key)]),
                value,
            }
        }),
        1 => (text(), 0..3_i16)
            .prop_map(|(name, level)| MetadataRecord::FeatureLevel { name, level }),
        2 => access_record(),
        1 => any::<i64>().prop_map(|next_producer_id| MetadataRecord::ProducerIds {
            broker_id: 1,
            broker_epoch: 1,
            next_producer_id,
        }),
    ]
}
