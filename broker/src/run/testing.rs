//! A node within a test's own process.

use std::net::SocketAddr;
use std::time::Instant;

use tempfile::TempDir;

use super::shutdown;
use super::startup::{self, Node};
use crate::broker::Guards;
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
        Self::start_guarded(overrides, Guards::default()).await
    }

    /// The same with guards of the test.
    pub(crate) async fn start_guarded(overrides: &[&str], guards: Guards) -> Self {
        let data = tempfile::tempdir().unwrap();
        let own = [
            "listeners=PLAINTEXT://127.0.0.1:0".to_owned(),
            format!("log.dirs={}", data.path().join("data").display()),
        ];
        let overrides = own.into_iter().chain(overrides.iter().map(|o| (*o).to_owned())).collect();
        let sources = Sources { overrides, ..Sources::default() };
        let config = BrokerConfig::load(&sources).unwrap().config;
        let levels = LogLevels::detached("info");
        let node = startup::start(config, levels, guards, Instant::now()).await.unwrap();
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
