//! SyncGroup: the leader brings the assignment, the others wait for theirs.
//!
//! The record of the generation is written when the leader syncs; all answers wait until it is
//! durable, so no member works with an assignment that a failover could take back.

use std::collections::HashMap;

use bytes::Bytes;
use protocol_codec::coordinator_records::consumer_offsets::GroupMetadataValue;
use protocol_codec::messages::sync_group;
use protocol_codec::{ErrorCode, StrBytes};
use tracing::warn;

use super::group::ClassicGroup;
use super::rebalance::{cancel_syncs, prepare_or_complete};
use super::state::GroupState;
use super::static_members;
use crate::group::context::Context;
use crate::group::event::Token;
use crate::group::owned::owned_bytes;
use crate::group::record::Record;
use crate::group::timer::TimerKey;

pub(crate) fn sync(
    ctx: &mut Context<'_>,
    group: &mut ClassicGroup,
    token: Token,
    request: &sync_group::Request,
) {
    if let Err(error) = validate(group, request) {
        return ctx.reply_sync_error(token, error);
    }
    match group.state {
        GroupState::PreparingRebalance => {
            ctx.reply_sync_error(token, ErrorCode::RebalanceInProgress);
        }
        GroupState::CompletingRebalance => {
            has_synced(ctx, group, &request.member_id);
            let Some(member) = group.members.get_mut(&request.member_id) else { return };
            if let Some(old) = member.awaiting_sync.replace(token) {
                ctx.reply_sync_error(old, ErrorCode::RebalanceInProgress);
            }
            if group.is_leader(&request.member_id) {
                assign(ctx, group, request);
            }
        }
        GroupState::Stable => {
            has_synced(ctx, group, &request.member_id);
            let member = group.members.get(&request.member_id);
            let assignment = member.map(|m| m.assignment.clone()).unwrap_or_default();
            ctx.reply_assignment(token, group, assignment);
        }
        GroupState::Empty | GroupState::Dead => {
            ctx.reply_sync_error(token, ErrorCode::UnknownMemberId);
        }
    }
}

fn validate(group: &ClassicGroup, request: &sync_group::Request) -> Result<(), ErrorCode> {
    static_members::validate(group, &request.member_id, &request.group_instance_id)?;
    if request.generation_id != group.generation {
        return Err(ErrorCode::IllegalGeneration);
    }
    // What a client does not say (before version 5) is not checked.
    let contradicts = |theirs: &Option<StrBytes>, ours: &Option<StrBytes>| {
        theirs.is_some() && ours.is_some() && theirs != ours
    };
    if contradicts(&request.protocol_type, &group.protocol_type)
        || contradicts(&request.protocol_name, &group.protocol)
    {
        return Err(ErrorCode::InconsistentGroupProtocol);
    }
    Ok(())
}

fn has_synced(ctx: &mut Context<'_>, group: &mut ClassicGroup, member_id: &StrBytes) {
    group.pending_sync.remove(member_id);
    if group.pending_sync.is_empty() {
        ctx.timers.cancel(&TimerKey::Sync { group: group.id.clone() });
    }
}

/// The leader's assignment becomes the group's: written, then handed to whoever waits.
/// Members that it leaves out get an empty one.
fn assign(ctx: &mut Context<'_>, group: &mut ClassicGroup, request: &sync_group::Request) {
    let given: HashMap<&StrBytes, &Bytes> =
        request.assignments.iter().map(|a| (&a.member_id, &a.assignment)).collect();
    let value = GroupMetadataValue {
        current_state_timestamp: ctx.now.wall_ms,
        ..group.to_record(|m| given.get(&m.id).map(|b| owned_bytes(b)).unwrap_or_default())
    };
    let record = Record::group(&group.id, Some(value.clone()));
    if record.encoded_size() > ctx.config.record_bytes_max {
        warn!("the assignment of group {} does not fit into a record", group.id);
        cancel_syncs(ctx, group, ErrorCode::UnknownServerError);
        return prepare_or_complete(ctx, group, "the assignment does not fit into a record");
    }
    for assigned in value.members {
        let Some(member) = group.members.get_mut(&assigned.member_id) else { continue };
        if let Some(token) = member.awaiting_sync.take() {
            let member_id = member.id.clone();
            let session_timeout_ms = member.session_timeout_ms;
            ctx.reply_assignment(token, group, assigned.assignment);
            ctx.set_session(&group.id, &member_id, session_timeout_ms);
        }
    }
    // Its replay, at the end of this event, sets the assignments and makes the group stable.
    ctx.out.records.push(record);
}
