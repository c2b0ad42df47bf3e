//! OffsetCommit: a group notes how far it has read.
//!
//! Topics and partitions that do not exist are answered here; the rest goes to the coordinator,
//! with name and id both, whichever the client gave.

use controller::image::topics::TopicsImage;
use protocol_codec::messages::offset_commit::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic, Request, Response,
};
use protocol_codec::{ErrorCode, StrBytes};

use crate::broker::Broker;
use crate::context::RequestContext;

/// First version that names topics by their id.
const VERSION_TOPIC_IDS: i16 = 10;

pub async fn handle(broker: &Broker, context: &RequestContext, mut request: Request) -> Response {
    let image = broker.image();
    let by_id = context.api_version >= VERSION_TOPIC_IDS;
    let mut refused = Vec::new();
    let mut known = Vec::with_capacity(request.topics.len());
    for topic in std::mem::take(&mut request.topics) {
        known.extend(resolve(&image.topics, topic, by_id, &mut refused));
    }
    if known.is_empty() {
        return Response { topics: refused, ..Default::default() };
    }
    request.topics = known;
    let mut response = broker.groups().offset_commit(context.api_version, request).await;
    response.topics = merged(refused, response.topics);
    response
}

/// The part of a topic that exists; what does not is added to `refused`.
fn resolve(
    topics: &TopicsImage,
    mut topic: OffsetCommitRequestTopic,
    by_id: bool,
    refused: &mut Vec<OffsetCommitResponseTopic>,
) -> Option<OffsetCommitRequestTopic> {
    let image = if by_id { topics.by_id(&topic.topic_id) } else { topics.by_name(&topic.name) };
    let Some(image) = image else {
        let error =
            if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
        let partitions = topic.partitions.iter().map(|p| error_of(p, error)).collect();
        refused.push(answer_of(&topic, partitions));
        return None;
    };
    topic.name = StrBytes::from(&*image.name);
    topic.topic_id = image.id;
    let exists = |p: &OffsetCommitRequestPartition| image.partition(p.partition_index).is_some();
    let (known, unknown): (Vec<_>, Vec<_>) = topic.partitions.drain(..).partition(exists);
    if !unknown.is_empty() {
        let error = ErrorCode::UnknownTopicOrPartition;
        let partitions = unknown.iter().map(|p| error_of(p, error)).collect();
        refused.push(answer_of(&topic, partitions));
    }
    topic.partitions = known;
    (!topic.partitions.is_empty()).then_some(topic)
}

fn answer_of(
    topic: &OffsetCommitRequestTopic,
    partitions: Vec<OffsetCommitResponsePartition>,
) -> OffsetCommitResponseTopic {
    OffsetCommitResponseTopic { name: topic.name.clone(), topic_id: topic.topic_id, partitions }
}

fn error_of(
    partition: &OffsetCommitRequestPartition,
    error: ErrorCode,
) -> OffsetCommitResponsePartition {
    let partition_index = partition.partition_index;
    OffsetCommitResponsePartition { partition_index, error_code: error.into() }
}

/// Each topic once, with all its partitions.
fn merged(
    mut refused: Vec<OffsetCommitResponseTopic>,
    answered: Vec<OffsetCommitResponseTopic>,
) -> Vec<OffsetCommitResponseTopic> {
    for topic in answered {
        let same = refused
            .iter_mut()
            .find(|other| other.name == topic.name && other.topic_id == topic.topic_id);
        match same {
            Some(other) => other.partitions.extend(topic.partitions),
            None => refused.push(topic),
        }
    }
    refused
}
