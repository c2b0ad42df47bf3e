//! OffsetCommit: who may commit, and the record of each offset.
//!
//! With a generation the commit must come from a member of it; without one (-1) it comes from a
//! consumer that assigns partitions to itself, or from an administrator, and the group must have
//! no members.

use protocol_codec::ErrorCode;
use protocol_codec::coordinator_records::consumer_offsets::OffsetCommitValue;
use protocol_codec::messages::offset_commit::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic, Request, Response,
};

use super::NO_EXPIRY;
use crate::group::GroupConfig;
use crate::group::classic::group::ClassicGroup;
use crate::group::classic::state::GroupState;
use crate::group::classic::static_members;
use crate::group::context::Context;
use crate::group::event::Now;
use crate::group::record::{Record, STRING_BYTES_MAX};

/// First version whose clients know GROUP_ID_NOT_FOUND.
const VERSION_GROUP_ID_NOT_FOUND: i16 = 9;

/// Checks the committer and keeps its session alive. A group that is not there is fine without a
/// generation: replaying the offset makes a simple group.
pub(crate) fn admit(
    ctx: &mut Context<'_>,
    group: Option<&ClassicGroup>,
    version: i16,
    request: &Request,
) -> Result<(), ErrorCode> {
    let generation = request.generation_id_or_member_epoch;
    let Some(group) = group else {
        return match generation {
            ..0 => Ok(()),
            _ if version >= VERSION_GROUP_ID_NOT_FOUND => Err(ErrorCode::GroupIdNotFound),
            _ => Err(ErrorCode::IllegalGeneration),
        };
    };
    if generation < 0 && group.is_in(GroupState::Empty) {
        return Ok(());
    }
    let instance_id = &request.group_instance_id;
    if generation < 0 && request.member_id.is_empty() && instance_id.is_none() {
        return Err(ErrorCode::UnknownMemberId);
    }
    let member = static_members::validate(group, &request.member_id, instance_id)?;
    if generation != group.generation {
        return Err(ErrorCode::IllegalGeneration);
    }
    match group.state {
        // The member has the generation but not its assignment yet: it has nothing to commit.
        GroupState::CompletingRebalance => Err(ErrorCode::RebalanceInProgress),
        GroupState::Stable | GroupState::PreparingRebalance => {
            ctx.renew_session(&group.id, member);
            Ok(())
        }
        GroupState::Empty | GroupState::Dead => Ok(()),
    }
}

/// The answer of an admitted commit; its records go to the outcome.
pub(crate) fn commit(ctx: &mut Context<'_>, request: &Request) -> Response {
    let expire_timestamp_ms = match request.retention_time_ms {
        NO_EXPIRY => NO_EXPIRY,
        retention_ms => ctx.now.wall_ms.saturating_add(retention_ms),
    };
    let topics = request.topics.iter();
    let topics = topics.map(|topic| {
        let partitions = topic.partitions.iter();
        let partitions = partitions.map(|partition| {
            let error = if is_metadata_too_large(ctx.config, partition) {
                ErrorCode::OffsetMetadataTooLarge
            } else {
                let value = offset_value(topic, partition, ctx.now, expire_timestamp_ms);
                let index = partition.partition_index;
                let record = Record::offset(&request.group_id, &topic.name, index, Some(value));
                ctx.out.records.push(record);
                ErrorCode::None
            };
            partition_response(partition, error)
        });
        topic_response(topic, partitions.collect())
    });
    Response { topics: topics.collect(), ..Default::default() }
}

/// The same error for every partition.
pub(crate) fn error_response(request: &Request, error: ErrorCode) -> Response {
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|p| partition_response(p, error));
        topic_response(topic, partitions.collect())
    });
    Response { topics: topics.collect(), ..Default::default() }
}

/// As Kafka counts: in UTF-16 units. Whatever the configuration, it has to fit into a record.
fn is_metadata_too_large(config: &GroupConfig, partition: &OffsetCommitRequestPartition) -> bool {
    let Some(metadata) = &partition.committed_metadata else { return false };
    let max = config.offset_metadata_bytes_max;
    metadata.len() > STRING_BYTES_MAX
        || (metadata.len() > max && metadata.encode_utf16().count() > max)
}

fn offset_value(
    topic: &OffsetCommitRequestTopic,
    partition: &OffsetCommitRequestPartition,
    now: Now,
    expire_timestamp_ms: i64,
) -> OffsetCommitValue {
    OffsetCommitValue {
        offset: partition.committed_offset,
        leader_epoch: partition.committed_leader_epoch,
        metadata: partition.committed_metadata.clone().unwrap_or_default(),
        commit_timestamp: now.wall_ms,
        expire_timestamp: expire_timestamp_ms,
        topic_id: topic.topic_id,
    }
}

fn topic_response(
    topic: &OffsetCommitRequestTopic,
    partitions: Vec<OffsetCommitResponsePartition>,
) -> OffsetCommitResponseTopic {
    OffsetCommitResponseTopic { name: topic.name.clone(), topic_id: topic.topic_id, partitions }
}

pub(crate) fn partition_response(
    partition: &OffsetCommitRequestPartition,
    error: ErrorCode,
) -> OffsetCommitResponsePartition {
    OffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: error.into(),
    }
}
