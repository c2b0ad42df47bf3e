//! OffsetFetch: how far groups have read.
//!
//! To version 7 a request asks for one group, at the top level; since version 8 for several.
//! Since version 10 topics are named by their ids, which are resolved here, on the way in and,
//! where all topics are asked for, on the way out.

use controller::image::topics::TopicsImage;
use protocol_codec::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics, Request, Response,
};
use protocol_codec::{ErrorCode, StrBytes, Uuid};

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::group::event::OffsetFetch;

/// First version with an error for the whole group.
const VERSION_GROUP_ERROR: i16 = 2;
/// First version with several groups.
const VERSION_GROUPS: i16 = 8;
/// First version that names topics by their id.
const VERSION_TOPIC_IDS: i16 = 10;

pub async fn handle(broker: &Broker, context: &RequestContext, request: Request) -> Response {
    let version = context.api_version;
    if version < VERSION_GROUPS {
        return one_group(broker, version, request).await;
    }
    let image = broker.image();
    let by_id = version >= VERSION_TOPIC_IDS;
    let mut refused = Vec::with_capacity(request.groups.len());
    let mut groups = Vec::with_capacity(request.groups.len());
    for group in request.groups {
        let (known, unknown) = if by_id {
            resolve(&image.topics, group)
        } else {
            (identify(&image.topics, asked(group)), Vec::new())
        };
        groups.push(known);
        refused.push(unknown);
    }
    let mut responses = broker.groups().offset_fetch(groups).await;
    for (response, unknown) in responses.iter_mut().zip(refused) {
        if by_id {
            name_by_id(&image.topics, response);
        }
        if response.error_code == 0 {
            response.topics.extend(unknown);
        }
    }
    Response { groups: responses, ..Default::default() }
}

/// Versions 1 to 7.
async fn one_group(broker: &Broker, version: i16, request: Request) -> Response {
    let asked = request.topics.as_deref().unwrap_or_default();
    let topics = request.topics.as_ref().map(|topics| {
        let topics = topics.iter().map(|topic| OffsetFetchRequestTopics {
            name: topic.name.clone(),
            topic_id: Uuid::ZERO,
            partition_indexes: topic.partition_indexes.clone(),
        });
        topics.collect()
    });
    let fetch = OffsetFetch { group_id: request.group_id.clone(), topics };
    let fetch = identify(&broker.image().topics, fetch);
    let group = broker.groups().offset_fetch(vec![fetch]).await.pop().unwrap_or_default();
    let topics = if group.error_code != 0 && version < VERSION_GROUP_ERROR {
        asked.iter().map(|topic| failed(topic, group.error_code)).collect()
    } else {
        group.topics.into_iter().map(old_topic).collect()
    };
    Response { topics, error_code: group.error_code, ..Default::default() }
}

fn old_topic(topic: OffsetFetchResponseTopics) -> OffsetFetchResponseTopic {
    let partitions = topic.partitions.into_iter().map(|p| OffsetFetchResponsePartition {
        partition_index: p.partition_index,
        committed_offset: p.committed_offset,
        committed_leader_epoch: p.committed_leader_epoch,
        metadata: p.metadata,
        error_code: p.error_code,
    });
    OffsetFetchResponseTopic { name: topic.name, partitions: partitions.collect() }
}

/// Version 1 has no place for an error but the partitions.
fn failed(topic: &OffsetFetchRequestTopic, error_code: i16) -> OffsetFetchResponseTopic {
    let partitions = topic.partition_indexes.iter().map(|index| OffsetFetchResponsePartition {
        partition_index: *index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(StrBytes::default()),
        error_code,
    });
    OffsetFetchResponseTopic { name: topic.name.clone(), partitions: partitions.collect() }
}

fn asked(group: OffsetFetchRequestGroup) -> OffsetFetch {
    OffsetFetch { group_id: group.group_id, topics: group.topics }
}

/// Adds the ids to the names: an offset that was committed for a topic which is gone says nothing
/// about one that was made again under its name.
fn identify(topics: &TopicsImage, mut group: OffsetFetch) -> OffsetFetch {
    for topic in group.topics.iter_mut().flatten() {
        topic.topic_id = topics.by_name(&topic.name).map_or(Uuid::ZERO, |image| image.id);
    }
    group
}

/// What is asked for of topics that exist, by name and id, and the answers for those that do not.
fn resolve(
    topics: &TopicsImage,
    group: OffsetFetchRequestGroup,
) -> (OffsetFetch, Vec<OffsetFetchResponseTopics>) {
    let mut group = asked(group);
    let mut unknown = Vec::new();
    let resolved = group.topics.take().map(|wanted| {
        let mut known = Vec::with_capacity(wanted.len());
        for mut topic in wanted {
            match topics.by_id(&topic.topic_id) {
                Some(image) => {
                    topic.name = StrBytes::from(&*image.name);
                    known.push(topic);
                }
                None => unknown.push(unknown_topic(&topic)),
            }
        }
        known
    });
    group.topics = resolved;
    (group, unknown)
}

fn unknown_topic(topic: &OffsetFetchRequestTopics) -> OffsetFetchResponseTopics {
    let partitions = topic.partition_indexes.iter().map(|index| OffsetFetchResponsePartitions {
        partition_index: *index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(StrBytes::default()),
        error_code: ErrorCode::UnknownTopicId.into(),
    });
    let (topic_id, partitions) = (topic.topic_id, partitions.collect());
    OffsetFetchResponseTopics { topic_id, partitions, ..Default::default() }
}

/// Gives the topics of an answer their ids; those that are gone cannot be named any more.
fn name_by_id(topics: &TopicsImage, response: &mut OffsetFetchResponseGroup) {
    response.topics.retain_mut(|topic| {
        if topic.topic_id == Uuid::ZERO {
            topic.topic_id = topics.by_name(&topic.name).map_or(Uuid::ZERO, |image| image.id);
        }
        topic.topic_id != Uuid::ZERO
    });
}
