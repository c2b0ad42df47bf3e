//! LeaveGroup: one or several members go, by member id or (an administrator does so) by instance id.

use protocol_codec::messages::leave_group::{MemberIdentity, MemberResponse, Request};
use protocol_codec::{ErrorCode, StrBytes};
use tracing::debug;

use super::group::ClassicGroup;
use super::rebalance::{maybe_complete, prepare_or_complete};
use super::state::GroupState;
use super::static_members;
use crate::group::context::Context;

/// The answer for each member, in the order of the request.
pub(crate) fn leave(
    ctx: &mut Context<'_>,
    group: &mut ClassicGroup,
    request: &Request,
) -> Vec<MemberResponse> {
    let mut responses = Vec::with_capacity(request.members.len());
    for identity in &request.members {
        let error = leave_one(ctx, group, identity).err().unwrap_or(ErrorCode::None);
        responses.push(member_response(identity, error));
    }
    let left = responses.iter().filter(|r| r.error_code == i16::from(ErrorCode::None)).count();
    if left > 0 {
        match group.state {
            GroupState::Stable | GroupState::CompletingRebalance => {
                let reason = format!("explicit `LeaveGroup` request of {left} members");
                prepare_or_complete(ctx, group, &reason);
            }
            GroupState::PreparingRebalance => maybe_complete(ctx, group),
            GroupState::Empty | GroupState::Dead => {}
        }
    }
    responses
}

pub(crate) fn member_response(identity: &MemberIdentity, error: ErrorCode) -> MemberResponse {
    MemberResponse {
        member_id: identity.member_id.clone(),
        group_instance_id: identity.group_instance_id.clone(),
        error_code: error.into(),
    }
}

fn leave_one(
    ctx: &mut Context<'_>,
    group: &mut ClassicGroup,
    identity: &MemberIdentity,
) -> Result<(), ErrorCode> {
    let member_id = if identity.member_id.is_empty() {
        let instance_id = identity.group_instance_id.as_ref();
        let known = instance_id.and_then(|id| group.static_members.get(id));
        known.cloned().ok_or(ErrorCode::UnknownMemberId)?
    } else if group.pending_join.contains(&identity.member_id) {
        identity.member_id.clone()
    } else {
        let id = &identity.member_id;
        static_members::validate(group, id, &identity.group_instance_id)?.id.clone()
    };
    debug!(group = %group.id, member = %member_id, reason = ?identity.reason, "a member leaves");
    remove(ctx, group, &member_id);
    Ok(())
}

fn remove(ctx: &mut Context<'_>, group: &mut ClassicGroup, member_id: &StrBytes) {
    match group.remove(member_id) {
        Some(member) => ctx.dismiss(&group.id, member),
        // It was only pending: no more than its timer is there.
        None => ctx.cancel_session(&group.id, member_id),
    }
}
