//! What the controller must know about configs but does not define: the broker owns the table of
//! keys and implements this.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::command::ApiError;
use crate::image::configs::{ConfigResource, ConfigResourceType};

/// Configs of one resource by name.
pub type ConfigMap = BTreeMap<Arc<str>, Arc<str>>;

/// The rules of the config table. They are pure: the same question has the same answer.
pub trait ConfigRules: Send + Sync {
    /// Checks all the configs that `resource` would have against each other and against the table.
    ///
    /// `existing` are those it has now: a name that is unknown but was set by an earlier release
    /// need not be refused. Errors are INVALID_CONFIG with the sentence that Kafka gives, or
    /// INVALID_REQUEST where the change is not allowed at all.
    fn validate(
        &self,
        resource: &ConfigResource,
        proposed: &ConfigMap,
        existing: &ConfigMap,
    ) -> Result<(), ApiError>;

    /// Whether the config is a comma-separated list, to which elements can be added.
    fn is_list(&self, kind: ConfigResourceType, name: &str) -> bool;

    /// The default from which an addition to an unset list starts.
    fn default_value(&self, kind: ConfigResourceType, name: &str) -> Option<String>;
}
