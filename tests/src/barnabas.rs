//! A Barnabas process under test.

use crate::environment::barnabas_binary;
use crate::ports::free_port;
use crate::process::Process;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What a broker is started with. The data directory outlives the process, so that the same node can
/// be started again after a kill.
#[derive(Debug)]
pub struct Node {
    directory: TempDir,
    data: PathBuf,
    port: u16,
    properties: Vec<(String, String)>,
    runner: Vec<String>,
}

/// A running broker.
#[derive(Debug)]
pub struct Barnabas {
    process: Process,
    port: u16,
}

impl Node {
    /// A fresh node with an empty data directory. Consumers need not wait out the initial rebalance
    /// delay; everything else is the default.
    #[must_use]
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("the temporary directory is writable");
        let data = directory.path().join("data");
        let node =
            Self { directory, data, port: free_port(), properties: Vec::new(), runner: Vec::new() };
        node.with("group.initial.rebalance.delay.ms", "0")
    }

    /// Sets one `server.properties` key.
    #[must_use]
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.properties.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Keeps the logs below a directory of the caller's.
    #[must_use]
    pub fn on(mut self, disk: &Path) -> Self {
        self.data = disk.join("data");
        self
    }

    /// Starts the broker by another program, such as a tracer, which must become it: the command
    /// line of the broker follows these words.
    #[must_use]
    pub fn run_by(mut self, words: &[&str]) -> Self {
        self.runner = words.iter().map(ToString::to_string).collect();
        self
    }

    /// Where the node keeps its logs.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.data.clone()
    }

    /// A place for files of the test, beside the data.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.directory.path()
    }

    /// `127.0.0.1:port`
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Starts the broker and waits until it says that it serves.
    #[must_use]
    pub fn start(&self) -> Barnabas {
        let broker = self.launch();
        let _ = broker.process.wait_for_line("Kafka Server started");
        broker
    }

    /// Starts the broker without waiting: for starts that are expected to fail.
    #[must_use]
    pub fn launch(&self) -> Barnabas {
        let file = self.directory.path().join("server.properties");
        std::fs::write(&file, self.server_properties())
            .expect("the temporary directory is writable");
        let binary = barnabas_binary();
        let mut command = match self.runner.split_first() {
            None => Command::new(binary),
            Some((runner, words)) => {
                let mut command = Command::new(runner);
                command.args(words).arg(binary);
                command
            }
        };
        command.arg("server").arg(&file).current_dir(self.directory.path());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("KAFKA_") {
                command.env_remove(name);
            }
        }
        Barnabas { process: Process::start("barnabas", &mut command), port: self.port }
    }

    fn server_properties(&self) -> String {
        let mut text = format!(
            "node.id=1\nlisteners=PLAINTEXT://127.0.0.1:{}\nlog.dirs={}\n",
            self.port,
            self.data().display()
        );
        for (key, value) in &self.properties {
            text.push_str(&format!("{key}={value}\n"));
        }
        text
    }
}

impl Default for Node {
    fn default() -> Self {
        Self::new()
    }
}

impl Barnabas {
    /// `127.0.0.1:port`
    #[must_use]
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The broker's process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.process.kill();
    }

    /// SIGTERM: a controlled shutdown that must end with exit code 0.
    pub fn stop(mut self) {
        let status = self.process.terminate();
        assert!(
            status.success(),
            "controlled shutdown ended with {status}: {}",
            self.process.output()
        );
    }
}
