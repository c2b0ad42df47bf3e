//! What a handler knows of the request it answers, besides the request itself.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use protocol_codec::{ApiKey, StrBytes};

/// One request: its header and the connection it came by.
#[derive(Clone, Debug)]
pub struct RequestContext {
    pub api_key: ApiKey,
    pub api_version: i16,
    pub correlation_id: i32,
    pub client_id: Option<StrBytes>,
    pub connection: Arc<ConnectionInfo>,
    pub received: Instant,
}

/// One connection.
#[derive(Debug)]
pub struct ConnectionInfo {
    /// Unique in this process.
    pub id: u64,
    /// The name of the listener that accepted it.
    pub listener: Arc<str>,
    pub peer: SocketAddr,
    pub principal: Principal,
    /// What ApiVersions said: name and version of the client's software.
    client_software: OnceLock<(StrBytes, StrBytes)>,
}

/// Who sends the requests of a connection. PLAINTEXT listeners know nobody by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Principal {
    pub kind: Arc<str>,
    pub name: Arc<str>,
}

impl RequestContext {
    /// The client id, empty if there was none.
    pub fn client_id(&self) -> StrBytes {
        self.client_id.clone().unwrap_or_default()
    }
}

impl ConnectionInfo {
    pub fn new(id: u64, listener: Arc<str>, peer: SocketAddr) -> Self {
        let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        let principal = Principal::anonymous();
        Self { id, listener, peer, principal, client_software: OnceLock::new() }
    }

    /// The peer's address as Kafka shows it to clients: `/127.0.0.1`.
    pub fn client_host(&self) -> StrBytes {
        StrBytes::from(format!("/{}", self.peer.ip()))
    }

    /// Notes what the client says it is; the first word counts.
    pub fn set_client_software(&self, name: &str, version: &str) {
        // Copies: the strings are slices of the request's frame.
        let _ = self.client_software.set((StrBytes::from(name), StrBytes::from(version)));
    }

    pub fn client_software(&self) -> Option<&(StrBytes, StrBytes)> {
        self.client_software.get()
    }
}

impl Principal {
    /// `User:ANONYMOUS`.
    pub fn anonymous() -> Self {
        Self { kind: "User".into(), name: "ANONYMOUS".into() }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.name)
    }
}
