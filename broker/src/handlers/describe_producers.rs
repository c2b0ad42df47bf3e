//! DescribeProducers: the producers that a partition remembers (KIP-664).

use protocol_codec::messages::describe_producers::{
    PartitionResponse, ProducerState, Request, Response, TopicRequest, TopicResponse,
};
use protocol_codec::{ErrorCode, StrBytes};
use storage::producer_state::ProducerStateEntry;

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::error_mapping::ToErrorCode;
use crate::replication::Lookup;
use crate::replication::replica_manager::Topics;

/// Kafka's sentence for a topic that is not here.
const NOT_HOSTED: &str = "This server does not host this topic-partition.";

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    let replicas = broker.replicas().topics();
    let topic = |topic: &TopicRequest| TopicResponse {
        name: topic.name.clone(),
        partitions: topic
            .partition_indexes
            .iter()
            .map(|partition| describe(&replicas, &topic.name, *partition))
            .collect(),
    };
    Response { topics: request.topics.iter().map(topic).collect(), ..Default::default() }
}

fn describe(replicas: &Topics, topic: &str, partition_index: i32) -> PartitionResponse {
    let failed = |code: ErrorCode, message: Option<&'static str>| PartitionResponse {
        partition_index,
        error_code: code.into(),
        error_message: message.map(StrBytes::from_static),
        ..Default::default()
    };
    let partition = match replicas.partition(topic, partition_index) {
        Lookup::Here(partition) => partition,
        Lookup::NotHere => return failed(ErrorCode::UnknownTopicOrPartition, None),
        Lookup::UnknownTopic => {
            return failed(ErrorCode::UnknownTopicOrPartition, Some(NOT_HOSTED));
        }
    };
    match partition.leader_log(-1) {
        Ok((log, _)) => {
            let active_producers = log.active_producers().iter().map(producer).collect();
            PartitionResponse { partition_index, active_producers, ..Default::default() }
        }
        Err(error) => failed(error.error_code(), None),
    }
}

fn producer(entry: &ProducerStateEntry) -> ProducerState {
    ProducerState {
        producer_id: entry.producer_id(),
        producer_epoch: i32::from(entry.producer_epoch()),
        last_sequence: entry.last_sequence(),
        last_timestamp: entry.last_timestamp(),
        coordinator_epoch: entry.coordinator_epoch(),
        current_txn_start_offset: entry.current_txn_first_offset().unwrap_or(-1),
    }
}
