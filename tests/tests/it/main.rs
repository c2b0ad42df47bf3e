//! Every test that looks at the product from outside, in one binary.
//!
//! `against.rs` runs one scenario against Barnabas and against Apache Kafka and compares what they
//! said; the other modules hold the scenarios, by client.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod against;
mod api;
mod clients;
mod compaction;
mod container;
mod crash;
mod descriptors;
mod directories;
mod files;
mod golden;
mod hostile;
mod import;
mod records;
mod recovery;
mod rewriting;
mod second_oracle;
mod startup;
mod tidy;
mod tools;
mod transactions;
