//! DeleteGroups: groups without members go, with their offsets.

use protocol_codec::messages::delete_groups::{Request, Response};

use crate::broker::Broker;
use crate::context::RequestContext;

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    let results = broker.groups().delete_groups(request.groups_names).await;
    Response { results, ..Default::default() }
}
