//! Metadata: all topics, named topics, ids, illegal names, and the two-step answer of auto-creation.

use crate::against::{eventually, wire};
use protocol_codec::Uuid;
use protocol_codec::messages::metadata::{MetadataRequestTopic, Request, Response};

fn asked(names: &[&str]) -> Request {
    let topic =
        |name: &&str| MetadataRequestTopic { name: Some((*name).into()), ..Default::default() };
    Request {
        topics: Some(names.iter().map(topic).collect()),
        allow_auto_topic_creation: false,
        ..Default::default()
    }
}

/// Cluster ids differ.
fn without_cluster(mut answer: Response) -> Response {
    answer.cluster_id = None;
    answer
}

#[test]
fn every_version_describes_a_topic() {
    wire(|session| {
        let _ = session.topic("metadata-all", 3);
        for version in 0..=13 {
            let mut request = asked(&["metadata-all"]);
            request.allow_auto_topic_creation = version < 4;
            let answer = session.client.call(version, &request);
            session.note(&format!("Metadata version {version}"), &without_cluster(answer));
        }
    });
}

#[test]
fn unknown_and_illegal_names_are_told_apart() {
    wire(|session| {
        let long = "x".repeat(250);
        for version in [4, 9, 12, 13] {
            for name in ["metadata-unknown", "not:legal", "", ".", "..", &long] {
                let answer = session.client.call(version, &asked(&[name]));
                session.note(&format!("Metadata version {version} of {name:?}"), &answer.topics);
            }
        }
    });
}

#[test]
fn no_topics_is_not_all_topics() {
    wire(|session| {
        let _ = session.topic("metadata-none", 1);
        for version in [1, 13] {
            let answer = session
                .client
                .call(version, &Request { allow_auto_topic_creation: true, ..asked(&[]) });
            session.note(&format!("Metadata version {version} of nothing"), &answer.topics);
            let all = session.client.call(version, &Request { topics: None, ..Default::default() });
            let listed =
                all.topics.iter().any(|topic| topic.name.as_deref() == Some("metadata-none"));
            session.note(&format!("Metadata version {version} of all lists the topic"), &listed);
        }
    });
}

#[test]
fn topics_are_found_by_id() {
    wire(|session| {
        let id = session.topic("metadata-id", 1);
        for topic_id in [id, Uuid::from_bytes([7; 16])] {
            let topic = MetadataRequestTopic { topic_id, name: None };
            let request = Request { topics: Some(vec![topic]), ..Default::default() };
            for version in [12, 13] {
                let answer = session.client.call(version, &request);
                session.note(&format!("Metadata version {version} by id"), &answer.topics);
            }
        }
    });
}

#[test]
fn operations_are_listed_when_asked_for() {
    wire(|session| {
        let _ = session.topic("metadata-operations", 1);
        let request = Request {
            include_topic_authorized_operations: true,
            include_cluster_authorized_operations: true,
            ..asked(&["metadata-operations"])
        };
        let answer = session.client.call(10, &request);
        session.note("Metadata version 10 with operations", &without_cluster(answer));
    });
}

/// The first answer is an error, the topic comes soon after it.
#[test]
fn a_missing_topic_is_made_on_demand() {
    wire(|session| {
        let request = Request { allow_auto_topic_creation: true, ..asked(&["metadata-auto"]) };
        let first = session.client.call(9, &request);
        session.note("Metadata version 9 creates", &first.topics);
        let made = eventually(|| {
            let led = |answer: &Response| {
                answer.topics[0].partitions.iter().any(|partition| partition.leader_id >= 0)
            };
            Some(session.client.call(9, &request)).filter(led)
        });
        session.note("Metadata version 9 after that", &made.expect("the topic is made").topics);
    });
}
