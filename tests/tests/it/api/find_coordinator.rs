//! FindCoordinator for groups, in every version.

use crate::against::wire;
use protocol_codec::ErrorCode;
use protocol_codec::messages::find_coordinator::Request;
use tests::barnabas::Node;
use tests::client::Client;

const TRANSACTION: i8 = 1;

fn request(version: i16, key: &str, key_type: i8) -> Request {
    if version >= 4 {
        Request { coordinator_keys: vec![key.into()], key_type, ..Default::default() }
    } else {
        Request { key: key.into(), key_type, ..Default::default() }
    }
}

#[test]
fn every_version_finds_a_groups_coordinator() {
    wire(|session| {
        session.wait_for_coordinator("find-coordinator");
        for version in 0..=6 {
            let _ = session.ask(version, &request(version, "find-coordinator", 0));
        }
        let several = Request {
            coordinator_keys: vec!["a".into(), "b".into()],
            key_type: 0,
            ..Default::default()
        };
        let _ = session.ask(4, &several);
        let _ = session.ask(4, &request(4, "x", 9));
    });
}

/// There are no transactions yet: the answer must be one that no client retries for ever.
#[test]
fn transactions_are_refused_for_good() {
    let node = Node::new();
    let broker = node.start();
    let mut client = Client::connect(&broker.bootstrap());
    for version in 1..=6 {
        let answer = client.call(version, &request(version, "t", TRANSACTION));
        let code = answer.coordinators.first().map_or(answer.error_code, |one| one.error_code);
        let code = ErrorCode::from_code(code).expect("a code of Kafka");
        assert!(!code.is_retriable(), "version {version}: {code:?}");
    }
    broker.stop();
}
