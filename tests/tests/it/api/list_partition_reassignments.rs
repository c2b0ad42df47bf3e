//! ListPartitionReassignments: nothing is being reassigned, and that is said.

use crate::against::wire;
use protocol_codec::messages::list_partition_reassignments::{
    ListPartitionReassignmentsTopics, Request,
};

#[test]
fn none_are_ongoing() {
    wire(|session| {
        let _ = session.topic("reassign", 1);
        let named = |name: &str| {
            Some(vec![ListPartitionReassignmentsTopics {
                name: name.into(),
                partition_indexes: vec![0],
            }])
        };
        for topics in [None, named("reassign"), named("reassign-missing")] {
            let _ = session.ask(0, &Request { topics, timeout_ms: 10_000 });
        }
    });
}
