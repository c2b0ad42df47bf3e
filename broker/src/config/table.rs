//! The one table of every configuration key: Kafka 4.4's broker, topic, group and client-metrics
//! keys and our own (`barnabas.*`).
//!
//! Validation, `DescribeConfigs`, did-you-mean, dynamic updates and `docs/COMPATIBILITY.md` are all
//! derived from these rows; nothing else in the program knows a key's type, default or range.
//! The rows live in `table/*.rs`, grouped by subject, each group sorted by name.
//! Invariant (tested): every default is accepted by its own row's rule.

mod controller;
mod groups;
mod log;
mod network;
mod observe;
mod own;
mod quotas;
mod remote;
mod replication;
mod row;
mod security;
mod share_groups;
mod topic;
mod topic_groups;
mod transactions;

use std::collections::HashMap;
use std::sync::LazyLock;

pub use row::{ConfigKey, Kind, Treatment, UpdateMode, Valid};

/// What a key configures: the resource types of `DescribeConfigs` that have a table of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// A broker or, without a broker id, all brokers of the cluster.
    Broker,
    Topic,
    Group,
    ClientMetrics,
}

impl Scope {
    /// The word Kafka uses in its messages ("Unknown topic config name: ...").
    pub fn noun(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Topic => "topic",
            Self::Group => "group",
            Self::ClientMetrics => "client metrics",
        }
    }

    fn index(self) -> &'static HashMap<&'static str, &'static ConfigKey> {
        &INDEX[self as usize]
    }

    fn groups(self) -> &'static [&'static [ConfigKey]] {
        match self {
            Self::Broker => BROKER,
            Self::Topic => &[topic::KEYS],
            Self::Group => &[topic_groups::GROUP_KEYS],
            Self::ClientMetrics => &[topic_groups::CLIENT_METRICS_KEYS],
        }
    }
}

const BROKER: &[&[ConfigKey]] = &[
    controller::KEYS,
    groups::KEYS,
    log::KEYS,
    network::KEYS,
    observe::KEYS,
    own::KEYS,
    quotas::KEYS,
    remote::KEYS,
    replication::KEYS,
    security::KEYS,
    share_groups::KEYS,
    transactions::KEYS,
];

const SCOPES: [Scope; 4] = [Scope::Broker, Scope::Topic, Scope::Group, Scope::ClientMetrics];

type Index = HashMap<&'static str, &'static ConfigKey>;

static INDEX: LazyLock<[Index; 4]> =
    LazyLock::new(|| SCOPES.map(|scope| keys(scope).map(|key| (key.name, key)).collect()));

/// The row of `name`, if `scope` has such a key.
pub fn find(scope: Scope, name: &str) -> Option<&'static ConfigKey> {
    scope.index().get(name).copied()
}

/// Every row of `scope`, in the order of the files.
pub fn keys(scope: Scope) -> impl Iterator<Item = &'static ConfigKey> {
    scope.groups().iter().flat_map(|group| group.iter())
}

/// Prefix of our own keys, so that they never clash with Kafka's.
pub const OWN_PREFIX: &str = "barnabas.";

/// The key behind a listener-prefixed one: `listener.name.external.ssl.client.auth` configures
/// `ssl.client.auth` of that listener (and `listener.name.<l>.<mechanism>.sasl.jaas.config` and its
/// siblings one SASL mechanism of it). None when `name` has no such prefix.
pub fn strip_listener_prefix(name: &str) -> Option<&str> {
    let (_listener, key) = name.strip_prefix("listener.name.")?.split_once('.')?;
    let per_mechanism = MECHANISM_KEYS.iter().find(|base| key.ends_with(**base));
    Some(per_mechanism.copied().unwrap_or(key))
}

/// Keys that may also be given per SASL mechanism of a listener.
const MECHANISM_KEYS: [&str; 5] = [
    "sasl.jaas.config",
    "sasl.login.callback.handler.class",
    "sasl.login.class",
    "sasl.server.callback.handler.class",
    "connections.max.reauth.ms",
];

/// The broker keys that may set the same value as `key`, strongest first, `key` included: the
/// order in which `DescribeConfigs` reports synonyms.
pub fn broker_synonyms(key: &str) -> Vec<&str> {
    const RETENTION: &[&str] =
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"];
    const ROLL: &[&str] = &["log.roll.ms", "log.roll.hours"];
    const JITTER: &[&str] = &["log.roll.jitter.ms", "log.roll.jitter.hours"];
    const FLUSH: &[&str] = &["log.flush.interval.ms", "log.flush.scheduler.interval.ms"];
    for family in [RETENTION, ROLL, JITTER] {
        if family.contains(&key) {
            return family.to_vec();
        }
    }
    // The scheduler interval is only the default of the flush interval, not the other way round.
    if key == FLUSH[0] { FLUSH.to_vec() } else { vec![key] }
}

#[cfg(test)]
mod tests;
