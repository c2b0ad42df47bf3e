//! The decisions of the controller: pure functions from an image and a command to records.
//!
//! Only the leader decides, on its speculative image (what it has proposed, committed or not).
//! Nothing here reads a clock or draws randomness: both come in the [`Context`]. What is decided is
//! written as records, so the rules here may change from release to release without replicas
//! drifting apart.

use protocol_codec::ErrorCode;

use crate::command::{ApiError, Command, Outcome};
use crate::config_rules::ConfigRules;
use crate::image::MetadataImage;
use crate::image::brokers::BrokerRegistration;
use crate::record::MetadataRecord;

mod alter_configs;
mod brokers;
mod create_partitions;
mod create_topics;
mod delete_topics;
pub mod features;
mod leadership;
mod placement;
mod producer_ids;
mod random;
pub mod topic_name;

#[cfg(test)]
mod tests;

/// The most records that one user request may cause, as in Kafka.
pub const RECORDS_PER_USER_OP_MAX: usize = 10_000;

/// What a decision may know besides the image and the command.
pub struct Context<'a> {
    pub rules: &'a dyn ConfigRules,
    /// Milliseconds since the epoch.
    pub now_ms: i64,
    /// Fresh randomness for this command: topic ids and where placement starts.
    pub seed: u128,
}

impl std::fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context").field("now_ms", &self.now_ms).finish_non_exhaustive()
    }
}

/// The records that make a command true, and its answer. Without records nothing is logged.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub records: Vec<MetadataRecord>,
    pub outcome: Outcome,
}

/// Decides a command. The answer may be sent once the records are committed.
pub fn decide(image: &MetadataImage, command: &Command, context: &Context<'_>) -> Decision {
    let mut records = Vec::new();
    let out = &mut records;
    let outcome = match command {
        Command::Bootstrap { cluster_id } => {
            features::bootstrap(image, cluster_id, out);
            Outcome::Bootstrap
        }
        Command::RegisterBroker(broker) => {
            Outcome::RegisterBroker(brokers::register(image, broker, out))
        }
        Command::UnregisterBroker { broker_id } => {
            Outcome::UnregisterBroker(brokers::unregister(image, *broker_id, out))
        }
        Command::FenceBroker { broker_id, broker_epoch } => {
            Outcome::FenceBroker(brokers::fence(image, *broker_id, *broker_epoch, out))
        }
        Command::UnfenceBroker { broker_id, broker_epoch } => {
            Outcome::UnfenceBroker(brokers::unfence(image, *broker_id, *broker_epoch, out))
        }
        Command::CreateTopics(request) => {
            Outcome::CreateTopics(create_topics::decide(image, request, context, out))
        }
        Command::DeleteTopics { topics } => {
            Outcome::DeleteTopics(delete_topics::decide(image, topics, out))
        }
        Command::CreatePartitions { topics, validate_only } => {
            let results = create_partitions::decide(image, topics, context, out);
            if *validate_only {
                out.clear();
            }
            Outcome::CreatePartitions(results)
        }
        Command::AlterConfigs(request) => {
            Outcome::AlterConfigs(alter_configs::decide(image, request, context, out))
        }
        Command::AllocateProducerIds { broker_id, broker_epoch } => Outcome::AllocateProducerIds(
            producer_ids::allocate(image, *broker_id, *broker_epoch, out),
        ),
        Command::BumpLeaderEpochs { broker_id, broker_epoch } => Outcome::BumpLeaderEpochs(
            leadership::bump_leader_epochs(image, *broker_id, *broker_epoch, out),
        ),
        Command::AssignReplicasToDirs { broker_id, broker_epoch, replicas } => {
            Outcome::AssignReplicasToDirs(brokers::assign_replicas_to_dirs(
                image,
                *broker_id,
                *broker_epoch,
                replicas,
                out,
            ))
        }
    };
    Decision { records, outcome }
}

/// The registration of a broker that speaks with its current epoch.
fn checked_broker(
    image: &MetadataImage,
    broker_id: i32,
    broker_epoch: i64,
) -> Result<&BrokerRegistration, ApiError> {
    let Some(broker) = image.brokers.get(broker_id) else {
        return Err(ApiError::new(
            ErrorCode::BrokerIdNotRegistered,
            format!("No broker registration found for broker id {broker_id}"),
        ));
    };
    if broker.epoch != broker_epoch {
        return Err(ApiError::new(
            ErrorCode::StaleBrokerEpoch,
            format!("Expected broker epoch {}, but got broker epoch {broker_epoch}", broker.epoch),
        ));
    }
    Ok(broker)
}
