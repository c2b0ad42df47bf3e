//! Whether configs that somebody wants to set at run time may be: Kafka's checks in Kafka's words.

use std::collections::BTreeMap;

use super::live::{LISTENER_KEYS, can_change};
use super::settings::{Origin, Setting, Settings, broker_key};
use super::table::{self, Kind, Scope, Treatment, UpdateMode};
use super::value::{self, Value};
use super::{BrokerConfig, log_config};

/// Configs of one resource by name.
pub type Configs<'a> = BTreeMap<&'a str, &'a str>;

/// A change that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlterError {
    /// Error code INVALID_CONFIG.
    #[error("{0}")]
    InvalidConfig(String),
    /// Error code INVALID_REQUEST.
    #[error("{0}")]
    InvalidRequest(String),
}

use AlterError::{InvalidConfig, InvalidRequest};

impl BrokerConfig {
    /// Checks the configs a topic would have.
    ///
    /// # Errors
    /// An unknown name, a bad value, or values that contradict each other or the broker's.
    pub fn validate_topic_configs(&self, configs: &Configs<'_>) -> Result<(), AlterError> {
        let mut values = BTreeMap::new();
        for (name, text) in configs {
            let key = table::find(Scope::Topic, name)
                .ok_or_else(|| InvalidConfig(format!("Unknown topic config name: {name}")))?;
            let value = value::parse(key, name, text);
            values.insert(*name, value.map_err(|invalid| InvalidConfig(invalid.sentence))?);
        }
        if values.get("remote.storage.enable") == Some(&Value::Boolean(true)) {
            return Err(InvalidConfig(
                "Tiered Storage functionality is disabled in the broker. \
                 Topic cannot be configured with remote log storage."
                    .to_owned(),
            ));
        }
        let log = self.log_config(configs.iter().map(|(name, text)| (*name, *text)));
        let (min, max) = (log.min_compaction_lag_ms, log.max_compaction_lag_ms);
        if min > max {
            return Err(InvalidConfig(format!(
                "conflict topic config setting min.compaction.lag.ms ({min}) > \
                 max.compaction.lag.ms ({max})"
            )));
        }
        Ok(())
    }

    /// Checks the configs that one broker, or without a broker all of them, would have.
    ///
    /// # Errors
    /// Keys that cannot change at run time or not for all brokers, bad values, contradictions.
    pub fn validate_broker_configs(
        &self,
        one_broker: bool,
        configs: &Configs<'_>,
    ) -> Result<(), AlterError> {
        let read_only =
            |name: &&str| broker_key(name).is_some_and(|key| key.update == UpdateMode::ReadOnly);
        none_of(configs, read_only, "Cannot update these configs dynamically")?;
        none_of(
            configs,
            |name| needs_listener_prefix(name),
            "These security configs can be dynamically updated only per-listener using the \
             listener prefix",
        )?;
        none_of(
            configs,
            |name| LISTENER_KEYS.contains(name),
            "Changing listeners needs a restart in this release",
        )?;
        for (name, text) in configs {
            let Some(key) = broker_key(name) else { continue };
            let value = value::parse(key, name, text);
            let value = value.map_err(|invalid| InvalidRequest(invalid.sentence))?;
            let changed = Some(value.to_string().as_str()) != key.default;
            if key.treatment == Treatment::Protects && changed {
                let why = "this protects something and is not there yet";
                return Err(InvalidRequest(format!("{name}: {why}")));
            }
        }
        if !one_broker {
            none_of(
                configs,
                |name| is_per_broker(name),
                "Cannot update these configs at default cluster level, broker id must be specified",
            )?;
        }
        self.still_sound(one_broker, configs)
    }

