//! `kafka-consumer-groups` and `kafka-groups`: list, describe, reset, delete.

use crate::against::both;
use tests::tool::{Answer, run, run_with_input};

fn groups(bootstrap: &str, arguments: &str) -> Answer {
    run("kafka-consumer-groups", &format!("--bootstrap-server {bootstrap} {arguments}"))
}

/// A topic with five records of which the group has consumed all.
fn consumed_topic(bootstrap: &str, topic: &str, group: &str) {
    let produced = run_with_input(
        "kafka-console-producer",
        &format!("--bootstrap-server {bootstrap} --topic {topic}"),
        "1\n2\n3\n4\n5\n",
    );
    let _ = produced.ok();
    let consumed = run(
        "kafka-console-consumer",
        &format!(
            "--bootstrap-server {bootstrap} --topic {topic} --group {group} --from-beginning \
             --max-messages 5 --timeout-ms 30000"
        ),
    );
    assert_eq!(consumed.ok(), "1\n2\n3\n4\n5\n");
}

/// Words of a table, one blank between them: column widths depend on names.
fn words(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

#[test]
fn offsets_are_committed_described_and_reset() {
    both(|bootstrap| {
        consumed_topic(bootstrap, "groups-reset", "groups-g1");
        let mut said = words(&groups(bootstrap, "--describe --group groups-g1").ok());
        for reset in [
            "--to-earliest",
            "--shift-by 2",
            "--to-offset 4",
            "--to-latest",
            "--to-datetime 2020-01-01T00:00:00.000",
        ] {
            said += &words(
                &groups(
                    bootstrap,
                    &format!(
                        "--reset-offsets --group groups-g1 --topic groups-reset {reset} --execute"
                    ),
                )
                .ok(),
            );
        }
        said += &words(&groups(bootstrap, "--describe --group groups-g1 --members").ok());
        said += &words(&groups(bootstrap, "--describe --group groups-g1 --state").ok())
            .replace(bootstrap, "BOOTSTRAP");
        said
    });
}

#[test]
fn groups_are_listed_and_deleted() {
    both(|bootstrap| {
        consumed_topic(bootstrap, "groups-delete", "groups-g2");
        let mut said = String::new();
        let listed = groups(bootstrap, "--list --state").ok();
        said += &words(listed.lines().find(|line| line.contains("groups-g2")).unwrap_or_default());
        let typed = run("kafka-groups", &format!("--bootstrap-server {bootstrap} --list")).ok();
        said += &words(typed.lines().find(|line| line.contains("groups-g2")).unwrap_or_default());
        said += &groups(bootstrap, "--delete-offsets --group groups-g2 --topic groups-delete").ok();
        said += &words(&groups(bootstrap, "--describe --group groups-g2 --offsets").ok());
        said += &groups(bootstrap, "--delete --group groups-g2").ok();
        said += &words(&groups(bootstrap, "--delete --group groups-g2").stdout);
        said += &words(&groups(bootstrap, "--describe --group groups-missing").stdout);
        said
    });
}
