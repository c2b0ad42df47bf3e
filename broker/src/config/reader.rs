//! From checked settings to the typed parts of [`BrokerConfig`](super::BrokerConfig).
//!
//! Every value is parsed before a reader exists, so that reading cannot fail. A name or a type
//! that does not match the table is a mistake in this file; it shows as a debug assertion in the
//! first test that loads a configuration.

use std::collections::HashMap;
use std::path::PathBuf;

use storage::CleanerConfig;

use super::error::ConfigError;
use super::settings::{Layers, Origin};
use super::table::{self, Scope};
use super::value::Value;
use super::{
    ConnectionLimits, ControllerConfig, Durability, FetchConfig, GroupConfig, LogFormat,
    NetworkConfig, ObserveConfig, OffsetsConfig, ProducerConfig, StorageConfig, TopicDefaults,
    ValidateCompressed,
};

/// Brokers there are: replication factors are capped to it.
const CLUSTER_SIZE: i64 = 1;

pub(super) struct Reader<'a> {
    layers: &'a Layers,
    values: HashMap<&'static str, Value>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layers: &'a Layers) -> Result<Self, ConfigError> {
        let mut values = HashMap::new();
        for key in table::keys(Scope::Broker) {
            let value = layers
                .value(key.name)
                .map_err(|invalid| ConfigError::value(key.name, layers.given(key.name), invalid))?;
            if let Some(value) = value {
                values.insert(key.name, value);
            }
        }
        Ok(Self { layers, values })
    }

    pub(super) fn number(&self, name: &str) -> i64 {
        match self.values.get(name) {
            Some(Value::Number(number)) => *number,
            other => mistake(name, other),
        }
    }

    /// A number that is never negative, or counts as 0.
    fn unsigned(&self, name: &str) -> u64 {
        u64::try_from(self.number(name)).unwrap_or(0)
    }

    fn size(&self, name: &str) -> usize {
        usize::try_from(self.number(name)).unwrap_or(0)
    }

    fn int(&self, name: &str) -> i32 {
        i32::try_from(self.number(name)).unwrap_or(i32::MAX)
    }

    fn flag(&self, name: &str) -> bool {
        match self.values.get(name) {
            Some(Value::Boolean(flag)) => *flag,
            other => mistake(name, other),
        }
    }

    fn double(&self, name: &str) -> f64 {
        match self.values.get(name) {
            Some(Value::Double(number)) => *number,
            other => mistake(name, other),
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.values.get(name) {
            Some(Value::Text(text)) => Some(text.clone()),
            None => None,
            other => mistake(name, other),
        }
    }

    fn list(&self, name: &str) -> Option<Vec<String>> {
        match self.values.get(name) {
            Some(Value::List(list)) => Some(list.clone()),
            None => None,
            other => mistake(name, other),
        }
    }

    pub(super) fn network(&self) -> NetworkConfig {
        let buffer = |name| usize::try_from(self.number(name)).ok();
        NetworkConfig {
            socket_send_buffer_bytes: buffer("socket.send.buffer.bytes"),
            socket_receive_buffer_bytes: buffer("socket.receive.buffer.bytes"),
            socket_request_max_bytes: self.size("socket.request.max.bytes"),
            socket_listen_backlog_size: self.int("socket.listen.backlog.size"),
            queued_max_request_bytes: u64::try_from(self.number("queued.max.request.bytes"))
                .ok()
                .filter(|bytes| *bytes > 0),
            max_request_partition_size_limit: self.size("max.request.partition.size.limit"),
        }
    }

    pub(super) fn connections(&self) -> ConnectionLimits {
        let overrides = self.text("max.connections.per.ip.overrides").unwrap_or_default();
        ConnectionLimits {
            connections_max_idle_ms: u64::try_from(self.number("connections.max.idle.ms")).ok(),
            max_connections: self.size("max.connections"),
            max_connections_per_ip: self.size("max.connections.per.ip"),
            max_connections_per_ip_overrides: per_ip_overrides(&overrides).unwrap_or_default(),
        }
    }

    pub(super) fn fetch(&self) -> FetchConfig {
        FetchConfig {
            fetch_max_bytes: self.size("fetch.max.bytes"),
            max_incremental_fetch_session_cache_slots: self
                .size("max.incremental.fetch.session.cache.slots"),
        }
    }

    pub(super) fn storage(&self) -> StorageConfig {
        let given = self.list("log.dirs").or_else(|| self.list("log.dir"));
        let log_dirs = given.unwrap_or_default().into_iter().map(PathBuf::from).collect();
        StorageConfig {
            log_dirs,
            num_recovery_threads_per_data_dir: self.size("num.recovery.threads.per.data.dir"),
            log_retention_check_interval_ms: self.unsigned("log.retention.check.interval.ms"),
            log_flush_offset_checkpoint_interval_ms: self
                .unsigned("log.flush.offset.checkpoint.interval.ms"),
            log_flush_start_offset_checkpoint_interval_ms: self
                .unsigned("log.flush.start.offset.checkpoint.interval.ms"),
            scrub_interval_ms: u64::try_from(self.number("barnabas.scrub.interval.ms")).ok(),
            scrub_bytes_per_second: self.unsigned("barnabas.scrub.bytes.per.second"),
            cleaner: self.cleaner(),
        }
    }

    fn cleaner(&self) -> CleanerConfig {
        CleanerConfig {
            enable: self.flag("log.cleaner.enable"),
            threads: self.size("log.cleaner.threads"),
            dedupe_buffer_size: self.unsigned("log.cleaner.dedupe.buffer.size"),
            io_buffer_load_factor: self.double("log.cleaner.io.buffer.load.factor"),
            io_buffer_size: self.size("log.cleaner.io.buffer.size"),
            io_max_bytes_per_second: self.double("log.cleaner.io.max.bytes.per.second"),
            backoff_ms: self.unsigned("log.cleaner.backoff.ms"),
        }
    }

    pub(super) fn topics(&self, warnings: &mut Vec<String>) -> TopicDefaults {
        TopicDefaults {
            num_partitions: self.int("num.partitions"),
            default_replication_factor: self.replicas("default.replication.factor", warnings),
            auto_create_topics_enable: self.flag("auto.create.topics.enable"),
            delete_topic_enable: self.flag("delete.topic.enable"),
        }
    }

    /// A replication factor, capped to the size of the cluster.
    fn replicas(&self, name: &str, warnings: &mut Vec<String>) -> i16 {
        let wanted = self.number(name);
        if let Some(setting) = self.layers.given(name)
            && wanted > CLUSTER_SIZE
            && setting.origin != Origin::BuiltIn
        {
            let origin = &setting.origin;
            warnings.push(format!(
                "{origin}: {name}={wanted}: one broker can keep one replica, so it is 1"
            ));
        }
        i16::try_from(wanted.min(CLUSTER_SIZE)).unwrap_or(1)
    }

    pub(super) fn groups(&self) -> GroupConfig {
        GroupConfig {
            group_initial_rebalance_delay_ms: self.number("group.initial.rebalance.delay.ms"),
            group_min_session_timeout_ms: self.number("group.min.session.timeout.ms"),
            group_max_session_timeout_ms: self.number("group.max.session.timeout.ms"),
            group_max_size: self.size("group.max.size"),
        }
    }

    pub(super) fn offsets(&self, warnings: &mut Vec<String>) -> OffsetsConfig {
        OffsetsConfig {
            offset_metadata_max_bytes: self.size("offset.metadata.max.bytes"),
            offsets_retention_ms: in_ms("minutes", self.number("offsets.retention.minutes")),
            offsets_retention_check_interval_ms: self.number("offsets.retention.check.interval.ms"),
            offsets_commit_timeout_ms: self.unsigned("offsets.commit.timeout.ms"),
            offsets_topic_num_partitions: self.int("offsets.topic.num.partitions"),
            offsets_topic_replication_factor: self
                .replicas("offsets.topic.replication.factor", warnings),
            offsets_topic_segment_bytes: self.int("offsets.topic.segment.bytes"),
        }
    }

    pub(super) fn producers(&self) -> ProducerConfig {
        ProducerConfig { producer_id_expiration_ms: self.number("producer.id.expiration.ms") }
    }

    pub(super) fn controller(&self, storage: &StorageConfig) -> ControllerConfig {
        const SNAPSHOT_BYTES: &str = "metadata.log.max.record.bytes.between.snapshots";
        let given = self.text("metadata.log.dir").map(PathBuf::from);
        let first = || storage.log_dirs.first().cloned().unwrap_or_default();
        ControllerConfig {
            metadata_log_dir: given.unwrap_or_else(first),
            metadata_log_max_record_bytes_between_snapshots: self
                .layers
                .given(SNAPSHOT_BYTES)
                .map(|_| self.unsigned(SNAPSHOT_BYTES)),
        }
    }

    pub(super) fn durability(&self) -> Durability {
        match self.text("barnabas.durability").as_deref() {
            Some("kafka") => Durability::Kafka,
            _ => Durability::PowerLoss,
        }
    }

    pub(super) fn validate_compressed(&self) -> ValidateCompressed {
        match self.text("barnabas.validate.compressed").as_deref() {
            Some("header") => ValidateCompressed::Header,
            _ => ValidateCompressed::Full,
        }
    }

    pub(super) fn observe(&self) -> Result<ObserveConfig, ConfigError> {
        const HTTP: &str = "barnabas.http.listeners";
        let address = |url: &String| {
            let address = url.strip_prefix("http://").unwrap_or(url).trim_end_matches('/');
            let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            port.map(|_| address.to_owned()).ok_or_else(|| {
                let why = format!("{url:?} is no http://host:port");
                ConfigError::refused(HTTP, self.layers.given(HTTP), why)
            })
        };
        let addresses: Result<_, _> =
            self.list(HTTP).unwrap_or_default().iter().map(address).collect();
        let json = self.text("barnabas.log.format").as_deref() == Some("json");
        Ok(ObserveConfig {
            log_level: self.text("barnabas.log.level").unwrap_or_default(),
            log_format: if json { LogFormat::Json } else { LogFormat::Text },
            http_listeners: addresses?,
        })
    }
}

fn mistake<T: Default>(name: &str, found: Option<&Value>) -> T {
    debug_assert!(false, "{name} is read as another type than it has: {found:?}");
    T::default()
}

/// A duration in milliseconds, by the unit in which the key's name ends. -1 stays -1: no limit.
fn in_ms(key: &str, value: i64) -> i64 {
    let unit = match key.rsplit('.').next() {
        Some("hours") => 3_600_000,
        Some("minutes") => 60_000,
        Some("seconds") => 1_000,
        _ => 1,
    };
    if value < 0 { value } else { value.saturating_mul(unit) }
}

/// `host:limit,host:limit`.
pub(super) fn per_ip_overrides(text: &str) -> Option<Vec<(String, usize)>> {
    let entry = |pair: String| {
        let (host, limit) = pair.rsplit_once(':')?;
        (!host.is_empty()).then_some(())?;
        Some((host.trim().to_owned(), limit.trim().parse().ok()?))
    };
    super::value::split_list(text).into_iter().map(entry).collect()
}
