//! The answers: one file for each API, named like its messages.
//!
//! A handler is `pub async fn handle(broker: &Broker, context: &RequestContext, request:
//! api::Request) -> api::Response`. What a version lacks, the codec leaves out, so handlers speak
//! of versions only where a version means something else.

pub mod alter_configs;
pub mod api_versions;
pub mod authorized_operations;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_groups;
pub mod delete_records;
pub mod delete_topics;
pub mod describe_cluster;
pub mod describe_configs;
pub mod describe_groups;
pub mod describe_log_dirs;
pub mod describe_producers;
pub mod describe_quorum;
pub mod describe_topic_partitions;
pub mod fetch;
pub mod find_coordinator;
pub mod heartbeat;
pub mod incremental_alter_configs;
pub mod init_producer_id;
pub mod join_group;
pub mod leave_group;
pub mod list_config_resources;
pub mod list_groups;
pub mod list_offsets;
pub mod list_partition_reassignments;
pub mod metadata;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod offset_for_leader_epoch;
pub mod produce;
mod submit;
pub mod sync_group;
