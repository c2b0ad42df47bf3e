//! The scenarios of `scenarios/*.txt`: prose, commands, and everything they answer and change.
//!
//! A line that starts with `> ` is a command; what follows up to an empty line is its answer. Other
//! lines are prose. With `UPDATE_SCENARIOS=1` in the environment the answers are written anew, to be
//! read and committed.
//!
//! Every scenario also proves that the records survive their encoding, and that replaying all of
//! them gives the image that was decided on.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::command::{Command, Outcome};
use crate::image::{LogPosition, MetadataImage, apply};
use crate::record::MetadataRecord;
use crate::record::encoding::{decode_entry, encode_entry};
use crate::state::{Context, decide};
use crate::testing::AnyConfig;

mod parse;
mod print;

#[test]
fn scenarios() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/state/scenarios");
    let mut scripts: Vec<PathBuf> =
        std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    scripts.sort();
    assert!(scripts.len() > 5, "only {} scenarios were found", scripts.len());
    let update = std::env::var_os("UPDATE_SCENARIOS").is_some();
    let mut wrong = Vec::new();
    for path in scripts {
        let expected = std::fs::read_to_string(&path).unwrap();
        let actual = run(&expected);
        if actual != expected {
            if update {
                std::fs::write(&path, &actual).unwrap();
            }
            wrong.push((path, first_difference(&expected, &actual)));
        }
    }
    assert!(wrong.is_empty() || update, "{wrong:#?}");
}

fn first_difference(expected: &str, actual: &str) -> String {
    let mut lines = expected.lines().zip(actual.lines()).enumerate();
    match lines.find(|(_, (expected, actual))| expected != actual) {
        Some((number, (expected, actual))) => {
            format!("line {}: expected\n{expected}\nbut got\n{actual}", number + 1)
        }
        None => "one is longer than the other".to_owned(),
    }
}

/// The script with the answers that its commands really give.
fn run(script: &str) -> String {
    let mut cluster = Cluster::default();
    let mut out = String::new();
    let mut skipping = false;
    for line in script.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            writeln!(out, "{line}").unwrap();
            out.push_str(&cluster.run(command));
            skipping = true;
        } else if line.is_empty() || !skipping {
            skipping = false;
            writeln!(out, "{line}").unwrap();
        }
    }
    cluster.check_replay();
    out
}

/// The image that the commands so far have made, and the records that made it.
#[derive(Default)]
struct Cluster {
    image: MetadataImage,
    log: Vec<Vec<MetadataRecord>>,
    commands: u32,
}

impl Cluster {
    fn run(&mut self, line: &str) -> String {
        if let Some(what) = line.strip_prefix("show") {
            return print::show(&self.image, what.trim());
        }
        let command = parse::command(line, &self.image);
        let outcome = self.decide(&command);
        let mut text = print::outcome(&outcome);
        if let Some(records) = self.log.last().filter(|records| !records.is_empty()) {
            text.push_str(&print::records(records));
        }
        text
    }

    fn decide(&mut self, command: &Command) -> Outcome {
        self.commands += 1;
        let seed = u128::from(self.commands);
        let context = Context { rules: &AnyConfig, now_ms: 0, seed };
        let decision = decide(&self.image, command, &context);
        assert_eq!(decision, decide(&self.image, command, &context), "a decision is a function");
        let records = decode_entry(&encode_entry(&decision.records)).unwrap();
        assert_eq!(records, decision.records);
        let position = LogPosition { index: self.image.last_applied.index + 1, term: 1 };
        self.image = apply(&self.image, position, &records).unwrap();
        self.log.push(records);
        decision.outcome
    }

    fn check_replay(&self) {
        let mut replayed = MetadataImage::default();
        for records in &self.log {
            let position = LogPosition { index: replayed.last_applied.index + 1, term: 1 };
            replayed = apply(&replayed, position, records).unwrap();
        }
        assert_eq!(replayed, self.image);
    }
}
