//! The golden messages of protocol-codec are what Kafka's classes write today.

use std::process::Command;

use tests::environment::{kafka_libs, workspace};

#[test]
fn golden_messages_are_those_of_the_live_jars() {
    let directory = tempfile::tempdir().unwrap();
    let made = directory.path().join("messages.txt");
    let status = Command::new("java")
        .args(["-cp", &kafka_libs()])
        .arg(workspace().join("tests/java/Golden.java"))
        .arg(&made)
        .status()
        .expect("java is installed");
    assert!(status.success());
    let kept = workspace().join("protocol-codec/tests/golden/messages.txt");
    let (made, kept) = (std::fs::read_to_string(made), std::fs::read_to_string(kept));
    let (made, kept) = (made.unwrap(), kept.unwrap());
    let differing = made.lines().zip(kept.lines()).find(|(made, kept)| made != kept);
    assert_eq!(differing, None, "tests/java/Golden.java says how to write the file again");
    assert_eq!(made.len(), kept.len());
}
