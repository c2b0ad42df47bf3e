//! A real Apache Kafka 4.4.0, one node, to compare answers with.

use crate::environment::kafka_libs;
use crate::ports::free_port;
use crate::process::Process;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

/// A running Apache Kafka.
#[derive(Debug)]
pub struct Kafka {
    process: Process,
    _directory: TempDir,
    port: u16,
}

/// Logging to standard output at INFO, so that the ready line can be awaited.
const LOG4J: &str = "status=ERROR\nrootLogger.level=INFO\nrootLogger.appenderRef.out.ref=out\n\
appender.out.type=Console\nappender.out.name=out\nappender.out.layout.type=PatternLayout\n\
appender.out.layout.pattern=%d %p %m%n\n";

/// The shell holds the broker and kills it when this test process closes its end of the pipe,
/// however the test ends.
const GUARD: &str = r#""$@" & pid=$!; read -r _; kill -9 $pid; wait $pid"#;

impl Kafka {
    /// Formats a directory, starts a small broker (quick compiler, small heap) and waits until it
    /// serves.
    ///
    /// # Panics
    /// When Kafka cannot be formatted or started.
    #[must_use]
    pub fn start(properties: &[(&str, &str)]) -> Self {
        Self::launch(
            &["-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"],
            properties,
            |_| (),
        )
    }

    /// The same with the heap and compilers of `kafka-server-start.sh`; `started` gets the seconds
    /// from the broker's start to its ready line, formatting not included.
    #[must_use]
    pub fn start_like_production(started: impl FnOnce(f64)) -> Self {
        Self::launch(&["-Xms1g", "-Xmx1g", "-XX:+UseG1GC"], &[], started)
    }

    fn launch(jvm: &[&str], properties: &[(&str, &str)], started: impl FnOnce(f64)) -> Self {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let port = free_port();
        let config = write_files(&directory, port, properties);
        let format = java(&directory, jvm)
            .args(["kafka.tools.StorageTool", "format", "-t", "5L6g3nShT-eMCtK--X86sw", "-c"])
            .arg(&config)
            // Barnabas does not finalize this feature yet; with it Kafka moves min.insync.replicas.
            .args(["--feature", "eligible.leader.replicas.version=0"])
            .output()
            .expect("java is installed");
        assert!(
            format.status.success(),
            "kafka-storage format: {}",
            String::from_utf8_lossy(&format.stderr)
        );
        let broker = java(&directory, jvm);
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "sh"]).arg(broker.get_program()).args(broker.get_args());
        command.arg("kafka.Kafka").arg(&config);
        let begun = Instant::now();
        let process = Process::start("Apache Kafka", &mut command);
        let _ = process.wait_for_line("Kafka Server started");
        started(begun.elapsed().as_secs_f64());
        Self { process, _directory: directory, port }
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

/// Writes `server.properties` and the logging configuration; returns the former's path.
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
