//! ApiVersions: what is advertised is coherent, and within what Kafka has.

use crate::against::wire;
use protocol_codec::messages::api_versions::Request;
use protocol_codec::{ApiKey, ErrorCode};
use tests::barnabas::Node;
use tests::client::Client;

/// Nothing is advertised that Kafka does not have, and whole ranges only.
#[test]
fn ranges_are_those_of_kafka() {
    let node = Node::new();
    let broker = node.start();
    let answer = Client::connect(&broker.bootstrap()).call(2, &Request::default());
    assert!(answer.api_keys.len() >= 32, "{} APIs", answer.api_keys.len());
    for api in &answer.api_keys {
        let key = ApiKey::from_code(api.api_key).expect("an API of Kafka");
        let range = (api.min_version, api.max_version);
        assert_eq!(range, (key.advertised_min_version(), *key.versions().end()), "{}", key.name());
    }
    broker.stop();
}

#[test]
fn names_and_versions_of_clients_are_checked() {
    wire(|session| {
        let names = [
            ("good", "1.0"),
            ("", "1"),
            ("bad name", "1"),
            ("-x", "1"),
            ("x", "1-"),
            ("a.b-c", "1.2.3-rc4"),
        ];
        for (name, version) in names {
            let request = Request {
                client_software_name: name.into(),
                client_software_version: version.into(),
                ..Default::default()
            };
            for api_version in [3, 4] {
                let answer = session.client.call(api_version, &request);
                session.note(
                    &format!("ApiVersions version {api_version} {name:?} {version:?}"),
                    &answer.error_code,
                );
            }
        }
    });
}

/// A client that looks for another cluster or node is told to bootstrap again (KIP-1242).
#[test]
fn a_wrong_cluster_or_node_is_sent_away() {
    let node = Node::new();
    let broker = node.start();
    let mut client = Client::connect(&broker.bootstrap());
    let named = |cluster: Option<&str>, node_id| Request {
        client_software_name: "it".into(),
        client_software_version: "1".into(),
        cluster_id: cluster.map(Into::into),
        node_id,
    };
    let asked = [
        (None, -1, ErrorCode::None),
        (None, 1, ErrorCode::None),
        (None, 9, ErrorCode::RebootstrapRequired),
        (Some("other"), -1, ErrorCode::RebootstrapRequired),
    ];
    for (cluster, node_id, expected) in asked {
        let answer = client.call(5, &named(cluster, node_id));
        assert_eq!(answer.error_code, expected as i16, "{cluster:?} {node_id}");
    }
    broker.stop();
}
