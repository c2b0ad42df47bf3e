//! Static members (KIP-345): `group.instance.id` says who a member is, whatever its member id.
//!
//! One that comes back without a member id takes its old self's place under a new id. If the
//! group is stable and its protocol stays, nobody has to rebalance; the new id is written first,
//! or a failover would bring the old one back. The old id is fenced from then on.

use protocol_codec::messages::join_group;
use protocol_codec::{ErrorCode, StrBytes};

use super::group::ClassicGroup;
use super::member::{Member, client_reason};
use super::rebalance::{current_generation, maybe_complete, prepare, prepare_or_complete};
use super::state::GroupState;
use crate::group::context::Context;
use crate::group::event::{Join, Token};

/// First version in which the leader may be told that it has nothing to assign (KIP-814).
const VERSION_SKIP_ASSIGNMENT: i16 = 9;

/// The member that a request speaks for: FENCED_INSTANCE_ID if another has taken its place.
pub(crate) fn validate<'g>(
    group: &'g ClassicGroup,
    member_id: &str,
    instance_id: &Option<StrBytes>,
) -> Result<&'g Member, ErrorCode> {
    if let Some(instance_id) = instance_id {
        match group.static_members.get(instance_id) {
            None => return Err(ErrorCode::UnknownMemberId),
            Some(id) if &**id != member_id => return Err(ErrorCode::FencedInstanceId),
            Some(_) => {}
        }
    }
    group.members.get(member_id).ok_or(ErrorCode::UnknownMemberId)
}

/// A static member has come back without a member id.
pub(crate) fn replace(
    ctx: &mut Context<'_>,
    group: &mut ClassicGroup,
    token: Token,
    join: &Join,
    old_id: &StrBytes,
    new_id: StrBytes,
) {
    let request = &join.request;
    let old_leader = group.leader.clone();
    let Some(mut member) = group.members.remove(old_id) else {
        return ctx.reply_join_error(token, &new_id, ErrorCode::UnknownMemberId);
    };
    let was_pending_sync = group.pending_sync.remove(old_id);
    fence(ctx, &group.id, &mut member);
    member.id = new_id.clone();
    member.is_new = false;
    member.update(request);
    ctx.set_session(&group.id, &new_id, member.session_timeout_ms);
    if group.is_leader(old_id) {
        group.leader = Some(new_id.clone());
    }
    if let Some(instance_id) = &member.instance_id {
        group.static_members.insert(instance_id.clone(), new_id.clone());
    }
    group.members.insert(new_id.clone(), member);

    match group.state {
        GroupState::Stable if group.select_protocol() == group.protocol && ctx.fits(group) => {
            if was_pending_sync {
                group.pending_sync.insert(new_id.clone());
            }
            ctx.write_group(group);
            reply_without_rebalance(ctx, group, token, join.version, &new_id, old_leader);
        }
        GroupState::Stable => {
            await_join(group, &new_id, token);
            let reason = format!(
                "static member {new_id} came back and the protocol changes ({})",
                client_reason(request)
            );
            prepare_or_complete(ctx, group, &reason);
        }
        GroupState::CompletingRebalance => {
            // The leader may have assigned to the old id already: the new one would go empty.
            await_join(group, &new_id, token);
            let reason = format!("static member {new_id} came back ({})", client_reason(request));
            prepare(ctx, group, &reason);
        }
        GroupState::PreparingRebalance => {
            await_join(group, &new_id, token);
            maybe_complete(ctx, group);
        }
        GroupState::Empty | GroupState::Dead => {
            unreachable!("a group with a static member is not empty")
        }
    }
}

/// Whoever waits under the old id is told that it has been replaced.
fn fence(ctx: &mut Context<'_>, group_id: &StrBytes, member: &mut Member) {
    ctx.cancel_session(group_id, &member.id);
    if let Some(token) = member.awaiting_join.take() {
        ctx.reply_join_error(token, &member.id, ErrorCode::FencedInstanceId);
    }
    if let Some(token) = member.awaiting_sync.take() {
        ctx.reply_sync_error(token, ErrorCode::FencedInstanceId);
    }
}

fn await_join(group: &mut ClassicGroup, member_id: &StrBytes, token: Token) {
    if let Some(member) = group.members.get_mut(member_id) {
        member.awaiting_join = Some(token);
    }
}

/// The member keeps its assignment and goes on in the present generation. A leader of an older
/// version is given the old leader's id, so that it does not take itself for the leader and make
/// an assignment that nobody would get.
fn reply_without_rebalance(
    ctx: &mut Context<'_>,
    group: &ClassicGroup,
    token: Token,
    version: i16,
    member_id: &StrBytes,
    old_leader: Option<StrBytes>,
) {
    let present = current_generation(group, member_id);
    let response = if version >= VERSION_SKIP_ASSIGNMENT {
        let is_leader = group.is_leader(member_id);
        let members = if is_leader { group.members_for_leader() } else { Vec::new() };
        join_group::Response { members, skip_assignment: is_leader, ..present }
    } else {
        join_group::Response { leader: old_leader.unwrap_or_default(), ..present }
    };
    ctx.reply_join(token, response);
}
