//! Heartbeat: the member lives, and learns whether it has to join again.

use protocol_codec::ErrorCode;
use protocol_codec::messages::heartbeat;

use super::group::ClassicGroup;
use super::state::GroupState;
use super::static_members;
use crate::group::context::Context;

/// The error to answer with; [`ErrorCode::None`] if all is well.
pub(crate) fn heartbeat(
    ctx: &mut Context<'_>,
    group: &ClassicGroup,
    request: &heartbeat::Request,
) -> ErrorCode {
    let member = static_members::validate(group, &request.member_id, &request.group_instance_id);
    let member = match member {
        Ok(member) => member,
        Err(error) => return error,
    };
    if request.generation_id != group.generation {
        return ErrorCode::IllegalGeneration;
    }
    ctx.renew_session(&group.id, member);
    match group.state {
        GroupState::PreparingRebalance => ErrorCode::RebalanceInProgress,
        // A member may beat before its SyncGroup is answered: it lives all the same.
        GroupState::CompletingRebalance | GroupState::Stable => ErrorCode::None,
        GroupState::Empty | GroupState::Dead => ErrorCode::UnknownMemberId,
    }
}
