//! SyncGroup: a member gets its part of the generation's assignment.

use protocol_codec::messages::sync_group::{Request, Response};

use crate::broker::Broker;
use crate::context::RequestContext;

pub async fn handle(broker: &Broker, context: &RequestContext, request: Request) -> Response {
    broker.groups().sync_group(context.api_version, request).await
}
