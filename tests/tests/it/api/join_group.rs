//! JoinGroup: every version, member ids, protocols, and refusals.

use crate::against::{Session, wire};
use bytes::Bytes;
use protocol_codec::messages::join_group::{JoinGroupRequestProtocol, Request, Response};

pub(super) fn request(group: &str, member: &str, protocols: &[&str]) -> Request {
    let protocol = |name: &&str| JoinGroupRequestProtocol {
        name: (*name).into(),
        metadata: Bytes::from_static(b"meta"),
    };
    Request {
        group_id: group.into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        member_id: member.into(),
        protocol_type: "consumer".into(),
        protocols: protocols.iter().map(protocol).collect(),
        ..Default::default()
    }
}

/// Joins alone, with a member id when the broker wants one; returns the answer. The member's id is
/// written down as `MEMBER`.
pub(super) fn join(session: &mut Session, version: i16, request: &Request) -> Response {
    let first = session.client.call(version, request);
    if !first.member_id.is_empty() {
        session.mask(first.member_id.clone(), "MEMBER");
    }
    session.note(&format!("JoinGroup version {version}"), &first);
    if first.error_code != protocol_codec::ErrorCode::MemberIdRequired.code() {
        return first;
    }
    session.ask(version, &Request { member_id: first.member_id, ..request.clone() })
}

#[test]
fn every_version_joins() {
    wire(|session| {
        session.wait_for_coordinator("join");
        for version in 0..=9 {
            let mut request = request(&format!("join-v{version}"), "", &["range", "roundrobin"]);
            if version == 0 {
                request.rebalance_timeout_ms = -1;
            }
            let joined = join(session, version, &request);
            // The same member again: the leader starts the next generation.
            let again = Request { member_id: joined.member_id, ..request };
            let _ = session.ask(version, &again);
        }
    });
}

#[test]
fn refusals() {
    wire(|session| {
        session.wait_for_coordinator("join-wrong");
        let base = request("join-wrong", "", &["range"]);
        let wrong = [
            ("no group", Request { group_id: "".into(), ..base.clone() }),
            ("a short session", Request { session_timeout_ms: 1, ..base.clone() }),
            ("a long session", Request { session_timeout_ms: i32::MAX, ..base.clone() }),
            ("an unknown member", Request { member_id: "stranger".into(), ..base.clone() }),
            ("no protocols", Request { protocols: Vec::new(), ..base.clone() }),
            ("no protocol type", Request { protocol_type: "".into(), ..base.clone() }),
        ];
        for (what, request) in wrong {
            let answer = session.client.call(5, &request);
            session.note(&format!("JoinGroup version 5 with {what}"), &answer);
        }
        let _ = join(session, 5, &base);
        for (protocol_type, protocols) in
            [("connect", &["range"][..]), ("consumer", &["sticky"][..])]
        {
            let mut other = request("join-wrong", "", protocols);
            other.protocol_type = protocol_type.into();
            let answer = session.client.call(3, &other);
            session.note("JoinGroup version 3 that does not fit", &answer);
        }
    });
}

/// A static member comes back under a new id without a rebalance; its old id is fenced.
#[test]
fn a_static_member_comes_back() {
    wire(|session| {
        session.wait_for_coordinator("join-static");
        let request = Request {
            group_instance_id: Some("instance".into()),
            ..request("join-static", "", &["range"])
        };
        let first = session.client.call(5, &request);
        session.mask(first.member_id.clone(), "FIRST");
        session.note("JoinGroup version 5 static", &first);
        super::sync_group::sync(session, 3, "join-static", &first, Some("instance"));
        let second = session.client.call(5, &request);
        session.mask(second.member_id.clone(), "SECOND");
        session.note("JoinGroup version 5 static again", &second);
        let fenced = Request { member_id: first.member_id, ..request };
        let answer = session.client.call(5, &fenced);
        session.note("JoinGroup version 5 with the old id", &answer);
    });
}
