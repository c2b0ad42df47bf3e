//! What differs between two images: how the broker learns what to create, change and remove.
//!
//! A delta is computed from the two images alone, so it is right whether the records between them
//! were replayed one by one or came as a snapshot. The maps share what did not change, so the work
//! follows the size of the change, not of the cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::ordmap::DiffItem;
use protocol_codec::Uuid;

use crate::image::MetadataImage;
use crate::image::configs::{ConfigResource, ResourceConfigs};
use crate::image::topics::TopicImage;

/// The difference between a previous image and a new one.
#[derive(Clone, Debug, Default)]
pub struct MetadataDelta {
    /// The image before the change.
    pub previous: Arc<MetadataImage>,
    /// Topics that the new image has and the previous one had not. Their partitions are all in
    /// [`MetadataDelta::partitions_changed`] too.
    pub topics_created: BTreeSet<Uuid>,
    /// Topics that are gone, as they were. A topic deleted and created again under the same name is
    /// here under its old id and in [`MetadataDelta::topics_created`] under the new one.
    pub topics_deleted: BTreeMap<Uuid, Arc<TopicImage>>,
    /// Partitions that are new or changed, by topic.
    pub partitions_changed: BTreeMap<Uuid, BTreeSet<i32>>,
    /// Names of configs that were set, changed or removed, by resource.
    pub configs_changed: BTreeMap<ConfigResource, BTreeSet<Arc<str>>>,
    /// Brokers that were registered, changed or removed.
    pub brokers_changed: BTreeSet<i32>,
    pub features_changed: bool,
    pub producer_ids_changed: bool,
    /// Access control entries, SCRAM credentials or delegation tokens.
    pub security_changed: bool,
    pub client_quotas_changed: bool,
}

impl MetadataDelta {
    /// What changed from `previous` to `image`.
    pub fn between(previous: &Arc<MetadataImage>, image: &MetadataImage) -> MetadataDelta {
        let mut delta = MetadataDelta {
            previous: previous.clone(),
            features_changed: previous.features != image.features,
            producer_ids_changed: previous.producer_ids != image.producer_ids,
            security_changed: previous.acls != image.acls
                || previous.scram != image.scram
                || previous.delegation_tokens != image.delegation_tokens,
            client_quotas_changed: previous.client_quotas != image.client_quotas,
            ..MetadataDelta::default()
        };
        for item in previous.topics.diff(&image.topics) {
            match item {
                DiffItem::Add(id, topic) => {
                    delta.topics_created.insert(*id);
                    delta.note_partitions(None, topic);
                }
                DiffItem::Update { old: (_, old), new: (_, new) } => {
                    delta.note_partitions(Some(old), new);
                }
                DiffItem::Remove(id, topic) => {
                    delta.topics_deleted.insert(*id, topic.clone());
                }
            }
        }
        for item in previous.brokers.diff(&image.brokers) {
            match item {
                DiffItem::Add(id, _)
                | DiffItem::Update { new: (id, _), .. }
                | DiffItem::Remove(id, _) => delta.brokers_changed.insert(*id),
            };
        }
        for item in previous.configs.diff(&image.configs) {
            let none = ResourceConfigs::new();
            match item {
                DiffItem::Add(resource, new) => delta.note_configs(resource, &none, new),
                DiffItem::Update { old: (_, old), new: (resource, new) } => {
                    delta.note_configs(resource, old, new);
                }
                DiffItem::Remove(resource, old) => delta.note_configs(resource, old, &none),
            }
        }
        delta
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.topics_created.is_empty()
            && self.topics_deleted.is_empty()
            && self.partitions_changed.is_empty()
            && self.configs_changed.is_empty()
            && self.brokers_changed.is_empty()
            && !self.features_changed
            && !self.producer_ids_changed
            && !self.security_changed
            && !self.client_quotas_changed
    }

    fn note_partitions(&mut self, old: Option<&TopicImage>, new: &TopicImage) {
        let changed: BTreeSet<i32> = new
            .numbered_partitions()
            .filter(|(id, partition)| {
                let before = old.and_then(|old| old.partition(*id));
                before.is_none_or(|before| !Arc::ptr_eq(before, partition) && before != *partition)
            })
            .map(|(id, _)| id)
            .collect();
        if !changed.is_empty() {
            self.partitions_changed.insert(new.id, changed);
        }
    }

    fn note_configs(
        &mut self,
        resource: &ConfigResource,
        old: &ResourceConfigs,
        new: &ResourceConfigs,
    ) {
        let names = old.diff(new).map(|item| match item {
            DiffItem::Add(name, _)
            | DiffItem::Update { new: (name, _), .. }
            | DiffItem::Remove(name, _) => name.clone(),
        });
        self.configs_changed.entry(resource.clone()).or_default().extend(names);
    }
}
