//! Runs scripts: prose, commands (`> ...`), and below each command its outcome.
//!
//! A command's arguments are `key=value` pairs and a few bare words; see [`World::run`]. Tokens
//! are numbered as the requests come: `#3` is what the third request is answered.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::replica::Replica;
use crate::group::GroupConfig;
use crate::group::event::{Event, Now, Outcome, Token};
use crate::group::machine::Machine;

mod command;
mod show;

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/group/machine/scripts")
}

/// Compares the script's outcomes with what the machine does now.
pub(super) fn check(name: &str) {
    let path = directory().join(name).with_extension("txt");
    let script = fs::read_to_string(&path).unwrap();
    let played = play(&script);
    if std::env::var_os("UPDATE_SCRIPTS").is_some() {
        fs::write(&path, played).unwrap();
        return;
    }
    assert!(played == script, "{} now plays as:\n{played}", path.display());
}

pub(super) fn assert_all_listed(names: &[&str]) {
    let mut found: Vec<String> = fs::read_dir(directory())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    found.sort();
    let mut listed = names.to_vec();
    listed.sort_unstable();
    assert_eq!(found, listed);
}

/// The script with the outcomes as they are now. A line of `=` starts a new world.
fn play(script: &str) -> String {
    let mut world = World::new();
    let mut played = String::new();
    let mut is_outcome = false;
    for line in script.lines() {
        if let Some(command) = line.strip_prefix("> ") {
            is_outcome = true;
            played += &format!("{line}\n");
            played += &world.run(command);
            continue;
        }
        is_outcome &= line.starts_with("  ");
        if is_outcome {
            continue;
        }
        if line.starts_with("==") {
            world = World::new();
        }
        played += &format!("{line}\n");
    }
    played
}

pub(super) struct World {
    config: GroupConfig,
    machine: Machine,
    replica: Replica,
    now_ms: i64,
    next_token: u64,
    next_suffix: u64,
    waiting: BTreeSet<u64>,
}

impl World {
    pub(super) fn new() -> Self {
        let config = GroupConfig::default();
        let machine = Machine::new(Arc::new(config.clone()));
        let replica = Replica::new();
        let waiting = BTreeSet::new();
        Self { config, machine, replica, now_ms: 0, next_token: 1, next_suffix: 1, waiting }
    }

    fn now(&self) -> Now {
        Now { ms: self.now_ms, wall_ms: 1_000_000 + self.now_ms }
    }

    fn token(&mut self) -> Token {
        let token = Token(self.next_token);
        self.next_token += 1;
        self.waiting.insert(token.0);
        token
    }

    /// Runs one command and gives its outcome, one indented line for each record and reply.
    pub(super) fn run(&mut self, line: &str) -> String {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap();
        let args = Args::parse(words);
        match verb {
            "config" => {
                self.configure(&args);
                String::new()
            }
            "time" => {
                let step: i64 = args.word(0).parse().unwrap();
                self.pass(self.now_ms + step)
            }
            "deadline" => match self.machine.next_deadline() {
                Some(at_ms) => format!("  in {} ms\n", at_ms - self.now_ms),
                None => "  never\n".to_owned(),
            },
            "restart" => {
                let config = Arc::new(self.config.clone());
                let (machine, outcome) = self.replica.restart(config, self.now());
                self.machine = machine;
                // The shell has told them all that the coordinator is gone.
                self.waiting.clear();
                self.show(&outcome)
            }
            _ => {
                let event = command::event(self, verb, &args);
                self.handle(event)
            }
        }
    }

    fn configure(&mut self, args: &Args) {
        let config = &mut self.config;
        config.max_size = args.number("max_size", config.max_size);
        config.initial_rebalance_delay_ms = args.number("delay", config.initial_rebalance_delay_ms);
        config.record_bytes_max = args.number("record_bytes", config.record_bytes_max);
        config.offset_metadata_bytes_max =
            args.number("metadata_bytes", config.offset_metadata_bytes_max);
        config.offsets_retention_ms = args.number("retention", config.offsets_retention_ms);
        self.machine.config = Arc::new(config.clone());
    }

    fn handle(&mut self, event: Event) -> String {
        let outcome = self.machine.handle(self.now(), event);
        self.show(&outcome)
    }

    /// Lets time pass until `until_ms`, from deadline to deadline.
    fn pass(&mut self, until_ms: i64) -> String {
        let mut shown = String::new();
        while let Some(at_ms) = self.machine.next_deadline().filter(|at_ms| *at_ms <= until_ms) {
            self.now_ms = self.now_ms.max(at_ms);
            let outcome = self.machine.on_time(self.now());
            if outcome != Outcome::default() {
                shown += &format!("  at {} ms\n", self.now_ms);
            }
            shown += &self.show(&outcome);
        }
        self.now_ms = until_ms;
        shown
    }

    /// The requests that are still waiting for their answer.
    pub(super) fn unanswered(&self) -> Vec<u64> {
        self.waiting.iter().copied().collect()
    }

    fn show(&mut self, outcome: &Outcome) -> String {
        for (token, _) in &outcome.replies {
            assert!(self.waiting.remove(&token.0), "#{} is answered once", token.0);
        }
        self.replica.follow(&self.machine, outcome);
        show::outcome(outcome)
    }
}

/// The arguments of a command.
struct Args {
    words: Vec<String>,
    pairs: HashMap<String, String>,
}

impl Args {
    fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let (mut bare, mut pairs) = (Vec::new(), HashMap::new());
        for word in words {
            match word.split_once('=') {
                Some((key, value)) => drop(pairs.insert(key.to_owned(), value.to_owned())),
                None => bare.push(word.to_owned()),
            }
        }
        Self { words: bare, pairs }
    }

    fn word(&self, index: usize) -> &str {
        self.words.get(index).map(String::as_str).unwrap_or_default()
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.pairs.get(key).map(String::as_str)
    }

    fn text(&self, key: &str, default: &str) -> String {
        self.get(key).unwrap_or(default).to_owned()
    }

    fn number<N: std::str::FromStr<Err: std::fmt::Debug>>(&self, key: &str, default: N) -> N {
        self.get(key).map_or(default, |value| value.parse().unwrap())
    }

    /// A list between commas; empty if the key is missing.
    fn list(&self, key: &str) -> Vec<&str> {
        let items = self.get(key).into_iter().flat_map(|value| value.split(','));
        items.filter(|item| !item.is_empty()).collect()
    }
}
