//! The server: network, dispatch, replication, groups, configuration, command line.
//!
//! Code map, from the socket inwards; an arrow never points back:
//!
//! | module | is |
//! |---|---|
//! | [`cli`] | the command line, and `barnabas health` |
//! | [`config`] | the table of keys, typed configuration, dynamic changes |
//! | [`logging`] | log lines on stderr, the phrases that are waited for on stdout |
//! | [`metrics`] | counters, gauges asked for at scrape time, `/metrics` |
//! | [`net`] | listeners, connections, frames in and out, limits |
//! | [`dispatch`] | the one table of served APIs, and the wrapper around every request |
//! | [`handlers`] | one file for each API |
//! | [`replication`] | the partitions of this broker: appends, reads, waiting |
//! | [`group`] | the group coordinator: classic groups and committed offsets |
//! | [`import`] | taking over the data of a stopped Apache Kafka node |
//! | [`run`] | one node from start to stop |
//! | [`security`], [`quota`] | who may do what, and what it costs: asked by the wrapper |
//! | [`broker`], [`context`] | what every handler is given |
//!
//! Invariants of the crate:
//!
//! - A request that is malformed, too large or unknown costs a bounded amount of memory and ends
//!   its connection at the worst, never the process.
//! - What a handler knows of the cluster, it knows from the metadata image.
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::panic))]

#[cfg(not(target_os = "linux"))]
compile_error!("Barnabas runs on Linux only: it relies on sendfile, pwritev and fcntl locks.");

pub mod auto_topics;
pub mod broker;
pub mod cli;
#[cfg(test)]
mod compatibility;
pub mod config;
pub mod context;
pub mod dispatch;
pub mod error_mapping;
pub mod group;
pub mod handlers;
pub mod import;
pub mod logging;
pub mod metrics;
pub mod net;
pub mod producer_ids;
pub mod quota;
pub mod replication;
pub mod run;
pub mod security;
