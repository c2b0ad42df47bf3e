//! The rules of the house that a program can check. CONTRIBUTING.md says them in words.

use std::path::{Path, PathBuf};
use tests::environment::workspace;

/// Lines a file may have. Past this a file is a hall: split it by operation.
const FILE_LINES_MAX: usize = 600;

/// The crates in their one order; each may use only those before it.
const CRATES: [&str; 5] = ["protocol-codec", "storage", "controller", "broker", "tests"];

/// Code that decides. It may not touch files, sockets, clocks or chance.
const PURE: [&str; 6] = [
    "protocol-codec/src",
    "controller/src/state",
    "controller/src/image",
    "broker/src/group/classic",
    "broker/src/group/offsets",
    "storage/src/producer_state",
];

/// What pure code may not name.
const IMPURE_WORDS: [&str; 6] =
    ["std::fs", "std::net", "Instant::now", "SystemTime::now", "tokio::time", "rand::"];

/// Marks of unfinished work, spelled so that this file does not hold them.
const UNFINISHED: [&str; 5] = [
    concat!("to", "do!("),
    concat!("unimpl", "emented!("),
    concat!("FIX", "ME"),
    concat!("TO", "DO"),
    concat!("#[ig", "nore"),
];

fn rust_files(below: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(below) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// All Rust files of the workspace with their path below its root and their text.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for crate_name in CRATES {
        rust_files(&workspace().join(crate_name), &mut found);
    }
    assert!(found.len() > 50, "the walk found only {} files", found.len());
    let relative = |path: &PathBuf| path.strip_prefix(workspace()).unwrap().display().to_string();
    found.iter().map(|path| (relative(path), std::fs::read_to_string(path).unwrap())).collect()
}

fn complain(rule: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = |(path, text): &(String, String)| (!text.starts_with("//!")).then(|| path.clone());
    complain(
        "these files do not begin with //!",
        &sources().iter().filter_map(silent).collect::<Vec<_>>(),
    );
}

#[test]
fn no_file_is_a_hall() {
    let long = |(path, text): &(String, String)| {
        let lines = text.lines().count();
        (lines > FILE_LINES_MAX).then(|| format!("{path}: {lines} lines"))
    };
    let halls: Vec<_> = sources().iter().filter_map(long).collect();
    complain(&format!("these files have more than {FILE_LINES_MAX} lines"), &halls);
}

#[test]
fn nothing_is_left_open() {
    let open = |(path, text): &(String, String)| {
        UNFINISHED.iter().find(|mark| text.contains(**mark)).map(|mark| format!("{path}: {mark}"))
    };
    complain("unfinished work", &sources().iter().filter_map(open).collect::<Vec<_>>());
}

#[test]
fn code_that_decides_does_nothing_else() {
    let impure = |(path, text): &(String, String)| {
        let pure = PURE.iter().any(|place| path.starts_with(place)) && !path.contains("tests");
        let word = IMPURE_WORDS.iter().find(|word| text.contains(**word));
        word.filter(|_| pure).map(|word| format!("{path}: {word}"))
    };
    complain(
        "pure code names the outside world",
        &sources().iter().filter_map(impure).collect::<Vec<_>>(),
    );
}

#[test]
fn crate_arrows_point_one_way() {
    for (place, name) in CRATES.iter().enumerate() {
        let manifest = std::fs::read_to_string(workspace().join(name).join("Cargo.toml")).unwrap();
        let dependencies = manifest.split("[dependencies]").nth(1).unwrap_or_default();
        for later in &CRATES[place..] {
            let used = dependencies.lines().any(|line| {
                line.split(['.', ' ', '=']).next().is_some_and(|dependency| dependency == *later)
            });
            assert!(!used, "{name} must not depend on {later}: arrows go {}", CRATES.join(" <- "));
        }
    }
}

/// What parses bytes of strangers must not be able to panic: the compiler holds the rule, this test
/// holds the compiler to it. `unwrap` is denied for all crates.
#[test]
fn codec_and_storage_deny_panics() {
    for (name, lints) in [
        (
            "protocol-codec",
            &["clippy::expect_used", "clippy::panic", "clippy::indexing_slicing"][..],
        ),
        ("storage", &["clippy::expect_used", "clippy::panic"]),
    ] {
        let lib = std::fs::read_to_string(workspace().join(name).join("src/lib.rs")).unwrap();
        for lint in lints {
            assert!(lib.contains("deny(") && lib.contains(lint), "{name} does not deny {lint}");
        }
    }
    let workspace_lints = std::fs::read_to_string(workspace().join("Cargo.toml")).unwrap();
    assert!(workspace_lints.contains("unwrap_used = \"deny\""));
}

/// A newcomer finds an API's fields, its answer and its test by its name.
#[test]
fn every_served_api_has_its_three_files() {
    let dispatch = std::fs::read_to_string(workspace().join("broker/src/dispatch.rs")).unwrap();
    let table = dispatch.split("\napis! {").nth(1).unwrap().split("\n}").next().unwrap();
    let modules: Vec<&str> = table
        .lines()
        .filter_map(|row| row.trim_end_matches(';').split_whitespace().nth(2))
        .collect();
    assert!(modules.len() >= 32, "only {} rows were read", modules.len());
    let places = [
        ("protocol-codec/schema/api", "txt"),
        ("broker/src/handlers", "rs"),
        ("tests/tests/it/api", "rs"),
    ];
    let mut missing = Vec::new();
    for module in modules {
        for (place, extension) in places {
            let path = format!("{place}/{module}.{extension}");
            if !workspace().join(&path).is_file() {
                missing.push(path);
            }
        }
    }
    complain("served APIs without a file", &missing);
}
