//! OffsetFetch: what was committed, for one group or several, by name or id.

use super::offset_commit::request as commit;
use crate::against::wire;
use protocol_codec::Uuid;
use protocol_codec::messages::offset_fetch::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics, Request,
};

fn request(version: i16, group: &str, topics: Option<&[(&str, Uuid)]>) -> Request {
    if version < 8 {
        let topic = |(name, _): &(&str, Uuid)| OffsetFetchRequestTopic {
            name: (*name).into(),
            partition_indexes: vec![0, 1],
        };
        let topics = topics.map(|topics| topics.iter().map(topic).collect());
        return Request { group_id: group.into(), topics, ..Default::default() };
    }
    let topic = |(name, id): &(&str, Uuid)| {
        let (name, topic_id) = if version >= 10 { ("", *id) } else { (*name, Uuid::ZERO) };
        OffsetFetchRequestTopics { name: name.into(), topic_id, partition_indexes: vec![0, 1] }
    };
    let topics = topics.map(|topics| topics.iter().map(topic).collect());
    let group = OffsetFetchRequestGroup {
        group_id: group.into(),
        topics,
        member_id: None,
        member_epoch: -1,
    };
    Request { groups: vec![group], ..Default::default() }
}

#[test]
fn every_version_fetches() {
    wire(|session| {
        session.wait_for_coordinator("fetch-offsets");
        let id = session.topic("fetch-offsets", 2);
        let _ = session.client.call(7, &commit(7, "fetch-offsets", "fetch-offsets", id, 0, 42));
        for version in 1..=10 {
            let unknown = Uuid::from_bytes([4; 16]);
            let both = [("fetch-offsets", id), ("fetch-offsets-missing", unknown)];
            let _ = session.ask(version, &request(version, "fetch-offsets", Some(&both)));
            let _ = session.ask(version, &request(version, "fetch-offsets-none", Some(&both[..1])));
            if version >= 2 {
                let _ = session.ask(version, &request(version, "fetch-offsets", None));
            }
            let _ = session.ask(version, &request(version, "", Some(&both[..1])));
        }
    });
}

#[test]
fn several_groups_at_once() {
    wire(|session| {
        session.wait_for_coordinator("several-a");
        let id = session.topic("several", 1);
        for (group, offset) in [("several-a", 1), ("several-b", 2)] {
            let _ = session.client.call(7, &commit(7, group, "several", id, 0, offset));
        }
        let mut both = request(8, "several-a", None);
        both.groups.extend(request(8, "several-b", None).groups);
        let mut answer = session.client.call(8, &both);
        answer.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        session.note("OffsetFetch version 8 of two groups", &answer);
        let stable = Request { require_stable: true, ..both };
        let mut answer = session.client.call(9, &stable);
        answer.groups.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        session.note("OffsetFetch version 9 of two groups, stable", &answer);
    });
}
