//! Log lines, on stderr; and the few phrases on stdout that containers and scripts wait for.
//!
//! Levels can be changed at run time by logger, as `kafka-configs.sh --entity-type broker-loggers`
//! does. Nothing is logged per request at the default level.

mod json;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, Registry, fmt, reload};

use crate::config::{LogFormat, alter::AlterError};

/// The loggers whose levels can be read and changed: `root` and our modules.
pub const LOGGERS: [&str; 10] = [
    ROOT,
    "broker",
    "broker::config",
    "broker::dispatch",
    "broker::group",
    "broker::handlers",
    "broker::net",
    "broker::replication",
    "controller",
    "storage",
];

const ROOT: &str = "root";

/// Kafka's names of levels, as they are shown and set.
const LEVELS: [(&str, &str); 6] = [
    ("DEBUG", "debug"),
    ("ERROR", "error"),
    ("FATAL", "error"),
    ("INFO", "info"),
    ("TRACE", "trace"),
    ("WARN", "warn"),
];

#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    #[error(
        "barnabas.log.level={level} is not valid: allowed is a level, or levels by module such as info,broker::group=debug"
    )]
    Level { level: String },
    #[error("logging is set up already")]
    Again,
}

/// Log levels that can be changed at run time. Clones change the same levels.
#[derive(Clone)]
pub struct LogLevels {
    state: Arc<Mutex<State>>,
}

struct State {
    /// What `barnabas.log.level` says.
    configured: String,
    /// Levels set at run time, by logger.
    set: BTreeMap<&'static str, &'static str>,
    /// None in tests, where nothing is logged.
    reload: Option<reload::Handle<EnvFilter, Registry>>,
}

impl std::fmt::Debug for LogLevels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogLevels").field("filter", &self.state.lock().filter()).finish()
    }
}

/// Sends log lines of at least `level` to stderr. Once per process.
///
/// # Errors
/// A level that cannot be read, or a second call.
pub fn init(level: &str, format: LogFormat) -> Result<LogLevels, LoggingError> {
    let bad_level = |_| LoggingError::Level { level: level.to_owned() };
    let filter = EnvFilter::try_new(level).map_err(bad_level)?;
    let (filter, handle) = reload::Layer::new(filter);
    let lines = fmt::layer().with_writer(io::stderr);
    let lines = match format {
        LogFormat::Text => {
            let colours = io::IsTerminal::is_terminal(&io::stderr());
            lines.with_ansi(colours).boxed()
        }
        LogFormat::Json => lines.with_ansi(false).event_format(json::Json).boxed(),
    };
    let registry = tracing_subscriber::registry().with(filter).with(lines);
    registry.try_init().map_err(|_| LoggingError::Again)?;
    let state = State { configured: level.to_owned(), set: BTreeMap::new(), reload: Some(handle) };
    Ok(LogLevels { state: Arc::new(Mutex::new(state)) })
}

/// Prints a line on stdout, for those who wait for it there (containers, test harnesses).
#[allow(clippy::print_stdout, reason = "the ready lines are waited for on stdout")]
pub fn announce(line: &str) {
    use std::io::Write as _;
    let mut stdout = io::stdout().lock();
    // Nobody may be reading; that is no reason to stop.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// The lines that Kafka prints when a broker is ready, in Kafka's words.
pub fn announce_ready(node_id: i32) {
    announce(&format!(
        "[BrokerLifecycleManager id={node_id}] The broker has caught up. \
         Transitioning from STARTING to RECOVERY."
    ));
    announce(&format!(
        "[BrokerLifecycleManager id={node_id}] The broker has been unfenced. \
         Transitioning from RECOVERY to RUNNING."
    ));
    announce(&format!("[KafkaRaftServer nodeId={node_id}] Kafka Server started"));
}

impl LogLevels {
    /// Levels that nothing obeys, for tests.
    pub fn detached(level: &str) -> Self {
        let state = State { configured: level.to_owned(), set: BTreeMap::new(), reload: None };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Every logger and its level, in Kafka's words.
    pub fn all(&self) -> Vec<(&'static str, &'static str)> {
        let state = self.state.lock();
        LOGGERS.into_iter().map(|logger| (logger, state.level(logger))).collect()
    }

    /// Sets the levels of some loggers, or with None takes back what was set; all or nothing.
    ///
    /// # Errors
    /// Unknown loggers or levels, in Kafka's words.
    pub fn alter(
        &self,
        changes: &[(&str, Option<&str>)],
        validate_only: bool,
    ) -> Result<(), AlterError> {
        let mut checked = Vec::with_capacity(changes.len());
        for (logger, level) in changes {
            checked.push((known_logger(logger)?, known_level(logger, *level)?));
        }
        if validate_only {
            return Ok(());
        }
        let mut state = self.state.lock();
        for (logger, level) in checked {
            match level {
                Some(level) => state.set.insert(logger, level),
                None => state.set.remove(logger),
            };
        }
        let filter = EnvFilter::new(state.filter());
        if let Some(Err(error)) = state.reload.as_ref().map(|handle| handle.reload(filter)) {
            tracing::error!(%error, "the log levels could not be changed");
        }
        Ok(())
    }
}

fn known_logger(name: &str) -> Result<&'static str, AlterError> {
    let known = LOGGERS.into_iter().find(|logger| *logger == name);
    known.ok_or_else(|| AlterError::InvalidConfig(format!("Logger {name} does not exist!")))
}

fn known_level(logger: &str, level: Option<&str>) -> Result<Option<&'static str>, AlterError> {
    let Some(level) = level else {
        if logger == ROOT {
            let sentence = format!("Removing the log level of the {ROOT} logger is not allowed");
            return Err(AlterError::InvalidRequest(sentence));
        }
        return Ok(None);
    };
    let known = LEVELS.into_iter().find(|(kafka, _)| *kafka == level).map(|(_, ours)| ours);
    known.map(Some).ok_or_else(|| {
        let valid = LEVELS.map(|(kafka, _)| kafka).join(", ");
        AlterError::InvalidConfig(format!(
            "Cannot set the log level of {logger} to {level} as it is not a supported log level. \
             Valid log levels are {valid}"
        ))
    })
}

