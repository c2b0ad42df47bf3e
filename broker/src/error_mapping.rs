//! The errors of the layers below as Kafka's error codes: the only place that knows both.

use controller::ControllerError;
use protocol_codec::ErrorCode;
use storage::log::retention::DeleteRecordsError;
use storage::producer_state::ProducerStateError;
use storage::{AppendError, NotDurable, ReadError, SegmentError};

use crate::config::alter::AlterError;
use crate::replication::partition::NotUsable;

/// Errors that become a code of a response.
pub trait ToErrorCode {
    fn error_code(&self) -> ErrorCode;
}

impl ToErrorCode for NotUsable {
    fn error_code(&self) -> ErrorCode {
        match self {
            NotUsable::NotLeader(_) => ErrorCode::NotLeaderOrFollower,
            NotUsable::Fenced(_) => ErrorCode::FencedLeaderEpoch,
            NotUsable::UnknownEpoch(_) => ErrorCode::UnknownLeaderEpoch,
            NotUsable::Offline => ErrorCode::KafkaStorageError,
        }
    }
}

impl ToErrorCode for AppendError {
    fn error_code(&self) -> ErrorCode {
        match self {
            AppendError::Producer(error) => error.error_code(),
            AppendError::BatchTooLarge { .. } => ErrorCode::MessageTooLarge,
            AppendError::BatchLargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
            AppendError::Marker(_) => ErrorCode::InvalidRecord,
            AppendError::OffsetsExhausted(_)
            | AppendError::NoSpace { .. }
            | AppendError::Unwritable(_)
            | AppendError::Write { .. }
            | AppendError::Segment(_)
            | AppendError::NotFlushed(_) => ErrorCode::KafkaStorageError,
        }
    }
}

impl ToErrorCode for ProducerStateError {
    fn error_code(&self) -> ErrorCode {
        match self {
            ProducerStateError::OutOfOrderSequence { .. }
            | ProducerStateError::NewEpochNotAtZero { .. } => ErrorCode::OutOfOrderSequenceNumber,
            ProducerStateError::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            ProducerStateError::InvalidTxnState { .. } => ErrorCode::InvalidTxnState,
            ProducerStateError::TransactionCoordinatorFenced { .. } => {
                ErrorCode::TransactionCoordinatorFenced
            }
        }
    }
}

impl ToErrorCode for NotDurable {
    fn error_code(&self) -> ErrorCode {
        match self {
            NotDurable::Unwritable(_) => ErrorCode::KafkaStorageError,
            NotDurable::Truncated(_) => ErrorCode::NotLeaderOrFollower,
        }
    }
}

impl ToErrorCode for ReadError {
    fn error_code(&self) -> ErrorCode {
        match self {
            ReadError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            ReadError::Segment(error) => error.error_code(),
        }
    }
}

impl ToErrorCode for SegmentError {
    fn error_code(&self) -> ErrorCode {
        ErrorCode::KafkaStorageError
    }
}

impl ToErrorCode for DeleteRecordsError {
    fn error_code(&self) -> ErrorCode {
        match self {
            DeleteRecordsError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            DeleteRecordsError::Unwritable(_) => ErrorCode::KafkaStorageError,
        }
    }
}

impl ToErrorCode for AlterError {
    fn error_code(&self) -> ErrorCode {
        match self {
            AlterError::InvalidConfig(_) => ErrorCode::InvalidConfig,
            AlterError::InvalidRequest(_) => ErrorCode::InvalidRequest,
        }
    }
}

impl ToErrorCode for ControllerError {
    fn error_code(&self) -> ErrorCode {
        match self {
            ControllerError::NotController { .. } => ErrorCode::NotController,
            // Whether it happened is not known: a client that repeats it finds out.
            ControllerError::OutcomeUnknown => ErrorCode::RequestTimedOut,
            ControllerError::NoSpace => ErrorCode::KafkaStorageError,
            ControllerError::Stopped(_) => ErrorCode::NotController,
            ControllerError::Internal(_) => ErrorCode::UnknownServerError,
        }
    }
}
