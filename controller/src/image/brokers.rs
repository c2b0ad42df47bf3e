//! The registered brokers.

use std::sync::Arc;

use imbl::OrdMap;
use protocol_codec::Uuid;

use super::ApplyError;
use crate::record::BrokerRegistrationChange;

/// All brokers that are registered, fenced or not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BrokersImage {
    by_id: OrdMap<i32, Arc<BrokerRegistration>>,
}

/// One broker, as it registered itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerRegistration {
    pub id: i32,
    /// Rises with every registration; requests that carry an older one are stale.
    pub epoch: i64,
    /// Drawn anew each time the broker's process starts.
    pub incarnation_id: Uuid,
    pub endpoints: Vec<BrokerEndpoint>,
    pub features: Vec<BrokerFeature>,
    pub rack: Option<Arc<str>>,
    /// A fenced broker is not shown to clients, leads nothing and gets no new leaders.
    pub fenced: bool,
    pub in_controlled_shutdown: bool,
    /// The ids of its online log directories.
    pub log_dirs: Vec<Uuid>,
}

/// An address under which a broker is reached, one for each listener.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerEndpoint {
    /// The listener's name.
    pub name: Arc<str>,
    pub host: Arc<str>,
    pub port: u16,
    /// Kafka's number: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// The levels of a feature that a broker can work with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerFeature {
    pub name: Arc<str>,
    pub min_supported: i16,
    pub max_supported: i16,
}

impl BrokerRegistration {
    /// The endpoint of a listener.
    pub fn endpoint(&self, listener: &str) -> Option<&BrokerEndpoint> {
        self.endpoints.iter().find(|endpoint| &*endpoint.name == listener)
    }

    /// Whether it may lead and take new partitions.
    pub fn is_active(&self) -> bool {
        !self.fenced && !self.in_controlled_shutdown
    }
}

impl BrokersImage {
    /// The broker of this id.
    pub fn get(&self, broker_id: i32) -> Option<&Arc<BrokerRegistration>> {
        self.by_id.get(&broker_id)
    }

    /// All registered brokers by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<BrokerRegistration>> {
        self.by_id.values()
    }

    /// The brokers that clients are told of.
    pub fn unfenced(&self) -> impl Iterator<Item = &Arc<BrokerRegistration>> {
        self.iter().filter(|broker| !broker.fenced)
    }

    /// Whether this broker may lead and take new partitions.
    pub fn is_active(&self, broker_id: i32) -> bool {
        self.get(broker_id).is_some_and(|broker| broker.is_active())
    }

    /// How many brokers are registered.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether no broker is registered.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(crate) fn diff<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = imbl::ordmap::DiffItem<'a, 'a, i32, Arc<BrokerRegistration>>> {
        self.by_id.diff(&other.by_id)
    }

    pub(super) fn register(&mut self, registration: &BrokerRegistration) {
        self.by_id.insert(registration.id, Arc::new(registration.clone()));
    }

    pub(super) fn unregister(&mut self, broker_id: i32, epoch: i64) -> Result<(), ApplyError> {
        self.checked(broker_id, epoch)?;
        self.by_id.remove(&broker_id);
        Ok(())
    }

    pub(super) fn change(&mut self, change: &BrokerRegistrationChange) -> Result<(), ApplyError> {
        let registration = Arc::make_mut(self.checked(change.broker_id, change.broker_epoch)?);
        if let Some(fenced) = change.fenced {
            registration.fenced = fenced;
        }
        if let Some(in_controlled_shutdown) = change.in_controlled_shutdown {
            registration.in_controlled_shutdown = in_controlled_shutdown;
        }
        if let Some(log_dirs) = &change.log_dirs {
            registration.log_dirs.clone_from(log_dirs);
        }
        Ok(())
    }

    fn checked(
        &mut self,
        broker_id: i32,
        epoch: i64,
    ) -> Result<&mut Arc<BrokerRegistration>, ApplyError> {
        match self.by_id.get_mut(&broker_id) {
            Some(registration) if registration.epoch == epoch => Ok(registration),
            Some(_) | None => Err(ApplyError::UnknownBroker { broker_id, epoch }),
        }
    }
}
