//! What `DescribeConfigs` says: every key with its value, where it comes from, and its synonyms in
//! the order in which they count.
//!
//! Source and synonyms follow Kafka to the letter, including that a topic key whose broker key is
//! not given itself shows no synonyms.

use std::collections::BTreeMap;

use super::settings::{Layers, Settings, broker_key};
use super::table::{self, ConfigKey, Kind, Scope, UpdateMode, broker_synonyms};
use super::value;
use super::{BrokerConfig, log_config};

/// One config of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigEntry {
    pub name: String,
    /// None: no value, or one that must not be shown.
    pub value: Option<String>,
    pub source: ConfigSource,
    pub is_read_only: bool,
    pub is_sensitive: bool,
    /// None: unknown.
    pub kind: Option<Kind>,
    pub synonyms: Vec<Synonym>,
    pub documentation: Option<&'static str>,
}

/// One of the places a value may come from, strongest first in [`ConfigEntry::synonyms`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synonym {
    pub name: String,
    pub value: Option<String>,
    pub source: ConfigSource,
}

/// Where a value comes from; the numbers are those of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigSource {
    Topic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
    DynamicBrokerLogger = 6,
    ClientMetrics = 7,
    Group = 8,
}

impl ConfigSource {
    /// The number in a `DescribeConfigs` response.
    pub fn wire_id(self) -> i8 {
        self as i8
    }
}

impl ConfigEntry {
    /// The number of the type in a `DescribeConfigs` response; 0 is unknown.
    pub fn wire_type(&self) -> i8 {
        self.kind.map_or(0, Kind::wire_id)
    }
}

/// What is set on one resource at run time, by name.
pub type Overrides<'a> = BTreeMap<&'a str, &'a str>;

/// The configs of this broker.
pub fn broker(config: &BrokerConfig) -> Vec<ConfigEntry> {
    let layers = config.layers();
    let shown = table::keys(Scope::Broker)
        .filter(|key| !key.internal)
        .map(|key| key.name)
        .chain([INTER_BROKER_PROTOCOL]);
    let given = [&layers.dynamic_broker, &layers.dynamic_default, &layers.fixed];
    let given = given.into_iter().flat_map(|layer| layer.keys().map(String::as_str));
    let mut names: Vec<&str> = shown.chain(given).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| broker_entry(layers, name)).collect()
}

/// The dynamic configs that all brokers share.
pub fn default_broker(config: &BrokerConfig) -> Vec<ConfigEntry> {
    let shared =
        Layers { dynamic_default: config.layers().dynamic_default.clone(), ..Layers::default() };
    let entry = |name: &String| {
        let mut entry = broker_entry(&shared, name);
        entry.synonyms.retain(|synonym| synonym.source == ConfigSource::DynamicDefaultBroker);
        entry
    };
    shared.dynamic_default.keys().map(entry).collect()
}

/// The configs of a topic that sets `overrides`.
pub fn topic(config: &BrokerConfig, overrides: &Overrides<'_>) -> Vec<ConfigEntry> {
    let entry = |key| resource_entry(config.layers(), key, overrides, ConfigSource::Topic);
    shown(Scope::Topic, overrides).map(entry).collect()
}

/// The configs of a group that sets `overrides`.
pub fn group(config: &BrokerConfig, overrides: &Overrides<'_>) -> Vec<ConfigEntry> {
    let entry = |key: &'static ConfigKey| {
        let mut entry = resource_entry(config.layers(), key, overrides, ConfigSource::Group);
        if key.broker_defaults.is_empty() && entry.synonyms.is_empty() {
            entry.synonyms.extend(default_synonym(key));
        }
        entry
    };
    shown(Scope::Group, overrides).map(entry).collect()
}

/// The configs of a client-metrics subscription that sets `overrides`.
pub fn client_metrics(overrides: &Overrides<'_>) -> Vec<ConfigEntry> {
    let none = Layers::default();
    let entry = |key| resource_entry(&none, key, overrides, ConfigSource::ClientMetrics);
    shown(Scope::ClientMetrics, overrides).map(entry).collect()
}

/// Log levels by logger.
pub fn broker_loggers<'a>(
    levels: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Vec<ConfigEntry> {
    let entry = |(name, level): (&str, &str)| ConfigEntry {
        name: name.to_owned(),
        value: Some(level.to_owned()),
        source: ConfigSource::DynamicBrokerLogger,
        is_read_only: false,
        is_sensitive: false,
        kind: None,
        synonyms: Vec::new(),
        documentation: None,
    };
    levels.into_iter().map(entry).collect()
}

/// Tools (kafka-ui) read the broker's version from this key, which Kafka dropped; without it they
/// take the broker for one of version 1.0.
const INTER_BROKER_PROTOCOL: &str = "inter.broker.protocol.version";
const INTER_BROKER_PROTOCOL_SHOWN: &str = "4.4-IV0";

