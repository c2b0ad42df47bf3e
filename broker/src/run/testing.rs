//! A node within a test's own process.

use std::net::SocketAddr;
use std::time::Instant;

use tempfile::TempDir;

use super::shutdown;
use super::startup::{self, Node};
use crate::config::{BrokerConfig, Sources};
use crate::logging::LogLevels;
use crate::net::NetContext;

/// A node on a free port of 127.0.0.1, with its data in a directory of its own.
#[derive(Debug)]
pub(crate) struct TestNode {
    node: Node,
    address: SocketAddr,
    _data: TempDir,
}

impl TestNode {
    /// Starts a node; `overrides` are `key=value`.
    pub(crate) async fn start(overrides: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let own = [
            "listeners=PLAINTEXT://127.0.0.1:0".to_owned(),
            format!("log.dirs={}", data.path().join("data").display()),
        ];
        let overrides = own.into_iter().chain(overrides.iter().map(|o| (*o).to_owned())).collect();
        let sources = Sources { overrides, ..Sources::default() };
        let config = BrokerConfig::load(&sources).unwrap().config;
        let node =
            startup::start(config, LogLevels::detached("info"), Instant::now()).await.unwrap();
        let endpoint = node.broker.endpoint(node.broker.node_id(), "PLAINTEXT").unwrap();
        let address = format!("{}:{}", endpoint.host, endpoint.port).parse().unwrap();
        Self { node, address, _data: data }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn net(&self) -> &NetContext {
        self.node.broker.net()
    }

    pub(crate) async fn stop(self) {
        shutdown::stop(self.node).await;
    }
}
