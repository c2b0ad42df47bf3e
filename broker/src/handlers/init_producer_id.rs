//! InitProducerId: ids for idempotent producers. Transactions are not served yet.

use protocol_codec::ErrorCode;
use protocol_codec::messages::init_producer_id::{Request, Response};

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::error_mapping::ToErrorCode;
use crate::producer_ids::NoProducerId;

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    if request.transactional_id.is_some() {
        // Not COORDINATOR_NOT_AVAILABLE: Java's client would try again for ever.
        return error(ErrorCode::InvalidRequest);
    }
    if (request.producer_id < 0) != (request.producer_epoch < 0) {
        // An id without its epoch or the reverse (KIP-360).
        return error(ErrorCode::InvalidRequest);
    }
    match broker.producer_ids().next().await {
        Ok(producer_id) => Response { producer_id, producer_epoch: 0, ..Default::default() },
        Err(NoProducerId::Controller(failed)) => error(match failed.error_code() {
            ErrorCode::NotController => ErrorCode::CoordinatorLoadInProgress,
            code => code,
        }),
        Err(NoProducerId::Refused(refused)) => error(refused.code),
    }
}

fn error(code: ErrorCode) -> Response {
    let (producer_id, producer_epoch) = (-1, -1);
    Response { error_code: code.into(), producer_id, producer_epoch, ..Default::default() }
}
