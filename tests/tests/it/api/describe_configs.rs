//! DescribeConfigs: values, sources, synonyms, and what is not there.

use crate::against::wire;
use protocol_codec::messages::describe_configs::{DescribeConfigsResource, Request, Response};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

fn request(resource_type: i8, name: &str, keys: Option<&[&str]>) -> Request {
    let configuration_keys = keys.map(|keys| keys.iter().map(|key| (*key).into()).collect());
    let resources = vec![DescribeConfigsResource {
        resource_type,
        resource_name: name.into(),
        configuration_keys,
    }];
    Request { resources, include_synonyms: true, include_documentation: false }
}

/// Configs come in no order.
fn sorted(mut answer: Response) -> Response {
    for result in &mut answer.results {
        result.configs.sort_by(|a, b| a.name.cmp(&b.name));
    }
    answer
}

#[test]
fn every_version_of_a_topics_configs() {
    wire(|session| {
        let _ = session.topic("describe-configs", 1);
        for version in 1..=4 {
            for keys in
                [None, Some(&["retention.ms", "cleanup.policy", "no.such.key"][..]), Some(&[])]
            {
                let answer =
                    session.client.call(version, &request(TOPIC, "describe-configs", keys));
                session
                    .note(&format!("DescribeConfigs version {version} {keys:?}"), &sorted(answer));
            }
        }
    });
}

/// Keys whose values do not depend on where the broker runs.
#[test]
fn broker_configs() {
    wire(|session| {
        let keys = [
            "log.retention.hours",
            "log.retention.ms",
            "num.partitions",
            "message.max.bytes",
            "log.cleaner.backoff.ms",
            "ssl.key.password",
            "auto.create.topics.enable",
        ];
        for name in ["1", ""] {
            let answer = session.client.call(4, &request(BROKER, name, Some(&keys)));
            session.note(&format!("DescribeConfigs version 4 of broker {name:?}"), &sorted(answer));
        }
    });
}

#[test]
fn what_is_not_there() {
    wire(|session| {
        for (resource_type, name) in [
            (TOPIC, "describe-configs-missing"),
            (TOPIC, "not:legal"),
            (BROKER, "7"),
            (BROKER, "x"),
            (99, "x"),
        ] {
            let answer = session.client.call(4, &request(resource_type, name, None));
            session
                .note(&format!("DescribeConfigs version 4 of {resource_type} {name:?}"), &answer);
        }
    });
}
