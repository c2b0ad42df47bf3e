//! The codec against what Kafka's own classes write, and against hostile bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod allocations;
mod golden;
mod hostile;
mod names;
mod oracle;
mod records;
