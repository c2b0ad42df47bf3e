//! OffsetFetch: the committed offsets of one group, all of them or those asked for.
//!
//! A group or partition without one is no error: its offset is -1.

use protocol_codec::StrBytes;
use protocol_codec::messages::offset_fetch::{
    OffsetFetchRequestTopics, OffsetFetchResponseGroup, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopics,
};

use super::{CommittedOffset, GroupOffsets, INVALID_OFFSET, NO_LEADER_EPOCH};
use crate::group::event::OffsetFetch;

pub(crate) fn fetch(
    offsets: Option<&GroupOffsets>,
    request: &OffsetFetch,
) -> OffsetFetchResponseGroup {
    let topics = match &request.topics {
        Some(topics) => topics.iter().map(|topic| fetch_topic(offsets, topic)).collect(),
        None => offsets
            .into_iter()
            .flatten()
            .map(|(topic, partitions)| {
                let partitions =
                    partitions.iter().map(|(index, offset)| partition(*index, Some(offset)));
                response_topic(topic, partitions.collect())
            })
            .collect(),
    };
    OffsetFetchResponseGroup { group_id: request.group_id.clone(), topics, ..Default::default() }
}

fn fetch_topic(
    offsets: Option<&GroupOffsets>,
    topic: &OffsetFetchRequestTopics,
) -> OffsetFetchResponseTopics {
    let committed = offsets.and_then(|topics| topics.get(&topic.name));
    let partitions = topic.partition_indexes.iter().map(|index| {
        let offset = committed.and_then(|partitions| partitions.get(index));
        partition(*index, offset.filter(|offset| offset.is_for(topic.topic_id)))
    });
    OffsetFetchResponseTopics {
        topic_id: topic.topic_id,
        ..response_topic(&topic.name, partitions.collect())
    }
}

fn response_topic(
    name: &StrBytes,
    partitions: Vec<OffsetFetchResponsePartitions>,
) -> OffsetFetchResponseTopics {
    OffsetFetchResponseTopics { name: name.clone(), partitions, ..Default::default() }
}

fn partition(index: i32, offset: Option<&CommittedOffset>) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index: index,
        committed_offset: offset.map_or(INVALID_OFFSET, |o| o.offset),
        committed_leader_epoch: offset.map_or(NO_LEADER_EPOCH, |o| o.leader_epoch),
        metadata: Some(offset.map(|o| o.metadata.clone()).unwrap_or_default()),
        ..Default::default()
    }
}
