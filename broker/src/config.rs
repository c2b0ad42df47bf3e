//! Configuration: Kafka's property names in, one typed, cross-checked, immutable [`BrokerConfig`]
//! out.
//!
//! `settings` and `load` hold what was given and where; `table` knows every key; `check` judges the
//! settings one by one; [`BrokerConfig`] is what the rest of the program reads. A dynamic change
//! builds a new [`BrokerConfig`] from the same settings with the dynamic ones laid over them
//! ([`LiveConfig`]); none is ever changed in place.

pub mod alter;
mod check;
pub mod describe;
pub mod env;
pub mod error;
pub mod hint;
pub mod listeners;
mod live;
mod load;
mod log_config;
pub mod properties;
mod providers;
mod reader;
pub mod rules;
pub mod settings;
pub mod table;
pub mod value;

use std::path::PathBuf;
use std::sync::Arc;

pub use error::ConfigError;
pub use listeners::{Endpoint, Listeners};
pub use live::{LiveConfig, Subscriber};
pub use load::Sources;
pub use log_config::is_dropped_topic_key;

use reader::Reader;
use settings::Layers;
use storage::CleanerConfig;

/// Everything that can be configured, of the type it is used as. Times are milliseconds and sizes
/// bytes unless a name says otherwise. Fields keep Kafka's names.
#[derive(Debug, Clone)]
pub struct BrokerConfig {
    pub node_id: i32,
    pub rack: Option<String>,
    /// The cluster id to format empty directories with, if one was given.
    pub cluster_id: Option<String>,
    pub listeners: Listeners,
    pub network: NetworkConfig,
    pub connections: ConnectionLimits,
    pub fetch: FetchConfig,
    pub storage: StorageConfig,
    pub topics: TopicDefaults,
    /// The settings of the logs of a topic that sets nothing; see [`BrokerConfig::log_config`].
    pub log: storage::LogConfig,
    pub groups: GroupConfig,
    pub offsets: OffsetsConfig,
    pub producers: ProducerConfig,
    pub controller: ControllerConfig,
    pub durability: Durability,
    pub validate_compressed: ValidateCompressed,
    pub observe: ObserveConfig,
    layers: Layers,
}

/// Sockets and requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkConfig {
    /// None leaves the system's default, as -1 does in Kafka.
    pub socket_send_buffer_bytes: Option<usize>,
    pub socket_receive_buffer_bytes: Option<usize>,
    /// The largest request that is read; a longer one closes its connection.
    pub socket_request_max_bytes: usize,
    pub socket_listen_backlog_size: i32,
    /// Most bytes of all requests that are being handled; None: a share of the memory there is.
    pub queued_max_request_bytes: Option<u64>,
    /// Most topic partitions one DescribeTopicPartitions answer lists.
    pub max_request_partition_size_limit: usize,
}

/// How many connections there may be and how long they may idle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// None: idle connections are never closed.
    pub connections_max_idle_ms: Option<u64>,
    pub max_connections: usize,
    pub max_connections_per_ip: usize,
    /// Address or host name -> its own limit.
    pub max_connections_per_ip_overrides: Vec<(String, usize)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchConfig {
    pub fetch_max_bytes: usize,
    /// Most incremental fetch sessions that are kept (KIP-227).
    pub max_incremental_fetch_session_cache_slots: usize,
}

/// Where the logs lie and how they are looked after.
#[derive(Debug, Clone, PartialEq)]
pub struct StorageConfig {
    pub log_dirs: Vec<PathBuf>,
    pub num_recovery_threads_per_data_dir: usize,
    pub log_retention_check_interval_ms: u64,
    pub log_flush_offset_checkpoint_interval_ms: u64,
    pub log_flush_start_offset_checkpoint_interval_ms: u64,
    /// None: never.
    pub scrub_interval_ms: Option<u64>,
    pub scrub_bytes_per_second: u64,
    pub cleaner: CleanerConfig,
}

/// How topics are created when the request does not say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicDefaults {
    pub num_partitions: i32,
    /// Never more than the cluster has brokers.
    pub default_replication_factor: i16,
    pub auto_create_topics_enable: bool,
    pub delete_topic_enable: bool,
}

