//! A real Apache Kafka 4.4.0, one node, to compare answers with.

use crate::environment::kafka_libs;
use crate::ports::free_port;
use crate::process::Process;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

/// A running Apache Kafka.
#[derive(Debug)]
pub struct Kafka {
    process: Process,
    directory: TempDir,
    port: u16,
}

/// An Apache Kafka that does not run, with its data.
#[derive(Debug)]
pub struct StoppedKafka {
    directory: TempDir,
    port: u16,
}

/// Logging to standard output at INFO, so that the ready line can be awaited.
const LOG4J: &str = "status=ERROR\nrootLogger.level=INFO\nrootLogger.appenderRef.out.ref=out\n\
appender.out.type=Console\nappender.out.name=out\nappender.out.layout.type=PatternLayout\n\
appender.out.layout.pattern=%d %p %m%n\n";

/// The shell holds the broker and kills it when this test process closes its end of the pipe,
/// however the test ends. A line asks it to stop the broker cleanly.
const GUARD: &str =
    r#""$@" & pid=$!; if read -r _; then kill $pid; else kill -9 $pid; fi; wait $pid"#;

/// Barnabas does not finalize this feature yet; with it Kafka moves min.insync.replicas.
const ELR_OFF: &[&str] = &["eligible.leader.replicas.version=0"];

/// A quick compiler and a small heap.
const SMALL: &[&str] = &["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];

impl Kafka {
    /// Formats a directory, starts a small broker (quick compiler, small heap) and waits until it
    /// serves.
    ///
    /// # Panics
    /// When Kafka cannot be formatted or started.
    #[must_use]
    pub fn start(properties: &[(&str, &str)]) -> Self {
        Self::launch(SMALL, ELR_OFF, properties, |_| ())
    }

    /// The same with all features, as users format their directories.
    #[must_use]
    pub fn start_with_all_features(properties: &[(&str, &str)]) -> Self {
        Self::launch(SMALL, &[], properties, |_| ())
    }

    /// The same with the heap and compilers of `kafka-server-start.sh`; `started` gets the seconds
    /// from the broker's start to its ready line, formatting not included.
    #[must_use]
    pub fn start_like_production(started: impl FnOnce(f64)) -> Self {
        Self::launch(&["-Xms1g", "-Xmx1g", "-XX:+UseG1GC"], ELR_OFF, &[], started)
    }

    fn launch(
        jvm: &[&str],
        features: &[&str],
        properties: &[(&str, &str)],
        started: impl FnOnce(f64),
    ) -> Self {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let port = free_port();
        let config = write_files(&directory, port, properties);
        let format = java(&directory, jvm)
            .args(["kafka.tools.StorageTool", "format", "-t", "5L6g3nShT-eMCtK--X86sw", "-c"])
            .arg(&config)
            .args(features.iter().flat_map(|feature| ["--feature", feature]))
            .output()
            .expect("java is installed");
        assert!(
            format.status.success(),
            "kafka-storage format: {}",
            String::from_utf8_lossy(&format.stderr)
        );
        let begun = Instant::now();
        let process = run(&directory, jvm);
        started(begun.elapsed().as_secs_f64());
        Self { process, directory, port }
    }

    /// Where its files lie.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// SIGTERM: a controlled shutdown.
    ///
    /// # Panics
    /// When it does not end in time.
    #[must_use]
    pub fn stop(mut self) -> StoppedKafka {
        self.process.tell("stop");
        let _ = self.process.wait_for_end();
        StoppedKafka { directory: self.directory, port: self.port }
    }

    /// SIGKILL.
    #[must_use]
    pub fn kill(mut self) -> StoppedKafka {
        // The guard kills the broker when its input ends.
        let _ = self.process.wait_for_end();
        StoppedKafka { directory: self.directory, port: self.port }
    }

    /// The process id of the shell that guards the broker.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// `127.0.0.1:port`
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl StoppedKafka {
    /// Starts it again.
    #[must_use]
    pub fn start(self) -> Kafka {
        let process = run(&self.directory, SMALL);
        Kafka { process, directory: self.directory, port: self.port }
    }

    /// Another one with a copy of the data, and with ports of its own.
    ///
    /// # Panics
    /// When the copy cannot be made.
    #[must_use]
    pub fn copy(&self) -> Self {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let mut cp = Command::new("cp");
        cp.arg("-a").arg(self.directory().join(".")).arg(directory.path());
        assert!(cp.status().expect("cp is installed").success(), "cannot copy Kafka's data");
        let (port, quorum_port) = (free_port(), free_port());
        let file = directory.path().join("server.properties");
        let text = std::fs::read_to_string(&file).expect("it was copied");
        let old = text.lines().find_map(|line| line.strip_prefix("controller.quorum.voters=1@"));
        let old = old.expect("the file names the voter").to_owned();
        let text = text
            .replace(&old, &format!("127.0.0.1:{quorum_port}"))
            .replace(&self.bootstrap(), &format!("127.0.0.1:{port}"))
            .replace(
                &self.directory().display().to_string(),
                &directory.path().display().to_string(),
            );
        std::fs::write(&file, text).expect("the copy is writable");
        Self { directory, port }
    }

    /// Where its files lie: `server.properties`, and `data` unless `log.dirs` says otherwise.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// `127.0.0.1:port`, where it served.
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// Starts the broker and waits until it serves.
fn run(directory: &TempDir, jvm: &[&str]) -> Process {
    let broker = java(directory, jvm);
    let mut command = Command::new("sh");
    command.args(["-c", GUARD, "sh"]).arg(broker.get_program()).args(broker.get_args());
    command.arg("kafka.Kafka").arg(directory.path().join("server.properties"));
    let process = Process::start("Apache Kafka", &mut command);
    let _ = process.wait_for_line("Kafka Server started");
    process
}

/// Writes `server.properties` and the logging configuration; returns the former's path. In values,
/// `{directory}` is where they lie.
fn write_files(directory: &TempDir, port: u16, properties: &[(&str, &str)]) -> PathBuf {
    let quorum_port = free_port();
    let mut text = format!(
        "process.roles=broker,controller\nnode.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{quorum_port}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{quorum_port}\n\
         controller.listener.names=CONTROLLER\nlog.dirs={}/data\n\
         offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\nshare.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\ngroup.initial.rebalance.delay.ms=0\n",
        directory.path().display()
    );
    for (key, value) in properties {
        let value = value.replace("{directory}", &directory.path().display().to_string());
        text.push_str(&format!("{key}={value}\n"));
    }
    let config = directory.path().join("server.properties");
    std::fs::write(&config, text).expect("the temporary directory is writable");
    std::fs::write(directory.path().join("log4j2.properties"), LOG4J)
        .expect("the temporary directory is writable");
    config
}

fn java(directory: &TempDir, jvm: &[&str]) -> Command {
    let mut command = Command::new("java");
    let log4j = directory.path().join("log4j2.properties");
    command.args(jvm).arg(format!("-Dlog4j2.configurationFile={}", log4j.display()));
    command.arg("-cp").arg(kafka_libs());
    command
}
