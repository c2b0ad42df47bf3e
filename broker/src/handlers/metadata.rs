//! Metadata: brokers, topics, partitions and their leaders.

use std::sync::Arc;

use controller::MetadataImage;
use controller::image::topics::{PartitionRegistration, TopicImage};
use protocol_codec::messages::metadata::{
    MetadataRequestTopic, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
    Request, Response,
};
use protocol_codec::{ErrorCode, StrBytes, Uuid};
use storage::topic_partition::is_legal_topic_name;

use super::authorized_operations;
use super::produce::is_internal;
use crate::broker::{self, Broker, NodeAddress};
use crate::context::RequestContext;
use crate::replication::replica_manager::Topics;
use crate::security::{Operation, Resource};

/// From this version on, an empty list of topics means none; before, it means all.
const EMPTY_MEANS_NONE_FROM: i16 = 1;

/// From this version on, topics can be asked for by id alone.
const BY_ID_FROM: i16 = 12;

pub async fn handle(broker: &Broker, context: &RequestContext, request: Request) -> Response {
    let image = broker.image();
    let listener = &*context.connection.listener;
    let mut response = Response {
        brokers: brokers(&image, listener),
        cluster_id: image.cluster_id.as_deref().map(StrBytes::from),
        controller_id: broker.controller().quorum_status().leader.unwrap_or(-1),
        ..Default::default()
    };
    let wants_operations = request.include_topic_authorized_operations;
    let view = View {
        image: &image,
        listener,
        node_id: broker.node_id(),
        replicas: &broker.replicas().topics(),
    };
    let describe = |topic: &Arc<TopicImage>| view.describe(topic, wants_operations);
    let sees = |name: &str| broker.allows(context, Operation::Describe, Resource::Topic(name));
    let may_create = |topic: &MetadataRequestTopic| {
        let name = topic.name.as_deref().unwrap_or_default();
        broker.allows(context, Operation::Create, Resource::Cluster)
            || broker.allows(context, Operation::Create, Resource::Topic(name))
    };
    match &request.topics {
        Some(topics) if !topics.is_empty() || context.api_version >= EMPTY_MEANS_NONE_FROM => {
            if let Err(code) = check(topics, context.api_version) {
                return refuse(topics, code);
            }
            let mut missing = Vec::new();
            let creates = request.allow_auto_topic_creation
                && broker.config().topics.auto_create_topics_enable;
            for topic in topics {
                response.topics.push(match find(&image, topic) {
                    Ok(found) if sees(&found.name) => describe(found),
                    Ok(_) => denied(topic),
                    Err(_) if topic.name.as_ref().is_some_and(|name| !sees(name)) => denied(topic),
                    Err(ErrorCode::UnknownTopicOrPartition) if creates && !may_create(topic) => {
                        denied(topic)
                    }
                    Err(code) => unknown(topic, code, &mut missing),
                });
            }
            if creates {
                broker.auto_topics().create(missing);
            }
        }
        Some(_) | None => {
            let seen = image.topics.iter().filter(|topic| sees(&topic.name));
            response.topics = seen.map(describe).collect();
        }
    }
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = authorized_operations::CLUSTER;
    }
    response
}

/// Requests that mean nothing.
fn check(topics: &[MetadataRequestTopic], version: i16) -> Result<(), ErrorCode> {
    for topic in topics {
        let by_id_alone = topic.name.is_none();
        if version < BY_ID_FROM && (by_id_alone || !topic.topic_id.is_zero()) {
            return Err(ErrorCode::InvalidRequest);
        }
        if by_id_alone && topic.topic_id.is_zero() {
            return Err(ErrorCode::InvalidRequest);
        }
    }
    Ok(())
}

fn refuse(topics: &[MetadataRequestTopic], code: ErrorCode) -> Response {
    let refused = topics.iter().map(|topic| MetadataResponseTopic {
        error_code: code.into(),
        // Versions below 12 have no null here.
        name: Some(topic.name.clone().unwrap_or_default()),
        topic_id: topic.topic_id,
        ..Default::default()
    });
    Response { topics: refused.collect(), error_code: code.into(), ..Default::default() }
}

