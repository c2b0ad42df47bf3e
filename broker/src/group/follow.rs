//! Following the metadata: which partitions of `__consumer_offsets` are led here, and which
//! topics are gone.

use controller::image::topics::TopicImage;
use controller::{MetadataDelta, MetadataImage};
use protocol_codec::StrBytes;

use super::OFFSETS_TOPIC;
use super::coordinator::GroupCoordinator;
use super::event::DeletedTopic;

impl GroupCoordinator {
    /// Takes over what the metadata says, as the broker of this id. To be called for every delta,
    /// after the replicas have followed it. Does not wait for anything.
    pub fn apply(&self, delta: &MetadataDelta, image: &MetadataImage, node_id: i32) {
        let is_ours = |topic: &TopicImage| &*topic.name == OFFSETS_TOPIC;
        if let Some(gone) = delta.topics_deleted.values().find(|topic| is_ours(topic)) {
            for (partition, _) in gone.numbered_partitions() {
                self.resigned(partition);
            }
        }
        if let Some(topic) = image.topics.by_name(OFFSETS_TOPIC) {
            self.set_partition_count(topic.partition_count());
            for partition in delta.partitions_changed.get(&topic.id).into_iter().flatten() {
                match topic.partition(*partition) {
                    Some(state) if state.leader == node_id => {
                        self.elected(*partition, state.leader_epoch);
                    }
                    Some(_) | None => self.resigned(*partition),
                }
            }
        }
        let gone = delta.topics_deleted.iter().filter(|(_, topic)| !is_ours(topic));
        let gone: Vec<DeletedTopic> = gone
            .map(|(id, topic)| DeletedTopic { name: StrBytes::from(&*topic.name), id: *id })
            .collect();
        self.topics_deleted(&gone);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use controller::image::topics::PartitionRegistration;
    use controller::record::PartitionChange;
    use controller::{LogPosition, MetadataRecord};
    use protocol_codec::{ErrorCode, Uuid};

    use super::*;
    use crate::group::GroupConfig;
    use crate::group::event::{Event, Now};
    use crate::group::log::memory::MemoryOffsetsLog;

    const HERE: i32 = 1;
    const ELSEWHERE: i32 = 2;

    struct Cluster {
        image: Arc<MetadataImage>,
        coordinator: GroupCoordinator,
    }

    impl Cluster {
        fn change(&mut self, records: &[MetadataRecord]) {
            let image = controller::apply(&self.image, LogPosition::default(), records).unwrap();
            let delta = MetadataDelta::between(&self.image, &image);
            self.coordinator.apply(&delta, &image, HERE);
            self.image = Arc::new(image);
        }

        /// What a request about a group in this partition is told at once.
        fn told(&self, partition: i32) -> ErrorCode {
            let mut ids = (0..).map(|n| format!("group-{n}"));
            let id = ids.find(|id| self.coordinator.partition_for(id) == partition).unwrap();
            let event = |token| Event::DescribeGroups(token, 6, vec![id.as_str().into()]);
            self.coordinator.submit(&id, event).err().unwrap_or(ErrorCode::None)
        }
    }

    fn registration(leader: i32) -> PartitionRegistration {
        PartitionRegistration { leader, replicas: vec![leader], ..Default::default() }
    }

    #[test]
    fn leadership_and_deletion_are_followed() {
        let clock = Arc::new(|| Now { ms: 0, wall_ms: 0 });
        let log = Arc::new(MemoryOffsetsLog::default());
        let coordinator = GroupCoordinator::new(GroupConfig::default(), log, clock);
        let mut cluster = Cluster { image: Arc::default(), coordinator };
        assert_eq!(cluster.told(0), ErrorCode::NotCoordinator);

        let topic_id = Uuid::ONE;
        cluster.change(&[
            MetadataRecord::Topic { name: OFFSETS_TOPIC.into(), topic_id },
            MetadataRecord::Partition {
                topic_id,
                partition_id: 0,
                registration: registration(HERE),
            },
            MetadataRecord::Partition {
                topic_id,
                partition_id: 1,
                registration: registration(ELSEWHERE),
            },
        ]);
        assert_eq!(cluster.told(0), ErrorCode::None);
        assert_eq!(cluster.told(1), ErrorCode::NotCoordinator);

        let lead = |partition_id, leader| {
            let leader = Some(leader);
            let change = PartitionChange { topic_id, partition_id, leader, ..Default::default() };
            MetadataRecord::PartitionChange(change)
        };
        cluster.change(&[lead(0, ELSEWHERE), lead(1, HERE)]);
        assert_eq!(cluster.told(0), ErrorCode::NotCoordinator);
        assert_eq!(cluster.told(1), ErrorCode::None);

        cluster.change(&[MetadataRecord::RemoveTopic { topic_id }]);
        assert_eq!(cluster.told(1), ErrorCode::NotCoordinator);
    }
}
