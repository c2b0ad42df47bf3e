//! The finalized feature levels: what the whole cluster has agreed to use.

use std::sync::Arc;

use imbl::OrdMap;

/// The name of the feature that stands for the version of the metadata itself.
pub const METADATA_VERSION: &str = "metadata.version";

/// Finalized levels by feature name. A feature at level 0 is not in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeaturesImage {
    levels: OrdMap<Arc<str>, i16>,
}

impl FeaturesImage {
    /// The finalized level; 0 when the feature is not finalized.
    pub fn level(&self, name: &str) -> i16 {
        self.levels.get(name).copied().unwrap_or(0)
    }

    /// All finalized features, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, i16)> {
        self.levels.iter().map(|(name, level)| (name, *level))
    }

    pub(crate) fn set(&mut self, name: &Arc<str>, level: i16) {
        if level == 0 {
            self.levels.remove(name);
        } else {
            self.levels.insert(name.clone(), level);
        }
    }
}
