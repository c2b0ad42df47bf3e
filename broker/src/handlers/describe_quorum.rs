//! DescribeQuorum: who leads the metadata quorum and how far each voter is.

use controller::QuorumStatus;
use protocol_codec::messages::describe_quorum::{
    Listener, Node, ReplicaState, Request, RequestTopicData, Response, ResponsePartitionData,
    ResponseTopicData,
};
use protocol_codec::{ErrorCode, StrBytes};

use crate::broker::Broker;
use crate::context::RequestContext;

/// The one topic and partition that the quorum replicates.
const TOPIC: &str = "__cluster_metadata";
const PARTITION: i32 = 0;

/// The first version that says where the voters are.
const NODES_SINCE: i16 = 2;

pub async fn handle(broker: &Broker, context: &RequestContext, request: Request) -> Response {
    let status = broker.controller().quorum_status();
    let asked = |topic: &RequestTopicData| answer(topic, &status, broker.clock().wall_ms());
    let topics: Vec<_> = request.topics.iter().map(asked).collect();
    let served = request.topics.iter().any(is_metadata);
    let nodes = if served && context.api_version >= NODES_SINCE {
        nodes(broker, &status, &context.connection.listener)
    } else {
        Vec::new()
    };
    Response { topics, nodes, ..Default::default() }
}

fn is_metadata(topic: &RequestTopicData) -> bool {
    *topic.topic_name == *TOPIC
        && topic.partitions.iter().all(|one| one.partition_index == PARTITION)
}

fn answer(topic: &RequestTopicData, status: &QuorumStatus, now_ms: i64) -> ResponseTopicData {
    let known = *topic.topic_name == *TOPIC;
    let partition = |index: i32| {
        if known && index == PARTITION { state(status, now_ms) } else { unknown(index) }
    };
    ResponseTopicData {
        topic_name: topic.topic_name.clone(),
        partitions: topic.partitions.iter().map(|one| partition(one.partition_index)).collect(),
    }
}

fn unknown(partition_index: i32) -> ResponsePartitionData {
    ResponsePartitionData {
        partition_index,
        error_code: ErrorCode::UnknownTopicOrPartition.into(),
        ..Default::default()
    }
}

fn state(status: &QuorumStatus, now_ms: i64) -> ResponsePartitionData {
    let voter = |voter: &controller::VoterStatus| {
        // A leader is always caught up with itself.
        let leads = status.leader == Some(voter.node_id);
        let seen = if leads { now_ms } else { -1 };
        ReplicaState {
            replica_id: voter.node_id,
            log_end_offset: voter.log_end_offset.unwrap_or(-1),
            last_fetch_timestamp: seen,
            last_caught_up_timestamp: seen,
            ..Default::default()
        }
    };
    ResponsePartitionData {
        partition_index: PARTITION,
        leader_id: status.leader.unwrap_or(-1),
        leader_epoch: status.leader_epoch,
        high_watermark: status.high_watermark,
        current_voters: status.voters.iter().map(voter).collect(),
        ..Default::default()
    }
}

/// Where the voters can be reached: in a node that is broker and controller at once, by the
/// listener the question came by.
fn nodes(broker: &Broker, status: &QuorumStatus, listener: &str) -> Vec<Node> {
    let image = broker.image();
    let node = |voter: &controller::VoterStatus| {
        let endpoint = image.brokers.get(voter.node_id)?.endpoint(listener)?;
        let listeners = vec![Listener {
            name: StrBytes::from(&*endpoint.name),
            host: StrBytes::from(&*endpoint.host),
            port: endpoint.port,
        }];
        Some(Node { node_id: voter.node_id, listeners })
    };
    status.voters.iter().filter_map(node).collect()
}
