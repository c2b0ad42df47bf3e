//! Raw settings: what was given for each key, and where. Layers of them, and which one wins.
//!
//! Every value remembers its origin, so that a refusal can name the file and line, and
//! `DescribeConfigs` can name the source.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::table::{self, ConfigKey, Scope};
use super::value::{self, HIDDEN, InvalidValue, Value};

/// Where a setting was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    File {
        path: Arc<str>,
        line: usize,
    },
    /// An environment variable, by its name.
    Env(String),
    /// `--override` on the command line.
    Override,
    /// Stands in where Kafka would demand a value or a file would give one.
    BuiltIn,
    /// Set at run time through the Admin API.
    Dynamic,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Override => f.write_str("--override"),
            Self::BuiltIn => f.write_str("built-in setting"),
            Self::Dynamic => f.write_str("dynamic setting"),
        }
    }
}

/// One given value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub value: String,
    pub origin: Origin,
}

/// Given values by key.
pub type Settings = BTreeMap<String, Setting>;

/// The row behind a broker setting's name, which may carry a listener prefix.
pub fn broker_key(name: &str) -> Option<&'static ConfigKey> {
    table::find(Scope::Broker, name)
        .or_else(|| table::find(Scope::Broker, table::strip_listener_prefix(name)?))
}

/// A value as it may be shown in a log line or an error.
pub fn shown(name: &str, value: &str) -> String {
    // What has an unknown name may be a secret of some plug-in.
    match broker_key(name) {
        Some(key) if !key.is_sensitive() => value.to_owned(),
        _ => HIDDEN.to_owned(),
    }
}

/// The settings of one broker in force at one moment, strongest layer first.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    pub dynamic_broker: Arc<Settings>,
    pub dynamic_default: Arc<Settings>,
    /// File, environment and command line, already merged, over the built-in settings.
    pub fixed: Arc<Settings>,
}

impl Layers {
    /// The setting of exactly this name that is in force, if any was given.
    pub fn given(&self, name: &str) -> Option<&Setting> {
        let layers = [&self.dynamic_broker, &self.dynamic_default, &self.fixed];
        layers.into_iter().find_map(|layer| layer.get(name))
    }

    /// The parsed value in force, or the default; None when neither exists (Kafka's null).
    pub fn value(&self, name: &str) -> Result<Option<Value>, InvalidValue> {
        let Some(key) = table::find(Scope::Broker, name) else { return Ok(None) };
        let text = match self.given(name) {
            Some(setting) => Some(setting.value.as_str()),
            None => key.default,
        };
        text.map(|text| value::parse(key, name, text)).transpose()
    }
}
