//! Kafka's command line tools, called by their main classes as the `kafka-*.sh` scripts do.

use crate::environment::kafka_tools;
use crate::process::PATIENCE;
use std::io::Write;
use std::process::{Command, Stdio};

/// The scripts users know and the class behind each.
const TOOLS: &[(&str, &str)] = &[
    ("kafka-broker-api-versions", "org.apache.kafka.tools.BrokerApiVersionsCommand"),
    ("kafka-cluster", "org.apache.kafka.tools.ClusterTool"),
    ("kafka-configs", "kafka.admin.ConfigCommand"),
    ("kafka-console-consumer", "org.apache.kafka.tools.consumer.ConsoleConsumer"),
    ("kafka-console-producer", "org.apache.kafka.tools.ConsoleProducer"),
    ("kafka-consumer-groups", "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"),
    ("kafka-consumer-perf-test", "org.apache.kafka.tools.ConsumerPerformance"),
    ("kafka-delete-records", "org.apache.kafka.tools.DeleteRecordsCommand"),
    ("kafka-dump-log", "org.apache.kafka.tools.DumpLogSegments"),
    ("kafka-e2e-latency", "org.apache.kafka.tools.EndToEndLatency"),
    ("kafka-features", "org.apache.kafka.tools.FeatureCommand"),
    ("kafka-get-offsets", "org.apache.kafka.tools.GetOffsetShell"),
    ("kafka-groups", "org.apache.kafka.tools.GroupsCommand"),
    ("kafka-log-dirs", "org.apache.kafka.tools.LogDirsCommand"),
    ("kafka-metadata-quorum", "org.apache.kafka.tools.MetadataQuorumCommand"),
    ("kafka-producer-perf-test", "org.apache.kafka.tools.ProducerPerformance"),
    ("kafka-reassign-partitions", "org.apache.kafka.tools.reassign.ReassignPartitionsCommand"),
    ("kafka-topics", "org.apache.kafka.tools.TopicCommand"),
    ("kafka-verifiable-consumer", "org.apache.kafka.tools.VerifiableConsumer"),
    ("kafka-verifiable-producer", "org.apache.kafka.tools.VerifiableProducer"),
];

/// What a tool printed and how it ended.
#[derive(Debug)]
pub struct Answer {
    pub stdout: String,
    pub stderr: String,
    pub success: bool,
}

impl Answer {
    /// Asserts that the tool ended well and returns what it printed.
    #[must_use]
    pub fn ok(self) -> String {
        assert!(self.success, "the tool failed:\n{}\n{}", self.stdout, self.stderr);
        self.stdout
    }

    /// Asserts that the tool failed and returns all it printed.
    #[must_use]
    pub fn failed(self) -> String {
        assert!(!self.success, "the tool should have failed:\n{}\n{}", self.stdout, self.stderr);
        self.stdout + &self.stderr
    }
}

/// The command of a tool, for callers that start it themselves.
///
/// # Panics
/// When the tool is not in the table.
#[must_use]
pub fn command(name: &str) -> Command {
    let class = TOOLS.iter().find(|(tool, _)| *tool == name);
    let class = class.unwrap_or_else(|| panic!("{name} is not in the table of tools")).1;
    let mut command = Command::new("timeout");
    // Short-lived JVMs: the quick compiler and the small collector halve their cost.
    command.arg(PATIENCE.as_secs().to_string()).args([
        "java",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        "-Xmx256m",
    ]);
    let log4j = crate::environment::workspace().join("tests/java/log4j2-tools.properties");
    command.arg(format!("-Dlog4j2.configurationFile={}", log4j.display()));
    command.args(["-cp", &kafka_tools(), class]);
    command
}

/// Runs a tool to its end with the given arguments (one string, split at spaces).
#[must_use]
pub fn run(name: &str, arguments: &str) -> Answer {
    run_with_input(name, arguments, "")
}

/// Runs a tool with text on its standard input.
///
/// # Panics
/// When java cannot be started.
#[must_use]
pub fn run_with_input(name: &str, arguments: &str, input: &str) -> Answer {
    let mut command = command(name);
    command.args(arguments.split_whitespace());
    output_of(&mut command, input)
}

/// Runs any command to its end with text on its standard input.
///
/// # Panics
/// When the program cannot be started.
#[must_use]
pub fn output_of(command: &mut Command, input: &str) -> Answer {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child =
        command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_owned();
    // A tool that fails early closes its input: its own message says why, not ours.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().expect("a child can be waited for");
    drop(writer.join());
    Answer {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        success: output.status.success(),
    }
}

/// Runs `kcat` to its end with text on its standard input, and returns what it printed.
#[must_use]
pub fn kcat(bootstrap: &str, arguments: &str, input: &str) -> String {
    let mut command = Command::new("timeout");
    command.args(["30", "kcat", "-b", bootstrap]).args(arguments.split_whitespace());
    output_of(&mut command, input).ok()
}
