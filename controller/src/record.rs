//! The records of the metadata log: facts, named as Kafka names them.
//!
//! A record says what is true from its entry on; replaying it needs no decision. The bytes of a
//! record, and what a reader does with records newer than itself, are in [`encoding`].

use std::sync::Arc;

use protocol_codec::Uuid;

use crate::image::brokers::BrokerRegistration;
use crate::image::client_quotas::QuotaEntity;
use crate::image::configs::ConfigResource;
use crate::image::security::{AccessControlEntry, DelegationToken, ScramCredential};
use crate::image::topics::PartitionRegistration;

pub mod encoding;
mod wire;

/// One fact of the metadata log.
#[derive(Clone, Debug, PartialEq)]
pub enum MetadataRecord {
    /// The identity of the cluster; the first record of every log, never changed.
    ClusterId { cluster_id: Arc<str> },
    /// A feature is finalized at a level; level 0 removes it.
    FeatureLevel { name: Arc<str>, level: i16 },
    /// A broker is registered, replacing an earlier registration of the same id.
    RegisterBroker(BrokerRegistration),
    /// A broker is gone for good.
    UnregisterBroker { broker_id: i32, broker_epoch: i64 },
    /// Parts of a broker's registration change.
    BrokerRegistrationChange(BrokerRegistrationChange),
    /// A topic exists; its partitions follow in the same entry.
    Topic { name: Arc<str>, topic_id: Uuid },
    /// A topic, its partitions and its configs are gone.
    RemoveTopic { topic_id: Uuid },
    /// A partition is as given, whether it existed before or not.
    Partition { topic_id: Uuid, partition_id: i32, registration: PartitionRegistration },
    /// Parts of a partition change; its partition epoch rises by one.
    PartitionChange(PartitionChange),
    /// A config of a resource is set, or removed when the value is `None`.
    Config { resource: ConfigResource, name: Arc<str>, value: Option<Arc<str>> },
    /// All producer ids below `next_producer_id` have been given out, the last to this broker.
    ProducerIds { broker_id: i32, broker_epoch: i64, next_producer_id: i64 },
    /// An access control entry exists.
    AccessControlEntry(AccessControlEntry),
    /// An access control entry is gone.
    RemoveAccessControlEntry { id: Uuid },
    /// A user's SCRAM credential is set, in place of an earlier one of the same mechanism.
    UserScramCredential(ScramCredential),
    /// A user's SCRAM credential is gone.
    RemoveUserScramCredential { user: Arc<str>, mechanism: i8 },
    /// A quota of a client entity is set, or removed when the value is `None`.
    ClientQuota { entity: QuotaEntity, key: Arc<str>, value: Option<f64> },
    /// A delegation token exists, or has new times.
    DelegationToken(DelegationToken),
    /// A delegation token is gone.
    RemoveDelegationToken { token_id: Arc<str> },
}

/// What changes in a broker's registration; `None` leaves a part as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BrokerRegistrationChange {
    pub broker_id: i32,
    pub broker_epoch: i64,
    pub fenced: Option<bool>,
    pub in_controlled_shutdown: Option<bool>,
    pub log_dirs: Option<Vec<Uuid>>,
}

/// What changes in a partition; `None` leaves a part as it is.
///
/// Naming a leader, even the same one, raises the leader epoch by one, as in Kafka.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartitionChange {
    pub topic_id: Uuid,
    pub partition_id: i32,
    pub isr: Option<Vec<i32>>,
    pub leader: Option<i32>,
    pub replicas: Option<Vec<i32>>,
    pub removing_replicas: Option<Vec<i32>>,
    pub adding_replicas: Option<Vec<i32>>,
    pub leader_recovery_state: Option<i8>,
    pub directories: Option<Vec<Uuid>>,
    pub eligible_leader_replicas: Option<Vec<i32>>,
    pub last_known_elr: Option<Vec<i32>>,
}
