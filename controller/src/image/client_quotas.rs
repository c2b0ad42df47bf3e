//! Quotas of clients: by user, client id, address, or a combination of them.

use std::sync::Arc;

use imbl::OrdMap;

/// Whom a quota is for: pairs of a type (`user`, `client-id`, `ip`) and a name, sorted by type. A
/// pair without a name stands for all that have no quota of their own.
pub type QuotaEntity = Vec<(Arc<str>, Option<Arc<str>>)>;

/// The quotas of one entity, by key, such as `producer_byte_rate`.
pub type Quotas = OrdMap<Arc<str>, f64>;

/// All quotas. An entity without any is not in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientQuotasImage {
    by_entity: OrdMap<QuotaEntity, Quotas>,
}

impl ClientQuotasImage {
    /// All entities that have quotas, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&QuotaEntity, &Quotas)> {
        self.by_entity.iter()
    }

    /// Removing what is not there changes nothing, as in Kafka.
    pub(super) fn set(&mut self, entity: &QuotaEntity, key: &Arc<str>, value: Option<f64>) {
        let mut quotas = self.by_entity.get(entity).cloned().unwrap_or_default();
        match value {
            Some(value) => quotas.insert(key.clone(), value),
            None => quotas.remove(key),
        };
        if quotas.is_empty() {
            self.by_entity.remove(entity);
        } else {
            self.by_entity.insert(entity.clone(), quotas);
        }
    }
}
