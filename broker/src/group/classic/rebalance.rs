//! The join phase, from the event that starts a rebalance to the new generation.
//!
//! A new group waits a little for more members (`group.initial.rebalance.delay.ms`); a group with
//! members waits until all have joined again, at most the longest of their rebalance timeouts.
//! Dynamic members that have not come by then are dropped, static ones stay until their session
//! ends. Then the generation goes up, and everyone waits for the leader's assignment.

use protocol_codec::messages::join_group;
use protocol_codec::{ErrorCode, StrBytes};
use tracing::info;

use super::group::{ClassicGroup, JoinPhase};
use super::member::Member;
use super::state::GroupState;
use crate::group::context::Context;
use crate::group::timer::TimerKey;

/// A membership change: starts a rebalance, or, during one, ends it if everyone is there.
pub(crate) fn prepare_or_complete(ctx: &mut Context<'_>, group: &mut ClassicGroup, reason: &str) {
    if group.state.can_rebalance() {
        prepare(ctx, group, reason);
    } else {
        maybe_complete(ctx, group);
    }
}

/// Has all members join again.
pub(crate) fn prepare(ctx: &mut Context<'_>, group: &mut ClassicGroup, reason: &str) {
    if group.is_in(GroupState::CompletingRebalance) {
        // Whoever waits for an assignment of this generation will not get one.
        cancel_syncs(ctx, group, ErrorCode::RebalanceInProgress);
    }
    group.pending_sync.clear();
    ctx.timers.cancel(&TimerKey::Sync { group: group.id.clone() });

    let is_initial = group.is_in(GroupState::Empty);
    info!(
        "Preparing to rebalance group {} in state {} with old generation {} (reason: {reason})",
        group.id, group.state, group.generation
    );
    group.transition_to(GroupState::PreparingRebalance, ctx.now);
    if is_initial {
        let delay_ms = ctx.config.initial_rebalance_delay_ms;
        let remaining_ms = group.rebalance_timeout_ms().saturating_sub(delay_ms).max(0);
        group.join_phase = JoinPhase::Initial { delay_ms, remaining_ms };
        ctx.set_timer(TimerKey::Join { group: group.id.clone() }, delay_ms);
    } else if group.has_all_members_joined() {
        complete(ctx, group);
    } else {
        wait_for_members(ctx, group);
    }
}

/// Ends the join phase if everyone has joined; a new group's delay is not cut short.
pub(crate) fn maybe_complete(ctx: &mut Context<'_>, group: &mut ClassicGroup) {
    let is_rejoin = group.previous_state != GroupState::Empty;
    if group.is_in(GroupState::PreparingRebalance) && is_rejoin && group.has_all_members_joined() {
        complete(ctx, group);
    }
}

/// The join timer has fired.
pub(crate) fn on_join_timer(ctx: &mut Context<'_>, group: &mut ClassicGroup) {
    if !group.is_in(GroupState::PreparingRebalance) {
        return;
    }
    match group.join_phase {
        JoinPhase::Initial { delay_ms, remaining_ms }
            if group.new_member_added && remaining_ms != 0 =>
        {
            group.new_member_added = false;
            let next_delay_ms = ctx.config.initial_rebalance_delay_ms.min(remaining_ms);
            let remaining_ms = (remaining_ms - delay_ms).max(0);
            group.join_phase = JoinPhase::Initial { delay_ms: next_delay_ms, remaining_ms };
            ctx.set_timer(TimerKey::Join { group: group.id.clone() }, next_delay_ms);
        }
        JoinPhase::Initial { .. } | JoinPhase::Rejoin => complete(ctx, group),
    }
}

/// Ends the join phase: the next generation consists of those who are here.
pub(crate) fn complete(ctx: &mut Context<'_>, group: &mut ClassicGroup) {
    assert!(group.is_in(GroupState::PreparingRebalance));
    ctx.timers.cancel(&TimerKey::Join { group: group.id.clone() });
    drop_missing_members(ctx, group);

    if !group.elect_joined_leader() && !group.members.is_empty() {
        // Only static members are left, and none has joined again: their sessions decide.
        info!("Group {} could not complete rebalance because no members rejoined", group.id);
        wait_for_members(ctx, group);
        return;
    }
    group.new_member_added = false;
    group.start_next_generation(ctx.now);
    if group.is_in(GroupState::Empty) {
        info!("Group {} with generation {} is now empty", group.id, group.generation);
        ctx.write_group(group);
    } else {
        hand_out_generation(ctx, group);
    }
}

fn wait_for_members(ctx: &mut Context<'_>, group: &mut ClassicGroup) {
    group.join_phase = JoinPhase::Rejoin;
    let timeout_ms = group.rebalance_timeout_ms();
    ctx.set_timer(TimerKey::Join { group: group.id.clone() }, timeout_ms);
}

fn drop_missing_members(ctx: &mut Context<'_>, group: &mut ClassicGroup) {
    let is_missing = |m: &&Member| m.awaiting_join.is_none() && m.instance_id.is_none();
    let missing: Vec<StrBytes> =
        group.members.values().filter(is_missing).map(|m| m.id.clone()).collect();
    if !missing.is_empty() {
        let count = missing.len();
        info!("Group {} removed {count} dynamic members who have not rejoined", group.id);
    }
    for member_id in missing {
        if let Some(member) = group.remove(&member_id) {
            ctx.dismiss(&group.id, member);
        }
    }
}

/// Answers the waiting JoinGroups; from here each member has its rebalance timeout to sync.
fn hand_out_generation(ctx: &mut Context<'_>, group: &mut ClassicGroup) {
    info!(
        "Stabilized group {} generation {} with {} members",
        group.id,
        group.generation,
        group.members.len()
    );
    let mut members_for_leader = Some(group.members_for_leader());
    let member_ids: Vec<StrBytes> = group.members.keys().cloned().collect();
    for member_id in member_ids {
        let is_leader = group.is_leader(&member_id);
        let response = join_group::Response {
            members: members_for_leader.take_if(|_| is_leader).unwrap_or_default(),
            ..current_generation(group, &member_id)
        };
        let Some(member) = group.members.get_mut(&member_id) else { continue };
        member.is_new = false;
        if let Some(token) = member.awaiting_join.take() {
            ctx.reply_join(token, response);
        }
        ctx.renew_session(&group.id, member);
        group.pending_sync.insert(member_id);
    }
    let timeout_ms = group.rebalance_timeout_ms();
    ctx.set_timer(TimerKey::Sync { group: group.id.clone() }, timeout_ms);
}

/// A successful JoinGroup answer with the group's present generation, as a follower gets it.
pub(crate) fn current_generation(
    group: &ClassicGroup,
    member_id: &StrBytes,
) -> join_group::Response {
    join_group::Response {
        generation_id: group.generation,
        protocol_type: group.protocol_type.clone(),
        protocol_name: group.protocol.clone(),
        leader: group.leader.clone().unwrap_or_default(),
        member_id: member_id.clone(),
        ..Default::default()
    }
}

/// Answers every waiting SyncGroup with an error.
pub(crate) fn cancel_syncs(ctx: &mut Context<'_>, group: &mut ClassicGroup, error: ErrorCode) {
    for member in group.members.values_mut() {
        if let Some(token) = member.awaiting_sync.take() {
            ctx.reply_sync_error(token, error);
            ctx.renew_session(&group.id, member);
        }
    }
}
