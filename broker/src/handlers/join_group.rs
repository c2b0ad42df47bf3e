//! JoinGroup: a member enters the next generation of its group.

use protocol_codec::StrBytes;
use protocol_codec::messages::join_group::{Request, Response};

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::group::event::Client;

pub async fn handle(broker: &Broker, context: &RequestContext, request: Request) -> Response {
    let client = Client { id: context.client_id(), host: context.connection.client_host() };
    let suffix = random_suffix();
    broker.groups().join_group(context.api_version, client, suffix, request).await
}

/// A random UUID in its usual text form, which makes the id of a new member unique.
fn random_suffix() -> StrBytes {
    // Without randomness nothing starts; the id is then unique by chance of the client alone.
    let uuid = storage::random_id::random_uuid().unwrap_or_default();
    let hex: String = uuid.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [hex.get(..8), hex.get(8..12), hex.get(12..16), hex.get(16..20), hex.get(20..)];
    StrBytes::from(parts.map(Option::unwrap_or_default).join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_look_like_uuids_and_differ() {
        let (one, other) = (random_suffix(), random_suffix());
        assert_ne!(one, other);
        let lengths: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
    }
}
