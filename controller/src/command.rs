//! What can be asked of the controller, and its answers.
//!
//! Commands speak of Kafka's requests but not of their wire versions: a handler fills in the
//! defaults it has (partition count, replication factor) and translates back. Authorisation has
//! happened before. A command's randomness is a seed in [`crate::Context`], never drawn in a decision.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol_codec::ErrorCode;
use protocol_codec::Uuid;

use crate::image::brokers::{BrokerEndpoint, BrokerFeature};
use crate::image::configs::ConfigResource;

/// A change to the metadata, asked for by a client or by a broker. Each is decided and logged as a
/// whole: its records are one entry.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Gives the cluster its id and its first finalized features. Does nothing to a cluster that
    /// has them; the node itself submits it first.
    Bootstrap {
        cluster_id: Arc<str>,
    },
    RegisterBroker(RegisterBroker),
    UnregisterBroker {
        broker_id: i32,
    },
    /// Hides a broker and moves its leaderships to other in-sync replicas.
    FenceBroker {
        broker_id: i32,
        broker_epoch: i64,
    },
    /// Shows a broker and gives it the partitions that only it can lead.
    UnfenceBroker {
        broker_id: i32,
        broker_epoch: i64,
    },
    CreateTopics(CreateTopics),
    DeleteTopics {
        topics: Vec<TopicRef>,
    },
    CreatePartitions {
        topics: Vec<NewPartitions>,
        validate_only: bool,
    },
    AlterConfigs(AlterConfigs),
    /// Gives the broker a block of producer ids that nobody had before.
    AllocateProducerIds {
        broker_id: i32,
        broker_epoch: i64,
    },
    /// After an unclean stop: raises the leader epoch of every partition the broker leads, so that
    /// consumers which read past a lost tail find out (KIP-320).
    BumpLeaderEpochs {
        broker_id: i32,
        broker_epoch: i64,
    },
    /// Says in which log directories a broker's replicas lie.
    AssignReplicasToDirs {
        broker_id: i32,
        broker_epoch: i64,
        replicas: Vec<ReplicaDirectory>,
    },
}

/// The answer to a command; each variant belongs to the command of its name.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Bootstrap,
    /// The new broker epoch.
    RegisterBroker(Result<i64, ApiError>),
    UnregisterBroker(Result<(), ApiError>),
    FenceBroker(Result<(), ApiError>),
    UnfenceBroker(Result<(), ApiError>),
    CreateTopics(Vec<CreateTopicResult>),
    DeleteTopics(Vec<DeleteTopicResult>),
    CreatePartitions(Vec<CreatePartitionsResult>),
    AlterConfigs(Vec<AlterConfigsResult>),
    AllocateProducerIds(Result<ProducerIdsBlock, ApiError>),
    /// How many partitions got a new leader epoch.
    BumpLeaderEpochs(Result<usize, ApiError>),
    AssignReplicasToDirs(Result<(), ApiError>),
}

/// A Kafka error with the message that Kafka gives; `None` where it gives none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code:?}: {}", message.as_deref().unwrap_or("no further message"))]
pub struct ApiError {
    pub code: ErrorCode,
    pub message: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct RegisterBroker {
    pub broker_id: i32,
    /// Must be the cluster's own, or absent.
    pub cluster_id: Option<Arc<str>>,
    pub incarnation_id: Uuid,
    pub endpoints: Vec<BrokerEndpoint>,
    pub features: Vec<BrokerFeature>,
    pub rack: Option<Arc<str>>,
    pub log_dirs: Vec<Uuid>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct CreateTopics {
    pub topics: Vec<NewTopic>,
    pub validate_only: bool,
    /// `num.partitions`, for topics that ask for -1.
    pub default_num_partitions: i32,
    /// `default.replication.factor`, for topics that ask for -1.
    pub default_replication_factor: i16,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewTopic {
    pub name: Arc<str>,
    /// -1 for the default, or when there are assignments.
    pub num_partitions: i32,
    /// -1 for the default, or when there are assignments.
    pub replication_factor: i16,
    /// Partition number and brokers; empty to let the controller place replicas.
    pub assignments: Vec<(i32, Vec<i32>)>,
    pub configs: Vec<(Arc<str>, Option<Arc<str>>)>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CreateTopicResult {
    pub name: Arc<str>,
    pub result: Result<CreatedTopic, ApiError>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CreatedTopic {
    /// For a request that only validates: an id that no topic has.
    pub topic_id: Uuid,
    pub num_partitions: i32,
    pub replication_factor: i16,
    /// The configs that were set on creation, without defaults.
    pub configs: BTreeMap<Arc<str>, Arc<str>>,
}

/// How a request names a topic: wrong ones name it by both or by neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicRef {
    pub name: Option<Arc<str>>,
    /// [`Uuid::ZERO`] when the name says it.
    pub id: Uuid,
}

#[derive(Clone, Debug, PartialEq)]
pub struct DeleteTopicResult {
    pub name: Option<Arc<str>>,
    pub topic_id: Uuid,
    pub result: Result<(), ApiError>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct NewPartitions {
    pub name: Arc<str>,
    /// The number of partitions that the topic shall have.
    pub count: i32,
    /// The brokers of each new partition; `None` to let the controller place replicas.
    pub assignments: Option<Vec<Vec<i32>>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CreatePartitionsResult {
    pub name: Arc<str>,
    pub result: Result<(), ApiError>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlterConfigs {
    pub changes: Vec<ConfigChange>,
    pub validate_only: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ConfigChange {
    pub resource: ConfigResource,
    pub operations: ConfigOperations,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ConfigOperations {
    /// IncrementalAlterConfigs: each named config is changed, the others stay.
    Incremental(Vec<(Arc<str>, ConfigOperation)>),
    /// AlterConfigs: these and no other configs are set afterwards.
    Replace(Vec<(Arc<str>, Option<Arc<str>>)>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigOperation {
    Set(Option<Arc<str>>),
    Delete,
    /// Adds the elements of a comma-separated list that are not there yet.
    Append(Option<Arc<str>>),
    Subtract(Option<Arc<str>>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct AlterConfigsResult {
    pub resource: ConfigResource,
    pub result: Result<(), ApiError>,
}

/// Producer ids `first..first + len`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdsBlock {
    pub first: i64,
    pub len: i32,
}

/// The log directory in which a broker keeps one replica.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplicaDirectory {
    pub topic_id: Uuid,
    pub partition_id: i32,
    pub directory: Uuid,
}

impl ConfigOperation {
    pub(crate) fn lacks_value(&self) -> bool {
        match self {
            ConfigOperation::Set(value)
            | ConfigOperation::Append(value)
            | ConfigOperation::Subtract(value) => value.is_none(),
            ConfigOperation::Delete => false,
        }
    }
}

impl ApiError {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        ApiError { code, message: Some(message.into()) }
    }

    /// An error that Kafka sends without a message of its own.
    pub fn bare(code: ErrorCode) -> Self {
        ApiError { code, message: None }
    }
}