fn find<'a>(
    image: &'a MetadataImage,
    topic: &MetadataRequestTopic,
) -> Result<&'a Arc<TopicImage>, ErrorCode> {
    match &topic.name {
        _ if !topic.topic_id.is_zero() => {
            image.topics.by_id(&topic.topic_id).ok_or(ErrorCode::UnknownTopicId)
        }
        Some(name) => match image.topics.by_name(name) {
            Some(found) => Ok(found),
            None if is_legal_topic_name(name) => Err(ErrorCode::UnknownTopicOrPartition),
            None => Err(ErrorCode::InvalidTopicException),
        },
        None => Err(ErrorCode::UnknownTopicId),
    }
}

/// A topic that the client may not see: nothing is said about it, not even that it is there.
fn denied(topic: &MetadataRequestTopic) -> MetadataResponseTopic {
    let by_id = !topic.topic_id.is_zero();
    MetadataResponseTopic {
        error_code: ErrorCode::TopicAuthorizationFailed.into(),
        name: topic.name.clone().filter(|_| !by_id),
        topic_id: topic.topic_id,
        ..Default::default()
    }
}

fn unknown<'a>(
    topic: &'a MetadataRequestTopic,
    code: ErrorCode,
    missing: &mut Vec<&'a str>,
) -> MetadataResponseTopic {
    if code == ErrorCode::UnknownTopicOrPartition {
        missing.extend(topic.name.as_deref());
    }
    let by_id = code == ErrorCode::UnknownTopicId;
    MetadataResponseTopic {
        error_code: code.into(),
        name: topic.name.clone().filter(|_| !by_id),
        topic_id: if by_id { topic.topic_id } else { Uuid::ZERO },
        is_internal: topic.name.as_deref().is_some_and(is_internal),
        ..Default::default()
    }
}

fn brokers(image: &MetadataImage, listener: &str) -> Vec<MetadataResponseBroker> {
    let ids = image.brokers.unfenced().map(|broker| broker.id);
    let address = |node_id| {
        let NodeAddress { host, port, rack } = broker::endpoint(image, node_id, listener)?;
        Some(MetadataResponseBroker { node_id, host, port, rack })
    };
    ids.filter_map(address).collect()
}

/// What topics are described from.
struct View<'a> {
    image: &'a MetadataImage,
    listener: &'a str,
    node_id: i32,
    replicas: &'a Topics,
}

impl View<'_> {
    fn describe(&self, topic: &TopicImage, wants_operations: bool) -> MetadataResponseTopic {
        let mut answer = MetadataResponseTopic {
            name: Some(StrBytes::from(&*topic.name)),
            topic_id: topic.id,
            is_internal: is_internal(&topic.name),
            ..Default::default()
        };
        answer.partitions.reserve_exact(topic.partitions().len());
        for (number, partition) in topic.numbered_partitions() {
            answer.partitions.push(self.describe_partition(&topic.id, number, partition));
        }
        if wants_operations {
            answer.topic_authorized_operations = authorized_operations::TOPIC;
        }
        answer
    }

    /// A partition whose log directory is offline has no leader, as in Kafka, where the controller
    /// takes the lead away from it.
    fn describe_partition(
        &self,
        topic: &Uuid,
        number: i32,
        partition: &PartitionRegistration,
    ) -> MetadataResponsePartition {
        let brokers = &self.image.brokers;
        let is_offline_here = self.replicas.is_offline(topic, number);
        let is_offline = |id: i32| id == self.node_id && is_offline_here;
        let is_reachable = |id: i32| {
            brokers.get(id).is_some_and(|b| !b.fenced && b.endpoint(self.listener).is_some())
                && !is_offline(id)
        };
        let leader = partition.leader;
        let error = if leader < 0 || !brokers.is_active(leader) || is_offline(leader) {
            ErrorCode::LeaderNotAvailable
        } else if is_reachable(leader) {
            ErrorCode::None
        } else {
            ErrorCode::ListenerNotFound
        };
        let leader_id = if error == ErrorCode::None { leader } else { -1 };
        let offline = partition.replicas.iter().copied().filter(|id| !is_reachable(*id));
        MetadataResponsePartition {
            error_code: error.into(),
            partition_index: number,
            leader_id,
            leader_epoch: partition.leader_epoch,
            replica_nodes: partition.replicas.clone(),
            isr_nodes: partition.isr.clone(),
            offline_replicas: offline.collect(),
        }
    }
}
