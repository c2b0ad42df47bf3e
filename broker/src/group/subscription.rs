//! Which topics a consumer group reads, out of what its members say of themselves.
//!
//! The consumer protocol's subscription is opaque to the rest of the coordinator; only expiry and
//! deletion of offsets look into it.

use std::collections::BTreeSet;

use bytes::Bytes;
use protocol_codec::StrBytes;
use protocol_codec::data::{ConsumerProtocolSubscription, decode_with_version};

use super::owned::owned_str;

/// The topics of these subscriptions; `None` if one of them cannot be read.
pub(super) fn topics_of(subscriptions: impl Iterator<Item = Bytes>) -> Option<BTreeSet<StrBytes>> {
    let mut topics = BTreeSet::new();
    for metadata in subscriptions {
        topics.extend(read_subscription(metadata)?.topics.iter().map(owned_str));
    }
    Some(topics)
}

/// Versions differ in what they append, so a newer one than is known can be read too.
fn read_subscription(metadata: Bytes) -> Option<ConsumerProtocolSubscription> {
    decode_with_version(metadata).ok().map(|(subscription, _)| subscription)
}
