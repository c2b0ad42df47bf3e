//! DescribeCluster: the brokers, the controller, the cluster's id.

use controller::image::brokers::BrokerRegistration;
use protocol_codec::messages::describe_cluster::{DescribeClusterBroker, Request, Response};
use protocol_codec::{ErrorCode, StrBytes};

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::handlers::authorized_operations;

/// The kinds of endpoints that can be asked for (KIP-919).
const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// Kafka's sentence for who looks for controllers here.
const WRONG_ENDPOINT: &str = "The request was sent to an endpoint of type BROKER, but we wanted an \
     endpoint of type CONTROLLER";

pub async fn handle(broker: &Broker, context: &RequestContext, request: Request) -> Response {
    if let Some(refusal) = refusal(request.endpoint_type) {
        return refusal;
    }
    let image = broker.image();
    let listener = &context.connection.listener;
    let shown = image.brokers.iter().filter(|one| !one.fenced || request.include_fenced_brokers);
    let brokers = shown.filter_map(|one| describe(one, listener)).collect();
    // The smallest number says that they were not asked for.
    let cluster_authorized_operations = if request.include_cluster_authorized_operations {
        authorized_operations::CLUSTER
    } else {
        i32::MIN
    };
    Response {
        endpoint_type: BROKERS,
        cluster_id: StrBytes::from(image.cluster_id.as_deref().unwrap_or_default()),
        controller_id: broker.controller().quorum_status().leader.unwrap_or(-1),
        brokers,
        cluster_authorized_operations,
        ..Default::default()
    }
}

/// This listener knows only brokers.
fn refusal(endpoint_type: i8) -> Option<Response> {
    let (code, message) = match endpoint_type {
        BROKERS => return None,
        CONTROLLERS => (ErrorCode::MismatchedEndpointType, WRONG_ENDPOINT.to_owned()),
        other => (ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {other}")),
    };
    Some(Response {
        error_code: code.into(),
        error_message: Some(StrBytes::from(message)),
        ..Default::default()
    })
}

fn describe(broker: &BrokerRegistration, listener: &str) -> Option<DescribeClusterBroker> {
    let endpoint = broker.endpoint(listener)?;
    Some(DescribeClusterBroker {
        broker_id: broker.id,
        host: StrBytes::from(&*endpoint.host),
        port: i32::from(endpoint.port),
        rack: broker.rack.as_deref().map(StrBytes::from),
        is_fenced: broker.fenced,
    })
}
