//! Kafka's binary protocol: bytes to types and back. No I/O, no clock, no policy.
//!
//! | module | what it holds |
//! |---|---|
//! | [`wire`] | primitive types, lengths, arrays and tagged fields; the memory budget of a request |
//! | [`api_key`], [`error_code`] | one table each |
//! | [`frame`], [`header`] | what surrounds a message |
//! | [`messages`] | every request and response, generated from `schema/api/*.txt` |
//! | [`coordinator_records`] | the records of the internal topics, generated from `schema/` |
//! | [`metadata_records`] | the records of Kafka's metadata log, generated from `schema/cluster_metadata/` |
//! | [`data`] | structures inside byte fields and control records, generated from `schema/data/` |
//! | [`json`] | writing what is in files as JSON |
//! | [`records`] | record batches |
//!
//! Invariants: no input makes anything here panic, no length or count is trusted before it is
//! compared with the bytes that are there, and no request allocates more than
//! [`wire::allocation_limit`].

#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

pub mod api_key;
pub mod coordinator_records;
pub mod data;
pub mod error_code;
pub mod frame;
pub mod header;
pub mod json;
pub mod messages;
pub mod metadata_records;
pub mod records;
mod string;
mod uuid;
pub mod wire;

pub use api_key::ApiKey;
pub use error_code::ErrorCode;
pub use string::StrBytes;
pub use uuid::{ParseUuidError, Uuid};
