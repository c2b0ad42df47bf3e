//! ListPartitionReassignments: which partitions get other replicas at the moment.
//!
//! Truthful from the image: with one node there never is one.

use controller::image::topics::{PartitionRegistration, TopicImage};
use protocol_codec::StrBytes;
use protocol_codec::messages::list_partition_reassignments::{
    OngoingPartitionReassignment, OngoingTopicReassignment, Request, Response,
};

use crate::broker::Broker;
use crate::context::RequestContext;

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    let image = broker.image();
    let topics = match &request.topics {
        None => image.topics.iter().filter_map(|topic| ongoing(topic, |_| true)).collect(),
        Some(asked) => asked
            .iter()
            .filter_map(|asked| {
                let topic = image.topics.by_name(&asked.name)?;
                ongoing(topic, |number| asked.partition_indexes.contains(&number))
            })
            .collect(),
    };
    Response { topics, error_message: None, ..Default::default() }
}

fn ongoing(topic: &TopicImage, asked: impl Fn(i32) -> bool) -> Option<OngoingTopicReassignment> {
    let moving = |partition: &PartitionRegistration| {
        !partition.adding_replicas.is_empty() || !partition.removing_replicas.is_empty()
    };
    let partitions: Vec<_> = topic
        .numbered_partitions()
        .filter(|(number, partition)| asked(*number) && moving(partition))
        .map(|(number, partition)| OngoingPartitionReassignment {
            partition_index: number,
            replicas: partition.replicas.clone(),
            adding_replicas: partition.adding_replicas.clone(),
            removing_replicas: partition.removing_replicas.clone(),
        })
        .collect();
    let name = StrBytes::from(&*topic.name);
    (!partitions.is_empty()).then_some(OngoingTopicReassignment { name, partitions })
}
