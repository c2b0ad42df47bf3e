//! Starting a node: see [`super`] for the order.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use controller::command::{Command, Outcome, RegisterBroker};
use controller::image::brokers::{BrokerEndpoint, BrokerFeature};
use controller::raft::sled_store::SledStore;
use controller::raft::store::StoreError;
use controller::state::features;
use controller::{ApiError, ControllerError, ControllerHandle, ControllerNode};
use storage::fs::{Fs, RealFs};
use storage::log_manager::OpenError;
use storage::{
    CleanerClock, DataDirs, DataDirsError, LogManager, RecoveryReport, Scrubber, TickReport,
    TopicPartition,
};
use tokio::sync::watch;

use super::follow::Follower;
use super::gauges::BrokerGauges;
use super::settings;
use crate::auto_topics::AutoTopics;
use crate::broker::{Broker, Clock, Guards, Parts};
use crate::config::{BrokerConfig, LiveConfig};
use crate::group::event::Now;
use crate::group::{GroupConfig, GroupCoordinator};
use crate::import;
use crate::logging::{self, LogLevels};
use crate::metrics::{self, Metrics};
use crate::net::NetContext;
use crate::net::listener::{BindError, Listener};
use crate::net::quota::ConnectionQuota;
use crate::producer_ids::ProducerIds;
use crate::replication::ReplicaManager;
use crate::replication::offsets_log::ReplicaOffsetsLog;

/// How often a start says how far its recovery has come.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// Kafka's number for PLAINTEXT.
const PLAINTEXT: i16 = 0;

