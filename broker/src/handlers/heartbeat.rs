//! Heartbeat: a member lives, and learns whether it has to join again.

use protocol_codec::messages::heartbeat::{Request, Response};

use crate::broker::Broker;
use crate::context::RequestContext;

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    broker.groups().heartbeat(request).await
}
