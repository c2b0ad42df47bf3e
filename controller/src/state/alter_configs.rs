//! IncrementalAlterConfigs and AlterConfigs: each resource changes as a whole or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol_codec::ErrorCode;

use super::{Context, RECORDS_PER_USER_OP_MAX, topic_name};
use crate::command::{
    AlterConfigs, AlterConfigsResult, ApiError, ConfigChange, ConfigOperation, ConfigOperations,
};
use crate::config_rules::ConfigMap;
use crate::image::MetadataImage;
use crate::image::configs::{ConfigResource, ConfigResourceType};
use crate::record::MetadataRecord;

/// The longest value of a config, as in Kafka.
const VALUE_LENGTH_MAX: usize = 32767;
const VALUE_TOO_LONG: &str = "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes.";

/// A new value for each config that is named; `None` removes it.
type Changes = BTreeMap<Arc<str>, Option<Arc<str>>>;

/// Answers come in the order of the request; a resource that is named twice is refused twice.
pub(super) fn decide(
    image: &MetadataImage,
    request: &AlterConfigs,
    context: &Context<'_>,
    out: &mut Vec<MetadataRecord>,
) -> Vec<AlterConfigsResult> {
    let mut times: BTreeMap<&ConfigResource, usize> = BTreeMap::new();
    for change in &request.changes {
        *times.entry(&change.resource).or_default() += 1;
    }
    let mut results = Vec::with_capacity(request.changes.len());
    for change in &request.changes {
        let result = if times.get(&change.resource) == Some(&1) {
            alter(image, change, context, out)
        } else {
            Err(invalid_request("Each resource must appear at most once."))
        };
        results.push(AlterConfigsResult { resource: change.resource.clone(), result });
    }
    if request.validate_only {
        out.clear();
    }
    results
}

fn alter(
    image: &MetadataImage,
    change: &ConfigChange,
    context: &Context<'_>,
    out: &mut Vec<MetadataRecord>,
) -> Result<(), ApiError> {
    let resource = &change.resource;
    check_well_formed(&change.operations)?;
    check_resource(resource)?;
    let existing: ConfigMap = image
        .configs
        .of(resource)
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let changes = match &change.operations {
        ConfigOperations::Incremental(operations) => {
            incremental_changes(resource, operations, &existing, context)?
        }
        ConfigOperations::Replace(configs) => replacing_changes(configs, &existing),
    };

    let mut proposed = existing.clone();
    for (name, value) in &changes {
        match value {
            Some(value) if value.encode_utf16().count() > VALUE_LENGTH_MAX => {
                return Err(ApiError::new(ErrorCode::InvalidConfig, VALUE_TOO_LONG));
            }
            Some(value) => proposed.insert(name.clone(), value.clone()),
            None => proposed.remove(name),
        };
    }
    context.rules.validate(resource, &proposed, &existing)?;
    check_exists(image, resource)?;
    if out.len() + changes.len() > RECORDS_PER_USER_OP_MAX {
        return Err(ApiError::new(
            ErrorCode::PolicyViolation,
            "Unable to perform excessively large batch operation.",
        ));
    }
    for (name, value) in changes {
        // A broker's config is logged even when it stays the same: brokers take it as the wish to
        // read again what the value points to (KAFKA-14136).
        if resource.kind == ConfigResourceType::Broker || existing.get(&name) != value.as_ref() {
            out.push(MetadataRecord::Config { resource: resource.clone(), name, value });
        }
    }
    Ok(())
}

fn incremental_changes(
    resource: &ConfigResource,
    operations: &[(Arc<str>, ConfigOperation)],
    existing: &ConfigMap,
    context: &Context<'_>,
) -> Result<Changes, ApiError> {
    let mut changes = Changes::new();
    for (name, operation) in operations {
        let value = match operation {
            ConfigOperation::Set(value) => value.clone(),
            ConfigOperation::Delete => None,
            ConfigOperation::Append(value) => {
                let mut list = list_of(resource, name, "APPEND", existing, context)?;
                for element in elements(value.as_ref()) {
                    if !list.iter().any(|present| present == element) {
                        list.push(element.to_owned());
                    }
                }
                Some(list.join(",").into())
            }
            ConfigOperation::Subtract(value) => {
                let mut list = list_of(resource, name, "SUBTRACT", existing, context)?;
                for element in elements(value.as_ref()) {
                    if let Some(index) = list.iter().position(|present| present == element) {
                        list.remove(index);
                    }
                }
                Some(list.join(",").into())
            }
        };
        changes.insert(name.clone(), value);
    }
    Ok(changes)
}

