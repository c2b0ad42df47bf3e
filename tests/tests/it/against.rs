//! One scenario, two brokers: what Apache Kafka answers decides.

use std::sync::OnceLock;
use tests::barnabas::Node;
use tests::kafka::Kafka;

/// The Kafka that all scenarios of this test run share. Scenarios use names of their own for topics
/// and groups, so they do not see each other.
fn kafka() -> &'static Kafka {
    static KAFKA: OnceLock<Kafka> = OnceLock::new();
    KAFKA.get_or_init(|| Kafka::start(&[]))
}

/// Runs the scenario on a fresh Barnabas and on Kafka, with the bootstrap address of each, and
/// asserts that the transcripts are equal.
pub(crate) fn both(scenario: fn(&str) -> String) {
    let node = Node::new();
    let broker = node.start();
    let ours = scenario(&broker.bootstrap());
    broker.stop();
    let theirs = scenario(&kafka().bootstrap());
    assert_eq!(ours, theirs, "left: Barnabas, right: Apache Kafka 4.4.0");
}
