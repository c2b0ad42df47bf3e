//! Heartbeat: who is still a member.

use super::join_group::{join, request as join_request};
use super::sync_group::sync;
use crate::against::wire;
use protocol_codec::messages::heartbeat::Request;

#[test]
fn every_version_and_what_is_stale() {
    wire(|session| {
        session.wait_for_coordinator("beat");
        for version in 0..=4 {
            let group = format!("beat-v{version}");
            let joined = join(session, 5, &join_request(&group, "", &["range"]));
            let right = Request {
                group_id: group.as_str().into(),
                generation_id: joined.generation_id,
                member_id: joined.member_id.clone(),
                group_instance_id: None,
            };
            let _ = session.ask(version, &right);
            sync(session, 3, &group, &joined, None);
            let _ = session.ask(version, &right);
            let _ = session.ask(version, &Request { generation_id: 99, ..right.clone() });
            let _ =
                session.ask(version, &Request { member_id: "stranger".into(), ..right.clone() });
            let _ =
                session.ask(version, &Request { group_id: "beat-missing".into(), ..right.clone() });
            let _ = session.ask(version, &Request { group_id: "".into(), ..right.clone() });
        }
    });
}
