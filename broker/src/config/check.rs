//! Judging the given settings: each against its row of the table, then against each other.

use super::error::{ConfigError, Place};
use super::hint;
use super::reader::per_ip_overrides;
use super::settings::{Layers, Origin, Setting, Settings, broker_key};
use super::table::{self, ConfigKey, OWN_PREFIX, Scope, Treatment};
use super::value::{self, Value, split_list};

/// Checks every given setting by itself.
///
/// # Errors
/// A value its key does not take, and a protecting key that would take effect.
pub(super) fn settings(settings: &Settings, warnings: &mut Vec<String>) -> Result<(), ConfigError> {
    let mut without_effect = Vec::new();
    for (name, setting) in settings {
        let Some(key) = broker_key(name) else {
            warnings.push(unknown(name, setting));
            continue;
        };
        let value = value::parse(key, name, &setting.value)
            .map_err(|invalid| ConfigError::value(name, Some(setting), invalid))?;
        match key.treatment {
            Treatment::Acted => {}
            Treatment::Known if setting.origin == Origin::BuiltIn => {}
            Treatment::Known => without_effect.push(name.as_str()),
            Treatment::Protects => protects(name, key, setting, &value)?,
        }
    }
    if !without_effect.is_empty() {
        let (names, verb) = (
            without_effect.join(", "),
            if without_effect.len() == 1 { "is known but has" } else { "are known but have" },
        );
        warnings.push(format!("{names} {verb} no effect yet"));
    }
    Ok(())
}

/// A key that guards something must not be accepted and then do nothing.
fn protects(
    name: &str,
    key: &ConfigKey,
    setting: &Setting,
    value: &Value,
) -> Result<(), ConfigError> {
    let text = value.to_string();
    let harmless = text.is_empty() || Some(text.as_str()) == key.default;
    if harmless {
        return Ok(());
    }
    let why = "this protects something and is not there yet, so the broker does not start with it; \
               remove the setting to run without that protection";
    Err(ConfigError::refused(name, Some(setting), why))
}

/// The warning about a key that the table does not have.
fn unknown(name: &str, setting: &Setting) -> String {
    let origin = &setting.origin;
    if let Some(reason) = no_key_of_ours(name) {
        return format!("{origin}: {name} is ignored: {reason}");
    }
    let candidates = table::keys(Scope::Broker).map(|key| key.name);
    match hint::nearest(name, candidates) {
        Some(meant) => format!("{origin}: {name} is unknown; did you mean {meant}?"),
        None if name.starts_with(OWN_PREFIX) => format!("{origin}: {name} is unknown here"),
        None => format!("{origin}: {name} is unknown"),
    }
}

/// Why a well-known name is no key: Kafka dropped it, or it belongs to something else.
fn no_key_of_ours(name: &str) -> Option<&'static str> {
    const ZOOKEEPER: &str = "Kafka 4 dropped it with ZooKeeper";
    const DROPPED: &str = "Kafka 4 dropped it";
    const FILE_NAMES: &str = "TLS is not there yet";
    match name {
        "super.users" | "allow.everyone.if.no.acl.found" | "early.start.listeners.acl" => {
            Some("it has no effect without an authorizer")
        }
        "broker.id.generation.enable"
        | "reserved.broker.max.id"
        | "control.plane.listener.name" => Some(ZOOKEEPER),
        "inter.broker.protocol.version"
        | "log.message.format.version"
        | "log.message.downconversion.enable"
        | "log.message.timestamp.difference.max.ms"
        | "delegation.token.master.key"
        | "offsets.commit.required.acks"
        | "leader.imbalance.per.broker.percentage"
        | "group.coordinator.new.enable"
        | "sasl.mechanism.inter.broker.protocol.default" => Some(DROPPED),
        "ssl.keystore.filename"
        | "ssl.keystore.credentials"
        | "ssl.key.credentials"
        | "ssl.truststore.filename"
        | "ssl.truststore.credentials" => Some(FILE_NAMES),
        _ if name.starts_with("zookeeper.") || name.starts_with("password.encoder.") => {
            Some(ZOOKEEPER)
        }
        _ if name.starts_with("rsm.config.") || name.starts_with("rlmm.config.") => {
            Some("tiered storage is not there yet")
        }
        _ => None,
    }
}

/// Checks settings against each other.
///
/// # Errors
/// The first contradiction.
pub(super) fn cross(layers: &Layers) -> Result<(), ConfigError> {
    at_most(layers, "group.min.session.timeout.ms", "group.max.session.timeout.ms")?;
    at_most(layers, "log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms")?;
    at_most(layers, "replica.fetch.wait.max.ms", "replica.lag.time.max.ms")?;
    at_most(layers, "broker.heartbeat.interval.ms", "broker.session.timeout.ms")?;
    for key in ["log.retention.ms", "log.retention.minutes", "log.retention.hours"] {
        if number(layers, key)? == Some(0) {
            let why = "must be unlimited (-1) or, greater than or equal to 1";
            return Err(ConfigError::refused(key, layers.given(key), why));
        }
    }
    dedupe_buffer(layers)?;
    queued_bytes(layers)?;
    per_ip(layers)
}