    /// Whether the whole configuration would still make sense.
    fn still_sound(&self, one_broker: bool, configs: &Configs<'_>) -> Result<(), AlterError> {
        let setting = |text: &str| Setting { value: text.to_owned(), origin: Origin::Dynamic };
        let changed: Settings = configs
            .iter()
            .filter(|(name, _)| broker_key(name).is_none_or(can_change))
            .map(|(name, text)| ((*name).to_owned(), setting(text)))
            .collect();
        let (default, broker) = if one_broker {
            ((*self.layers.dynamic_default).clone(), changed)
        } else {
            (changed, (*self.layers.dynamic_broker).clone())
        };
        let sound = self.with_dynamic(default, broker);
        let sound = sound
            .map_err(|error| InvalidRequest(error.to_string().replace("dynamic setting: ", "")))?;
        let threads = |config: &Self| config.storage.cleaner.threads;
        check_cleaner_threads(threads(self), threads(&sound))
    }

    /// Checks the configs a group would have.
    ///
    /// # Errors
    /// An unknown name, a bad value, or one outside the range the broker keys allow.
    pub fn validate_group_configs(
        &self,
        group: &str,
        configs: &Configs<'_>,
    ) -> Result<(), AlterError> {
        if group.is_empty() {
            return Err(InvalidRequest("Default group resources are not allowed.".to_owned()));
        }
        for name in configs.keys() {
            if table::find(Scope::Group, name).is_none() {
                return Err(InvalidConfig(format!("Unknown group config name: {name}")));
            }
        }
        for (name, text) in configs {
            let Some(key) = table::find(Scope::Group, name) else { continue };
            let value = value::parse(key, name, text);
            let value = value.map_err(|invalid| InvalidConfig(invalid.sentence))?;
            if let Value::Number(number) = value {
                self.within_group_range(name, number)?;
            }
        }
        for protocol in ["consumer", "share", "streams"] {
            self.session_outlasts_heartbeat(protocol, configs)?;
        }
        Ok(())
    }

    /// `group.<protocol>.min.*` and `.max.*` bound what a group may set.
    fn within_group_range(&self, name: &str, number: i64) -> Result<(), AlterError> {
        let Some((protocol, rest)) = name.split_once('.') else { return Ok(()) };
        let limit = |which: &str| {
            let rest = rest.strip_prefix("num.").unwrap_or(rest);
            self.number(&format!("group.{protocol}.{which}.{rest}"))
        };
        match (limit("min"), limit("max")) {
            (Some(min), Some(max)) if !(min..=max).contains(&number) => {
                Err(InvalidConfig(format!("{name} must be in the range {min} to {max} inclusive.")))
            }
            (None, Some(max)) if number > max => {
                Err(InvalidConfig(format!("{name} must be less than or equal to {max}")))
            }
            (Some(min), None) if number < min => {
                Err(InvalidConfig(format!("{name} must be greater than or equal to {min}")))
            }
            _ => Ok(()),
        }
    }

    fn session_outlasts_heartbeat(
        &self,
        protocol: &str,
        configs: &Configs<'_>,
    ) -> Result<(), AlterError> {
        let effective = |name: &str| {
            let key = table::find(Scope::Group, name)?;
            let value = match configs.get(name) {
                Some(text) => value::parse(key, name, text).ok(),
                None => log_config::default_value(&self.layers, key),
            };
            if let Some(Value::Number(number)) = value { Some(number) } else { None }
        };
        let session = format!("{protocol}.session.timeout.ms");
        let heartbeat = format!("{protocol}.heartbeat.interval.ms");
        match (effective(&session), effective(&heartbeat)) {
            (Some(s), Some(h)) if s <= h => {
                Err(InvalidConfig(format!("{session} must be greater than {heartbeat}.")))
            }
            _ => Ok(()),
        }
    }

    fn number(&self, name: &str) -> Option<i64> {
        match self.layers.value(name) {
            Ok(Some(Value::Number(number))) => Some(number),
            _ => None,
        }
    }
}

/// Cleaners end and begin anew with their number: it changes in steps.
fn check_cleaner_threads(now: usize, wanted: usize) -> Result<(), AlterError> {
    let change = match wanted {
        _ if wanted == now => return Ok(()),
        0 => return Err(InvalidRequest("Log cleaner threads should be at least 1".to_owned())),
        _ if wanted < now / 2 => "reduced to less than half",
        _ if wanted > now * 2 => "increased to more than double",
        _ => return Ok(()),
    };
    // As Kafka words it, with the exception around it.
    Err(InvalidRequest(format!(
        "Invalid value org.apache.kafka.common.config.ConfigException: Log cleaner threads cannot be \
         {change} the current value {now} for configuration Invalid dynamic configuration"
    )))
}

