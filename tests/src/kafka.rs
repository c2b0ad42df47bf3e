//! A real Apache Kafka 4.4.0, one node, to compare answers with.

use crate::environment::kafka_libs;
use crate::ports::free_port;
use crate::process::Process;
use std::process::Command;
use tempfile::TempDir;

/// A running Apache Kafka.
#[derive(Debug)]
pub struct Kafka {
    _process: Process,
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
    /// Formats a directory, starts the broker and waits until it serves.
    ///
    /// # Panics
    /// When Kafka cannot be formatted or started.
    #[must_use]
    pub fn start(properties: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let (port, quorum_port) = (free_port(), free_port());
        let mut text = format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{quorum_port}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{quorum_port}\n\
             controller.listener.names=CONTROLLER\nlog.dirs={}/data\noffsets.topic.replication.factor=1\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             share.coordinator.state.topic.replication.factor=1\nshare.coordinator.state.topic.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\n",
            directory.path().display()
        );
        for (key, value) in properties {
            text.push_str(&format!("{key}={value}\n"));
        }
        let config = directory.path().join("server.properties");
        std::fs::write(&config, text).expect("the temporary directory is writable");
        std::fs::write(directory.path().join("log4j2.properties"), LOG4J)
            .expect("the temporary directory is writable");
        let format = java(&directory)
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
        let broker = java(&directory);
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "sh"]).arg(broker.get_program()).args(broker.get_args());
        command.arg("kafka.Kafka").arg(&config);
        let process = Process::start("Apache Kafka", &mut command);
        let _ = process.wait_for_line("Kafka Server started");
        Self { _process: process, _directory: directory, port }
    }

    /// `127.0.0.1:port`
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

fn java(directory: &TempDir) -> Command {
    let mut command = Command::new("java");
    command.arg("-Xmx512m").arg("-XX:TieredStopAtLevel=1").arg("-XX:+UseSerialGC");
    let log4j = directory.path().join("log4j2.properties");
    command
        .arg(format!("-Dlog4j2.configurationFile={}", log4j.display()))
        .arg("-cp")
        .arg(kafka_libs());
    command
}
