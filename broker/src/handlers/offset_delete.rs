//! OffsetDelete: committed offsets of topics that the group does not read any more go.

use protocol_codec::messages::offset_delete::{Request, Response};

use crate::broker::Broker;
use crate::context::RequestContext;

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    broker.groups().offset_delete(request).await
}