/// Checks the configs a client-metrics subscription would have (KIP-714).
///
/// # Errors
/// An unknown name or a bad value.
pub fn validate_client_metrics_configs(
    subscription: &str,
    configs: &Configs<'_>,
) -> Result<(), AlterError> {
    if subscription.is_empty() {
        return Err(InvalidRequest("Subscription name can't be empty".to_owned()));
    }
    for (name, text) in configs {
        let key = table::find(Scope::ClientMetrics, name).ok_or_else(|| {
            InvalidRequest(format!("Unknown client metrics configuration: {name}"))
        })?;
        let value = value::parse(key, name, text);
        match value.map_err(|invalid| InvalidConfig(invalid.sentence))? {
            Value::Number(ms) if !(100..=3_600_000).contains(&ms) => {
                return Err(InvalidRequest(format!(
                    "Invalid value {ms} for interval.ms, interval must be between 100 and 3600000 \
                     (1 hour)"
                )));
            }
            Value::List(patterns) if *name == "match" => {
                for pattern in &patterns {
                    client_match(pattern)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

fn client_match(pattern: &str) -> Result<(), AlterError> {
    const SELECTORS: [&str; 6] = [
        "client_instance_id",
        "client_id",
        "client_software_name",
        "client_software_version",
        "client_source_address",
        "client_source_port",
    ];
    let selector = pattern.split_once('=').map(|(selector, _)| selector.trim());
    if selector.is_some_and(|selector| SELECTORS.contains(&selector)) {
        return Ok(());
    }
    Err(InvalidConfig(format!("Illegal client matching pattern: {pattern}")))
}

/// Refuses the configs whose names `forbidden` picks.
fn none_of(
    configs: &Configs<'_>,
    forbidden: impl Fn(&&str) -> bool,
    why: &str,
) -> Result<(), AlterError> {
    let names: Vec<&str> = configs.keys().copied().filter(|name| forbidden(name)).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(InvalidRequest(format!("{why}: [{}]", names.join(", "))))
}

/// Key stores and trust stores belong to one listener each.
fn needs_listener_prefix(name: &str) -> bool {
    name == "ssl.key.password"
        || name.starts_with("ssl.keystore.")
        || name.starts_with("ssl.truststore.")
}

fn is_per_broker(name: &str) -> bool {
    const FOR_ALL: [&str; 3] =
        ["max.connections", "max.connection.creation.rate", "num.network.threads"];
    match table::strip_listener_prefix(name) {
        Some(base) => !FOR_ALL.contains(&base),
        None => broker_key(name).is_some_and(|key| key.update == UpdateMode::PerBroker),
    }
}

/// Whether the config is a list, to which elements can be added and from which they can be taken.
pub fn is_list(scope: Scope, name: &str) -> bool {
    let key = if scope == Scope::Broker { broker_key(name) } else { table::find(scope, name) };
    key.is_some_and(|key| key.kind == Kind::List)
}

/// The elements of a list that is not set, from which an addition starts.
pub fn list_default(scope: Scope, name: &str) -> Option<&'static str> {
    let key = if scope == Scope::Broker { broker_key(name) } else { table::find(scope, name) };
    key?.default
}

/// The broker a config resource names: none for all brokers.
///
/// # Errors
/// A name that is no broker id, or another broker's.
pub fn broker_of(resource_name: &str, node_id: i32) -> Result<Option<i32>, AlterError> {
    if resource_name.is_empty() {
        return Ok(None);
    }
    match resource_name.parse::<i32>() {
        Err(_) => {
            Err(InvalidRequest(format!("Node id must be an integer, but it is: {resource_name}")))
        }
        Ok(id) if id != node_id => Err(InvalidRequest(format!(
            "Unexpected broker id, expected {node_id}, but received {resource_name}"
        ))),
        Ok(id) => Ok(Some(id)),
    }
}

#[cfg(test)]
mod tests;
