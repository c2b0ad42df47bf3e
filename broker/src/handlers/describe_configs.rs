//! DescribeConfigs: the configs of topics, brokers, groups and the like, with where each comes from.

use std::collections::BTreeMap;

use controller::image::configs::{ConfigResource, ConfigResourceType, ResourceConfigs};
use controller::{ApiError, MetadataImage};
use protocol_codec::messages::describe_configs::{
    DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResult,
    DescribeConfigsSynonym, Request, Response,
};
use protocol_codec::{ErrorCode, StrBytes};

use crate::broker::Broker;
use crate::config::alter::broker_of;
use crate::config::describe::{self, ConfigEntry, Overrides};
use crate::context::RequestContext;

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    let image = broker.image();
    let asked = |resource: &DescribeConfigsResource| {
        let mut result = match entries(broker, &image, resource) {
            Ok(entries) => found(entries, resource, &request),
            Err(error) => failed(error),
        };
        result.resource_type = resource.resource_type;
        result.resource_name = resource.resource_name.clone();
        result
    };
    Response { results: request.resources.iter().map(asked).collect(), ..Default::default() }
}

fn entries(
    broker: &Broker,
    image: &MetadataImage,
    resource: &DescribeConfigsResource,
) -> Result<Vec<ConfigEntry>, ApiError> {
    let config = broker.config();
    let name = &*resource.resource_name;
    let kind = ConfigResourceType::from_code(resource.resource_type);
    let set = kind.and_then(|kind| image.configs.of(&ConfigResource::new(kind, name)));
    match kind {
        Some(ConfigResourceType::Topic) => {
            known_topic(image, name)?;
            Ok(describe::topic(&config, &overrides(set)))
        }
        Some(ConfigResourceType::Broker) => match own_broker(name, config.node_id)? {
            Some(_) => Ok(describe::broker(&config)),
            None => Ok(describe::default_broker(&config)),
        },
        Some(ConfigResourceType::Group) => Ok(describe::group(&config, &overrides(set))),
        Some(ConfigResourceType::ClientMetrics) => Ok(describe::client_metrics(&overrides(set))),
        None if resource.resource_type == BROKER_LOGGER => {
            own_broker(name, config.node_id)?;
            Ok(describe::broker_loggers(broker.log_levels().all()))
        }
        None => Err(ApiError::new(ErrorCode::InvalidRequest, UNKNOWN_TYPE)),
    }
}

/// The resource type of log levels, which the metadata does not keep.
pub const BROKER_LOGGER: i8 = 8;

/// Kafka's general sentence for INVALID_REQUEST.
const UNKNOWN_TYPE: &str = "This most likely occurs because of a request being malformed by the \
     client library or the message was sent to an incompatible broker. See the broker logs for more \
     details.";

fn known_topic(image: &MetadataImage, name: &str) -> Result<(), ApiError> {
    if image.topics.by_name(name).is_some() {
        return Ok(());
    }
    match controller::state::topic_name::invalid_reason(name) {
        Some(reason) => Err(ApiError::new(ErrorCode::InvalidTopicException, reason)),
        None => Err(ApiError::new(ErrorCode::UnknownTopicOrPartition, "")),
    }
}

/// The broker that is asked about: this one, or none for the configs that all share.
fn own_broker(name: &str, node_id: i32) -> Result<Option<i32>, ApiError> {
    broker_of(name, node_id).map_err(|_| {
        let text = match name.parse::<i32>() {
            Ok(_) => format!(
                "Unexpected broker id, expected {node_id} or empty string, but received {name}"
            ),
            Err(_) => format!("Broker id must be an integer, but it is: {name}"),
        };
        ApiError::new(ErrorCode::InvalidRequest, text)
    })
}

fn overrides(configs: Option<&ResourceConfigs>) -> Overrides<'_> {
    let pairs = configs.into_iter().flatten();
    pairs.map(|(name, value)| (&**name, &**value)).collect::<BTreeMap<_, _>>()
}

fn found(
    entries: Vec<ConfigEntry>,
    resource: &DescribeConfigsResource,
    request: &Request,
) -> DescribeConfigsResult {
    let keys = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty());
    let asked =
        |entry: &ConfigEntry| keys.is_none_or(|keys| keys.iter().any(|key| **key == *entry.name));
    let configs = entries.into_iter().filter(asked).map(|entry| config(entry, request)).collect();
    DescribeConfigsResult {
        error_message: Some(StrBytes::default()),
        configs,
        ..Default::default()
    }
}

fn failed(error: ApiError) -> DescribeConfigsResult {
    DescribeConfigsResult {
        error_code: error.code.into(),
        error_message: Some(error.message.map(StrBytes::from).unwrap_or_default()),
        ..Default::default()
    }
}

fn config(entry: ConfigEntry, request: &Request) -> DescribeConfigsResourceResult {
    let config_type = entry.wire_type();
    let synonym = |synonym: describe::Synonym| DescribeConfigsSynonym {
        name: StrBytes::from(synonym.name),
        value: synonym.value.map(StrBytes::from),
        source: synonym.source.wire_id(),
    };
    let synonyms = if request.include_synonyms { entry.synonyms } else { Vec::new() };
    let documentation = entry.documentation.filter(|_| request.include_documentation);
    DescribeConfigsResourceResult {
        name: StrBytes::from(entry.name),
        value: entry.value.map(StrBytes::from),
        read_only: entry.is_read_only,
        config_source: entry.source.wire_id(),
        is_sensitive: entry.is_sensitive,
        synonyms: synonyms.into_iter().map(synonym).collect(),
        config_type,
        documentation: documentation.map(StrBytes::from_static),
    }
}
