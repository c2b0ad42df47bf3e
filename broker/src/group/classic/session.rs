//! Giving up on members: no heartbeat within the session timeout, an id never used, or no
//! SyncGroup after the join phase.

use protocol_codec::StrBytes;
use tracing::info;

use super::group::ClassicGroup;
use super::rebalance::{complete, prepare, prepare_or_complete};
use super::state::GroupState;
use crate::group::context::Context;

/// The session timer of a member, or of a pending one, has fired.
pub(crate) fn on_session_timer(
    ctx: &mut Context<'_>,
    group: &mut ClassicGroup,
    member_id: &StrBytes,
) {
    if group.pending_join.contains(member_id) {
        info!(
            "Pending member {member_id} in group {} has been removed after session timeout expiration",
            group.id
        );
        group.remove(member_id);
    } else {
        match group.members.get(member_id) {
            Some(member) if !member.has_satisfied_heartbeat() => {}
            // Gone already; or its request waits here, and when it is answered the timer is set.
            Some(_) | None => return,
        }
        info!("Member {member_id} in group {} has failed, removing it from the group", group.id);
        if let Some(member) = group.remove(member_id) {
            ctx.dismiss(&group.id, member);
        }
        if group.state.can_rebalance() && !group.is_in(GroupState::Empty) {
            let reason = format!("removing member {member_id} on heartbeat expiration");
            return prepare_or_complete(ctx, group, &reason);
        }
    }
    // The one that everybody waited for may have been this.
    if group.is_in(GroupState::PreparingRebalance) && group.has_all_members_joined() {
        complete(ctx, group);
    }
}

/// The sync timer has fired: who has not synced by now is not there.
pub(crate) fn on_sync_timer(ctx: &mut Context<'_>, group: &mut ClassicGroup) {
    let completing = matches!(group.state, GroupState::CompletingRebalance | GroupState::Stable);
    if !completing || group.pending_sync.is_empty() {
        return;
    }
    let missing = std::mem::take(&mut group.pending_sync);
    let reason = format!("removing {} members on pending sync request expiration", missing.len());
    for member_id in &missing {
        if let Some(member) = group.remove(member_id) {
            ctx.dismiss(&group.id, member);
        }
    }
    prepare(ctx, group, &reason);
}
