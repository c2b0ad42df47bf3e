//! DescribeTopicPartitions: partitions in pages, with a cursor to the next one (KIP-966).

use controller::MetadataImage;
use controller::image::topics::{PartitionRegistration, TopicImage};
use protocol_codec::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
    Request, Response,
};
use protocol_codec::{ErrorCode, StrBytes};

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::handlers::authorized_operations;

pub async fn handle(broker: &Broker, _context: &RequestContext, request: Request) -> Response {
    let image = broker.image();
    let limit = broker.config().network.max_request_partition_size_limit;
    let replicas = broker.replicas().topics();
    let asked = usize::try_from(request.response_partition_limit).unwrap_or(1).max(1);
    let mut page = Page { left: asked.min(limit), topics: Vec::new(), next: None };
    let first = request.cursor.as_ref();
    for name in names(&image, &request) {
        let from = first
            .filter(|cursor| cursor.topic_name == name)
            .map_or(0, |cursor| cursor.partition_index);
        page.add(&image, name, from, &|topic, number| {
            (broker.node_id(), replicas.is_offline(&topic.id, number))
        });
        if page.next.is_some() {
            break;
        }
    }
    Response { topics: page.topics, next_cursor: page.next, ..Default::default() }
}

/// The topics to describe in the order of their names, from the cursor on; all if none is named.
fn names(image: &MetadataImage, request: &Request) -> Vec<StrBytes> {
    let mut names: Vec<StrBytes> = if request.topics.is_empty() {
        image.topics.iter().map(|topic| StrBytes::from(&*topic.name)).collect()
    } else {
        request.topics.iter().map(|topic| topic.name.clone()).collect()
    };
    if let Some(cursor) = &request.cursor {
        names.push(cursor.topic_name.clone());
        names.retain(|name| *name >= cursor.topic_name);
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// An answer while it is filled.
struct Page {
    /// Partitions that still have room.
    left: usize,
    topics: Vec<DescribeTopicPartitionsResponseTopic>,
    next: Option<Cursor>,
}

impl Page {
    /// `here` gives this node's id, and whether the log of a partition is offline here.
    fn add(
        &mut self,
        image: &MetadataImage,
        name: StrBytes,
        from: i32,
        here: &dyn Fn(&TopicImage, i32) -> (i32, bool),
    ) {
        let Some(topic) = image.topics.by_name(&name) else {
            self.topics.push(unknown(name));
            return;
        };
        if self.left == 0 {
            self.next = Some(Cursor { topic_name: name, partition_index: from });
            return;
        }
        let rest = topic.numbered_partitions().filter(|(number, _)| *number >= from);
        let partitions: Vec<_> = rest
            .take(self.left)
            .map(|(number, partition)| describe(image, number, partition, here(topic, number)))
            .collect();
        self.left -= partitions.len();
        let end = partitions.last().map_or(from, |last| last.partition_index + 1);
        self.topics.push(described(name.clone(), topic, partitions));
        if end < topic.partition_count() {
            self.next = Some(Cursor { topic_name: name, partition_index: end });
        }
    }
}

fn unknown(name: StrBytes) -> DescribeTopicPartitionsResponseTopic {
    let code = match controller::state::topic_name::invalid_reason(&name) {
        None => ErrorCode::UnknownTopicOrPartition,
        Some(_) => ErrorCode::InvalidTopicException,
    };
    DescribeTopicPartitionsResponseTopic {
        error_code: code.into(),
        name: Some(name),
        topic_authorized_operations: authorized_operations::TOPIC,
        ..Default::default()
    }
}

fn described(
    name: StrBytes,
    topic: &TopicImage,
    partitions: Vec<DescribeTopicPartitionsResponsePartition>,
) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        name: Some(name),
        topic_id: topic.id,
        is_internal: super::produce::is_internal(&topic.name),
        partitions,
        topic_authorized_operations: authorized_operations::TOPIC,
        ..Default::default()
    }
}

fn describe(
    image: &MetadataImage,
    number: i32,
    partition: &PartitionRegistration,
    (node_id, is_offline_here): (i32, bool),
) -> DescribeTopicPartitionsResponsePartition {
    let is_offline = |replica: i32| replica == node_id && is_offline_here;
    let offline = |replica: &&i32| !image.brokers.is_active(**replica) || is_offline(**replica);
    let leader = if is_offline(partition.leader) { -1 } else { partition.leader };
    let error = if leader < 0 { ErrorCode::LeaderNotAvailable } else { ErrorCode::None };
    DescribeTopicPartitionsResponsePartition {
        error_code: error.into(),
        partition_index: number,
        leader_id: leader,
        leader_epoch: partition.leader_epoch,
        replica_nodes: partition.replicas.clone(),
        isr_nodes: partition.isr.clone(),
        eligible_leader_replicas: Some(partition.eligible_leader_replicas.clone()),
        last_known_elr: Some(partition.last_known_elr.clone()),
        offline_replicas: partition.replicas.iter().filter(offline).copied().collect(),
    }
}
