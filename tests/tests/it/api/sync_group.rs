//! SyncGroup: the leader's assignments reach their members.

use super::join_group::{join, request as join_request};
use crate::against::{Session, wire};
use bytes::Bytes;
use protocol_codec::messages::join_group;
use protocol_codec::messages::sync_group::{Request, SyncGroupRequestAssignment};

/// Syncs as the leader with one assignment for itself.
pub(super) fn sync(
    session: &mut Session,
    version: i16,
    group: &str,
    joined: &join_group::Response,
    instance: Option<&str>,
) {
    let request = Request { group_instance_id: instance.map(Into::into), ..request(group, joined) };
    let _ = session.ask(version, &request);
}

fn request(group: &str, joined: &join_group::Response) -> Request {
    let assignment = SyncGroupRequestAssignment {
        member_id: joined.member_id.clone(),
        assignment: Bytes::from_static(b"mine"),
    };
    Request {
        group_id: group.into(),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        assignments: vec![assignment],
        ..Default::default()
    }
}

#[test]
fn every_version_and_what_is_stale() {
    wire(|session| {
        session.wait_for_coordinator("sync");
        for version in 0..=5 {
            let group = format!("sync-v{version}");
            let joined = join(session, 5, &join_request(&group, "", &["range"]));
            let right = request(&group, &joined);
            let _ = session.ask(version, &Request { generation_id: 99, ..right.clone() });
            let _ =
                session.ask(version, &Request { member_id: "stranger".into(), ..right.clone() });
            let _ =
                session.ask(version, &Request { group_id: "sync-missing".into(), ..right.clone() });
            if version >= 5 {
                let other = Request { protocol_type: Some("connect".into()), ..right.clone() };
                let _ = session.ask(version, &other);
                let other = Request { protocol_name: Some("sticky".into()), ..right.clone() };
                let _ = session.ask(version, &other);
            }
            let _ = session.ask(version, &right);
            let _ = session.ask(version, &right);
        }
    });
}

/// Two members: the follower's sync waits for the leader's.
#[test]
fn followers_get_what_the_leader_assigned() {
    wire(|session| {
        session.wait_for_coordinator("sync-two");
        let first = join(session, 3, &join_request("sync-two", "", &["range"]));
        let mut follower = session.connect();
        follower.send(3, &join_request("sync-two", "", &["range"]));
        let leader = session.await_rebalance(
            "sync-two",
            &first,
            &join_request("sync-two", &first.member_id, &["range"]),
        );
        let followed = follower.receive::<join_group::Request>(3).expect("an answer");
        session.mask(followed.member_id.clone(), "FOLLOWER");
        assert_eq!(leader.members.len(), 2);
        session.note("JoinGroup version 3 of the follower", &followed);
        follower.send(3, &Request { assignments: Vec::new(), ..request("sync-two", &followed) });
        let mut both = request("sync-two", &leader);
        both.assignments.push(SyncGroupRequestAssignment {
            member_id: followed.member_id,
            assignment: Bytes::from_static(b"yours"),
        });
        let _ = session.ask(3, &both);
        let assigned = follower.receive::<Request>(3).expect("an answer");
        session.note("SyncGroup version 3 of the follower", &assigned);
    });
}
