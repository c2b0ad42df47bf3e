//! Putting the settings together: command line over environment over file over built-in ones.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::env::{self, Environment};
use super::error::ConfigError;
use super::properties;
use super::providers;
use super::settings::{Origin, Setting, Settings};

/// Where the configuration comes from.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `server.properties`.
    pub file: Option<PathBuf>,
    /// `--override key=value`, in order.
    pub overrides: Vec<String>,
    /// The environment, where it is to be read (`barnabas server` does, plain `barnabas` does not).
    pub environment: Vec<(String, String)>,
}

/// The merged settings, and what to tell the user once logging is up.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub settings: Settings,
    pub cluster_id: Option<String>,
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
}

/// Values for one node that nobody configured. A file may still override each of them.
const NODE: &[(&str, &str)] = &[("process.roles", "broker,controller"), ("node.id", "1")];

/// What Kafka's image puts in its built-in file: without a file of their own, users want one node
/// that works, on this machine.
const ZERO_CONFIG: &[(&str, &str)] = &[
    ("listeners", "PLAINTEXT://localhost:9092"),
    ("log.dirs", "./barnabas-data"),
    ("offsets.topic.replication.factor", "1"),
    ("transaction.state.log.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
];

impl Sources {
    pub(super) fn merge(&self) -> Result<Merged, ConfigError> {
        let mut merged = Merged::default();
        if let Some(path) = &self.file {
            let text = read(path)?;
            merged.add_file(path, &text)?;
        }
        let Environment { settings, cluster_id, notes } = env::read(self.environment.clone());
        merged.settings.extend(settings);
        merged.cluster_id = cluster_id;
        merged.notes.extend(notes);
        for given in &self.overrides {
            let (key, value) = given
                .split_once('=')
                .filter(|(key, _)| !key.trim().is_empty())
                .ok_or_else(|| ConfigError::Override { given: given.clone() })?;
            let setting = Setting { value: value.trim().to_owned(), origin: Origin::Override };
            merged.settings.insert(key.trim().to_owned(), setting);
        }
        merged.add_built_in(self.file.is_none());
        providers::resolve(&mut merged.settings, &self.environment)?;
        Ok(merged)
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let bytes = std::fs::read(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    String::from_utf8(bytes).map_err(|_| ConfigError::NotText { path: path.to_owned() })
}

impl Merged {
    fn add_file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let name: Arc<str> = path.display().to_string().into();
        let properties = properties::parse(text)
            .map_err(|source| ConfigError::Syntax { path: path.to_owned(), source })?;
        for property in properties {
            let origin = Origin::File { path: name.clone(), line: property.line };
            let setting = Setting { value: property.value.trim_end().to_owned(), origin };
            let earlier = self.settings.insert(property.key.clone(), setting);
            if let Some(Setting { origin: Origin::File { line, .. }, .. }) = earlier {
                let (key, last) = (property.key, property.line);
                self.warnings
                    .push(format!("{name}:{last}: {key} is also in line {line}; this one counts"));
            }
        }
        Ok(())
    }

    fn add_built_in(&mut self, without_file: bool) {
        let zero_config = if without_file { ZERO_CONFIG } else { &[] };
        for (key, value) in NODE.iter().chain(zero_config) {
            let has_synonym = match *key {
                "node.id" => self.settings.contains_key("broker.id"),
                "log.dirs" => self.settings.contains_key("log.dir"),
                _ => false,
            };
            if !has_synonym && !self.settings.contains_key(*key) {
                let setting = Setting { value: (*value).to_owned(), origin: Origin::BuiltIn };
                self.settings.insert((*key).to_owned(), setting);
            }
        }
    }
}

/// The two names of the node's id stand for each other, also where they are shown.
pub(super) fn mirror_node_id(settings: &mut Settings) {
    for (name, other) in [("node.id", "broker.id"), ("broker.id", "node.id")] {
        if let Some(setting) = settings.get(other).cloned() {
            settings.entry(name.to_owned()).or_insert(setting);
        }
    }
}
