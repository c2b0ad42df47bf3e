//! Dynamic configs: what was set by a request, never defaults or what a properties file says.

use std::sync::Arc;

use imbl::OrdMap;

/// What kind of thing a config belongs to; the numbers are Kafka's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum ConfigResourceType {
    Topic = 2,
    Broker = 4,
    ClientMetrics = 16,
    Group = 32,
}

/// A thing that has configs. The broker resource with the empty name is the default of all brokers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigResource {
    pub kind: ConfigResourceType,
    pub name: Arc<str>,
}

/// The configs of one resource, by name.
pub type ResourceConfigs = OrdMap<Arc<str>, Arc<str>>;

/// The dynamic configs of all resources. A resource without configs is not in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigsImage {
    by_resource: OrdMap<ConfigResource, ResourceConfigs>,
}

impl ConfigResourceType {
    /// The type of Kafka's number, if it is one that is stored.
    pub fn from_code(code: i8) -> Option<Self> {
        match code {
            2 => Some(ConfigResourceType::Topic),
            4 => Some(ConfigResourceType::Broker),
            16 => Some(ConfigResourceType::ClientMetrics),
            32 => Some(ConfigResourceType::Group),
            _ => None,
        }
    }

    /// Kafka's number.
    pub fn code(self) -> i8 {
        self as i8
    }
}

impl ConfigResource {
    pub fn new(kind: ConfigResourceType, name: impl Into<Arc<str>>) -> Self {
        ConfigResource { kind, name: name.into() }
    }

    pub fn topic(name: impl Into<Arc<str>>) -> Self {
        Self::new(ConfigResourceType::Topic, name)
    }

    /// One broker.
    pub fn broker(broker_id: i32) -> Self {
        Self::new(ConfigResourceType::Broker, broker_id.to_string())
    }

    /// The default of all brokers.
    pub fn default_broker() -> Self {
        Self::new(ConfigResourceType::Broker, "")
    }
}

impl ConfigsImage {
    /// The configs of a resource, if it has any.
    pub fn of(&self, resource: &ConfigResource) -> Option<&ResourceConfigs> {
        self.by_resource.get(resource)
    }

    /// One config of a resource.
    pub fn value(&self, resource: &ConfigResource, name: &str) -> Option<&Arc<str>> {
        self.of(resource)?.get(name)
    }

    /// All resources that have configs, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ConfigResource, &ResourceConfigs)> {
        self.by_resource.iter()
    }

    pub(crate) fn diff<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = imbl::ordmap::DiffItem<'a, 'a, ConfigResource, ResourceConfigs>> {
        self.by_resource.diff(&other.by_resource)
    }

    pub(super) fn set(&mut self, resource: &ConfigResource, name: &Arc<str>, value: &Arc<str>) {
        self.by_resource.entry(resource.clone()).or_default().insert(name.clone(), value.clone());
    }

    pub(super) fn remove(&mut self, resource: &ConfigResource, name: &str) {
        let Some(configs) = self.by_resource.get_mut(resource) else { return };
        configs.remove(name);
        if configs.is_empty() {
            self.by_resource.remove(resource);
        }
    }

    pub(super) fn remove_all(&mut self, resource: &ConfigResource) {
        self.by_resource.remove(resource);
    }
}