/// The classic group protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupConfig {
    pub group_initial_rebalance_delay_ms: i64,
    pub group_min_session_timeout_ms: i64,
    pub group_max_session_timeout_ms: i64,
    pub group_max_size: usize,
}

/// Committed offsets and the topic that holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffsetsConfig {
    pub offset_metadata_max_bytes: usize,
    pub offsets_retention_ms: i64,
    pub offsets_retention_check_interval_ms: i64,
    pub offsets_commit_timeout_ms: u64,
    pub offsets_topic_num_partitions: i32,
    /// Never more than the cluster has brokers.
    pub offsets_topic_replication_factor: i16,
    pub offsets_topic_segment_bytes: i32,
}

/// Idempotent producers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerConfig {
    pub producer_id_expiration_ms: i64,
}

/// The metadata quorum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerConfig {
    /// The directory under which the metadata lies.
    pub metadata_log_dir: PathBuf,
    /// None: the controller's own default, which keeps a start short.
    pub metadata_log_max_record_bytes_between_snapshots: Option<u64>,
}

/// What an acks=all answer promises (`barnabas.durability`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Survives the loss of power of any one machine.
    PowerLoss,
    /// In the page cache of every in-sync replica, as Kafka has it.
    Kafka,
}

/// How far compressed batches are validated (`barnabas.validate.compressed`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValidateCompressed {
    Full,
    Header,
}

/// Logging and metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObserveConfig {
    /// Directives of tracing's `EnvFilter`: `info`, or `info,broker::group=debug`.
    pub log_level: String,
    pub log_format: LogFormat,
    /// `host:port` addresses to serve `/metrics` on; empty for none.
    pub http_listeners: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// A configuration and what to say about it once logging is up.
#[derive(Debug)]
pub struct Loaded {
    pub config: BrokerConfig,
    /// For the log at level info.
    pub notes: Vec<String>,
    pub warnings: Vec<String>,
}

impl BrokerConfig {
    /// Reads, merges and checks everything that `sources` name.
    ///
    /// # Errors
    /// The first setting that cannot be honoured, in one sentence.
    pub fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
        let load::Merged { mut settings, cluster_id, mut notes, mut warnings } = sources.merge()?;
        check::settings(&settings, &mut warnings)?;
        load::mirror_node_id(&mut settings);
        let layers = Layers { fixed: Arc::new(settings), ..Layers::default() };
        if layers.given("log.dirs").or(layers.given("log.dir")).is_none() {
            let default = "/tmp/kafka-logs, which does not outlive a restart of the machine";
            warnings
                .push(format!("log.dirs is not set: the data goes to Kafka's default, {default}"));
        }
        let mut config = Self::from_layers(layers, &mut notes, &mut warnings)?;
        config.cluster_id = cluster_id;
        Ok(Loaded { config, notes, warnings })
    }

    /// The settings this configuration was made from, and where they were given.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    fn from_layers(
        layers: Layers,
        notes: &mut Vec<String>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, ConfigError> {
        check::cross(&layers)?;
        let read = Reader::new(&layers)?;
        let listeners = listeners::build(&layers, &host_name(), notes)?;
        let node_id = check::node_id(&layers)?;
        check::quorum(&layers, node_id)?;
        let storage = read.storage();
        Ok(Self {
            node_id,
            rack: read.text("broker.rack"),
            cluster_id: None,
            listeners,
            network: read.network(),
            connections: read.connections(),
            fetch: read.fetch(),
            topics: read.topics(warnings),
            log: log_config::defaults(&layers),
            groups: read.groups(),
            offsets: read.offsets(warnings),
            producers: read.producers(),
            controller: read.controller(&storage),
            storage,
            durability: read.durability(),
            validate_compressed: read.validate_compressed(),
            observe: read.observe()?,
            layers,
        })
    }
}

/// This machine's name, which is advertised for listeners without a host.
fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

#[cfg(test)]
mod tests;
