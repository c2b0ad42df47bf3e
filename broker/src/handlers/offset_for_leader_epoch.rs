//! OffsetForLeaderEpoch: where an epoch ends, so that who read past a lost tail finds out (KIP-320).

use protocol_codec::ErrorCode;
use protocol_codec::messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderPartition, OffsetForLeaderTopic, OffsetForLeaderTopicResult,
    Request, Response,
};

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::error_mapping::ToErrorCode;
use crate::replication::Lookup;
use crate::replication::replica_manager::Topics;

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    let replicas = broker.replicas().topics();
    let topic = |topic: &OffsetForLeaderTopic| OffsetForLeaderTopicResult {
        topic: topic.topic.clone(),
        partitions: topic.partitions.iter().map(|one| end(&replicas, &topic.topic, one)).collect(),
    };
    let topics = request.topics.iter().map(topic).collect();
    Response { topics, ..Default::default() }
}

fn end(replicas: &Topics, topic: &str, asked: &OffsetForLeaderPartition) -> EpochEndOffset {
    let partition = asked.partition;
    let failed = |code: ErrorCode| EpochEndOffset {
        partition,
        error_code: code.into(),
        ..Default::default()
    };
    let found = match replicas.partition(topic, partition) {
        Lookup::Here(found) => found,
        Lookup::NotHere | Lookup::UnknownTopic => {
            return failed(ErrorCode::UnknownTopicOrPartition);
        }
    };
    match found.leader_log(asked.current_leader_epoch) {
        Ok((log, _)) => {
            let end = log.end_offset_for_epoch(asked.leader_epoch);
            let (leader_epoch, end_offset) = (end.epoch, end.end_offset);
            EpochEndOffset { partition, leader_epoch, end_offset, ..Default::default() }
        }
        Err(error) => failed(error.error_code()),
    }
}
