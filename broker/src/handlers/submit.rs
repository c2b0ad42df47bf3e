//! How a handler asks the controller: with the request's own time limit, and errors as Kafka's.

use std::time::Duration;

use controller::{ApiError, Command, Outcome};
use protocol_codec::{ErrorCode, StrBytes};

use crate::broker::Broker;
use crate::error_mapping::ToErrorCode;

/// Submits a command and waits at most `timeout_ms` for its outcome. What takes longer may still
/// happen, as in Kafka.
///
/// # Errors
/// `REQUEST_TIMED_OUT`, or why the controller cannot decide.
pub(super) async fn submit(
    broker: &Broker,
    command: Command,
    timeout_ms: i32,
) -> Result<Outcome, ApiError> {
    let limit = Duration::from_millis(u64::try_from(timeout_ms).unwrap_or(0));
    match tokio::time::timeout(limit, broker.controller().submit(command)).await {
        Ok(Ok(outcome)) => Ok(outcome),
        Ok(Err(error)) => Err(ApiError::new(error.error_code(), error.to_string())),
        Err(_) => Err(ApiError::new(
            ErrorCode::RequestTimedOut,
            "The request timed out before the controller had committed it.",
        )),
    }
}

/// The controller answered another command than it was asked: a bug, not a reason to panic.
pub(super) fn unexpected(outcome: &Outcome) -> ApiError {
    tracing::error!(?outcome, "The controller's outcome does not belong to its command");
    ApiError::bare(ErrorCode::UnknownServerError)
}

/// A result as the two fields that answers have for it.
pub(super) fn code_and_message(result: Result<(), ApiError>) -> (i16, Option<StrBytes>) {
    match result {
        Ok(()) => (ErrorCode::None.into(), None),
        Err(error) => (error.code.into(), error.message.map(StrBytes::from)),
    }
}
