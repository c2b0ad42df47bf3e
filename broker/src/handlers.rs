//! The answers: one file for each API, named like its messages.
//!
//! A handler is `pub async fn handle(broker: &Broker, context: &RequestContext, request:
//! api::Request) -> api::Response`. What a version lacks, the codec leaves out, so handlers speak
//! of versions only where a version means something else.

pub mod api_versions;
pub mod authorized_operations;
pub mod fetch;
pub mod init_producer_id;
pub mod list_offsets;
pub mod metadata;
pub mod produce;
