//! DeleteGroups: empty ones go, living ones stay.

use super::join_group::{join, request as join_request};
use super::offset_commit::request as commit;
use crate::against::wire;
use protocol_codec::messages::delete_groups::Request;

#[test]
fn every_version() {
    wire(|session| {
        session.wait_for_coordinator("delete-empty");
        let id = session.topic("delete-groups", 1);
        let _ = join(session, 5, &join_request("delete-living", "", &["range"]));
        for version in 0..=3 {
            let _ = session.client.call(7, &commit(7, "delete-empty", "delete-groups", id, 0, 5));
            for group in ["delete-empty", "delete-empty", "delete-living", "delete-missing", ""] {
                let _ = session.ask(version, &Request { groups_names: vec![group.into()] });
            }
        }
    });
}
