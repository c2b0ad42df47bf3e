//! Who may do what: access control entries, SCRAM credentials, delegation tokens.
//!
//! Numbers are Kafka's own codes: nothing here acts on them, so nothing here can misread them.

use std::fmt;
use std::sync::Arc;

use imbl::OrdMap;
use protocol_codec::Uuid;

use super::ApplyError;

/// An access control entry, as in Kafka's `AccessControlEntryRecord`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessControlEntry {
    pub id: Uuid,
    pub resource_type: i8,
    pub resource_name: Arc<str>,
    pub pattern_type: i8,
    pub principal: Arc<str>,
    pub host: Arc<str>,
    pub operation: i8,
    pub permission_type: i8,
}

/// What a user proves to know a password by (RFC 5802). There is one for each mechanism.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredential {
    pub user: Arc<str>,
    /// 1: SCRAM-SHA-256, 2: SCRAM-SHA-512.
    pub mechanism: i8,
    pub salt: Vec<u8>,
    pub stored_key: Vec<u8>,
    pub server_key: Vec<u8>,
    pub iterations: i32,
}

/// A delegation token. Its secret is not stored: it follows from the id and the cluster's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationToken {
    pub token_id: Arc<str>,
    pub owner: Arc<str>,
    pub requester: Arc<str>,
    pub renewers: Vec<Arc<str>>,
    pub issue_timestamp_ms: i64,
    pub max_timestamp_ms: i64,
    pub expiration_timestamp_ms: i64,
}

/// All access control entries by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AclsImage {
    by_id: OrdMap<Uuid, Arc<AccessControlEntry>>,
}

/// All SCRAM credentials by user and mechanism.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScramImage {
    by_user: OrdMap<(Arc<str>, i8), Arc<ScramCredential>>,
}

/// All delegation tokens by id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DelegationTokensImage {
    by_id: OrdMap<Arc<str>, Arc<DelegationToken>>,
}

/// Keys stay out of logs.
impl fmt::Debug for ScramCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramCredential")
            .field("user", &self.user)
            .field("mechanism", &self.mechanism)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

impl AclsImage {
    /// All entries, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<AccessControlEntry>> {
        self.by_id.values()
    }

    pub(super) fn set(&mut self, entry: &AccessControlEntry) {
        self.by_id.insert(entry.id, Arc::new(entry.clone()));
    }

    pub(super) fn remove(&mut self, id: &Uuid) -> Result<(), ApplyError> {
        self.by_id.remove(id).map(drop).ok_or(ApplyError::UnknownAcl(*id))
    }
}

impl ScramImage {
    /// All credentials, by user and mechanism.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ScramCredential>> {
        self.by_user.values()
    }

    pub(super) fn set(&mut self, credential: &ScramCredential) {
        let key = (credential.user.clone(), credential.mechanism);
        self.by_user.insert(key, Arc::new(credential.clone()));
    }

    /// Removing what is not there changes nothing, as in Kafka.
    pub(super) fn remove(&mut self, user: &Arc<str>, mechanism: i8) {
        self.by_user.remove(&(user.clone(), mechanism));
    }
}

impl DelegationTokensImage {
    /// All tokens, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<DelegationToken>> {
        self.by_id.values()
    }

    pub(super) fn set(&mut self, token: &DelegationToken) {
        self.by_id.insert(token.token_id.clone(), Arc::new(token.clone()));
    }

    /// Removing what is not there changes nothing, as in Kafka.
    pub(super) fn remove(&mut self, token_id: &Arc<str>) {
        self.by_id.remove(token_id);
    }
}
