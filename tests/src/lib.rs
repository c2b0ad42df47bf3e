//! What the outside tests share: a running Barnabas, a running Apache Kafka to compare with, Kafka's
//! command line tools, and a raw wire client.
//!
//! Nothing here but `cleaning` knows the broker's code: the binary is started as users start it, and
//! only its ports, files and exit codes are looked at. Every process gets its own free port and
//! temporary directory, and is killed when its handle is dropped.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a broken harness must fail its test")]

pub mod barnabas;
pub mod cleaning;
pub mod client;
pub mod disk;
pub mod environment;
pub mod kafka;
pub mod load;
pub mod moving;
pub mod numbers;
pub mod ports;
pub mod process;
pub mod tool;
pub mod topics;
