//! One scenario, two brokers: what Apache Kafka answers decides.

mod steps;

pub(crate) use steps::eventually;

use protocol_codec::messages::Request;
use std::fmt::Debug;
use std::sync::OnceLock;
use tests::barnabas::Node;
use tests::client::Client;
use tests::kafka::Kafka;

/// Differing lines that a failure shows.
const DIFFERENCES_SHOWN: usize = 30;

/// The Kafka that all scenarios of this test run share. Scenarios use names of their own for topics
/// and groups, so they do not see each other.
fn kafka() -> &'static Kafka {
    static KAFKA: OnceLock<Kafka> = OnceLock::new();
    KAFKA.get_or_init(|| Kafka::start(&[]))
}

/// Runs the scenario on a fresh Barnabas and on Kafka, with the bootstrap address of each, and
/// asserts that the transcripts are equal.
pub(crate) fn both(scenario: impl Fn(&str) -> String) {
    let node = Node::new();
    let broker = node.start();
    let ours = scenario(&broker.bootstrap());
    broker.stop();
    let theirs = scenario(&kafka().bootstrap());
    assert!(ours == theirs, "{}", differences(&ours, &theirs));
}

/// The same with a wire client: every request that the scenario asks through the session is noted
/// with its answer.
pub(crate) fn wire(scenario: impl Fn(&mut Session)) {
    both(|bootstrap| {
        let mut session = Session::new(bootstrap);
        scenario(&mut session);
        session.transcript
    });
}

/// A client whose questions and answers are written down.
pub(crate) struct Session {
    bootstrap: String,
    /// The test, to name topics by.
    name: String,
    settled: usize,
    pub(crate) client: Client,
    transcript: String,
    masks: Vec<(String, String)>,
}

impl Session {
    fn new(bootstrap: &str) -> Self {
        let name = std::thread::current().name().unwrap_or("main").to_owned();
        let port = bootstrap.rsplit(':').next().unwrap_or_default();
        Self {
            bootstrap: bootstrap.to_owned(),
            name: name.replace(':', "-"),
            settled: 0,
            client: Client::connect(bootstrap),
            transcript: String::new(),
            masks: vec![(format!("port: {port}"), "port: PORT".to_owned())],
        }
    }

    /// From here on `text` is written down as `name`: for what differs from run to run.
    pub(crate) fn mask(&mut self, text: impl ToString, name: &str) {
        let text = text.to_string();
        assert!(!text.is_empty(), "nothing to mask as {name}");
        self.masks.push((text, name.to_owned()));
    }

    /// Asks and writes the answer down.
    pub(crate) fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response
    where
        R::Response: Debug,
    {
        let answer = self.client.call(version, request);
        self.note(&format!("{} version {version}", R::NAME), &answer);
        answer
    }

    /// Writes something down.
    pub(crate) fn note(&mut self, what: &str, value: &impl Debug) {
        let mut text = format!("{what}: {value:#?}\n");
        for (from, to) in &self.masks {
            text = text.replace(from, to);
        }
        self.transcript += &text;
    }
}

/// The lines that differ, each change below the question it answers.
fn differences(ours: &str, theirs: &str) -> String {
    let diff = similar::TextDiff::from_lines(ours, theirs);
    let mut shown = "Barnabas (-) and Kafka (+) differ:\n".to_owned();
    let (mut question, mut count) = (String::new(), 0);
    for change in diff.iter_all_changes() {
        let line = change.value();
        if !line.starts_with([' ', '}', ']', ')']) && line.contains(": ") {
            question = line.to_owned();
        }
        if change.tag() == similar::ChangeTag::Equal || count > DIFFERENCES_SHOWN {
            continue;
        }
        count += 1;
        shown += &std::mem::take(&mut question);
        shown += &format!("  {}{line}", change.tag());
    }
    shown
}
