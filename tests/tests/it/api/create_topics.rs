//! CreateTopics: defaults, assignments, configs, dry runs, and every refusal.

use crate::against::wire;
use protocol_codec::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, Request, Response,
};

fn topic(name: &str, partitions: i32, replication: i16) -> CreatableTopic {
    CreatableTopic {
        name: name.into(),
        num_partitions: partitions,
        replication_factor: replication,
        ..Default::default()
    }
}

fn request(topics: Vec<CreatableTopic>) -> Request {
    Request { topics, timeout_ms: 30_000, validate_only: false }
}

/// Topic ids differ; configs come in no order.
fn comparable(mut answer: Response) -> Response {
    for topic in &mut answer.topics {
        topic.topic_id = protocol_codec::Uuid::ZERO;
        if let Some(configs) = &mut topic.configs {
            configs.sort_by(|a, b| a.name.cmp(&b.name));
        }
    }
    answer.topics.sort_by(|a, b| a.name.cmp(&b.name));
    answer
}

#[test]
fn every_version_creates() {
    wire(|session| {
        for version in 2..=7 {
            let (partitions, replication) = if version >= 4 { (-1, -1) } else { (2, 1) };
            let wanted = topic(&format!("create-v{version}"), partitions, replication);
            let answer = session.client.call(version, &request(vec![wanted.clone()]));
            session.note(&format!("CreateTopics version {version}"), &comparable(answer));
            let again = session.client.call(version, &request(vec![wanted]));
            session.note(&format!("CreateTopics version {version} again"), &comparable(again));
        }
    });
}

#[test]
fn refusals() {
    wire(|session| {
        let config = |name: &str, value: Option<&str>| CreatableTopicConfig {
            name: name.into(),
            value: value.map(Into::into),
        };
        let assigned = |partition, brokers: &[i32]| CreatableReplicaAssignment {
            partition_index: partition,
            broker_ids: brokers.to_vec(),
        };
        let mut wrong = vec![
            topic("create-zero", 0, 1),
            topic("create-minus", -2, 1),
            topic("create-rf-zero", 1, 0),
            topic("create-rf", 1, 3),
            topic("not:legal", 1, 1),
            topic("", 1, 1),
            topic(".", 1, 1),
            topic(&"x".repeat(250), 1, 1),
        ];
        for (number, value) in [
            ("no.such.key", Some("1")),
            ("retention.ms", Some("x")),
            ("segment.bytes", Some("1")),
            ("cleanup.policy", Some("burn")),
            ("retention.ms", None),
        ]
        .into_iter()
        .enumerate()
        {
            let configs = vec![config(value.0, value.1)];
            wrong.push(CreatableTopic {
                configs,
                ..topic(&format!("create-config-{number}"), 1, 1)
            });
        }
        let both =
            CreatableTopic { assignments: vec![assigned(0, &[1])], ..topic("create-both", 1, 1) };
        wrong.push(both);
        for (number, assignments) in [
            vec![assigned(0, &[1]), assigned(2, &[1])],
            vec![assigned(0, &[7])],
            vec![assigned(0, &[1, 1])],
            vec![assigned(0, &[])],
            vec![assigned(0, &[1]), assigned(1, &[1])],
        ]
        .into_iter()
        .enumerate()
        {
            wrong.push(CreatableTopic {
                assignments,
                ..topic(&format!("create-assigned-{number}"), -1, -1)
            });
        }
        for topic in wrong {
            let name = topic.name.clone();
            let answer = session.client.call(7, &request(vec![topic]));
            session.note(&format!("CreateTopics version 7 of {name:?}"), &comparable(answer));
        }
    });
}

#[test]
fn a_dry_run_creates_nothing_and_names_twice_are_refused() {
    wire(|session| {
        let dry = Request { validate_only: true, ..request(vec![topic("create-dry", 3, 1)]) };
        for version in [2, 5, 7] {
            let answer = session.client.call(version, &dry);
            session.note(&format!("CreateTopics version {version} dry"), &comparable(answer));
        }
        let twice = request(vec![topic("create-twice", 1, 1), topic("create-twice", 1, 1)]);
        let answer = session.client.call(7, &twice);
        session.note("CreateTopics version 7 twice", &comparable(answer));
    });
}
