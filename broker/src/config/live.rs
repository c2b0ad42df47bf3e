//! The configuration in force, which dynamic broker configs replace at run time.

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use parking_lot::Mutex;

use super::error::ConfigError;
use super::settings::{Layers, Origin, Setting, Settings, broker_key};
use super::table::{ConfigKey, UpdateMode};
use super::{BrokerConfig, value};

/// Called with the old and the new configuration after a change, on the thread that made it.
pub type Subscriber = Box<dyn Fn(&BrokerConfig, &BrokerConfig) + Send + Sync>;

/// The configuration in force. Reading is cheap and sees one consistent configuration.
pub struct LiveConfig {
    current: ArcSwap<BrokerConfig>,
    subscribers: Mutex<Vec<Subscriber>>,
}

impl std::fmt::Debug for LiveConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveConfig").field("current", &self.current.load()).finish_non_exhaustive()
    }
}

impl LiveConfig {
    pub fn new(config: BrokerConfig) -> Self {
        Self { current: ArcSwap::from_pointee(config), subscribers: Mutex::default() }
    }

    /// The configuration now. Keep the guard for one request at most.
    pub fn load(&self) -> Guard<Arc<BrokerConfig>> {
        self.current.load()
    }

    /// Has `subscriber` called after every later change.
    pub fn subscribe(&self, subscriber: Subscriber) {
        self.subscribers.lock().push(subscriber);
    }

    /// Takes over the dynamic configs of the metadata: those of all brokers (the resource with the
    /// empty name) and those of this one. What is not valid for this release is left out.
    ///
    /// # Errors
    /// Settings that contradict each other; the configuration in force stays.
    pub fn apply<'a>(
        &self,
        all_brokers: impl IntoIterator<Item = (&'a str, &'a str)>,
        this_broker: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), ConfigError> {
        // Changes come from one thread; the lock makes that no condition.
        let subscribers = self.subscribers.lock();
        let old = self.current.load_full();
        let new = old.with_dynamic(dynamic(all_brokers), dynamic(this_broker))?;
        let unchanged = new.layers.dynamic_broker == old.layers.dynamic_broker
            && new.layers.dynamic_default == old.layers.dynamic_default;
        if unchanged {
            return Ok(());
        }
        let new = Arc::new(new);
        self.current.store(Arc::clone(&new));
        for subscriber in subscribers.iter() {
            subscriber(&old, &new);
        }
        Ok(())
    }
}

/// The settings that can be in force dynamically. Unknown names are kept, as Kafka does: they may
/// be a plug-in's.
fn dynamic<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Settings {
    let may_apply = |name: &str, text: &str| match broker_key(name) {
        Some(key) => can_change(key) && value::parse(key, name, text).is_ok(),
        None => true,
    };
    settings
        .into_iter()
        .filter(|(name, text)| may_apply(name, text))
        .map(|(name, text)| {
            let setting = Setting { value: text.to_owned(), origin: Origin::Dynamic };
            (name.to_owned(), setting)
        })
        .collect()
}

/// Whether a key can change without a restart here. Kafka opens and closes listeners at run time;
/// this release does not.
pub(super) fn can_change(key: &ConfigKey) -> bool {
    key.update != UpdateMode::ReadOnly && !LISTENER_KEYS.contains(&key.name)
}

pub(super) const LISTENER_KEYS: [&str; 2] = ["listeners", "listener.security.protocol.map"];

impl BrokerConfig {
    /// This configuration with other dynamic settings.
    pub(super) fn with_dynamic(
        &self,
        dynamic_default: Settings,
        dynamic_broker: Settings,
    ) -> Result<Self, ConfigError> {
        let layers = Layers {
            dynamic_broker: Arc::new(dynamic_broker),
            dynamic_default: Arc::new(dynamic_default),
            fixed: Arc::clone(&self.layers.fixed),
        };
        let mut config = Self::from_layers(layers, &mut Vec::new(), &mut Vec::new())?;
        config.cluster_id.clone_from(&self.cluster_id);
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Sources;

    fn live(overrides: &[&str]) -> LiveConfig {
        let overrides = overrides.iter().map(|o| (*o).to_owned()).collect();
        let sources = Sources { overrides, ..Sources::default() };
        LiveConfig::new(BrokerConfig::load(&sources).unwrap().config)
    }

    #[test]
    fn this_broker_wins_over_all_brokers_wins_over_the_file() {
        let live = live(&["message.max.bytes=100"]);
        let in_force = || live.load().log.max_message_bytes;
        assert_eq!(in_force(), 100);
        live.apply([("message.max.bytes", "200")], []).unwrap();
        assert_eq!(in_force(), 200);
        live.apply([("message.max.bytes", "200")], [("message.max.bytes", "300")]).unwrap();
        assert_eq!(in_force(), 300);
        live.apply([], []).unwrap();
        assert_eq!(in_force(), 100);
    }

    #[test]
    fn subscribers_hear_of_changes_and_of_nothing_else() {
        let live = live(&[]);
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        live.subscribe(Box::new(move |old, new| {
            log.lock().push((old.connections.max_connections, new.connections.max_connections));
        }));
        live.apply([], [("max.connections", "5")]).unwrap();
        live.apply([], [("max.connections", "5")]).unwrap();
        assert_eq!(*heard.lock(), [(2_147_483_647, 5)]);
    }

    #[test]
    fn what_cannot_be_dynamic_is_left_out_and_a_contradiction_changes_nothing() {
        let live = live(&[]);
        let odd = [("num.partitions", "7"), ("max.connections", "x"), ("listeners", "A://:1")];
        live.apply([], odd).unwrap();
        assert_eq!(live.load().topics.num_partitions, 1);
        assert_eq!(live.load().listeners.bound[0].name, "PLAINTEXT");
        assert!(live.apply([], [("log.retention.ms", "0")]).is_err());
        assert_eq!(live.load().log.retention_ms, 7 * 24 * 3_600_000);
    }
}
