//! DeleteTopics: by name, by id, and what is not there.

use crate::against::wire;
use protocol_codec::Uuid;
use protocol_codec::messages::delete_topics::{DeleteTopicState, Request};

#[test]
fn by_name_in_every_version() {
    wire(|session| {
        for version in 1..=5 {
            let name = format!("delete-v{version}");
            let _ = session.topic(&name, 2);
            let request = Request {
                topic_names: vec![name.as_str().into()],
                timeout_ms: 30_000,
                ..Default::default()
            };
            let _ = session.ask(version, &request);
            let _ = session.ask(version, &request);
        }
    });
}

#[test]
fn by_id_and_name_in_version_6() {
    wire(|session| {
        let id = session.topic("delete-id", 1);
        let _ = session.topic("delete-name", 1);
        let by_id = |topic_id| DeleteTopicState { name: None, topic_id };
        let by_name =
            |name: &str| DeleteTopicState { name: Some(name.into()), topic_id: Uuid::ZERO };
        let asked = [
            vec![by_id(id)],
            vec![by_id(id)],
            vec![by_name("delete-name")],
            vec![by_name("delete-name")],
            vec![by_id(Uuid::ZERO)],
            vec![DeleteTopicState { name: Some("delete-name".into()), topic_id: id }],
        ];
        for topics in asked {
            let _ = session.ask(6, &Request { topics, timeout_ms: 30_000, ..Default::default() });
        }
    });
}

/// A topic made again under its old name is another topic: empty, with another id.
#[test]
fn a_topic_made_again_is_empty() {
    wire(|session| {
        let first = session.topic("delete-again", 1);
        session.produce("delete-again", 0, &["old"]);
        let request = Request {
            topic_names: vec!["delete-again".into()],
            timeout_ms: 30_000,
            ..Default::default()
        };
        let _ = session.ask(5, &request);
        let second = session.topic("delete-again", 1);
        assert_ne!(first, second);
        session.produce("delete-again", 0, &["new"]);
    });
}
