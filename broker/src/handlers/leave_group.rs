//! LeaveGroup: members go.

use protocol_codec::messages::leave_group::{Request, Response};

use crate::broker::Broker;
use crate::context::RequestContext;

pub async fn handle(broker: &Broker, context: &RequestContext, request: Request) -> Response {
    broker.groups().leave_group(context.api_version, request).await
}
