//! How the rest of the broker talks to the controller: start it, submit commands, read the image.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot, watch};

use crate::command::{Command, Outcome};
use crate::config_rules::ConfigRules;
use crate::image::MetadataImage;
use crate::raft::driver::{self, Driver, Event};
use crate::raft::node::{Listener, Node, NodeError};
use crate::raft::store::RaftStore;

/// Commands that may be under way; more wait in [`ControllerHandle::submit`].
const COMMANDS_IN_FLIGHT_MAX: usize = 1024;

/// Room in the queue beyond the commands, for events of other kinds.
const OTHER_EVENTS_MAX: usize = 16;

/// Entries that stay in the log of a quorum after a snapshot, so that a follower that lags a little
/// need not get the whole state.
const ENTRIES_KEPT_FOR_FOLLOWERS: u64 = 1000;

/// What a node needs to know of itself and its quorum.
#[derive(Clone, Debug)]
pub struct ControllerConfig {
    /// `node.id`.
    pub node_id: i32,
    /// The node ids of all voters, this one's among them.
    pub voters: Vec<i32>,
    /// The id that a new cluster gets, and that an existing one must have.
    pub cluster_id: Option<Arc<str>>,
    /// A snapshot is taken when this many bytes of entries came after the last one.
    pub snapshot_bytes: u64,
}

impl ControllerConfig {
    /// [`ControllerConfig::snapshot_bytes`] where nothing says otherwise: replaying this much at the
    /// start takes milliseconds.
    pub const SNAPSHOT_BYTES_DEFAULT: u64 = 1024 * 1024;

    /// A node that is its own quorum.
    pub fn sole_voter(node_id: i32, cluster_id: impl Into<Arc<str>>) -> Self {
        ControllerConfig {
            node_id,
            voters: vec![node_id],
            cluster_id: Some(cluster_id.into()),
            snapshot_bytes: Self::SNAPSHOT_BYTES_DEFAULT,
        }
    }

    pub(crate) fn is_sole_voter(&self) -> bool {
        self.voters == [self.node_id]
    }

    /// How many entries stay in the log when a snapshot covers them.
    pub(crate) fn entries_kept(&self) -> u64 {
        if self.is_sole_voter() { 0 } else { ENTRIES_KEPT_FOR_FOLLOWERS }
    }
}

/// Why a controller cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{0}")]
    Node(#[from] NodeError),
    #[error("node {0} is not among the voters")]
    NotAVoter(i32),
    #[error("node id {0} is negative")]
    NegativeNodeId(i32),
    #[error("cannot start the controller's thread: {0}")]
    Thread(#[source] std::io::Error),
}

/// Why a command got no answer. [`crate::ApiError`]s are answers and come inside an [`Outcome`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControllerError {
    #[error("this node is not the controller")]
    NotController { leader: Option<i32> },
    #[error("the leadership was lost before the change was committed; it may or may not happen")]
    OutcomeUnknown,
    #[error("the disk that holds the metadata is nearly full; nothing was changed")]
    NoSpace,
    #[error("the controller has stopped: {0}")]
    Stopped(Arc<str>),
    #[error("the controller failed to decide: {0}")]
    Internal(String),
}

/// The life of a controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControllerState {
    /// Not ready yet: no leader has committed an entry of its own term.
    Starting,
    /// The image is current and commands are decided.
    Ready,
    /// Stopped as it was told to.
    Stopped,
    /// Stopped because it could not go on, for this reason.
    Failed(Arc<str>),
}

/// The quorum as a node sees it. Offsets are those of Kafka: an entry's index, and one more for an end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuorumStatus {
    pub leader: Option<i32>,
    pub leader_epoch: i32,
    pub high_watermark: i64,
    pub voters: Vec<VoterStatus>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoterStatus {
    pub node_id: i32,
    /// `None` where only the leader knows.
    pub log_end_offset: Option<i64>,
}

/// Starts controllers.
#[derive(Debug)]
pub struct ControllerNode;

/// A started controller. Clones share it; it stops when the last one is dropped.
#[derive(Clone, Debug)]
pub struct ControllerHandle {
    events: SyncSender<Event>,
    permits: Arc<Semaphore>,
    shared: Arc<Shared>,
    state: watch::Receiver<ControllerState>,
}

/// What the driver's thread shows to the handles.
#[derive(Debug)]
pub(crate) struct Shared {
    image: ArcSwap<MetadataImage>,
    quorum: Mutex<QuorumStatus>,
    state: watch::Sender<ControllerState>,
}

