//! OffsetCommit: by strangers to an empty group, by members, and refusals.

use super::join_group::{join, request as join_request};
use crate::against::wire;
use protocol_codec::Uuid;
use protocol_codec::messages::offset_commit::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic, Request,
};

pub(super) fn request(
    version: i16,
    group: &str,
    topic: &str,
    id: Uuid,
    partition: i32,
    offset: i64,
) -> Request {
    let partition = OffsetCommitRequestPartition {
        partition_index: partition,
        committed_offset: offset,
        committed_leader_epoch: if version >= 6 { 0 } else { -1 },
        committed_metadata: Some("note".into()),
    };
    let (name, topic_id) = if version >= 10 { ("", id) } else { (topic, Uuid::ZERO) };
    let topic =
        OffsetCommitRequestTopic { name: name.into(), topic_id, partitions: vec![partition] };
    Request { group_id: group.into(), topics: vec![topic], ..Default::default() }
}

#[test]
fn every_version_commits() {
    wire(|session| {
        session.wait_for_coordinator("commit");
        let id = session.topic("commit", 1);
        for version in 2..=10 {
            let _ = session
                .ask(version, &request(version, "commit", "commit", id, 0, i64::from(version)));
            let _ = session.ask(version, &request(version, "commit", "commit", id, 7, 1));
            let unknown = Uuid::from_bytes([3; 16]);
            let _ =
                session.ask(version, &request(version, "commit", "commit-missing", unknown, 0, 1));
        }
    });
}

#[test]
fn members_and_strangers() {
    wire(|session| {
        session.wait_for_coordinator("commit-member");
        let id = session.topic("commit-member", 1);
        let joined = join(session, 5, &join_request("commit-member", "", &["range"]));
        let base = |version| request(version, "commit-member", "commit-member", id, 0, 1);
        for version in [2, 7, 9] {
            let by = |generation, member: &str| Request {
                generation_id_or_member_epoch: generation,
                member_id: member.into(),
                ..base(version)
            };
            for request in
                [by(-1, ""), by(1, "stranger"), by(99, &joined.member_id), by(1, &joined.member_id)]
            {
                let _ = session.ask(version, &request);
            }
        }
        super::sync_group::sync(session, 3, "commit-member", &joined, None);
        let right = Request {
            generation_id_or_member_epoch: joined.generation_id,
            member_id: joined.member_id,
            ..base(7)
        };
        let _ = session.ask(7, &right);
        let mut large = right;
        large.topics[0].partitions[0].committed_metadata = Some("x".repeat(5000).as_str().into());
        let _ = session.ask(7, &large);
        let _ = session.ask(7, &Request { group_id: "".into(), ..base(7) });
        let _ = session.ask(
            7,
            &Request {
                generation_id_or_member_epoch: 5,
                member_id: "x".into(),
                group_id: "commit-none".into(),
                ..base(7)
            },
        );
    });
}
