//! InitProducerId for idempotent producers: ids are handed out once.

use crate::against::{Session, eventually, wire};
use protocol_codec::ErrorCode;
use protocol_codec::messages::init_producer_id::{Request, Response};

/// Kafka fetches its first block of ids when it is first asked, and says so.
fn first(session: &mut Session, version: i16, request: &Request) -> Response {
    let busy = ErrorCode::CoordinatorLoadInProgress.code();
    let answer = eventually(|| {
        Some(session.client.call(version, request)).filter(|answer| answer.error_code != busy)
    });
    answer.expect("a producer id in the end")
}

#[test]
fn ids_are_new_and_epochs_start_at_zero() {
    wire(|session| {
        let mut seen = Vec::new();
        for version in 0..=5 {
            let request = Request {
                transactional_id: None,
                transaction_timeout_ms: i32::MAX,
                ..Default::default()
            };
            let mut answer = first(session, version, &request);
            assert!(
                answer.producer_id >= 0 && !seen.contains(&answer.producer_id),
                "{answer:?} after {seen:?}"
            );
            seen.push(answer.producer_id);
            answer.producer_id = 0;
            session.note(&format!("InitProducerId version {version}"), &answer);
        }
    });
}

/// KIP-360 gives a producer without a transactional id a new id when it comes with an old one.
#[test]
fn an_old_id_without_a_transaction_gets_an_answer() {
    wire(|session| {
        for (producer_id, producer_epoch) in [(77, 3), (77, -1), (-1, 3)] {
            let request = Request {
                transactional_id: None,
                transaction_timeout_ms: 1000,
                producer_id,
                producer_epoch,
                ..Default::default()
            };
            let answer = first(session, 4, &request);
            session.note(
                "InitProducerId version 4 with an id",
                &(answer.error_code, answer.producer_epoch, answer.producer_id >= 0),
            );
        }
    });
}
