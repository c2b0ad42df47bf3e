//! Where the configuration meets the metadata: the controller's rules, and what the metadata's
//! dynamic configs mean for this broker and for a topic.

use controller::command::ApiError;
use controller::config_rules::{ConfigMap, ConfigRules};
use controller::image::configs::{ConfigResource, ConfigResourceType, ConfigsImage};
use protocol_codec::error_code::ErrorCode;
use storage::LogConfig;

use super::alter::{self, AlterError, Configs};
use super::describe::Overrides;
use super::table::Scope;
use super::{BrokerConfig, LiveConfig};

impl ConfigRules for LiveConfig {
    fn validate(
        &self,
        resource: &ConfigResource,
        proposed: &ConfigMap,
        existing: &ConfigMap,
    ) -> Result<(), ApiError> {
        let config = self.load();
        let proposed = changed_or_known(resource.kind, proposed, existing);
        let checked = match resource.kind {
            ConfigResourceType::Topic => config.validate_topic_configs(&proposed),
            ConfigResourceType::Broker => {
                config.validate_broker_configs(!resource.name.is_empty(), &proposed)
            }
            ConfigResourceType::Group => config.validate_group_configs(&resource.name, &proposed),
            ConfigResourceType::ClientMetrics => {
                alter::validate_client_metrics_configs(&resource.name, &proposed)
            }
        };
        checked.map_err(|error| match error {
            AlterError::InvalidConfig(why) => ApiError::new(ErrorCode::InvalidConfig, why),
            AlterError::InvalidRequest(why) => ApiError::new(ErrorCode::InvalidRequest, why),
        })
    }

    fn is_list(&self, kind: ConfigResourceType, name: &str) -> bool {
        alter::is_list(scope(kind), name)
    }

    fn default_value(&self, kind: ConfigResourceType, name: &str) -> Option<String> {
        alter::list_default(scope(kind), name).map(str::to_owned)
    }
}

/// The table of keys for a kind of resource.
pub fn scope(kind: ConfigResourceType) -> Scope {
    match kind {
        ConfigResourceType::Topic => Scope::Topic,
        ConfigResourceType::Broker => Scope::Broker,
        ConfigResourceType::ClientMetrics => Scope::ClientMetrics,
        ConfigResourceType::Group => Scope::Group,
    }
}

/// The proposed configs without those that another release set, that this one does not know and
/// that stay as they are: they must not stand in the way of other changes.
fn changed_or_known<'a>(
    kind: ConfigResourceType,
    proposed: &'a ConfigMap,
    existing: &ConfigMap,
) -> Configs<'a> {
    let known = |name: &str| super::table::find(scope(kind), name).is_some();
    proposed
        .iter()
        .filter(|(name, value)| known(name) || existing.get(*name) != Some(*value))
        .map(|(name, value)| (&**name, &**value))
        .collect()
}

impl LiveConfig {
    /// Takes over the dynamic broker configs of the metadata. If they contradict each other, the
    /// configuration in force stays, and that is said in the log.
    pub fn follow(&self, configs: &ConfigsImage) {
        let node_id = self.load().node_id;
        let all_brokers = overrides(configs, &ConfigResource::default_broker());
        let this_broker = overrides(configs, &ConfigResource::broker(node_id));
        if let Err(error) = self.apply(all_brokers, this_broker) {
            tracing::error!(%error, "the dynamic broker configs could not be applied");
        }
    }
}

impl BrokerConfig {
    /// The settings of the logs of `topic` as the metadata has it.
    pub fn topic_log_config(&self, configs: &ConfigsImage, topic: &str) -> LogConfig {
        self.log_config(overrides(configs, &ConfigResource::topic(topic)))
    }
}

/// What is set on `resource`, by name.
pub fn overrides<'a>(configs: &'a ConfigsImage, resource: &ConfigResource) -> Overrides<'a> {
    let set = configs.of(resource).into_iter().flatten();
    set.map(|(name, value)| (&**name, &**value)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Sources;

    fn live() -> LiveConfig {
        LiveConfig::new(BrokerConfig::load(&Sources::default()).unwrap().config)
    }

    fn map(pairs: &[(&str, &str)]) -> ConfigMap {
        pairs.iter().map(|(name, value)| (Arc::from(*name), Arc::from(*value))).collect()
    }

    #[test]
    fn refusals_carry_kafkas_error_codes() {
        let code = |resource, pairs: &[(&str, &str)], existing: &[(&str, &str)]| {
            live().validate(&resource, &map(pairs), &map(existing)).map_err(|error| error.code)
        };
        let topic = || ConfigResource::topic("t");
        let bogus = [("bogus", "1")];
        assert_eq!(code(topic(), &bogus, &[]), Err(ErrorCode::InvalidConfig));
        assert_eq!(code(topic(), &bogus, &[("bogus", "2")]), Err(ErrorCode::InvalidConfig));
        assert_eq!(code(topic(), &bogus, &bogus), Ok(()), "set by another release");
        let read_only = [("num.partitions", "2")];
        let broker = ConfigResource::default_broker();
        assert_eq!(code(broker, &read_only, &[]), Err(ErrorCode::InvalidRequest));
        let group = ConfigResource::new(ConfigResourceType::Group, "g");
        assert_eq!(code(group, &bogus, &[]), Err(ErrorCode::InvalidConfig));
        let metrics = ConfigResource::new(ConfigResourceType::ClientMetrics, "m");
        assert_eq!(code(metrics, &bogus, &[]), Err(ErrorCode::InvalidRequest));
    }

    #[test]
    fn lists_can_be_added_to() {
        let live = live();
        assert!(live.is_list(ConfigResourceType::Topic, "cleanup.policy"));
        assert!(!live.is_list(ConfigResourceType::Broker, "message.max.bytes"));
        let default = live.default_value(ConfigResourceType::Topic, "cleanup.policy");
        assert_eq!(default.as_deref(), Some("delete"));
    }

    #[test]
    fn metadata_without_configs_changes_nothing() {
        let live = live();
        let none = ConfigsImage::default();
        live.follow(&none);
        assert_eq!(live.load().topic_log_config(&none, "t"), LogConfig::default());
    }
}
