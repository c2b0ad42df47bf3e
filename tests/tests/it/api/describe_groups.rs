//! DescribeGroups: members, states, and groups that are not there.

use super::join_group::{join, request as join_request};
use super::sync_group::sync;
use crate::against::wire;
use protocol_codec::messages::describe_groups::Request;

#[test]
fn every_version() {
    wire(|session| {
        session.wait_for_coordinator("describe-stable");
        let joined = join(session, 5, &join_request("describe-stable", "", &["range"]));
        sync(session, 3, "describe-stable", &joined, None);
        let _ = join(session, 5, &join_request("describe-waiting", "", &["range"]));
        for version in 0..=6 {
            for group in ["describe-stable", "describe-waiting", "describe-missing"] {
                let request = Request {
                    groups: vec![group.into()],
                    include_authorized_operations: version >= 3,
                };
                let _ = session.ask(version, &request);
            }
        }
    });
}
