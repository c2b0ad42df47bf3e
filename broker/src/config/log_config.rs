//! A topic's configs as the typed settings of its logs.
//!
//! What a topic does not set comes from the broker keys that hold its default, and these from the
//! layers of the broker's configuration; so the precedence is: topic, broker, all brokers, file,
//! default.

use storage::{CleanupPolicy, CompressionType, LogConfig, TimestampType};

use super::BrokerConfig;
use super::settings::Layers;
use super::table::{self, ConfigKey, Scope};
use super::value::{self, Value};

/// Topic configs that Kafka 4 dropped and old clients still send: they are left out when a topic
/// is created, so that these clients go on working.
const DROPPED_TOPIC_KEYS: [&str; 3] = [
    "message.format.version",
    "message.downconversion.enable",
    "message.timestamp.difference.max.ms",
];

/// Whether a config of a topic to create is to be left out (see [`DROPPED_TOPIC_KEYS`]).
pub fn is_dropped_topic_key(name: &str) -> bool {
    DROPPED_TOPIC_KEYS.contains(&name)
}

impl BrokerConfig {
    /// The settings of the logs of a topic that sets `overrides`. An override that is not valid
    /// counts as not set: it was checked when it was made, perhaps by another release.
    pub fn log_config<'a>(
        &self,
        overrides: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> LogConfig {
        let mut config = self.log.clone();
        for (name, text) in overrides {
            let Some(key) = table::find(Scope::Topic, name) else { continue };
            if let Ok(value) = value::parse(key, name, text) {
                set(&mut config, name, &value);
            }
        }
        config
    }
}

/// The settings of the logs of a topic that sets nothing.
pub(super) fn defaults(layers: &Layers) -> LogConfig {
    let mut config = LogConfig::default();
    for key in table::keys(Scope::Topic) {
        if let Some(value) = default_value(layers, key) {
            set(&mut config, key.name, &value);
        }
    }
    config
}

/// The value of a topic or group key that is not set: from the first of its broker keys that is
/// given, else the default of the first that has one, else the key's own.
pub(super) fn default_value(layers: &Layers, key: &ConfigKey) -> Option<Value> {
    let own = || value::parse(key, key.name, key.default?).ok();
    let names = key.broker_defaults.first().map_or(Vec::new(), |name| table::broker_synonyms(name));
    let given = names.iter().find(|name| layers.given(name).is_some());
    let has_default = |name: &&&str| matches!(layers.value(name), Ok(Some(_)));
    let name = given.or_else(|| names.iter().find(has_default));
    let Some(name) = name else { return own() };
    match layers.value(name).ok()?? {
        Value::Number(number) => Some(Value::Number(in_ms(name, number))),
        // A group names one assignor, the broker a list of which the first is the default.
        Value::List(list) if key.kind == table::Kind::String => {
            list.into_iter().next().map(Value::Text)
        }
        other => Some(other),
    }
}

/// A duration in milliseconds, by the unit in which the key's name ends. A negative number means
/// no limit and stays.
fn in_ms(key: &str, value: i64) -> i64 {
    let unit = match key.rsplit('.').next() {
        Some("hours") => 3_600_000,
        Some("minutes") => 60_000,
        _ => 1,
    };
    if value < 0 { value } else { value.saturating_mul(unit) }
}

fn set(config: &mut LogConfig, name: &str, value: &Value) {
    match value {
        Value::Number(number) => set_number(config, name, *number),
        Value::Boolean(flag) => match name {
            "preallocate" => config.preallocate = *flag,
            "unclean.leader.election.enable" => config.unclean_leader_election_enable = *flag,
            _ => {}
        },
        Value::Double(ratio) if name == "min.cleanable.dirty.ratio" => {
            config.min_cleanable_dirty_ratio = *ratio;
        }
        Value::Text(text) => match name {
            "message.timestamp.type" => config.message_timestamp_type = timestamp_type(text),
            "compression.type" => config.compression_type = compression_type(text),
            _ => {}
        },
        Value::List(list) if name == "cleanup.policy" => {
            let has = |word| list.iter().any(|policy| policy == word);
            config.cleanup_policy =
                CleanupPolicy { delete: has("delete"), compact: has("compact") };
        }
        Value::Double(_) | Value::List(_) | Value::Secret(_) => {}
    }
}

