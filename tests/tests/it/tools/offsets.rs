//! `kafka-get-offsets`, `kafka-delete-records`, `kafka-log-dirs`: the log seen from outside.

use crate::against::both;
use tests::tool::{run, run_with_input};

fn produced_topic(bootstrap: &str, topic: &str) {
    let lines = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
    let arguments = format!("--bootstrap-server {bootstrap} --topic {topic}");
    let _ = run_with_input("kafka-console-producer", &arguments, lines).ok();
}

#[test]
fn every_special_offset_is_answered() {
    both(|bootstrap| {
        produced_topic(bootstrap, "offsets-special");
        ["-1", "-2", "-4", "-5", "0", "4102444800000"]
            .map(|time| {
                let arguments =
                    format!("--bootstrap-server {bootstrap} --topic offsets-special --time {time}");
                let said = run("kafka-get-offsets", &arguments);
                format!("{time}: {}", said.stdout)
            })
            .concat()
    });
}

#[test]
fn deleted_records_are_gone() {
    both(|bootstrap| {
        produced_topic(bootstrap, "offsets-delete");
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let file = directory.path().join("delete.json");
        let mut said = String::new();
        for offset in [4, 99, -1] {
            let json = format!(
                r#"{{"partitions":[{{"topic":"offsets-delete","partition":0,"offset":{offset}}}],"version":1}}"#
            );
            std::fs::write(&file, json).expect("the temporary directory is writable");
            let arguments =
                format!("--bootstrap-server {bootstrap} --offset-json-file {}", file.display());
            let answer = run("kafka-delete-records", &arguments);
            said += &answer.stdout;
            let arguments =
                format!("--bootstrap-server {bootstrap} --topic offsets-delete --time -2");
            said += &run("kafka-get-offsets", &arguments).ok();
        }
        said
    });
}

/// The answer is one JSON document; the directory differs, the partitions must not.
#[test]
fn log_directories_list_their_partitions() {
    both(|bootstrap| {
        produced_topic(bootstrap, "offsets-dirs");
        let arguments =
            format!("--bootstrap-server {bootstrap} --describe --topic-list offsets-dirs");
        let said = run("kafka-log-dirs", &arguments).ok();
        let start = said.find("\"partitions\"").expect("the document lists partitions");
        let end = said.find("\"logDir\"").expect("the document names the directory");
        let parts = said[start..end].split("\"size\":");
        let sizes = parts.map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
        sizes.collect::<Vec<_>>().join("\"size\":N")
    });
}