impl State {
    /// The directives in force.
    fn filter(&self) -> String {
        let mut directives = vec![self.configured.clone()];
        // Later directives win; the map has outer modules before inner ones.
        if let Some(root) = self.set.get(ROOT) {
            directives.push((*root).to_owned());
        }
        let of_modules = self.set.iter().filter(|(logger, _)| **logger != ROOT);
        directives.extend(of_modules.map(|(logger, level)| format!("{logger}={level}")));
        directives.join(",")
    }

    /// The level of a logger: its own, or that of the nearest module around it.
    fn level(&self, logger: &str) -> &'static str {
        let filter = self.filter();
        let mut nearest = ("", "INFO");
        for directive in filter.split(',') {
            let (target, level) = directive.split_once('=').unwrap_or(("", directive));
            let (target, level) = (target.trim(), level.trim());
            let around = target.is_empty()
                || logger.strip_prefix(target).is_some_and(|r| r.is_empty() || r.starts_with("::"));
            let shown = LEVELS.iter().find(|(_, ours)| ours.eq_ignore_ascii_case(level));
            let shown = shown.map(|(kafka, _)| *kafka);
            if let (true, Some(shown)) = (around && target.len() >= nearest.0.len(), shown) {
                nearest = (target, shown);
            }
        }
        nearest.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(levels: &LogLevels, logger: &str) -> &'static str {
        levels.all().into_iter().find(|(name, _)| *name == logger).unwrap().1
    }

    #[test]
    fn levels_are_inherited_set_and_taken_back() {
        let levels = LogLevels::detached("warn,broker::group=debug");
        assert_eq!(level(&levels, "root"), "WARN");
        assert_eq!(level(&levels, "broker"), "WARN");
        assert_eq!(level(&levels, "broker::group"), "DEBUG");
        levels.alter(&[("broker", Some("TRACE")), ("root", Some("ERROR"))], false).unwrap();
        assert_eq!(level(&levels, "broker::net"), "TRACE");
        assert_eq!(level(&levels, "broker::group"), "DEBUG");
        assert_eq!(level(&levels, "storage"), "ERROR");
        levels.alter(&[("broker", None)], false).unwrap();
        assert_eq!(level(&levels, "broker::net"), "ERROR");
        levels.alter(&[("broker", Some("INFO"))], true).unwrap();
        assert_eq!(level(&levels, "broker::net"), "ERROR");
    }

    #[test]
    fn refusals_are_kafkas() {
        let levels = LogLevels::detached("info");
        let refusal =
            |logger, level| levels.alter(&[(logger, level)], false).unwrap_err().to_string();
        assert_eq!(refusal("kafka.server", Some("INFO")), "Logger kafka.server does not exist!");
        assert_eq!(
            refusal("root", None),
            "Removing the log level of the root logger is not allowed"
        );
        assert_eq!(
            refusal("broker", Some("LOUD")),
            "Cannot set the log level of broker to LOUD as it is not a supported log level. \
             Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN"
        );
    }
}
