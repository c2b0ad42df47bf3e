//! ListConfigResources: what has configs to describe (KIP-1142).

use controller::MetadataImage;
use controller::image::configs::ConfigResourceType;
use protocol_codec::messages::list_config_resources::{ConfigResource, Request, Response};
use protocol_codec::{ErrorCode, StrBytes};

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::handlers::describe_configs::BROKER_LOGGER;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

/// The types that can be listed, in the order in which they are.
const TYPES: [i8; 5] = [TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP];

pub async fn handle(broker: &Broker, context: &RequestContext, request: Request) -> Response {
    let asked = match (context.api_version, request.resource_types.is_empty()) {
        // Version 0 knew only client metrics.
        (0, _) => vec![CLIENT_METRICS],
        (_, true) => TYPES.to_vec(),
        (_, false) => request.resource_types,
    };
    if asked.iter().any(|kind| !TYPES.contains(kind)) {
        let error_code = ErrorCode::UnsupportedVersion.into();
        return Response { error_code, ..Default::default() };
    }
    let image = broker.image();
    let kinds = TYPES.into_iter().filter(|kind| asked.contains(kind));
    let config_resources = kinds.flat_map(|kind| resources(&image, kind)).collect();
    Response { config_resources, ..Default::default() }
}

fn resources(image: &MetadataImage, kind: i8) -> Vec<ConfigResource> {
    let names: Vec<StrBytes> = match kind {
        TOPIC => image.topics.iter().map(|topic| StrBytes::from(&*topic.name)).collect(),
        BROKER | BROKER_LOGGER => {
            image.brokers.iter().map(|broker| StrBytes::from(broker.id.to_string())).collect()
        }
        _ => configured(image, kind),
    };
    let resource = |name| ConfigResource { resource_name: name, resource_type: kind };
    names.into_iter().map(resource).collect()
}

/// Resources that exist only by having configs.
fn configured(image: &MetadataImage, kind: i8) -> Vec<StrBytes> {
    let Some(kind) = ConfigResourceType::from_code(kind) else { return Vec::new() };
    let all = image.configs.iter().filter(|(resource, _)| resource.kind == kind);
    all.map(|(resource, _)| StrBytes::from(&*resource.name)).collect()
}
