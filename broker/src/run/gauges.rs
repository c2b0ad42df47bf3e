//! What `/metrics` asks the running broker for.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use controller::MetadataImage;
use controller::image::topics::{PartitionRegistration, TopicImage};

use crate::broker::Broker;
use crate::group::view::STATES;
use crate::metrics::kafka::{
    self, ControllerGauges, ListenerGauges, PartitionGauges, ReplicaManagerGauges,
};
use crate::metrics::{Exposition, Gauges, cleaner};
use crate::replication::Partition;

/// The gauges of one broker. It does not keep the broker alive.
#[derive(Debug)]
pub(super) struct BrokerGauges {
    broker: Weak<Broker>,
}

impl BrokerGauges {
    pub(super) fn new(broker: &Arc<Broker>) -> Self {
        Self { broker: Arc::downgrade(broker) }
    }
}

impl Gauges for BrokerGauges {
    fn collect(&self, out: &mut Exposition) {
        let Some(broker) = self.broker.upgrade() else { return };
        let image = broker.image();
        let mut sums = ReplicaManagerGauges::default();
        for topic in image.topics.iter() {
            kafka::topic_partitions(out, &topic.name, topic.partitions().len());
            for (number, registration) in topic.numbered_partitions() {
                if let Some(partition) = broker.replicas().partition(&topic.name, number) {
                    collect_partition(out, topic, registration, &partition, &mut sums);
                }
            }
        }
        let dirs = broker.log_manager().describe_dirs();
        sums.offline_log_directories = dirs.iter().filter(|d| d.offline_reason.is_some()).count();
        sums.damaged_files = broker.log_manager().damaged_files();
        sums.collect(out);
        let now_ms = broker.clock().wall_ms();
        cleaner::collect(&broker.log_manager().cleaner_status(now_ms), out);
        controller(&broker, &image).collect(out);
        let addresses: Vec<(i32, String)> = image
            .brokers
            .unfenced()
            .filter_map(|node| Some((node.id, node.endpoints.first()?)))
            .map(|(id, endpoint)| (id, format!("{}:{}", endpoint.host, endpoint.port)))
            .collect();
        kafka::brokers(out, addresses.iter().map(|(id, address)| (*id, address.as_str())));
        groups(&broker, out);
        for (listener, connections) in connections(&broker) {
            ListenerGauges { listener: &listener, connections }.collect(out);
        }
    }
}

fn collect_partition(
    out: &mut Exposition,
    topic: &TopicImage,
    registration: &PartitionRegistration,
    partition: &Partition,
    sums: &mut ReplicaManagerGauges,
) {
    sums.partitions += 1;
    sums.leaders += usize::from(partition.is_leader());
    let Some(log) = partition.log() else {
        sums.offline_replicas += 1;
        return;
    };
    let (replicas, in_sync) = (registration.replicas.len(), registration.isr.len());
    let wanted = usize::try_from(log.config().min_insync_replicas).unwrap_or(1).min(replicas);
    sums.under_replicated += usize::from(in_sync < replicas);
    sums.under_min_isr += usize::from(in_sync < wanted);
    sums.at_min_isr += usize::from(in_sync == wanted);
    sums.producer_ids += log.active_producers().len();
    let gauges = PartitionGauges {
        topic: &topic.name,
        partition: partition.topic_partition().partition,
        leader: registration.leader,
        preferred_leader: registration.replicas.first().copied().unwrap_or(-1),
        replicas,
        in_sync_replicas: in_sync,
        min_in_sync_replicas: wanted,
        size: log.size(),
        log_start_offset: log.log_start_offset(),
        log_end_offset: log.log_end_offset(),
        high_watermark: Partition::high_watermark(log),
        segments: log.segment_count(),
    };
    gauges.collect(out);
}

fn controller(broker: &Broker, image: &MetadataImage) -> ControllerGauges {
    let offline = |topic: &Arc<TopicImage>| topic.partitions().filter(|p| p.leader < 0).count();
    let active = image.brokers.unfenced().count();
    ControllerGauges {
        is_active: broker.controller().quorum_status().leader == Some(broker.node_id()),
        topics: image.topics.len(),
        partitions: image.topics.partition_count(),
        offline_partitions: image.topics.iter().map(offline).sum(),
        active_brokers: active,
        fenced_brokers: image.brokers.len() - active,
        last_applied_offset: i64::try_from(image.last_applied.index).unwrap_or(i64::MAX),
    }
}

/// Groups by state, and how far each has read.
fn groups(broker: &Broker, out: &mut Exposition) {
    let mut by_state = STATES.map(|state| (state, 0));
    broker.groups().visit(|group| {
        for (_, count) in by_state.iter_mut().filter(|(state, _)| *state == group.state()) {
            *count += 1;
        }
        kafka::group_members(out, group.id(), group.member_count());
        for (topic, partitions) in group.committed() {
            let mut lag_sum = 0_i64;
            for (number, committed_offset) in partitions {
                let partition = broker.replicas().partition(topic, number);
                let log = partition.as_ref().and_then(|partition| partition.log());
                let end_offset = log.map(|log| Partition::high_watermark(log));
                let offset = kafka::GroupOffset {
                    group: group.id(),
                    topic,
                    partition: number,
                    committed_offset,
                    end_offset,
                };
                offset.collect(out);
                lag_sum = lag_sum.saturating_add(offset.lag().unwrap_or(0));
            }
            kafka::group_lag_sum(out, group.id(), topic, lag_sum);
        }
    });
    for (state, count) in by_state {
        kafka::groups(out, state, count);
    }
}

/// Open connections by listener.
fn connections(broker: &Broker) -> BTreeMap<Arc<str>, usize> {
    broker.net().quota.open_by_listener()
}
