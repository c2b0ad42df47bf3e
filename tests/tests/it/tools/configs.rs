//! `kafka-configs`: what is set, what is shown, what is refused.

use crate::against::both;
use tests::tool::{Answer, run};

fn configs(bootstrap: &str, arguments: &str) -> Answer {
    run("kafka-configs", &format!("--bootstrap-server {bootstrap} {arguments}"))
}

/// The lines of an answer in alphabetical order: Kafka prints configs in no order of its own.
fn sorted(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.sort_unstable();
    lines.join("\n")
}

fn create(bootstrap: &str, topic: &str) {
    let _ =
        run("kafka-topics", &format!("--bootstrap-server {bootstrap} --create --topic {topic}"))
            .ok();
}

#[test]
fn a_topics_configs_are_set_shown_and_deleted() {
    both(|bootstrap| {
        create(bootstrap, "configs-topic");
        let topic = "--entity-type topics --entity-name configs-topic";
        let mut said = configs(
            bootstrap,
            &format!(
                "--alter {topic} --add-config retention.ms=1000,cleanup.policy=[compact,delete]"
            ),
        )
        .ok();
        said += &sorted(&configs(bootstrap, &format!("--describe {topic}")).ok());
        said += &configs(bootstrap, &format!("--alter {topic} --delete-config retention.ms")).ok();
        said += &sorted(&configs(bootstrap, &format!("--describe {topic}")).ok());
        said
    });
}

/// Every topic config with its value, source and synonyms.
#[test]
fn all_topic_configs_are_described() {
    both(|bootstrap| {
        create(bootstrap, "configs-all");
        sorted(
            &configs(bootstrap, "--describe --all --entity-type topics --entity-name configs-all")
                .ok(),
        )
    });
}

/// The names of all broker configs that Kafka shows.
#[test]
fn all_broker_configs_are_described() {
    both(|bootstrap| {
        let text =
            configs(bootstrap, "--describe --all --entity-type brokers --entity-name 1").ok();
        let names = text.lines().filter_map(|line| line.trim().split_once('='));
        let ours = ["barnabas.", "inter.broker.protocol.version"];
        let names = names
            .map(|(name, _)| name)
            .filter(|name| !ours.iter().any(|own| name.starts_with(own)));
        sorted(&names.collect::<Vec<_>>().join("\n"))
    });
}

#[test]
fn a_dynamic_broker_config_takes_effect_and_goes_away() {
    both(|bootstrap| {
        let mut said = String::new();
        for entity in ["--entity-name 1", "--entity-default"] {
            let broker = format!("--entity-type brokers {entity}");
            said += &configs(
                bootstrap,
                &format!("--alter {broker} --add-config log.cleaner.backoff.ms=20000"),
            )
            .ok();
            said += &sorted(&configs(bootstrap, &format!("--describe {broker}")).ok());
            said += &configs(
                bootstrap,
                &format!("--alter {broker} --delete-config log.cleaner.backoff.ms"),
            )
            .ok();
            said += &sorted(&configs(bootstrap, &format!("--describe {broker}")).ok());
        }
        said
    });
}

#[test]
fn bad_configs_are_refused_in_kafkas_words() {
    both(|bootstrap| {
        create(bootstrap, "configs-bad");
        let wrong = [
            "--entity-type topics --entity-name configs-bad --add-config no.such.key=1",
            "--entity-type topics --entity-name configs-bad --add-config retention.ms=soon",
            "--entity-type topics --entity-name configs-bad --add-config min.cleanable.dirty.ratio=2",
            "--entity-type topics --entity-name configs-missing --add-config retention.ms=1000",
            "--entity-type brokers --entity-name 1 --add-config log.dirs=/elsewhere",
            "--entity-type brokers --entity-name 1 --add-config background.threads=0",
            "--entity-type brokers --entity-default --add-config log.cleaner.threads=3",
            "--entity-type brokers --entity-default --add-config log.cleaner.dedupe.buffer.size=1048576",
        ];
        wrong
            .map(|arguments| {
                let said = configs(bootstrap, &format!("--alter {arguments}")).failed();
                let line =
                    said.lines().find(|line| line.contains("Exception:")).unwrap_or_default();
                format!("{arguments}\n  {line}\n")
            })
            .concat()
    });
}
