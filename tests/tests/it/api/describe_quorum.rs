//! DescribeQuorum: who leads the metadata quorum.

use crate::against::wire;
use protocol_codec::messages::describe_quorum::{
    Request, RequestPartitionData, RequestTopicData, Response,
};

fn request(topic: &str) -> Request {
    let partitions = vec![RequestPartitionData { partition_index: 0 }];
    Request { topics: vec![RequestTopicData { topic_name: topic.into(), partitions }] }
}

/// Offsets, epochs, times, directory ids and the controller's listener differ.
fn shape(answer: &Response) -> impl std::fmt::Debug {
    let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
    let partition = partition.map(|partition| {
        let voters: Vec<_> =
            partition.current_voters.iter().map(|voter| voter.replica_id).collect();
        (
            partition.error_code,
            partition.leader_id,
            partition.high_watermark > 0,
            voters,
            partition.observers.len(),
        )
    });
    let nodes: Vec<_> = answer.nodes.iter().map(|node| node.node_id).collect();
    (answer.error_code, partition, nodes)
}

#[test]
fn every_version() {
    wire(|session| {
        for version in 0..=2 {
            for topic in ["__cluster_metadata", "other"] {
                let answer = session.client.call(version, &request(topic));
                session
                    .note(&format!("DescribeQuorum version {version} of {topic}"), &shape(&answer));
            }
        }
    });
}
