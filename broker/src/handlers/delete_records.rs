//! DeleteRecords: moves the start of partitions up; what lies before it is gone (KIP-107).

use protocol_codec::ErrorCode;
use protocol_codec::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsTopic,
    DeleteRecordsTopicResult, Request, Response,
};

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::error_mapping::ToErrorCode;
use crate::replication::replica_manager::Topics;
use crate::replication::{Lookup, Partition};

/// Stands for the high watermark: everything that consumers can read goes.
const TO_THE_END: i64 = -1;

/// What an answer says where nothing was deleted.
const NO_LOW_WATERMARK: i64 = -1;

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    let replicas = broker.replicas().topics();
    let topic = |topic: &DeleteRecordsTopic| DeleteRecordsTopicResult {
        name: topic.name.clone(),
        partitions: topic
            .partitions
            .iter()
            .map(|one| delete(&replicas, &topic.name, one))
            .collect(),
    };
    let topics = request.topics.iter().map(topic).collect();
    let response = Response { topics, ..Default::default() };
    // The new starts are durable before they are answered.
    broker.log_manager().checkpoint_log_start_offsets();
    response
}

fn delete(
    replicas: &Topics,
    topic: &str,
    asked: &DeleteRecordsPartition,
) -> DeleteRecordsPartitionResult {
    let result = if super::produce::is_internal(topic) {
        Err(ErrorCode::InvalidTopicException)
    } else {
        match replicas.partition(topic, asked.partition_index) {
            Lookup::Here(partition) => delete_up_to(partition, asked.offset),
            Lookup::NotHere | Lookup::UnknownTopic => Err(ErrorCode::UnknownTopicOrPartition),
        }
    };
    DeleteRecordsPartitionResult {
        partition_index: asked.partition_index,
        low_watermark: result.unwrap_or(NO_LOW_WATERMARK),
        error_code: result.err().unwrap_or(ErrorCode::None).into(),
    }
}

fn delete_up_to(partition: &Partition, offset: i64) -> Result<i64, ErrorCode> {
    let (log, _) = partition.leader_log(-1).map_err(|error| error.error_code())?;
    if !log.config().cleanup_policy.delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let offset = if offset == TO_THE_END { Partition::high_watermark(log) } else { offset };
    if offset < 0 {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    log.delete_records_before(offset).map_err(|error| error.error_code())
}
