//! kafka-python: a client with a protocol implementation of its own.

use crate::against::both;
use std::process::Command;
use tests::environment::{target, workspace};
use tests::tool::output_of;

/// Runs one scenario of `tests/python/scenarios.py`.
fn python(bootstrap: &str, scenario: &str) -> String {
    let interpreter = target().join("python/bin/python");
    assert!(interpreter.is_file(), "{} is missing: run ./test", interpreter.display());
    let mut command = Command::new("timeout");
    command.arg("60").arg(interpreter).arg(workspace().join("tests/python/scenarios.py"));
    output_of(command.args([scenario, bootstrap]), "").ok()
}

#[test]
fn produce_consume_seek_and_commit() {
    both(|bootstrap| python(bootstrap, "round_trip"));
}

#[test]
fn administration() {
    both(|bootstrap| python(bootstrap, "administration"));
}
