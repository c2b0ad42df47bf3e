//! OffsetDelete: committed offsets of topics that the group does not read any more go.
//!
//! Topics and partitions that do not exist are answered here.

use controller::image::topics::TopicsImage;
use protocol_codec::ErrorCode;
use protocol_codec::messages::offset_delete::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic, OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic, Request, Response,
};

use crate::broker::Broker;
use crate::context::RequestContext;

pub async fn handle(broker: &Broker, _context: &RequestContext, mut request: Request) -> Response {
    let image = broker.image();
    let mut refused = Vec::new();
    let mut known = Vec::with_capacity(request.topics.len());
    for topic in std::mem::take(&mut request.topics) {
        known.extend(existing(&image.topics, topic, &mut refused));
    }
    if known.is_empty() {
        return Response { topics: refused, ..Default::default() };
    }
    request.topics = known;
    let mut response = broker.groups().offset_delete(request).await;
    if response.error_code == 0 {
        for topic in std::mem::take(&mut response.topics) {
            match refused.iter_mut().find(|other| other.name == topic.name) {
                Some(other) => other.partitions.extend(topic.partitions),
                None => refused.push(topic),
            }
        }
        response.topics = refused;
    }
    response
}

/// The part of a topic that exists; what does not is added to `refused`.
fn existing(
    topics: &TopicsImage,
    mut topic: OffsetDeleteRequestTopic,
    refused: &mut Vec<OffsetDeleteResponseTopic>,
) -> Option<OffsetDeleteRequestTopic> {
    let image = topics.by_name(&topic.name);
    let exists = |p: &OffsetDeleteRequestPartition| {
        image.is_some_and(|image| image.partition(p.partition_index).is_some())
    };
    let (known, unknown): (Vec<_>, Vec<_>) = topic.partitions.drain(..).partition(exists);
    if !unknown.is_empty() {
        let error_code = ErrorCode::UnknownTopicOrPartition.into();
        let partitions = unknown.into_iter().map(|p| OffsetDeleteResponsePartition {
            partition_index: p.partition_index,
            error_code,
        });
        let name = topic.name.clone();
        refused.push(OffsetDeleteResponseTopic { name, partitions: partitions.collect() });
    }
    topic.partitions = known;
    (!topic.partitions.is_empty()).then_some(topic)
}
