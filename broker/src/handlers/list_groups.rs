//! ListGroups: the groups that this broker coordinates.

use protocol_codec::messages::list_groups::{Request, Response};

use crate::broker::Broker;
use crate::context::RequestContext;

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    broker.groups().list_groups(request).await
}
