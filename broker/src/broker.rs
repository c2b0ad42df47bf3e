//! The broker's context: what every handler is given.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arc_swap::Guard;
use controller::{ControllerHandle, MetadataImage};
use protocol_codec::StrBytes;
use storage::LogManager;

use crate::auto_topics::AutoTopics;
use crate::config::{BrokerConfig, LiveConfig};
use crate::context::RequestContext;
use crate::group::GroupCoordinator;
use crate::logging::LogLevels;
use crate::metrics::Metrics;
use crate::net::NetContext;
use crate::producer_ids::ProducerIds;
use crate::quota::{Quota, Unlimited};
use crate::replication::ReplicaManager;
use crate::replication::fetch_session::FetchSessionCache;
use crate::security::{AllowAll, Authorizer, Decision, Operation, Resource};

/// One running broker. Handlers borrow it; it lives as long as the process serves.
#[derive(Debug)]
pub struct Broker {
    parts: Parts,
    fetch_sessions: FetchSessionCache,
}

/// What a broker is put together from, see [`crate::run`].
#[derive(Debug)]
pub struct Parts {
    pub node_id: i32,
    pub net: NetContext,
    pub clock: Clock,
    pub config: Arc<LiveConfig>,
    pub controller: ControllerHandle,
    pub replicas: Arc<ReplicaManager>,
    pub groups: GroupCoordinator,
    pub auto_topics: AutoTopics,
    pub producer_ids: ProducerIds,
    pub log_levels: LogLevels,
    pub metrics: Arc<Metrics>,
    pub guards: Guards,
}

/// Who is asked about every request.
#[derive(Clone, Debug)]
pub struct Guards {
    pub authorizer: Arc<dyn Authorizer>,
    pub quota: Arc<dyn Quota>,
}

impl Default for Guards {
    fn default() -> Self {
        Self { authorizer: Arc::new(AllowAll), quota: Arc::new(Unlimited) }
    }
}

/// The only clock of the request path.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

/// Where clients reach a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeAddress {
    pub host: StrBytes,
    pub port: i32,
    pub rack: Option<StrBytes>,
}

impl Broker {
    pub fn new(parts: Parts) -> Self {
        let slots = parts.config.load().fetch.max_incremental_fetch_session_cache_slots;
        Self { parts, fetch_sessions: FetchSessionCache::new(slots) }
    }

    pub fn node_id(&self) -> i32 {
        self.parts.node_id
    }

    pub fn net(&self) -> &NetContext {
        &self.parts.net
    }

    pub fn clock(&self) -> Clock {
        self.parts.clock
    }

    /// The configuration in force. Keep it for one request at most.
    pub fn config(&self) -> Guard<Arc<BrokerConfig>> {
        self.parts.config.load()
    }

    pub fn live_config(&self) -> &Arc<LiveConfig> {
        &self.parts.config
    }

    pub fn controller(&self) -> &ControllerHandle {
        &self.parts.controller
    }

    /// What is known of the cluster now. Hold on to one image for the whole of a request.
    pub fn image(&self) -> Arc<MetadataImage> {
        self.parts.controller.image()
    }

    pub fn replicas(&self) -> &ReplicaManager {
        &self.parts.replicas
    }

    pub fn log_manager(&self) -> &LogManager {
        self.parts.replicas.logs()
    }

    pub fn groups(&self) -> &GroupCoordinator {
        &self.parts.groups
    }

    pub fn auto_topics(&self) -> &AutoTopics {
        &self.parts.auto_topics
    }

    pub fn producer_ids(&self) -> &ProducerIds {
        &self.parts.producer_ids
    }

    pub fn log_levels(&self) -> &LogLevels {
        &self.parts.log_levels
    }

    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.parts.metrics
    }

    pub fn quota(&self) -> &dyn Quota {
        &*self.parts.guards.quota
    }

    /// Whether who sends this request may do this.
    pub fn allows(
        &self,
        context: &RequestContext,
        operation: Operation,
        resource: Resource<'_>,
    ) -> bool {
        let authorizer = &self.parts.guards.authorizer;
        authorizer.authorize(&context.connection, operation, resource) == Decision::Allowed
    }

    pub fn fetch_sessions(&self) -> &FetchSessionCache {
        &self.fetch_sessions
    }

    /// The address of a broker, for a client that came by the listener of this name.
    pub fn endpoint(&self, broker_id: i32, listener: &str) -> Option<NodeAddress> {
        endpoint(&self.image(), broker_id, listener)
    }
}

/// The address of a broker on a listener, if it is registered, not fenced, and has that listener.
pub fn endpoint(image: &MetadataImage, broker_id: i32, listener: &str) -> Option<NodeAddress> {
    let broker = image.brokers.get(broker_id).filter(|broker| !broker.fenced)?;
    let endpoint = broker.endpoint(listener)?;
    Some(NodeAddress {
        host: StrBytes::from(&*endpoint.host),
        port: i32::from(endpoint.port),
        rack: broker.rack.as_deref().map(StrBytes::from),
    })
}

impl Clock {
    pub fn new() -> Self {
        Self { started: Instant::now() }
    }

    /// Milliseconds since 1970: for timestamps that others see.
    pub fn wall_ms(self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    /// Milliseconds since the start: for timeouts, because it never jumps.
    pub fn monotonic_ms(self) -> i64 {
        i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// When the process began to serve.
    pub fn started(self) -> Instant {
        self.started
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}
