//! What this broker does when the metadata changes. Runs on the controller's thread, before
//! anybody sees the new image and before the command that caused it is answered.

use std::sync::Arc;

use controller::image::configs::ConfigResourceType;
use controller::{MetadataDelta, MetadataImage};

use crate::broker::Clock;
use crate::config::LiveConfig;
use crate::group::GroupCoordinator;
use crate::replication::ReplicaManager;

/// Everything that follows the metadata.
#[derive(Debug)]
pub(super) struct Follower {
    pub(super) node_id: i32,
    pub(super) config: Arc<LiveConfig>,
    pub(super) replicas: Arc<ReplicaManager>,
    pub(super) groups: GroupCoordinator,
    pub(super) clock: Clock,
}

impl Follower {
    pub(super) fn follow(&self, delta: &MetadataDelta, image: &Arc<MetadataImage>) {
        let changed = |kind| delta.configs_changed.keys().any(move |r| r.kind == kind);
        if changed(ConfigResourceType::Broker) {
            self.config.follow(&image.configs);
        }
        let log_config = |image: &MetadataImage, topic: &str| {
            self.config.load().topic_log_config(&image.configs, topic)
        };
        self.replicas.apply(delta, image, &log_config, self.clock.wall_ms());
        if changed(ConfigResourceType::Broker) {
            // Topics that set nothing take the broker's values.
            for topic in image.topics.iter() {
                self.replicas.update_config(&topic.name, &log_config(image, &topic.name));
            }
        } else {
            let topics =
                delta.configs_changed.keys().filter(|r| r.kind == ConfigResourceType::Topic);
            for topic in topics {
                self.replicas.update_config(&topic.name, &log_config(image, &topic.name));
            }
        }
        self.groups.apply(delta, image, self.node_id);
    }
}