/// Why a node does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot start the runtime: {0}")]
    Runtime(io::Error),
    #[error(transparent)]
    DataDirs(#[from] DataDirsError),
    #[error(transparent)]
    KafkaHasRun(#[from] import::WitnessError),
    #[error(transparent)]
    Logs(#[from] OpenError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("cannot open the metadata in {}: {error}", dir.display())]
    MetadataStore { dir: PathBuf, error: StoreError },
    #[error(transparent)]
    Controller(#[from] controller::StartError),
    #[error("the metadata refuses this broker: {0}")]
    Refused(ApiError),
    #[error(transparent)]
    Command(#[from] ControllerError),
    #[error("cannot start a thread: {0}")]
    Thread(io::Error),
    #[error("cannot find a random id: {0}")]
    Random(io::Error),
    #[error("barnabas.http.listeners: cannot listen on {address}: {error}")]
    Metrics { address: String, error: io::Error },
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    /// The node ran and cannot go on.
    #[error("{0}")]
    Failed(String),
}

/// A node that serves.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) broker: Arc<Broker>,
    pub(super) logs: Arc<LogManager>,
    pub(super) scrubber: Scrubber,
    pub(super) broker_epoch: i64,
    pub(super) accepting: Vec<tokio::task::JoinHandle<()>>,
    pub(super) signals: super::shutdown::Signals,
    /// True once no log directory is left.
    pub(super) all_offline: watch::Receiver<bool>,
}

pub(super) async fn start(
    config: BrokerConfig,
    log_levels: LogLevels,
    guards: Guards,
    started: Instant,
) -> Result<Node, StartError> {
    let signals = super::shutdown::Signals::new().map_err(StartError::Signals)?;
    let clock = Clock::new();
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let data_dirs = DataDirs::open(&settings::data_dirs(&config), &*fs)?;
    import::kafka_has_not_run_since(&*fs, &data_dirs.metadata_dir)?;
    let cluster_id = data_dirs.cluster_id.clone();
    let metadata_dir = data_dirs.metadata_dir.clone();
    let was_unclean = !data_dirs.was_clean_shutdown();
    let listeners = bind(&config)?;
    let (logs, report) = open_logs(&config, data_dirs, fs, clock)?;
    let logs = Arc::new(logs);

    let node_id = config.node_id;
    let config = Arc::new(LiveConfig::new(config));
    let replicas = Arc::new(ReplicaManager::new(node_id, logs.clone(), report.may_miss_logs));
    let groups = group_coordinator(&config, &replicas, clock);
    let follower = Follower {
        node_id,
        config: config.clone(),
        replicas: replicas.clone(),
        groups: groups.clone(),
        clock,
    };
    let controller = start_controller(metadata_dir, &cluster_id, &config, follower)?;
    controller.ready().await?;
    report_strays(&logs, &controller);
    let endpoints = endpoints(&config.load(), &listeners);
    let registration = RegisterBroker {
        broker_id: node_id,
        cluster_id: Some(cluster_id.as_str().into()),
        incarnation_id: storage::random_id::random_uuid().map_err(StartError::Random)?,
        endpoints: endpoints.clone(),
        features: supported_features(),
        rack: config.load().rack.as_deref().map(Into::into),
        log_dirs: logs.online_directory_ids(),
    };
    let broker_epoch = register(&controller, registration, was_unclean).await?;

    report_directories(&replicas, &controller, node_id, broker_epoch);
    let producer_ids = ProducerIds::new(node_id, controller.clone());
    producer_ids.set_broker_epoch(broker_epoch);
    let net = net_context(&config);
    let auto_topics = AutoTopics::new(controller.clone(), config.clone());
    let broker = Arc::new(Broker::new(Parts {
        node_id,
        net,
        clock,
        config,
        controller,
        replicas,
        groups,
        auto_topics,
        producer_ids,
        log_levels,
        metrics: Arc::new(Metrics::new()),
        guards,
    }));
    broker.metrics().register(Arc::new(BrokerGauges::new(&broker)));
    serve_metrics(&broker).await?;
    follow_settings(&broker);
    start_cleaner(&broker, &logs)?;
    tokio::spawn(broker.groups().clone().run());
    let all_offline = start_ticking(&logs, clock)?;
    let scrub = settings::scrub(&broker.config());
    let scrubber = Scrubber::start(&logs, scrub).map_err(StartError::Thread)?;
    let accepting = listeners.into_iter().flat_map(|listener| listener.serve(&broker)).collect();
    logging::announce_ready(node_id);
    say_ready(&broker, &report, &endpoints, started);
    Ok(Node { broker, logs, scrubber, broker_epoch, accepting, signals, all_offline })
}

/// Starts this node's part of the metadata quorum, of which it is the only voter.
fn start_controller(
    metadata_dir: PathBuf,
    cluster_id: &str,
    config: &Arc<LiveConfig>,
    follower: Follower,
) -> Result<ControllerHandle, StartError> {
    let store = SledStore::open(&metadata_dir)
        .map_err(|error| StartError::MetadataStore { dir: metadata_dir, error })?;
    let controller = ControllerNode::start(
        settings::controller(&config.load(), cluster_id),
        Box::new(store),
        config.clone(),
        Box::new(move |delta, image| follower.follow(delta, image)),
    )?;
    Ok(controller)
}

fn bind(config: &BrokerConfig) -> Result<Vec<Listener>, StartError> {
    let backlog = config.network.socket_listen_backlog_size;
    let mut listeners = Vec::new();
    for endpoint in &config.listeners.bound {
        let listener = Listener::bind(&endpoint.name, &endpoint.host, endpoint.port, backlog)?;
        let is_local = listener.addresses().iter().all(|address| address.ip().is_loopback());
        if !is_local {
            tracing::warn!(
                listener = %endpoint,
                "This listener is PLAINTEXT and open to other machines: anybody who reaches it can \
                 read and write everything"
            );
        }
        listeners.push(listener);
    }
    Ok(listeners)
}

fn open_logs(
    config: &BrokerConfig,
    data_dirs: DataDirs,
    fs: Arc<dyn Fs>,
    clock: Clock,
) -> Result<(LogManager, RecoveryReport), StartError> {
    let now_ms = clock.wall_ms();
    let said = parking_lot::Mutex::new(Instant::now());
    let opened =
        LogManager::open(settings::log_manager(config), data_dirs, fs, now_ms, &|progress| {
            let mut said = said.lock();
            let is_last = progress.done == progress.total;
            if progress.recovering && (is_last || said.elapsed() >= PROGRESS_INTERVAL) {
                *said = Instant::now();
                tracing::info!(
                    partition = %progress.partition, dir = %progress.dir.display(),
                    "Recovered log {} of {}", progress.done, progress.total
                );
            }
        });
    let (logs, report) = opened?;
    for (dir, reason) in &report.offline {
        tracing::error!(dir = %dir.display(), "Log directory is offline: {reason}");
    }
    for (partition, failed) in &report.failed {
        tracing::error!(%partition, path = %failed.path.display(), "Log is offline: {}", failed.reason);
    }
    for folder in &report.unknown_folders {
        tracing::warn!(path = %folder.display(), "This folder is no partition's and is left alone");
    }
    Ok((logs, report))
}

fn group_coordinator(
    config: &Arc<LiveConfig>,
    replicas: &Arc<ReplicaManager>,
    clock: Clock,
) -> GroupCoordinator {
    let log = ReplicaOffsetsLog::new(replicas.clone(), config.clone(), clock);
    let now = move || Now { ms: clock.monotonic_ms(), wall_ms: clock.wall_ms() };
    GroupCoordinator::new(GroupConfig::new(&config.load()), Arc::new(log), Arc::new(now))
}

/// Has the controller told, from now on, in which directory each replica lies.
fn report_directories(
    replicas: &Arc<ReplicaManager>,
    controller: &ControllerHandle,
    node_id: i32,
    broker_epoch: i64,
) {
    let (replicas, controller) = (replicas.clone(), controller.clone());
    tokio::spawn(async move {
        replicas.assignments().run(controller, node_id, broker_epoch).await;
    });
}

/// Says which logs no topic knows of: their topics were deleted while this node was down.
fn report_strays(logs: &LogManager, controller: &ControllerHandle) {
    let image = controller.image();
    let is_known = |partition: &TopicPartition, id: Option<protocol_codec::Uuid>| {
        let topic = image.topics.by_name(&partition.topic);
        topic.is_some_and(|topic| id.is_none_or(|id| id == topic.id))
    };
    for stray in logs.strays(is_known) {
        tracing::warn!(
            partition = %stray.partition, path = %stray.path.display(),
            "No topic knows of this log: it is kept and not served"
        );
    }
}

fn endpoints(config: &BrokerConfig, listeners: &[Listener]) -> Vec<BrokerEndpoint> {
    let port = |name: &str| listeners.iter().find(|l| &*l.name == name).map(|l| l.port);
    let advertised = config.listeners.advertised_as_bound(port);
    let endpoint = |endpoint: crate::config::Endpoint| BrokerEndpoint {
        name: endpoint.name.into(),
        host: endpoint.host.into(),
        port: endpoint.port,
        security_protocol: PLAINTEXT,
    };
    advertised.into_iter().map(endpoint).collect()
}

fn supported_features() -> Vec<BrokerFeature> {
    let feature = |feature: &features::SupportedFeature| BrokerFeature {
        name: feature.name.into(),
        min_supported: feature.min,
        max_supported: feature.max,
    };
    features::SUPPORTED.iter().map(feature).collect()
}

/// Registers this broker and has it unfenced. After an unclean stop the epochs of all partitions
/// that it leads rise first, so that consumers which read what a power cut took back find out.
async fn register(
    controller: &ControllerHandle,
    registration: RegisterBroker,
    was_unclean: bool,
) -> Result<i64, StartError> {
    let broker_id = registration.broker_id;
    let outcome = controller.submit(Command::RegisterBroker(registration)).await?;
    let Outcome::RegisterBroker(Ok(broker_epoch)) = outcome else {
        return Err(refused(outcome));
    };
    if was_unclean {
        let bump = Command::BumpLeaderEpochs { broker_id, broker_epoch };
        match controller.submit(bump).await? {
            Outcome::BumpLeaderEpochs(Ok(count)) => tracing::info!(
                partitions = count,
                "The last stop was not clean: leader epochs are raised"
            ),
            outcome => return Err(refused(outcome)),
        }
    }
    match controller.submit(Command::UnfenceBroker { broker_id, broker_epoch }).await? {
        Outcome::UnfenceBroker(Ok(())) => Ok(broker_epoch),
        outcome => Err(refused(outcome)),
    }
}

fn refused(outcome: Outcome) -> StartError {
    match outcome {
        Outcome::RegisterBroker(Err(error)) => StartError::Refused(error),
        Outcome::BumpLeaderEpochs(Err(error)) => StartError::Refused(error),
        Outcome::UnfenceBroker(Err(error)) => StartError::Refused(error),
        other => StartError::Failed(format!("unexpected answer of the controller: {other:?}")),
    }
}

fn net_context(config: &LiveConfig) -> NetContext {
    let config = config.load();
    let quota = ConnectionQuota::new(settings::connection_limits(&config));
    NetContext::new(settings::net(&config), settings::budget(&config), quota)
}

/// Opens the listeners for `/metrics`, if any are configured.
async fn serve_metrics(broker: &Broker) -> Result<(), StartError> {
    let addresses = broker.config().observe.http_listeners.clone();
    for address in addresses {
        let bound = tokio::net::TcpListener::bind(&address).await;
        let listener = bound.map_err(|error| StartError::Metrics { address, error })?;
        tokio::spawn(metrics::http::serve(listener, broker.metrics().clone()));
    }
    Ok(())
}

/// Has the network follow dynamic changes of its settings.
fn follow_settings(broker: &Arc<Broker>) {
    let weak = Arc::downgrade(broker);
    broker.live_config().subscribe(Box::new(move |old, new| {
        let Some(broker) = weak.upgrade() else { return };
        broker.net().set_settings(settings::net(new));
        if old.connections != new.connections {
            broker.net().quota.set_limits(settings::connection_limits(new));
        }
    }));
}

/// The broker's clock, for the cleaners.
struct CleanerTime(Clock);

impl CleanerClock for CleanerTime {
    fn wall_ms(&self) -> i64 {
        self.0.wall_ms()
    }

    fn monotonic_ms(&self) -> i64 {
        self.0.monotonic_ms()
    }
}

/// Starts compaction, and has it follow dynamic changes of its settings.
fn start_cleaner(broker: &Arc<Broker>, logs: &Arc<LogManager>) -> Result<(), StartError> {
    let clock: Arc<dyn CleanerClock> = Arc::new(CleanerTime(broker.clock()));
    let config = Arc::clone(broker.live_config());
    let settings = move || config.load().storage.cleaner.clone();
    logs.start_cleaner(settings(), Arc::clone(&clock)).map_err(StartError::Thread)?;
    let logs = Arc::downgrade(logs);
    let settings = Arc::new(settings);
    broker.live_config().subscribe(Box::new(move |old, new| {
        if old.storage.cleaner == new.storage.cleaner {
            return;
        }
        let (logs, clock, settings) = (logs.clone(), Arc::clone(&clock), Arc::clone(&settings));
        // It waits for the threads, and the metadata must not wait for it.
        let followed =
            thread::Builder::new().name("log-cleaner-settings".to_owned()).spawn(move || {
                let Some(logs) = logs.upgrade() else { return };
                if let Err(error) = logs.reconfigure_cleaner(&*settings, clock) {
                    tracing::error!(%error, "Cannot start the log cleaner with its new settings");
                }
            });
        if let Err(error) = followed {
            tracing::error!(%error, "Cannot give the log cleaner its new settings");
        }
    }));
    Ok(())
}

fn start_ticking(
    logs: &Arc<LogManager>,
    clock: Clock,
) -> Result<watch::Receiver<bool>, StartError> {
    let (sender, receiver) = watch::channel(false);
    let on_report = move |report: TickReport| {
        for (dir, reason) in &report.newly_offline {
            tracing::error!(dir = %dir.display(), "Log directory is offline: {reason}");
        }
        if report.all_offline {
            sender.send_replace(true);
        }
    };
    logs.start_ticking(move || clock.wall_ms(), on_report).map_err(StartError::Thread)?;
    Ok(receiver)
}

/// The last line of a start.
fn say_ready(
    broker: &Broker,
    report: &RecoveryReport,
    endpoints: &[BrokerEndpoint],
    started: Instant,
) {
    let config = broker.config();
    let at = |e: &BrokerEndpoint| format!("{}:{}", e.host, e.port);
    let addresses: Vec<String> = endpoints.iter().map(at).collect();
    let dirs: Vec<String> =
        config.storage.log_dirs.iter().map(|dir| dir.display().to_string()).collect();
    let bootstrap = addresses.first().cloned().unwrap_or_default();
    tracing::info!(
        "Ready in {} ms: listening on {}, data in {} ({} logs). Try: \
         kafka-console-producer.sh --bootstrap-server {bootstrap} --topic greetings",
        started.elapsed().as_millis(),
        addresses.join(", "),
        dirs.join(", "),
        report.logs,
    );
}
