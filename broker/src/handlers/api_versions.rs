//! ApiVersions: what this broker serves, derived from the dispatch table.

use std::sync::{Arc, LazyLock};

use controller::state::features;
use protocol_codec::messages::api_versions::{
    ApiVersion, FinalizedFeatureKey, Request, Response, SupportedFeatureKey,
};
use protocol_codec::{ApiKey, ErrorCode, StrBytes};

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::dispatch::{self, APIS, Fault, Reply};

/// The node id of a client that does not care which node this is.
const ANY_NODE: i32 = -1;

/// Every served API with its versions, as the wire says it.
static API_KEYS: LazyLock<Vec<ApiVersion>> = LazyLock::new(|| APIS.iter().map(row).collect());

pub async fn handle(broker: &Broker, context: &RequestContext, request: Request) -> Response {
    if context.api_version >= 3 {
        let (name, version) = (&request.client_software_name, &request.client_software_version);
        if !is_software_name(name) || !is_software_name(version) {
            return error(ErrorCode::InvalidRequest);
        }
        context.connection.set_client_software(name, version);
    }
    let image = broker.image();
    // A client that was led here by an old address learns that this is another cluster or another
    // node (KIP-1242).
    let is_other_cluster = request
        .cluster_id
        .as_deref()
        .is_some_and(|id| image.cluster_id.as_deref().is_some_and(|own| own != id));
    let is_other_node = request.node_id != ANY_NODE && request.node_id != broker.node_id();
    if is_other_cluster || is_other_node {
        return error(ErrorCode::RebootstrapRequired);
    }
    Response {
        api_keys: API_KEYS.clone(),
        supported_features: features::SUPPORTED.iter().map(supported).collect(),
        finalized_features_epoch: i64::try_from(image.last_applied.index).unwrap_or(i64::MAX),
        finalized_features: image.features.iter().map(finalized).collect(),
        ..Default::default()
    }
}

fn supported(feature: &features::SupportedFeature) -> SupportedFeatureKey {
    SupportedFeatureKey {
        name: StrBytes::from(feature.name),
        min_version: feature.min,
        max_version: feature.max,
    }
}

fn finalized((name, level): (&Arc<str>, i16)) -> FinalizedFeatureKey {
    FinalizedFeatureKey {
        name: StrBytes::from(&**name),
        max_version_level: level,
        min_version_level: level,
    }
}

/// The answer to a version that is newer than ours, in version 0, which every client can read:
/// error 35 and the versions of ApiVersions, so that the client can choose one (KIP-511).
pub fn too_new(context: &RequestContext) -> Result<Reply, Fault> {
    let mut response = error(ErrorCode::UnsupportedVersion);
    response.api_keys.extend(dispatch::find(ApiKey::ApiVersions).map(row));
    dispatch::Response::encode_as(context, 0, &response, Vec::new()).map(Reply::Response)
}

fn row(api: &dispatch::Api) -> ApiVersion {
    ApiVersion {
        api_key: api.key.code(),
        min_version: api.key.advertised_min_version(),
        max_version: *api.versions.end(),
    }
}

fn error(code: ErrorCode) -> Response {
    Response { error_code: code.into(), ..Default::default() }
}

/// Kafka's pattern `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?`.
fn is_software_name(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
    let bytes = text.as_bytes();
    let ends = bytes.first().into_iter().chain(bytes.last());
    !bytes.is_empty()
        && ends.into_iter().all(u8::is_ascii_alphanumeric)
        && bytes.iter().copied().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names() {
        for good in ["a", "librdkafka", "apache-kafka-java", "4.4.0", "a--..b"] {
            assert!(is_software_name(good), "{good}");
        }
        for bad in ["", "-a", "a.", "a b", "ä", "a_b"] {
            assert!(!is_software_name(bad), "{bad}");
        }
    }
}
