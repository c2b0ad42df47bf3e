//! Where the things under test lie: the target directory, the broker's binary, Kafka's jars.
//!
//! A missing piece ends the test with a sentence that says what to run, it is never skipped: a test
//! that did not run must not look like one that passed.

use std::path::{Path, PathBuf};

/// The workspace's root.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests crate lies in the workspace")
}

/// Cargo's target directory.
#[must_use]
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

/// The broker's binary: `BARNABAS_BIN`, or the one built with the same profile as this test.
#[must_use]
pub fn barnabas_binary() -> PathBuf {
    let path = std::env::var_os("BARNABAS_BIN").map_or_else(beside_this_test, PathBuf::from);
    assert!(
        path.is_file(),
        "{} is missing: run ./test, or `cargo build -p broker` with the profile of this test",
        path.display()
    );
    path
}

fn beside_this_test() -> PathBuf {
    let exe = std::env::current_exe().expect("a running test has a path");
    let profile = exe.ancestors().find(|dir| dir.join("deps").is_dir());
    profile.expect("a test binary lies below its profile's directory").join("barnabas")
}

/// Class path of Kafka's broker 4.4.0 (message classes, storage, the broker itself).
#[must_use]
pub fn kafka_libs() -> String {
    class_path("kafka-libs")
}

/// Class path of Kafka's command line tools.
#[must_use]
pub fn kafka_tools() -> String {
    class_path("kafka-tools")
}

fn class_path(set: &str) -> String {
    let dir = target().join(set);
    assert!(
        dir.join(".complete").is_file(),
        "{} is missing: run tests/java/fetch-jars",
        dir.display()
    );
    format!("{}/*", dir.display())
}

/// How often a test repeats what it does: `short` times in `./test`, `long` times when the variable
/// `BARNABAS_LONG` is set.
#[must_use]
pub fn rounds(short: usize, long: usize) -> usize {
    if std::env::var_os("BARNABAS_LONG").is_some() { long } else { short }
}
