//! Expiry of offsets (`offsets.retention.minutes`, KIP-211).
//!
//! The retention runs from when the group became empty; for a group that never had members (a
//! simple one), and for topics that a stable consumer group does not read any more, from the
//! commit. An expiry that an old client asked for counts instead. Everything else is kept.

use super::{CommittedOffset, NO_EXPIRY, Offsets};
use crate::group::classic::group::ClassicGroup;
use crate::group::classic::state::GroupState;
use crate::group::context::Context;
use crate::group::record::Record;

/// Writes tombstones for what has expired; true if the group has no offset left after that.
pub(crate) fn expire(ctx: &mut Context<'_>, group: &ClassicGroup, offsets: &Offsets) -> bool {
    let Some(by_topic) = offsets.group(&group.id) else { return true };
    if !may_expire(group) {
        return false;
    }
    let mut nothing_left = true;
    for (topic, partitions) in by_topic {
        let is_read = group.is_subscribed_to(topic);
        for (index, offset) in partitions {
            if !is_read && is_expired(ctx, group, offset) {
                ctx.out.records.push(Record::offset(&group.id, topic, *index, None));
            } else {
                nothing_left = false;
            }
        }
    }
    nothing_left
}

/// Not while a group rebalances, nor while it has members whose subscription is not known.
fn may_expire(group: &ClassicGroup) -> bool {
    let is_simple = group.protocol_type.is_none();
    let knows_what_it_reads = group.uses_consumer_protocol() && group.subscribed_topics.is_some();
    is_simple
        || group.is_in(GroupState::Empty)
        || (group.is_in(GroupState::Stable) && knows_what_it_reads)
}

fn is_expired(ctx: &Context<'_>, group: &ClassicGroup, offset: &CommittedOffset) -> bool {
    let now_ms = ctx.now.wall_ms;
    if offset.expire_timestamp_ms != NO_EXPIRY {
        return now_ms >= offset.expire_timestamp_ms;
    }
    let had_members = group.protocol_type.is_some();
    let became_empty_ms =
        group.state_timestamp_ms.filter(|_| had_members && group.is_in(GroupState::Empty));
    let retention_start_ms = became_empty_ms.unwrap_or(offset.commit_timestamp_ms);
    now_ms.saturating_sub(retention_start_ms) >= ctx.config.offsets_retention_ms
}
