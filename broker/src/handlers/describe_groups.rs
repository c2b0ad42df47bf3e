//! DescribeGroups: groups with their members and assignments.

use protocol_codec::messages::describe_groups::{Request, Response};

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::handlers::authorized_operations;

pub async fn handle(broker: &Broker, context: &RequestContext, request: Request) -> Response {
    let mut groups = broker.groups().describe_groups(context.api_version, request.groups).await;
    if request.include_authorized_operations {
        for group in groups.iter_mut().filter(|group| group.error_code == 0) {
            group.authorized_operations = authorized_operations::GROUP;
        }
    }
    Response { groups, ..Default::default() }
}
