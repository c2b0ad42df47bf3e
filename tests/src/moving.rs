//! `tests/java/Moving.java`: fills a broker with all that may have to move, and tells what clients
//! see of it.

use std::process::Command;

use crate::environment::{kafka_libs, workspace};
use crate::tool::output_of;

/// Runs one of its commands against a broker and returns what it printed.
///
/// # Panics
/// When it fails.
#[must_use]
pub fn moving(command: &str, bootstrap: &str) -> String {
    let mut java = Command::new("timeout");
    java.args(["180", "java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m"]);
    let log4j = workspace().join("tests/java/log4j2-tools.properties");
    java.arg(format!("-Dlog4j2.configurationFile={}", log4j.display()));
    java.arg("-cp").arg(kafka_libs()).arg(workspace().join("tests/java/Moving.java"));
    output_of(java.args([command, bootstrap]), "").ok()
}
