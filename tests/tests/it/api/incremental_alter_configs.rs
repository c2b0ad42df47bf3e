//! IncrementalAlterConfigs: set, delete, append, subtract, and refusals (KIP-339).

use crate::against::{Session, wire};
use protocol_codec::messages::describe_configs;
use protocol_codec::messages::incremental_alter_configs::{
    AlterConfigsResource, AlterableConfig, Request,
};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn request(resource_type: i8, name: &str, changes: &[(&str, i8, Option<&str>)]) -> Request {
    let config = |(key, operation, value): &(&str, i8, Option<&str>)| AlterableConfig {
        name: (*key).into(),
        config_operation: *operation,
        value: value.map(Into::into),
    };
    let configs = changes.iter().map(config).collect();
    Request {
        resources: vec![AlterConfigsResource {
            resource_type,
            resource_name: name.into(),
            configs,
        }],
        validate_only: false,
    }
}

fn shows(session: &mut Session, key: &str) {
    session.settle();
    let resource = describe_configs::DescribeConfigsResource {
        resource_type: TOPIC,
        resource_name: "alter".into(),
        configuration_keys: Some(vec![key.into()]),
    };
    let request = describe_configs::Request { resources: vec![resource], ..Default::default() };
    let answer = session.client.call(4, &request);
    let config = answer.results[0]
        .configs
        .first()
        .map(|config| (config.value.clone(), config.config_source));
    session.note(&format!("{key} is"), &config);
}

#[test]
fn a_topics_configs_change() {
    wire(|session| {
        let _ = session.topic("alter", 1);
        for version in 0..=1 {
            for (key, operation, value) in [
                ("cleanup.policy", SET, Some("compact")),
                ("cleanup.policy", APPEND, Some("delete")),
                ("cleanup.policy", APPEND, Some("delete")),
                ("cleanup.policy", SUBTRACT, Some("compact")),
                ("cleanup.policy", DELETE, None),
                ("retention.ms", SET, Some("1000")),
                ("retention.ms", SET, None),
                ("retention.ms", DELETE, None),
                ("retention.ms", APPEND, Some("1")),
                ("retention.ms", SET, Some("never")),
                ("no.such.key", SET, Some("1")),
                ("no.such.key", DELETE, None),
            ] {
                let _ = session.ask(version, &request(TOPIC, "alter", &[(key, operation, value)]));
                shows(session, key);
            }
        }
        let twice = [("retention.ms", SET, Some("1")), ("retention.ms", SET, Some("2"))];
        let _ = session.ask(1, &request(TOPIC, "alter", &twice));
        let half_wrong = [("retention.ms", SET, Some("7")), ("segment.bytes", SET, Some("1"))];
        let _ = session.ask(1, &request(TOPIC, "alter", &half_wrong));
        shows(session, "retention.ms");
        let _ = session.ask(
            1,
            &Request {
                validate_only: true,
                ..request(TOPIC, "alter", &[("retention.ms", SET, Some("7"))])
            },
        );
        shows(session, "retention.ms");
    });
}

#[test]
fn resources_that_are_not_there() {
    wire(|session| {
        let set = [("retention.ms", SET, Some("1"))];
        for (resource_type, name) in
            [(TOPIC, "alter-missing"), (TOPIC, ""), (BROKER, "x"), (99, "x")]
        {
            let _ = session.ask(1, &request(resource_type, name, &set));
        }
        let _ = session.ask(1, &request(BROKER, "1", &[("num.partitions", SET, Some("3"))]));
        let _ =
            session.ask(1, &request(BROKER, "1", &[("log.cleaner.backoff.ms", SET, Some("x"))]));
    });
}