impl ControllerNode {
    /// Opens what the store holds and starts the node's thread. A sole voter leads at once; wait
    /// with [`ControllerHandle::ready`] before using the image.
    ///
    /// `listener` runs on the node's thread for every new image, before readers see the image and
    /// before commands are answered. Its first delta is against an empty image, so that it holds
    /// everything there is. It must not wait for a command.
    pub fn start(
        config: ControllerConfig,
        store: Box<dyn RaftStore>,
        rules: Arc<dyn ConfigRules>,
        listener: Listener,
    ) -> Result<ControllerHandle, StartError> {
        if config.node_id < 0 {
            return Err(StartError::NegativeNodeId(config.node_id));
        }
        if !config.voters.contains(&config.node_id) {
            return Err(StartError::NotAVoter(config.node_id));
        }
        let node = Node::new(config, store, rules)?;
        let (state_sender, state) = watch::channel(ControllerState::Starting);
        let shared = Arc::new(Shared {
            image: ArcSwap::from_pointee(MetadataImage::default()),
            quorum: Mutex::new(node.quorum_status()),
            state: state_sender,
        });
        let (events, receiver) = driver::queue(COMMANDS_IN_FLIGHT_MAX + OTHER_EVENTS_MAX);
        let driver =
            Driver::new(node, listener, receiver, shared.clone()).map_err(StartError::Thread)?;
        std::thread::Builder::new()
            .name("metadata".to_owned())
            .spawn(move || driver.run())
            .map_err(StartError::Thread)?;
        let permits = Arc::new(Semaphore::new(COMMANDS_IN_FLIGHT_MAX));
        Ok(ControllerHandle { events, permits, shared, state })
    }
}

impl ControllerHandle {
    /// The newest image. Empty until [`ControllerHandle::ready`] has returned once.
    pub fn image(&self) -> Arc<MetadataImage> {
        self.shared.image.load_full()
    }

    /// Decides a command and waits until it is committed, replayed and told to the listener.
    pub async fn submit(&self, command: Command) -> Result<Outcome, ControllerError> {
        // The semaphore is never closed, so there always is a permit in the end.
        let permit = self.permits.clone().acquire_owned().await.ok();
        let (sender, answer) = oneshot::channel();
        let reply = Box::new(move |result| {
            drop(permit);
            // The one who asked may have gone away meanwhile.
            let _gone = sender.send(result);
        });
        match self.events.try_send(Event::Submit { command, reply }) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                return Err(self.stopped());
            }
        }
        answer.await.unwrap_or_else(|_| Err(self.stopped()))
    }

    /// Waits until the controller decides commands and the image is current.
    pub async fn ready(&self) -> Result<Arc<MetadataImage>, ControllerError> {
        let mut state = self.state.clone();
        match state.wait_for(|state| *state != ControllerState::Starting).await.as_deref() {
            Ok(ControllerState::Ready) => Ok(self.image()),
            Ok(_) | Err(_) => Err(self.stopped()),
        }
    }

    /// Watches the controller's life: a broker whose controller has failed must stop too.
    pub fn state(&self) -> watch::Receiver<ControllerState> {
        self.state.clone()
    }

    /// The quorum, for DescribeQuorum.
    pub fn quorum_status(&self) -> QuorumStatus {
        self.shared.quorum.lock().clone()
    }

    /// Answers what has been submitted, then stops; returns when the thread has let go of the store.
    pub async fn shutdown(&self) {
        let mut state = self.state.clone();
        // A full queue cannot be: there is room beyond the commands, which have permits.
        if self.events.try_send(Event::Shutdown).is_ok() {
            let _closed = state
                .wait_for(|state| {
                    matches!(state, ControllerState::Stopped | ControllerState::Failed(_))
                })
                .await;
        }
    }

    fn stopped(&self) -> ControllerError {
        ControllerError::Stopped(match &*self.state.borrow() {
            ControllerState::Failed(reason) => reason.clone(),
            ControllerState::Starting | ControllerState::Ready | ControllerState::Stopped => {
                "it was shut down".into()
            }
        })
    }
}

impl Shared {
    pub(crate) fn publish(&self, image: Arc<MetadataImage>) {
        self.image.store(image);
    }

    pub(crate) fn set_quorum(&self, status: QuorumStatus) {
        *self.quorum.lock() = status;
    }

    pub(crate) fn set_state(&self, state: ControllerState) {
        self.state.send_if_modified(|current| {
            let changed = *current != state;
            *current = state;
            changed
        });
    }
}