fn broker_entry(layers: &Layers, name: &str) -> ConfigEntry {
    let key = broker_key(name);
    let is_sensitive = key.is_none_or(ConfigKey::is_sensitive);
    let mut names = broker_synonyms(name);
    if let Some(key) = key.filter(|key| key.name != name) {
        names.push(key.name);
    }
    let synonyms = synonyms(layers, name, &names, is_sensitive);
    let value = match key.filter(|_| !is_sensitive) {
        Some(key) => in_force(layers, name, key),
        None => None,
    };
    let mut entry = ConfigEntry {
        name: name.to_owned(),
        value,
        source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
        is_read_only: key.is_none_or(|key| key.update == UpdateMode::ReadOnly),
        is_sensitive,
        kind: key.map(|key| key.kind),
        synonyms,
        documentation: key.map(|key| key.doc),
    };
    if name == INTER_BROKER_PROTOCOL {
        entry.value = Some(INTER_BROKER_PROTOCOL_SHOWN.to_owned());
        entry.is_sensitive = false;
        entry.kind = Some(Kind::String);
        entry.source = ConfigSource::Default;
        entry.synonyms = Vec::new();
        entry.documentation = Some("The Kafka version this broker is compatible with.");
    }
    entry
}

/// The value of a broker key now, as it is shown.
fn in_force(layers: &Layers, name: &str, key: &ConfigKey) -> Option<String> {
    let text = match layers.given(name) {
        Some(setting) => setting.value.as_str(),
        None => key.default?,
    };
    Some(show(key, text))
}

fn show(key: &ConfigKey, text: &str) -> String {
    value::parse(key, key.name, text).map_or_else(|_| text.to_owned(), |value| value.to_string())
}

/// Where the value of the broker key `name` may come from: all `names` in the layer of this
/// broker, then in that of all brokers, then in the fixed settings, then their defaults; without
/// what stands before the first that is called `name` itself.
fn synonyms(layers: &Layers, name: &str, names: &[&str], is_sensitive: bool) -> Vec<Synonym> {
    let from = |layer: &Settings, source| {
        let given = names.iter().filter_map(|name| Some((*name, layer.get(*name)?)));
        let synonym = |(name, setting): (&str, &super::settings::Setting)| Synonym {
            name: name.to_owned(),
            value: (!is_sensitive).then(|| setting.value.clone()),
            source,
        };
        given.map(synonym).collect::<Vec<_>>()
    };
    let mut all = from(&layers.dynamic_broker, ConfigSource::DynamicBroker);
    all.extend(from(&layers.dynamic_default, ConfigSource::DynamicDefaultBroker));
    all.extend(from(&layers.fixed, ConfigSource::StaticBroker));
    let keys = names.iter().filter_map(|name| table::find(Scope::Broker, name));
    all.extend(keys.filter_map(default_synonym));
    let skipped = all.iter().position(|synonym| synonym.name == name).unwrap_or(all.len());
    all.split_off(skipped)
}

fn default_synonym(key: &'static ConfigKey) -> Option<Synonym> {
    let value = key.default?;
    let value = (!key.is_sensitive()).then(|| value.to_owned());
    Some(Synonym { name: key.name.to_owned(), value, source: ConfigSource::Default })
}

/// The keys of a resource that are shown: internal ones only when they are set.
fn shown(scope: Scope, overrides: &Overrides<'_>) -> impl Iterator<Item = &'static ConfigKey> {
    table::keys(scope).filter(move |key| !key.internal || overrides.contains_key(key.name))
}

fn resource_entry(
    layers: &Layers,
    key: &'static ConfigKey,
    overrides: &Overrides<'_>,
    own_source: ConfigSource,
) -> ConfigEntry {
    let mut all = match key.broker_defaults.first() {
        Some(name) => synonyms(layers, name, &broker_synonyms(name), key.is_sensitive()),
        None => Vec::new(),
    };
    let own = overrides.get(key.name).map(|text| show(key, text));
    if let Some(value) = &own {
        let synonym =
            Synonym { name: key.name.to_owned(), value: Some(value.clone()), source: own_source };
        all.insert(0, synonym);
    }
    let default = || log_config::default_value(layers, key).map(|value| value.to_string());
    ConfigEntry {
        name: key.name.to_owned(),
        value: own.or_else(default),
        source: all.first().map_or(ConfigSource::Default, |synonym| synonym.source),
        is_read_only: false,
        is_sensitive: key.is_sensitive(),
        kind: Some(key.kind),
        synonyms: all,
        documentation: Some(key.doc),
    }
}

#[cfg(test)]
mod tests;
