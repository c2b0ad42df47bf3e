//! AlterConfigs, the old way: what is not named is gone.

use crate::against::wire;
use protocol_codec::messages::alter_configs::{AlterConfigsResource, AlterableConfig, Request};
use protocol_codec::messages::describe_configs;

const TOPIC: i8 = 2;

fn request(name: &str, configs: &[(&str, Option<&str>)]) -> Request {
    let config = |(key, value): &(&str, Option<&str>)| AlterableConfig {
        name: (*key).into(),
        value: value.map(Into::into),
    };
    let resource = AlterConfigsResource {
        resource_type: TOPIC,
        resource_name: name.into(),
        configs: configs.iter().map(config).collect(),
    };
    Request { resources: vec![resource], validate_only: false }
}

#[test]
fn all_configs_are_replaced() {
    wire(|session| {
        let _ = session.topic("replace", 1);
        let sets: [&[(&str, Option<&str>)]; 5] = [
            &[("retention.ms", Some("1000")), ("cleanup.policy", Some("compact"))],
            &[("retention.ms", Some("2000"))],
            &[("retention.ms", Some("x"))],
            &[("no.such.key", Some("x"))],
            &[],
        ];
        for version in 0..=2 {
            for configs in sets {
                let _ = session.ask(version, &request("replace", configs));
                session.settle();
                let resource = describe_configs::DescribeConfigsResource {
                    resource_type: TOPIC,
                    resource_name: "replace".into(),
                    configuration_keys: Some(vec!["retention.ms".into(), "cleanup.policy".into()]),
                };
                let answer = session.client.call(
                    4,
                    &describe_configs::Request { resources: vec![resource], ..Default::default() },
                );
                let mut values: Vec<_> = answer.results[0]
                    .configs
                    .iter()
                    .map(|config| (config.name.clone(), config.value.clone(), config.config_source))
                    .collect();
                values.sort();
                session.note("now", &values);
            }
            let _ = session.ask(version, &request("replace-missing", &[]));
        }
    });
}
