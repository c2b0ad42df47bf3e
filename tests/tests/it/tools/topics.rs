//! `kafka-topics`: create, list, describe, alter, delete, and the errors users meet.

use crate::against::both;
use tests::tool::{Answer, run};

fn topics(bootstrap: &str, arguments: &str) -> Answer {
    run("kafka-topics", &format!("--bootstrap-server {bootstrap} {arguments}"))
}

/// The description of a topic without its random id.
fn describe(bootstrap: &str, topic: &str) -> String {
    let text = topics(bootstrap, &format!("--describe --topic {topic}")).ok();
    let words = text.split('\t').filter(|field| !field.starts_with("TopicId:"));
    words.collect::<Vec<_>>().join("\t")
}

#[test]
fn create_describe_grow_delete() {
    both(|bootstrap| {
        let mut transcript = topics(
            bootstrap,
            "--create --topic topics-life --partitions 3 --replication-factor 1 \
             --config cleanup.policy=compact --config segment.bytes=2097152",
        )
        .ok();
        transcript += &describe(bootstrap, "topics-life");
        transcript += &topics(bootstrap, "--alter --topic topics-life --partitions 5").ok();
        transcript += &describe(bootstrap, "topics-life");
        transcript += &topics(bootstrap, "--delete --topic topics-life").ok();
        let listed = topics(bootstrap, "--list").ok();
        assert!(!listed.contains("topics-life"), "a deleted topic is listed: {listed}");
        transcript
    });
}

#[test]
fn mistakes_get_kafkas_sentences() {
    both(|bootstrap| {
        let _ = topics(bootstrap, "--create --topic topics.errors --partitions 2").ok();
        let wrong = [
            "--create --topic topics.errors",
            "--create --topic topics-rf --replication-factor 3",
            "--create --topic topics-zero --partitions 0",
            "--create --topic topics-config --config no.such.key=1",
            "--create --topic topics-value --config segment.bytes=12",
            "--create --topic topics:illegal",
            "--create --topic topics_errors",
            "--alter --topic topics.errors --partitions 1",
            "--delete --topic topics-missing",
            "--describe --topic topics-missing",
        ];
        let sentences = wrong.map(|arguments| {
            let said = topics(bootstrap, arguments).failed();
            let line = said.lines().find(|line| line.contains("rror") || line.contains("xception"));
            let line = line.map(without_clock).unwrap_or_default();
            format!("{arguments}\n  {line}\n")
        });
        sentences.concat()
    });
}

/// Tools print errors with the time before them: `[2026-01-31 10:00:00,000] ERROR ...`.
fn without_clock(line: &str) -> String {
    match line.split_once(" ERROR ") {
        Some((_, text)) => text.to_owned(),
        None => line.to_owned(),
    }
}