/// No config twice, no value missing.
fn check_well_formed(operations: &ConfigOperations) -> Result<(), ApiError> {
    let named: Vec<(&Arc<str>, bool)> = match operations {
        ConfigOperations::Incremental(operations) => {
            operations.iter().map(|(name, operation)| (name, operation.lacks_value())).collect()
        }
        ConfigOperations::Replace(configs) => {
            configs.iter().map(|(name, value)| (name, value.is_none())).collect()
        }
    };
    let names: BTreeSet<&Arc<str>> = named.iter().map(|(name, _)| *name).collect();
    if names.len() < named.len() {
        return Err(invalid_request("Error due to duplicate config keys"));
    }
    let without_value: Vec<&str> =
        named.iter().filter(|(_, lacks_value)| *lacks_value).map(|(name, _)| &***name).collect();
    if !without_value.is_empty() {
        let names = without_value.join(", ");
        return Err(invalid_request(&format!("Null value not supported for : {names}")));
    }
    Ok(())
}

/// The elements that the list has now.
fn list_of(
    resource: &ConfigResource,
    name: &Arc<str>,
    operation: &str,
    existing: &ConfigMap,
    context: &Context<'_>,
) -> Result<Vec<String>, ApiError> {
    if !context.rules.is_list(resource.kind, name) {
        return Err(ApiError::new(
            ErrorCode::InvalidConfig,
            format!("Can't {operation} to key {name} because its type is not LIST."),
        ));
    }
    let current = match existing.get(name) {
        Some(value) => Some(value.to_string()),
        None => context.rules.default_value(resource.kind, name),
    };
    let current = current.unwrap_or_default();
    Ok(current.split(',').filter(|element| !element.is_empty()).map(str::to_owned).collect())
}

fn elements(value: Option<&Arc<str>>) -> impl Iterator<Item = &str> {
    value.into_iter().flat_map(|value| value.split(','))
}

fn replacing_changes(configs: &[(Arc<str>, Option<Arc<str>>)], existing: &ConfigMap) -> Changes {
    let mut changes: Changes = existing.keys().map(|name| (name.clone(), None)).collect();
    changes.extend(configs.iter().cloned());
    changes
}

/// Kafka's checks of the resource's name, which hold for every kind of change.
pub(super) fn check_resource(resource: &ConfigResource) -> Result<(), ApiError> {
    match resource.kind {
        ConfigResourceType::Topic if resource.name.is_empty() => {
            Err(invalid_request("Default topic resources are not allowed."))
        }
        ConfigResourceType::Topic => match topic_name::invalid_reason(&resource.name) {
            Some(reason) => Err(ApiError::new(ErrorCode::InvalidTopicException, reason)),
            None => Ok(()),
        },
        ConfigResourceType::Broker if resource.name.is_empty() => Ok(()),
        ConfigResourceType::Broker => match resource.name.parse::<i32>() {
            Ok(id) if id >= 0 => Ok(()),
            Ok(_) => Err(invalid_request("Invalid negative broker ID.")),
            Err(_) => {
                let text = format!("Node id must be an integer, but it is: {}", resource.name);
                Err(invalid_request(&text))
            }
        },
        ConfigResourceType::Group if resource.name.is_empty() => {
            Err(invalid_request("Default group resources are not allowed."))
        }
        ConfigResourceType::ClientMetrics if resource.name.is_empty() => {
            Err(invalid_request("Subscription name can't be empty"))
        }
        ConfigResourceType::Group | ConfigResourceType::ClientMetrics => Ok(()),
    }
}

/// Topics and brokers must exist; groups and metrics subscriptions exist by being configured.
fn check_exists(image: &MetadataImage, resource: &ConfigResource) -> Result<(), ApiError> {
    match resource.kind {
        ConfigResourceType::Topic if image.topics.by_name(&resource.name).is_none() => {
            Err(ApiError::new(
                ErrorCode::UnknownTopicOrPartition,
                format!("The topic '{}' does not exist.", resource.name),
            ))
        }
        ConfigResourceType::Broker if !resource.name.is_empty() => {
            let id = resource.name.parse::<i32>().unwrap_or(-1);
            match image.brokers.get(id) {
                Some(_) => Ok(()),
                None => Err(ApiError::new(
                    ErrorCode::BrokerIdNotRegistered,
                    format!("No node with id {id} found."),
                )),
            }
        }
        ConfigResourceType::Topic
        | ConfigResourceType::Broker
        | ConfigResourceType::Group
        | ConfigResourceType::ClientMetrics => Ok(()),
    }
}

fn invalid_request(message: &str) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, message)
}
