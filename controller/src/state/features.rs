//! Feature levels: what this release supports and what a new cluster finalizes.

use std::sync::Arc;

use crate::image::MetadataImage;
use crate::image::features::METADATA_VERSION;
use crate::record::MetadataRecord;

/// A feature with the levels that this release works with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportedFeature {
    pub name: &'static str,
    pub min: i16,
    pub max: i16,
}

/// 4.4-IV2, the newest of Kafka 4.4.0 that is ready for production.
pub const METADATA_VERSION_LATEST: i16 = 33;

/// 3.3-IV3, the oldest that Kafka 4.x knows.
pub const METADATA_VERSION_MIN: i16 = 7;

/// Every feature that works. What is not built yet is not here and so is never finalized.
pub const SUPPORTED: &[SupportedFeature] = &[SupportedFeature {
    name: METADATA_VERSION,
    min: METADATA_VERSION_MIN,
    max: METADATA_VERSION_LATEST,
}];

/// The highest level of a feature that this release works with; 0 for one that it does not know.
pub fn supported_level(name: &str) -> i16 {
    SUPPORTED.iter().find(|feature| feature.name == name).map_or(0, |feature| feature.max)
}

/// The first records of a cluster. A cluster that has its id already gets none.
pub(super) fn bootstrap(
    image: &MetadataImage,
    cluster_id: &Arc<str>,
    out: &mut Vec<MetadataRecord>,
) {
    if image.cluster_id.is_some() {
        return;
    }
    out.push(MetadataRecord::ClusterId { cluster_id: cluster_id.clone() });
    for feature in SUPPORTED {
        out.push(MetadataRecord::FeatureLevel { name: feature.name.into(), level: feature.max });
    }
}
