//! LeaveGroup: one member, several members, static members.

use super::join_group::{join, request as join_request};
use crate::against::wire;
use protocol_codec::messages::join_group;
use protocol_codec::messages::leave_group::{MemberIdentity, Request};

#[test]
fn every_version() {
    wire(|session| {
        session.wait_for_coordinator("leave");
        for version in 0..=5 {
            let group = format!("leave-v{version}");
            let joined = join(session, 5, &join_request(&group, "", &["range"]));
            let leaving = |member: &str| {
                let mut request = Request { group_id: group.as_str().into(), ..Default::default() };
                if version >= 3 {
                    request.members =
                        vec![MemberIdentity { member_id: member.into(), ..Default::default() }];
                } else {
                    request.member_id = member.into();
                }
                request
            };
            for member in ["stranger", &joined.member_id, &joined.member_id] {
                let _ = session.ask(version, &leaving(member));
            }
        }
    });
}

#[test]
fn static_members_leave_by_instance() {
    wire(|session| {
        session.wait_for_coordinator("leave-static");
        let request = join_group::Request {
            group_instance_id: Some("one".into()),
            ..join_request("leave-static", "", &["range"])
        };
        let _ = join(session, 5, &request);
        let by_instance = |instance: &str, member: &str| MemberIdentity {
            member_id: member.into(),
            group_instance_id: Some(instance.into()),
            reason: None,
        };
        for members in [
            vec![by_instance("one", "wrong")],
            vec![by_instance("two", "")],
            vec![by_instance("one", ""), by_instance("two", "")],
        ] {
            let _ = session.ask(
                3,
                &Request { group_id: "leave-static".into(), members, ..Default::default() },
            );
        }
    });
}
