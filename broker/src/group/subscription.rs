//! Which topics a consumer group reads, out of what its members say of themselves.
//!
//! The consumer protocol's subscription is opaque to the rest of the coordinator; only expiry and
//! deletion of offsets look into it.

use std::collections::BTreeSet;

use bytes::Bytes;
use protocol_codec::StrBytes;
use protocol_codec::data::{ConsumerProtocolSubscription, decode_with_version};

use super::classic::group::ClassicGroup;
use super::event::owned_str;

/// The topics of all members; `None` if the group is not a consumer group, has no generation yet,
/// or has a member whose subscription cannot be read.
pub(super) fn subscribed_topics(group: &ClassicGroup) -> Option<BTreeSet<StrBytes>> {
    if !group.uses_consumer_protocol() {
        return None;
    }
    let mut topics = BTreeSet::new();
    if group.members.is_empty() {
        return Some(topics);
    }
    let protocol = group.protocol.as_ref()?;
    for member in group.members.values() {
        let subscription = read_subscription(member.metadata(protocol))?;
        topics.extend(subscription.topics.iter().map(owned_str));
    }
    Some(topics)
}

/// Versions differ in what they append, so a newer one than is known can be read too.
fn read_subscription(metadata: Bytes) -> Option<ConsumerProtocolSubscription> {
    decode_with_version(metadata).ok().map(|(subscription, _)| subscription)
}
