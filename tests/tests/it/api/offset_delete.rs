//! OffsetDelete: committed offsets go, but not of topics that members subscribe to (KIP-496).

use super::offset_commit::request as commit;
use crate::against::wire;
use protocol_codec::messages::offset_delete::{
    OffsetDeleteRequestPartition, OffsetDeleteRequestTopic, Request,
};

#[test]
fn offsets_are_deleted() {
    wire(|session| {
        session.wait_for_coordinator("offset-delete");
        let id = session.topic("offset-delete", 1);
        let _ = session.client.call(7, &commit(7, "offset-delete", "offset-delete", id, 0, 5));
        let request = |group: &str, topic: &str, partition| Request {
            group_id: group.into(),
            topics: vec![OffsetDeleteRequestTopic {
                name: topic.into(),
                partitions: vec![OffsetDeleteRequestPartition { partition_index: partition }],
            }],
        };
        for (group, topic, partition) in [
            ("offset-delete-missing", "offset-delete", 0),
            ("offset-delete", "offset-delete", 9),
            ("offset-delete", "offset-delete-missing", 0),
            ("offset-delete", "offset-delete", 0),
            ("offset-delete", "offset-delete", 0),
            ("", "offset-delete", 0),
        ] {
            let _ = session.ask(0, &request(group, topic, partition));
        }
    });
}
