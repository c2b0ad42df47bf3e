//! ListGroups: with filters by state and type.

use super::join_group::{join, request as join_request};
use super::offset_commit::request as commit;
use crate::against::wire;
use protocol_codec::messages::list_groups::Request;

#[test]
fn filters_select() {
    wire(|session| {
        session.wait_for_coordinator("list-empty");
        let id = session.topic("list-groups", 1);
        let _ = session.client.call(7, &commit(7, "list-empty", "list-groups", id, 0, 5));
        let _ = join(session, 5, &join_request("list-waiting", "", &["range"]));
        for version in 0..=5 {
            let filters: &[(&[&str], &[&str])] = match version {
                0..=3 => &[(&[], &[])],
                4 => &[
                    (&[], &[]),
                    (&["Empty"], &[]),
                    (&["CompletingRebalance"], &[]),
                    (&["Stable"], &[]),
                    (&["Nonsense"], &[]),
                ],
                _ => &[
                    (&[], &[]),
                    (&["Empty"], &["classic"]),
                    (&[], &["Classic"]),
                    (&[], &["consumer"]),
                    (&[], &["nonsense"]),
                ],
            };
            for (states, types) in filters {
                let request = Request {
                    states_filter: states.iter().map(|state| (*state).into()).collect(),
                    types_filter: types.iter().map(|kind| (*kind).into()).collect(),
                };
                let mut answer = session.client.call(version, &request);
                answer.groups.retain(|group| group.group_id.starts_with("list-"));
                answer.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
                session
                    .note(&format!("ListGroups version {version} {states:?} {types:?}"), &answer);
            }
        }
    });
}
