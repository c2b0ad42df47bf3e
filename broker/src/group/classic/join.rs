//! JoinGroup: who becomes a member, and what a member that joins again sets off.
//!
//! Since version 4 a new dynamic member gets only an id at first (MEMBER_ID_REQUIRED): clients
//! that retry do not leave a trail of dead members behind (KIP-394).

use protocol_codec::messages::join_group;
use protocol_codec::{ErrorCode, StrBytes};
use tracing::debug;

use super::group::ClassicGroup;
use super::member::{Member, client_reason};
use super::rebalance::{current_generation, prepare_or_complete};
use super::state::GroupState;
use super::static_members;
use crate::group::context::Context;
use crate::group::event::{Client, Join, Token};
use crate::group::owned::owned_str;

/// A new member whose JoinGroup waits cannot send heartbeats: it is given up on after this time,
/// so that clients which retry without end do not fill the group. One that lives joins again.
pub(crate) const NEW_MEMBER_JOIN_TIMEOUT_MS: i32 = 5 * 60 * 1000;

/// Ids handed out and not yet used, in one group.
pub(crate) const PENDING_MEMBERS_MAX: usize = 10_000;

/// First version in which a new dynamic member has to come back with the id it is given.
const VERSION_MEMBER_ID_REQUIRED: i16 = 4;

/// A JoinGroup to a group that is there; [`super::super::machine`] has created a new one.
pub(crate) fn join(ctx: &mut Context<'_>, group: &mut ClassicGroup, token: Token, join: &Join) {
    let request = &join.request;
    if !has_room(ctx, group, &request.member_id) {
        if let Some(member) = group.remove(&request.member_id) {
            ctx.dismiss(&group.id, member);
        }
        ctx.reply_join_error(token, &StrBytes::default(), ErrorCode::GroupMaxSizeReached);
    } else if !group.supports(request) {
        ctx.reply_join_error(token, &request.member_id, ErrorCode::InconsistentGroupProtocol);
    } else if request.member_id.is_empty() {
        join_new(ctx, group, token, join);
    } else {
        join_known(ctx, group, token, join);
    }
}

/// Whether the member may be in the group under `group.max.size`. While a rebalance is prepared
/// those count who have joined: if the limit has been lowered, the last to come are left out.
fn has_room(ctx: &Context<'_>, group: &ClassicGroup, member_id: &str) -> bool {
    let member = group.members.get(member_id);
    match group.state {
        GroupState::Empty | GroupState::Dead => true,
        GroupState::PreparingRebalance => {
            member.is_some_and(|m| m.awaiting_join.is_some())
                || group.awaiting_join_count() < ctx.config.max_size
        }
        GroupState::CompletingRebalance | GroupState::Stable => {
            member.is_some() || group.members.len() < ctx.config.max_size
        }
    }
}

fn join_new(ctx: &mut Context<'_>, group: &mut ClassicGroup, token: Token, join: &Join) {
    let request = &join.request;
    let prefix = request.group_instance_id.as_ref().unwrap_or(&join.client.id);
    let new_id = StrBytes::from(format!("{prefix}-{}", join.member_id_suffix));
    if let Some(instance_id) = &request.group_instance_id {
        match group.static_members.get(instance_id).cloned() {
            Some(old_id) => static_members::replace(ctx, group, token, join, &old_id, new_id),
            None => add_member(ctx, group, token, join, new_id),
        }
    } else if join.version < VERSION_MEMBER_ID_REQUIRED {
        add_member(ctx, group, token, join, new_id);
    } else if group.pending_join.len() >= PENDING_MEMBERS_MAX {
        ctx.reply_join_error(token, &StrBytes::default(), ErrorCode::GroupMaxSizeReached);
    } else {
        debug!(group = %group.id, member = %new_id, "a new member is given its id");
        ctx.set_session(&group.id, &new_id, request.session_timeout_ms);
        ctx.reply_join_error(token, &new_id, ErrorCode::MemberIdRequired);
        group.pending_join.insert(new_id);
    }
}

fn join_known(ctx: &mut Context<'_>, group: &mut ClassicGroup, token: Token, join: &Join) {
    let request = &join.request;
    let member_id = &request.member_id;
    if request.group_instance_id.is_none() && group.pending_join.contains(member_id) {
        let member_id = owned_str(member_id);
        return add_member(ctx, group, token, join, member_id);
    }
    let member = match static_members::validate(group, member_id, &request.group_instance_id) {
        Ok(member) => member,
        Err(error) => return ctx.reply_join_error(token, member_id, error),
    };
    match group.state {
        GroupState::PreparingRebalance => rejoin(ctx, group, token, request),
        GroupState::CompletingRebalance if member.matches(request) => {
            // It may have missed the answer to its first JoinGroup: the same once more.
            let is_leader = group.is_leader(member_id);
            let members = if is_leader { group.members_for_leader() } else { Vec::new() };
            let response = join_group::Response { members, ..current_generation(group, member_id) };
            ctx.reply_join(token, response);
        }
        GroupState::Stable if member.matches(request) && !group.is_leader(member_id) => {
            ctx.reply_join(token, current_generation(group, member_id));
        }
        // The metadata has changed; or the leader asks for a rebalance in this way, because
        // something has changed that only it watches (the partitions of a topic, say).
        GroupState::CompletingRebalance | GroupState::Stable => rejoin(ctx, group, token, request),
        GroupState::Empty | GroupState::Dead => {
            ctx.reply_join_error(token, member_id, ErrorCode::UnknownMemberId);
        }
    }
}

/// A new member, whose JoinGroup waits for the others'.
pub(crate) fn add_member(
    ctx: &mut Context<'_>,
    group: &mut ClassicGroup,
    token: Token,
    join: &Join,
    member_id: StrBytes,
) {
    let client: Client = join.client.clone();
    let mut member = Member::from_join(member_id.clone(), client, &join.request);
    member.awaiting_join = Some(token);
    if group.is_in(GroupState::PreparingRebalance) && group.previous_state == GroupState::Empty {
        group.new_member_added = true;
    }
    group.add(member, &join.request.protocol_type);
    ctx.set_session(&group.id, &member_id, NEW_MEMBER_JOIN_TIMEOUT_MS);
    let reason = format!("adding new member {member_id} ({})", client_reason(&join.request));
    prepare_or_complete(ctx, group, &reason);
}

/// A member joins once more, with metadata that may be new.
fn rejoin(
    ctx: &mut Context<'_>,
    group: &mut ClassicGroup,
    token: Token,
    request: &join_group::Request,
) {
    if let Some(member) = group.members.get_mut(&request.member_id) {
        member.update(request);
        set_awaiting_join(ctx, member, token);
    }
    let reason = format!("member {} joined again ({})", request.member_id, client_reason(request));
    prepare_or_complete(ctx, group, &reason);
}

/// The newest JoinGroup of a member is the one that gets the generation: an older one, whose
/// connection is likely gone, is told to come again.
pub(crate) fn set_awaiting_join(ctx: &mut Context<'_>, member: &mut Member, token: Token) {
    if let Some(old) = member.awaiting_join.replace(token) {
        ctx.reply_join_error(old, &member.id, ErrorCode::RebalanceInProgress);
    }
}
