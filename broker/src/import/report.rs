//! What the user is told about a take-over.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use controller::image::MetadataImage;
use controller::image::configs::ConfigResourceType;
use controller::image::features::METADATA_VERSION;

use super::coordinators::Coordinators;

/// All that a take-over takes, leaves out and leaves alone.
#[derive(Clone, Debug)]
pub struct Report {
    pub cluster_id: String,
    pub node_id: i32,
    /// Where Kafka's metadata log ends.
    pub end_offset: i64,
    /// Log directories with the number of their partitions.
    pub dirs: Vec<(PathBuf, usize)>,
    pub counts: Counts,
    pub coordinators: Coordinators,
    pub features_left_out: Vec<(Arc<str>, i16)>,
    /// Folders that no topic knows of.
    pub strays: Vec<PathBuf>,
    /// Snapshots of Kafka's metadata that were not whole.
    pub passed_over: Vec<String>,
}

/// How much of what there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    metadata_version: i16,
    topics: usize,
    partitions: usize,
    topic_configs: usize,
    broker_configs: usize,
    other_configs: usize,
    next_producer_id: i64,
    acls: usize,
    scram: usize,
    quotas: usize,
    tokens: usize,
}

impl Counts {
    pub(super) fn of(image: &MetadataImage) -> Self {
        let configs = |wanted: fn(ConfigResourceType) -> bool| {
            let of = image.configs.iter().filter(|(resource, _)| wanted(resource.kind));
            of.map(|(_, configs)| configs.len()).sum()
        };
        Self {
            metadata_version: image.features.level(METADATA_VERSION),
            topics: image.topics.len(),
            partitions: image.topics.partition_count(),
            topic_configs: configs(|kind| kind == ConfigResourceType::Topic),
            broker_configs: configs(|kind| kind == ConfigResourceType::Broker),
            other_configs: configs(|kind| {
                !matches!(kind, ConfigResourceType::Topic | ConfigResourceType::Broker)
            }),
            next_producer_id: image.producer_ids.next_producer_id,
            acls: image.acls.iter().count(),
            scram: image.scram.iter().count(),
            quotas: image.client_quotas.iter().map(|(_, quotas)| quotas.len()).sum(),
            tokens: image.delegation_tokens.iter().count(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        writeln!(
            f,
            "Kafka's data: cluster {}, node {}, metadata.version {}, metadata log up to offset {}",
            self.cluster_id, self.node_id, counts.metadata_version, self.end_offset
        )?;
        for (dir, partitions) in &self.dirs {
            writeln!(f, "  {}: {partitions} partitions, served where they lie", dir.display())?;
        }
        writeln!(
            f,
            "Taken over: {} topics with {} partitions; configs: {} of topics, {} of brokers, {} of \
             others; {} groups; {} transactional ids; producer ids from {}",
            counts.topics,
            counts.partitions,
            counts.topic_configs,
            counts.broker_configs,
            counts.other_configs,
            self.coordinators.groups,
            self.coordinators.transactional_ids,
            counts.next_producer_id,
        )?;
        writeln!(
            f,
            "Kept, not acted on yet: {} access control entries, {} SCRAM credentials, {} quotas, {} \
             delegation tokens",
            counts.acls, counts.scram, counts.quotas, counts.tokens,
        )?;
        if !self.features_left_out.is_empty() {
            let shown = |(name, level): &(Arc<str>, i16)| format!("{name} {level}");
            let features: Vec<String> = self.features_left_out.iter().map(shown).collect();
            writeln!(f, "Left out, not known here yet: features {}", features.join(", "))?;
        }
        for path in &self.strays {
            writeln!(f, "Left alone, no topic knows of it: {}", path.display())?;
        }
        for snapshot in &self.passed_over {
            writeln!(f, "Passed over, the log says the same: {snapshot}")?;
        }
        Ok(())
    }
}
