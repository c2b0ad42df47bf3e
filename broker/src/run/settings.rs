//! The parts of the configuration, as the modules that use them want them.

use std::net::{IpAddr, ToSocketAddrs};
use std::time::Duration;

use crate::config::{BrokerConfig, Durability};
use crate::net::NetSettings;
use crate::net::budget::MemoryBudget;
use crate::net::quota::ConnectionLimits;
use crate::net::rlimit;
use controller::ControllerConfig;
use storage::{DataDirsConfig, LogManagerConfig, ScrubConfig};

/// Stands for "never" where a timer needs a time.
const FOREVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

pub(super) fn net(config: &BrokerConfig) -> NetSettings {
    let idle = config.connections.connections_max_idle_ms;
    NetSettings {
        frame_bytes_max: config.network.socket_request_max_bytes,
        idle_max: idle.map_or(FOREVER, Duration::from_millis).min(FOREVER),
        send_buffer_bytes: config.network.socket_send_buffer_bytes,
        receive_buffer_bytes: config.network.socket_receive_buffer_bytes,
    }
}

pub(super) fn budget(config: &BrokerConfig) -> MemoryBudget {
    config.network.queued_max_request_bytes.map_or_else(MemoryBudget::of_machine, MemoryBudget::new)
}

pub(super) fn connection_limits(config: &BrokerConfig) -> ConnectionLimits {
    let connections = &config.connections;
    let addresses = |(host, limit): &(String, usize)| {
        let ips: Vec<IpAddr> = match (host.as_str(), 0).to_socket_addrs() {
            Ok(addresses) => addresses.map(|address| address.ip().to_canonical()).collect(),
            Err(error) => {
                tracing::warn!(%host, "max.connections.per.ip.overrides: {error}");
                Vec::new()
            }
        };
        let limit = *limit;
        ips.into_iter().map(move |ip| (ip, limit))
    };
    ConnectionLimits {
        max_connections: connections.max_connections,
        max_per_ip: connections.max_connections_per_ip,
        per_ip_overrides: connections
            .max_connections_per_ip_overrides
            .iter()
            .flat_map(addresses)
            .collect(),
    }
}

pub(super) fn data_dirs(config: &BrokerConfig) -> DataDirsConfig {
    DataDirsConfig {
        log_dirs: config.storage.log_dirs.clone(),
        metadata_dir: Some(config.controller.metadata_log_dir.clone()),
        node_id: config.node_id,
        cluster_id: config.cluster_id.clone(),
    }
}

pub(super) fn controller(config: &BrokerConfig, cluster_id: &str) -> ControllerConfig {
    let sole_voter = ControllerConfig::sole_voter(config.node_id, cluster_id);
    let given = config.controller.metadata_log_max_record_bytes_between_snapshots;
    ControllerConfig { snapshot_bytes: given.unwrap_or(sole_voter.snapshot_bytes), ..sole_voter }
}

pub(super) fn scrub(config: &BrokerConfig) -> ScrubConfig {
    ScrubConfig {
        interval: config.storage.scrub_interval_ms.map(Duration::from_millis),
        bytes_per_second: config.storage.scrub_bytes_per_second,
    }
}

pub(super) fn log_manager(config: &BrokerConfig) -> LogManagerConfig {
    let ms = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    let storage = &config.storage;
    let default = LogManagerConfig::default();
    LogManagerConfig {
        // Where nothing waits to be durable but by flush.messages and flush.ms, files are synced.
        journal_bytes_max: match config.durability {
            Durability::PowerLoss => default.journal_bytes_max,
            Durability::Kafka => None,
        },
        default_log_config: config.log.clone(),
        recovery_threads_per_data_dir: storage.num_recovery_threads_per_data_dir,
        recovery_point_checkpoint_interval_ms: ms(storage.log_flush_offset_checkpoint_interval_ms),
        log_start_checkpoint_interval_ms: ms(storage.log_flush_start_offset_checkpoint_interval_ms),
        retention_check_interval_ms: ms(storage.log_retention_check_interval_ms),
        open_files_max: rlimit::segment_files_max(),
        producer_id_expiration_ms: config.producers.producer_id_expiration_ms,
        ..default
    }
}
