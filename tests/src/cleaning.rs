//! Both cleaners without their brokers: Kafka's own (`tests/java/Clean.java`) and storage's, on
//! directories and at times of the caller's choice.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use storage::fs::RealFs;
use storage::{CleanerClock, DataDirs, DataDirsConfig, LogConfig, LogManager, LogManagerConfig};

use crate::environment::{kafka_libs, workspace};

/// A clock of the cleaner that stands still at a time in ms.
#[derive(Clone, Copy, Debug)]
pub struct At(pub i64);

impl CleanerClock for At {
    fn wall_ms(&self) -> i64 {
        self.0
    }
    fn monotonic_ms(&self) -> i64 {
        0
    }
}

/// The logs in a directory, each new one with `config`. No thread cleans them.
///
/// # Panics
/// When they cannot be opened.
#[must_use]
pub fn open_logs(dir: &Path, config: LogConfig, now_ms: i64) -> Arc<LogManager> {
    let dirs = DataDirsConfig {
        log_dirs: vec![dir.to_owned()],
        metadata_dir: None,
        node_id: 1,
        cluster_id: None,
    };
    let dirs = DataDirs::open(&dirs, &RealFs).expect("a directory that can be opened");
    // Topics without metadata would be refused at the second start.
    std::fs::create_dir_all(dir.join("__cluster_metadata-1")).expect("a directory");
    let settings = LogManagerConfig { default_log_config: config, ..LogManagerConfig::default() };
    let opened = LogManager::open(settings, dirs, Arc::new(RealFs), now_ms, &|_| ());
    Arc::new(opened.expect("logs that can be opened").0)
}

/// The command that cleans with Kafka's cleaner. Its words on directories go before `--`, or line by
/// line to its standard input.
#[must_use]
pub fn kafkas_cleaner(jvm: &[&str], words: &[String], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new("java");
    command.args(jvm).args(["-cp", &kafka_libs()]);
    command.arg(workspace().join("tests/java/Clean.java")).args(words).arg("--");
    command.args(settings.iter().map(|(name, value)| format!("{name}={value}")));
    command
}
