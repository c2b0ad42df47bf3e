//! IncrementalAlterConfigs: single configs are set, deleted, appended to or subtracted from
//! (KIP-339).

use std::sync::Arc;

use controller::ApiError;
use controller::command::{ConfigChange, ConfigOperation, ConfigOperations};
use controller::image::configs::ConfigResource;
use protocol_codec::ErrorCode;
use protocol_codec::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig, Request, Response,
};

use crate::broker::Broker;
use crate::config::alter::{AlterError, broker_of};
use crate::context::RequestContext;
use crate::error_mapping::ToErrorCode as _;
use crate::handlers::alter_configs::{alter, resource_of};
use crate::handlers::describe_configs::BROKER_LOGGER;
use crate::handlers::submit::code_and_message;

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    let kept = request.resources.iter().filter(|resource| !is_logger(resource));
    let changes = kept.map(change).collect();
    let mut decided = alter(broker, changes, request.validate_only).await.into_iter();
    let answer = |resource: &AlterConfigsResource| {
        let result = if is_logger(resource) {
            alter_loggers(broker, resource, request.validate_only)
        } else {
            decided.next().unwrap_or_else(|| Err(ApiError::bare(ErrorCode::UnknownServerError)))
        };
        let (error_code, error_message) = code_and_message(result);
        AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
        }
    };
    let responses = request.resources.iter().map(answer).collect();
    Response { responses, ..Default::default() }
}

/// Log levels belong to this process; the metadata does not keep them.
fn is_logger(resource: &AlterConfigsResource) -> bool {
    resource.resource_type == BROKER_LOGGER
}

fn alter_loggers(
    broker: &Broker,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), ApiError> {
    let refused = |error: AlterError| ApiError::new(error.error_code(), error.to_string());
    broker_of(&resource.resource_name, broker.node_id()).map_err(refused)?;
    let mut levels = Vec::with_capacity(resource.configs.len());
    for config in &resource.configs {
        match operation(config)? {
            (_, ConfigOperation::Set(_)) => levels.push((&*config.name, config.value.as_deref())),
            (_, ConfigOperation::Delete) => levels.push((&*config.name, None)),
            (_, ConfigOperation::Append(_)) => return Err(no_list("APPEND")),
            (_, ConfigOperation::Subtract(_)) => return Err(no_list("SUBTRACT")),
        }
    }
    broker.log_levels().alter(&levels, validate_only).map_err(refused)
}

fn no_list(operation: &str) -> ApiError {
    let text = format!("{operation} operation is not allowed for the BROKER_LOGGER resource");
    ApiError::new(ErrorCode::InvalidRequest, text)
}

fn change(resource: &AlterConfigsResource) -> Result<ConfigChange, ApiError> {
    let named: ConfigResource = resource_of(resource.resource_type, &resource.resource_name)?;
    let mut names: Vec<&str> = resource.configs.iter().map(|config| &*config.name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair.first() == pair.last()) {
        let text = "Error due to duplicate config keys";
        return Err(ApiError::new(ErrorCode::InvalidRequest, text));
    }
    let operations = resource.configs.iter().map(operation).collect::<Result<_, _>>()?;
    Ok(ConfigChange { resource: named, operations: ConfigOperations::Incremental(operations) })
}

fn operation(config: &AlterableConfig) -> Result<(Arc<str>, ConfigOperation), ApiError> {
    let value = config.value.as_ref().map(|value| Arc::<str>::from(&**value));
    let operation = match config.config_operation {
        0 => ConfigOperation::Set(value),
        1 => ConfigOperation::Delete,
        2 => ConfigOperation::Append(value),
        3 => ConfigOperation::Subtract(value),
        other => {
            let text = format!("Unknown operation type {other}");
            return Err(ApiError::new(ErrorCode::InvalidRequest, text));
        }
    };
    Ok((Arc::from(&*config.name), operation))
}