/// Each cleaner thread needs room for keys.
fn dedupe_buffer(layers: &Layers) -> Result<(), ConfigError> {
    let key = "log.cleaner.dedupe.buffer.size";
    let threads = number(layers, "log.cleaner.threads")?.unwrap_or(1);
    let per_thread = number(layers, key)?.and_then(|bytes| bytes.checked_div(threads));
    if per_thread.is_some_and(|bytes| bytes <= 1 << 20) {
        // In Kafka's words, of which the first two are Scala's.
        let sentence =
            format!("requirement failed: {key} must be at least 1MB per cleaner thread.");
        return Err(ConfigError::Refused { at: Place::from(layers.given(key)), sentence });
    }
    Ok(())
}

fn number(layers: &Layers, key: &str) -> Result<Option<i64>, ConfigError> {
    match layers.value(key) {
        Ok(Some(Value::Number(number))) => Ok(Some(number)),
        Ok(_) => Ok(None),
        Err(invalid) => Err(ConfigError::value(key, layers.given(key), invalid)),
    }
}

/// `least` must not exceed `most`.
fn at_most(layers: &Layers, least: &str, most: &str) -> Result<(), ConfigError> {
    if let (Some(low), Some(high)) = (number(layers, least)?, number(layers, most)?)
        && low > high
    {
        let given = layers.given(least).or(layers.given(most));
        let sentence = format!("{least}={low} must not be greater than {most}={high}");
        return Err(ConfigError::Refused { at: Place::from(given), sentence });
    }
    Ok(())
}

fn queued_bytes(layers: &Layers) -> Result<(), ConfigError> {
    const KEY: &str = "queued.max.request.bytes";
    let queued = number(layers, KEY)?.unwrap_or(-1);
    let largest = number(layers, "socket.request.max.bytes")?.unwrap_or(0);
    if queued > 0 && queued < largest {
        let why = format!("must be larger or equal to socket.request.max.bytes={largest}");
        return Err(ConfigError::refused(KEY, layers.given(KEY), why));
    }
    Ok(())
}

fn per_ip(layers: &Layers) -> Result<(), ConfigError> {
    const KEY: &str = "max.connections.per.ip.overrides";
    let setting = layers.given(KEY);
    let overrides = per_ip_overrides(setting.map_or("", |setting| &setting.value));
    let Some(overrides) = overrides else {
        return Err(ConfigError::refused(KEY, setting, "give it as host:limit,host:limit"));
    };
    if number(layers, "max.connections.per.ip")? == Some(0) && overrides.is_empty() {
        let why = format!("can be set to zero only if {KEY} is set");
        let key = "max.connections.per.ip";
        return Err(ConfigError::refused(key, layers.given(key), why));
    }
    Ok(())
}

/// This node's id, from `node.id` or its old name.
pub(super) fn node_id(layers: &Layers) -> Result<i32, ConfigError> {
    let (new, old) = (number(layers, "node.id")?, number(layers, "broker.id")?);
    let old_given = layers.given("broker.id");
    let new_given = layers.given("node.id");
    let id = match (new_given.and(new), old_given.and(old)) {
        (Some(new), Some(old)) if new != old => {
            let why = format!("You must set node.id to the same value as broker.id ({old})");
            return Err(ConfigError::refused("node.id", new_given, why));
        }
        (Some(id), _) | (None, Some(id)) => id,
        (None, None) => 1,
    };
    i32::try_from(id).ok().filter(|id| *id >= 0).ok_or_else(|| {
        ConfigError::refused(
            "broker.id",
            old_given,
            "allowed is a whole number from 0 to 2147483647",
        )
    })
}

/// One node is the whole cluster: what says otherwise must not start as something else.
pub(super) fn quorum(layers: &Layers, node_id: i32) -> Result<(), ConfigError> {
    const ALONE: &str = "this release runs one node that is broker and controller; a cluster comes \
                         in a later one";
    let refuse = |key: &str, why: &str| Err(ConfigError::refused(key, layers.given(key), why));
    if let Some(roles) = layers.given("process.roles") {
        let roles = split_list(&roles.value);
        if !roles.iter().any(|role| role == "broker")
            || !roles.iter().any(|role| role == "controller")
        {
            return refuse("process.roles", ALONE);
        }
    }
    let servers = |key: &str| layers.given(key).map_or(Vec::new(), |s| split_list(&s.value));
    if servers("controller.quorum.bootstrap.servers").len() > 1 {
        return refuse("controller.quorum.bootstrap.servers", ALONE);
    }
    let voters = servers("controller.quorum.voters");
    if voters.len() > 1 {
        return refuse("controller.quorum.voters", ALONE);
    }
    let Some(voter) = voters.first() else { return Ok(()) };
    let id = voter.split_once('@').and_then(|(id, address)| {
        address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok())?;
        id.trim().parse::<i32>().ok()
    });
    match id {
        None => refuse("controller.quorum.voters", "give it as id@host:port"),
        Some(id) if id != node_id => {
            let why = format!("the node id {node_id} must be included in the set of voters");
            refuse("controller.quorum.voters", &why)
        }
        Some(_) => Ok(()),
    }
}