fn set_number(config: &mut LogConfig, name: &str, number: i64) {
    let int = i32::try_from(number).unwrap_or(i32::MAX);
    match name {
        "segment.bytes" | "internal.segment.bytes" => config.segment_bytes = int,
        "segment.ms" => config.segment_ms = number,
        "segment.jitter.ms" => config.segment_jitter_ms = number,
        "segment.index.bytes" => config.segment_index_bytes = int,
        "index.interval.bytes" => config.index_interval_bytes = int,
        "retention.ms" => config.retention_ms = number,
        "retention.bytes" => config.retention_bytes = number,
        "file.delete.delay.ms" => config.file_delete_delay_ms = number,
        "max.message.bytes" => config.max_message_bytes = int,
        "flush.messages" => config.flush_messages = number,
        "flush.ms" => config.flush_ms = number,
        "min.compaction.lag.ms" => config.min_compaction_lag_ms = number,
        "max.compaction.lag.ms" => config.max_compaction_lag_ms = number,
        "delete.retention.ms" => config.delete_retention_ms = number,
        "message.timestamp.before.max.ms" => config.message_timestamp_before_max_ms = number,
        "message.timestamp.after.max.ms" => config.message_timestamp_after_max_ms = number,
        "max.decompressed.message.bytes" => config.max_decompressed_message_bytes = int,
        "compression.gzip.level" => config.compression_gzip_level = int,
        "compression.lz4.level" => config.compression_lz4_level = int,
        "compression.zstd.level" => config.compression_zstd_level = int,
        "min.insync.replicas" => config.min_insync_replicas = int,
        _ => {}
    }
}

fn timestamp_type(text: &str) -> TimestampType {
    match text {
        "LogAppendTime" => TimestampType::LogAppendTime,
        _ => TimestampType::CreateTime,
    }
}

fn compression_type(text: &str) -> CompressionType {
    match text {
        "uncompressed" => CompressionType::Uncompressed,
        "gzip" => CompressionType::Gzip,
        "snappy" => CompressionType::Snappy,
        "lz4" => CompressionType::Lz4,
        "zstd" => CompressionType::Zstd,
        _ => CompressionType::Producer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    fn config(overrides: &[&str]) -> BrokerConfig {
        let overrides = overrides.iter().map(|o| (*o).to_owned()).collect();
        BrokerConfig::load(&Sources { overrides, ..Sources::default() }).unwrap().config
    }

    #[test]
    fn nothing_set_gives_kafkas_defaults() {
        assert_eq!(config(&[]).log_config([]), LogConfig::default());
    }

    /// Every acted-on topic key that is set to another value changes something.
    #[test]
    fn every_acted_on_topic_key_changes_the_log() {
        for key in table::keys(Scope::Topic) {
            if key.treatment != table::Treatment::Acted {
                continue;
            }
            let other = match (key.name, key.kind) {
                ("cleanup.policy", _) => "compact",
                ("compression.type", _) => "gzip",
                ("message.timestamp.type", _) => "LogAppendTime",
                ("preallocate", _) => "true",
                ("compression.gzip.level" | "compression.lz4.level", _) => "7",
                ("compression.zstd.level", _) => "11",
                ("min.cleanable.dirty.ratio", _) => "0.25",
                _ => "2000000",
            };
            let changed = config(&[]).log_config([(key.name, other)]);
            assert_ne!(changed, LogConfig::default(), "{}", key.name);
        }
    }

    #[test]
    fn broker_keys_are_the_topics_defaults_with_synonyms_in_order() {
        let log = config(&["log.retention.hours=2", "log.roll.hours=3", "message.max.bytes=5"]).log;
        assert_eq!(
            (log.retention_ms, log.segment_ms, log.max_message_bytes),
            (7_200_000, 10_800_000, 5)
        );
        let log = config(&["log.retention.hours=2", "log.retention.minutes=1"]).log;
        assert_eq!(log.retention_ms, 60_000);
        let log = config(&["log.retention.hours=-1"]).log;
        assert_eq!(log.retention_ms, -1);
        let log = config(&["log.flush.scheduler.interval.ms=9"]).log;
        assert_eq!(log.flush_ms, 9);
        let log = config(&["log.flush.scheduler.interval.ms=9", "log.flush.interval.ms=8"]).log;
        assert_eq!(log.flush_ms, 8);
    }

    #[test]
    fn a_topics_own_setting_wins_and_a_bad_one_counts_as_unset() {
        let config = config(&["log.retention.ms=5"]);
        assert_eq!(config.log_config([("retention.ms", "6")]).retention_ms, 6);
        assert_eq!(config.log_config([("retention.ms", "x")]).retention_ms, 5);
        assert_eq!(config.log_config([("segment.bytes", "2000000")]).segment_bytes, 2_000_000);
        let tiny = [("internal.segment.bytes", "100")];
        assert_eq!(config.log_config(tiny).segment_bytes, 100);
        let none = config.log_config([("cleanup.policy", "")]).cleanup_policy;
        assert_eq!(none, CleanupPolicy { delete: false, compact: false });
    }
}
