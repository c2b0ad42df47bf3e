//! AlterConfigs, the older way: the named configs are set and all others of the resource are gone.

use std::sync::Arc;

use controller::command::{AlterConfigs, ConfigChange, ConfigOperations};
use controller::image::configs::{ConfigResource, ConfigResourceType};
use controller::{ApiError, Command, Outcome};
use protocol_codec::messages::alter_configs::{
    AlterConfigsResource, AlterConfigsResourceResponse, Request, Response,
};
use protocol_codec::{ErrorCode, StrBytes};

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::handlers::submit::{code_and_message, submit, unexpected};

/// The two requests name no time limit of their own; this is the default of other requests.
const TIMEOUT_MS: i32 = 60_000;

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    let changes = request.resources.iter().map(change).collect();
    let results = alter(broker, changes, request.validate_only).await;
    let answer = |(resource, result): (&AlterConfigsResource, Result<(), ApiError>)| {
        let (error_code, error_message) = code_and_message(result);
        AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
        }
    };
    let responses = request.resources.iter().zip(results).map(answer).collect();
    Response { responses, ..Default::default() }
}

fn change(resource: &AlterConfigsResource) -> Result<ConfigChange, ApiError> {
    let named = resource_of(resource.resource_type, &resource.resource_name)?;
    let text = |text: &StrBytes| Arc::<str>::from(&**text);
    let configs = resource.configs.iter();
    let configs = configs.map(|config| (text(&config.name), config.value.as_ref().map(text)));
    Ok(ConfigChange { resource: named, operations: ConfigOperations::Replace(configs.collect()) })
}

/// The resource that a request names.
///
/// # Errors
/// A type whose configs the metadata does not keep.
pub fn resource_of(kind: i8, name: &str) -> Result<ConfigResource, ApiError> {
    match ConfigResourceType::from_code(kind) {
        Some(kind) => Ok(ConfigResource::new(kind, name)),
        None => {
            let text = format!("Unknown resource type {kind}");
            Err(ApiError::new(ErrorCode::InvalidRequest, text))
        }
    }
}

/// Has the controller make the changes that are well formed; answers in the order of `changes`.
pub async fn alter(
    broker: &Broker,
    changes: Vec<Result<ConfigChange, ApiError>>,
    validate_only: bool,
) -> Vec<Result<(), ApiError>> {
    let good: Vec<ConfigChange> = changes.iter().filter_map(|change| change.clone().ok()).collect();
    let count = good.len();
    let command = Command::AlterConfigs(AlterConfigs { changes: good, validate_only });
    let decided = match submit(broker, command, TIMEOUT_MS).await {
        Ok(Outcome::AlterConfigs(results)) => results.into_iter().map(|one| one.result).collect(),
        Ok(other) => vec![Err(unexpected(&other)); count],
        Err(error) => vec![Err(error); count],
    };
    let mut decided: std::vec::IntoIter<_> = decided.into_iter();
    let missing = || Err(ApiError::bare(ErrorCode::UnknownServerError));
    let answer = |change: Result<ConfigChange, ApiError>| match change {
        Ok(_) => decided.next().unwrap_or_else(missing),
        Err(error) => Err(error),
    };
    changes.into_iter().map(answer).collect()
}
