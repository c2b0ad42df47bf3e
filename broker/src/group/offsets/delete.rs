//! OffsetDelete (KIP-496), and what goes when a group or a topic is deleted.

use protocol_codec::messages::offset_delete::{
    OffsetDeleteRequestTopic, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic, Request,
    Response,
};
use protocol_codec::{ErrorCode, StrBytes};

use super::Offsets;
use crate::group::classic::group::ClassicGroup;
use crate::group::classic::state::GroupState;
use crate::group::context::Context;
use crate::group::event::DeletedTopic;
use crate::group::record::Record;

/// Offsets of topics that a consumer group does not read any more may go while it runs. Of
/// other groups with members nobody knows what they need.
pub(crate) fn delete(
    ctx: &mut Context<'_>,
    group: Option<&ClassicGroup>,
    offsets: &Offsets,
    request: &Request,
) -> Response {
    let Some(group) = group else { return error_response(ErrorCode::GroupIdNotFound) };
    if !group.is_in(GroupState::Empty) && !group.uses_consumer_protocol() {
        return error_response(ErrorCode::NonEmptyGroup);
    }
    let topics = request.topics.iter();
    let topics = topics.map(|topic| delete_topic(ctx, group, offsets, topic)).collect();
    Response { topics, ..Default::default() }
}

pub(crate) fn error_response(error: ErrorCode) -> Response {
    Response { error_code: error.into(), ..Default::default() }
}

fn delete_topic(
    ctx: &mut Context<'_>,
    group: &ClassicGroup,
    offsets: &Offsets,
    topic: &OffsetDeleteRequestTopic,
) -> OffsetDeleteResponseTopic {
    let error = if group.is_subscribed_to(&topic.name) {
        ErrorCode::GroupSubscribedToTopic
    } else {
        ErrorCode::None
    };
    let partitions = topic.partitions.iter().map(|partition| {
        let index = partition.partition_index;
        if error == ErrorCode::None && offsets.get(&group.id, &topic.name, index).is_some() {
            ctx.out.records.push(Record::offset(&group.id, &topic.name, index, None));
        }
        OffsetDeleteResponsePartition { partition_index: index, error_code: error.into() }
    });
    OffsetDeleteResponseTopic { name: topic.name.clone(), partitions: partitions.collect() }
}

/// Tombstones for every offset of the group.
pub(crate) fn delete_all(ctx: &mut Context<'_>, offsets: &Offsets, group_id: &StrBytes) {
    for (topic, partitions) in offsets.group(group_id).into_iter().flatten() {
        for index in partitions.keys() {
            ctx.out.records.push(Record::offset(group_id, topic, *index, None));
        }
    }
}

/// Tombstones for the offsets of deleted topics, in all groups.
pub(crate) fn delete_of_topics(ctx: &mut Context<'_>, offsets: &Offsets, topics: &[DeletedTopic]) {
    for (group_id, by_topic) in offsets.groups() {
        for topic in topics {
            let committed = by_topic.get(&topic.name).into_iter().flatten();
            for (index, _) in committed.filter(|(_, offset)| offset.is_for(topic.id)) {
                ctx.out.records.push(Record::offset(group_id, &topic.name, *index, None));
            }
        }
    }
}
