//! One raft node with its image: takes commands, messages and ticks, and turns what raft says into
//! store writes, replay and answers. It has no thread, no clock and no network, so tests and
//! simulations drive several nodes at will.
//!
//! Invariants:
//! - A command is decided on the *speculative* image, which holds everything this leader has
//!   proposed. It exists only while this node leads and an entry of its own term is applied; it is
//!   dropped with the leadership.
//! - An answer leaves after all that it was decided on is committed, replayed and told to the
//!   listener, even if the command itself logged nothing.
//! - All commands taken between two calls of [`Node::process`] share one write of the store.

use std::collections::VecDeque;
use std::sync::Arc;

use raft::eraftpb::{Entry, EntryType, Message, Snapshot};
use raft::{RawNode, StateRole};

use super::snapshot::{self, SnapshotError};
use super::store::{RaftStorage, RaftStore, SnapshotWriter, StoreError};
use crate::command::{Command, Outcome};
use crate::config_rules::ConfigRules;
use crate::delta::MetadataDelta;
use crate::handle::{ControllerConfig, ControllerError, QuorumStatus, VoterStatus};
use crate::image::{ApplyError, LogPosition, MetadataImage, apply};
use crate::record::encoding::{self, RecordError};
use crate::state::{Context, Decision, decide, features};

/// Commands that wait for a leader to become ready; more are refused.
const WAITING_COMMANDS_MAX: usize = 4096;

/// What ends a node: it must not go on with a state that is not what the log says.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("raft fails: {0}")]
    Raft(#[from] raft::Error),
    #[error("the newest snapshot cannot be used: {0}")]
    Snapshot(#[from] SnapshotError),
    #[error("entry {index} of the metadata log cannot be read: {source}")]
    Record { index: u64, source: RecordError },
    #[error("entry {index} of the metadata log contradicts what came before it: {source}")]
    Apply { index: u64, source: ApplyError },
    #[error("entry {index} of the metadata log changes the voters, which this release cannot do")]
    ConfChange { index: u64 },
    #[error(
        "the metadata belongs to the cluster {stored}, but this node is configured for {given}"
    )]
    ClusterId { stored: Arc<str>, given: Arc<str> },
    #[error(
        "the cluster has finalized {name} at level {level}, but this release supports it up to \
         level {supported}"
    )]
    Feature { name: Arc<str>, level: i16, supported: i16 },
}

/// Takes the answer to one command.
pub type Reply = Box<dyn FnOnce(Result<Outcome, ControllerError>) + Send>;

/// Is told of each new image before anyone can see it. Gets what changed, then the image.
pub type Listener = Box<dyn FnMut(&MetadataDelta, &Arc<MetadataImage>) + Send>;

/// One member of the quorum.
pub struct Node {
    config: ControllerConfig,
    rules: Arc<dyn ConfigRules>,
    raw: RawNode<RaftStorage>,
    image: MetadataImage,
    published: Arc<MetadataImage>,
    /// Some while this node leads and may decide.
    speculative: Option<MetadataImage>,
    proposals: VecDeque<Proposal>,
    /// Commands that came while this node was about to lead.
    waiting: VecDeque<(Command, u128, Reply)>,
    /// The term in which this node leads, 0 when it does not.
    leader_term: u64,
    bytes_since_snapshot: u64,
    /// The size of the last snapshot.
    snapshot_bytes: u64,
    outgoing: Vec<Message>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("config", &self.config)
            .field("last_applied", &self.image.last_applied)
            .field("ready", &self.is_ready())
            .finish_non_exhaustive()
    }
}

/// An answer that waits for its entry, or for the entries it was decided on.
struct Proposal {
    at: LogPosition,
    outcome: Outcome,
    reply: Reply,
}

impl Node {
    /// A node that goes on where its store ends.
    pub fn new(
        config: ControllerConfig,
        mut store: Box<dyn RaftStore>,
        rules: Arc<dyn ConfigRules>,
    ) -> Result<Node, NodeError> {
        let mut snapshot_bytes = 0;
        let mut image = MetadataImage::default();
        if let Some((at, bytes)) = store.read_snapshot()? {
            image = snapshot::decode(&bytes)?;
            snapshot_bytes = bytes.len() as u64;
            // The stop may have come between the snapshot and this.
            store.compact(at, config.entries_kept())?;
        }
        let raft_config = raft::Config {
            id: raft_id(config.node_id),
            election_tick: ELECTION_TICKS,
            heartbeat_tick: HEARTBEAT_TICKS,
            applied: image.last_applied.index,
            max_size_per_msg: MESSAGE_BYTES_MAX,
            max_inflight_msgs: MESSAGES_IN_FLIGHT_MAX,
            check_quorum: true,
            pre_vote: true,
            ..raft::Config::default()
        };
        let voters = config.voters.iter().map(|id| raft_id(*id)).collect();
        let storage = RaftStorage::new(store, voters, image.last_applied.index);
        let logger = slog::Logger::root(slog::Discard, slog::o!());
        let raw = RawNode::new(&raft_config, storage, &logger)?;
        Ok(Node {
            config,
            rules,
            raw,
            image,
            published: Arc::new(MetadataImage::default()),
            speculative: None,
            proposals: VecDeque::new(),
            waiting: VecDeque::new(),
            leader_term: 0,
            bytes_since_snapshot: 0,
            snapshot_bytes,
            outgoing: Vec::new(),
        })
    }

    /// Whether this node is the only voter: it needs no ticks and no election timeout.
    pub fn is_sole_voter(&self) -> bool {
        self.config.is_sole_voter()
    }

    /// Asks for the leadership now. A sole voter has it at once.
    pub fn campaign(&mut self) -> Result<(), NodeError> {
        Ok(self.raw.campaign()?)
    }

    /// Lets the time of one tick pass.
    pub fn tick(&mut self) {
        self.raw.tick();
    }

    /// Takes a message of another voter. A message that raft does not want is dropped: it may be
    /// old, and the sender tries again.
    pub fn step(&mut self, message: Message) {
        if let Err(error) = self.raw.step(message) {
            tracing::debug!(%error, "dropped a raft message");
        }
    }

    /// Whether this node leads and decides commands.
    pub fn is_ready(&self) -> bool {
        self.speculative.is_some()
    }

    /// Takes a command; the answer comes out of a later [`Node::process`], or at once when this
    /// node cannot decide it. `seed` must be fresh randomness.
    pub fn submit(&mut self, now_ms: i64, seed: u128, command: Command, reply: Reply) {
        if self.speculative.is_some() {
            self.propose(now_ms, seed, &command, reply);
        } else if self.raw.raft.state == StateRole::Leader
            && self.waiting.len() < WAITING_COMMANDS_MAX
        {
            self.waiting.push_back((command, seed, reply));
        } else {
            reply(Err(ControllerError::NotController { leader: self.leader() }));
        }
    }

    fn propose(&mut self, now_ms: i64, seed: u128, command: &Command, reply: Reply) {
        let Some(speculative) = &self.speculative else {
            return reply(Err(ControllerError::NotController { leader: self.leader() }));
        };
        let context = Context { rules: &*self.rules, now_ms, seed };
        let Decision { records, outcome } = decide(speculative, command, &context);
        if records.is_empty() {
            // It was decided on everything proposed so far and must not be told before that is sure.
            let at = speculative.last_applied;
            self.proposals.push_back(Proposal { at, outcome, reply });
            return;
        }
        let data = encoding::encode_entry(&records);
        if !self.raw.store().store.has_room(data.len()) {
            return reply(Err(ControllerError::NoSpace));
        }
        let at = LogPosition {
            index: self.raw.raft.raft_log.last_index() + 1,
            term: self.raw.raft.term,
        };
        let next = match apply(speculative, at, &records) {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(%error, ?command, "a decision contradicts the metadata");
                return reply(Err(ControllerError::Internal(error.to_string())));
            }
        };
        if let Err(error) = self.raw.propose(Vec::new(), data) {
            return reply(Err(ControllerError::Internal(error.to_string())));
        }
        self.speculative = Some(next);
        self.proposals.push_back(Proposal { at, outcome, reply });
    }

    /// Does everything that raft is ready for: stores, replays, tells the listener, answers. The
    /// listener hears of an image before `publish` makes it visible, and both before the answers.
    ///
    /// After an error the node must be dropped: its store is in an unknown state.
    pub fn process(
        &mut self,
        now_ms: i64,
        listener: &mut dyn FnMut(&MetadataDelta, &Arc<MetadataImage>),
        publish: &mut dyn FnMut(&Arc<MetadataImage>),
    ) -> Result<(), NodeError> {
        loop {
            while self.raw.has_ready() {
                self.process_ready()?;
            }
            self.check_cluster()?;
            self.rebase_speculative();
            self.publish(listener, publish);
            self.answer();
            self.become_ready(now_ms);
            if !self.raw.has_ready() {
                break;
            }
        }
        self.answer();
        Ok(())
    }

    fn process_ready(&mut self) -> Result<(), NodeError> {
        let mut ready = self.raw.ready();
        let leads = self.raw.raft.state == StateRole::Leader;
        let leader_term = if leads { self.raw.raft.term } else { 0 };
        if self.leader_term != leader_term {
            if self.leader_term != 0 {
                self.lose_leadership();
            }
            self.leader_term = leader_term;
        }
        self.outgoing.append(&mut ready.take_messages());
        if !ready.snapshot().is_empty() {
            self.install_snapshot(&ready.snapshot().clone())?;
        }
        self.replay(ready.take_committed_entries())?;
        let entries = ready.take_entries();
        // The commit index alone is not worth a write: it is found again.
        let hard_state = ready.hs().filter(|_| ready.must_sync());
        if !entries.is_empty() || hard_state.is_some() {
            self.raw.mut_store().append(&entries, hard_state)?;
        }
        self.outgoing.append(&mut ready.take_persisted_messages());
        let mut light = self.raw.advance(ready);
        self.outgoing.append(&mut light.take_messages());
        self.replay(light.take_committed_entries())?;
        self.raw.advance_apply();
        Ok(())
    }

    fn replay(&mut self, entries: Vec<Entry>) -> Result<(), NodeError> {
        for entry in entries {
            assert_eq!(
                entry.index,
                self.image.last_applied.index + 1,
                "raft gives every committed entry once and in order"
            );
            replay_entry(&mut self.image, &entry)?;
            self.bytes_since_snapshot += entry.data.len() as u64 + ENTRY_OVERHEAD;
        }
        let applied = self.image.last_applied.index;
        self.raw.mut_store().applied(applied);
        Ok(())
    }

    fn install_snapshot(&mut self, snapshot: &Snapshot) -> Result<(), NodeError> {
        let image = snapshot::decode(&snapshot.data)?;
        self.raw.mut_store().install_snapshot(image.last_applied, &snapshot.data)?;
        self.image = image;
        self.bytes_since_snapshot = 0;
        Ok(())
    }

    /// Whether this node may go on with what the log says about the cluster as a whole.
    fn check_cluster(&self) -> Result<(), NodeError> {
        if let (Some(stored), Some(given)) = (&self.image.cluster_id, &self.config.cluster_id)
            && stored != given
        {
            return Err(NodeError::ClusterId { stored: stored.clone(), given: given.clone() });
        }
        for (name, level) in self.image.features.iter() {
            let supported = features::supported_level(name);
            if level > supported {
                return Err(NodeError::Feature { name: name.clone(), level, supported });
            }
        }
        Ok(())
    }

    fn publish(
        &mut self,
        listener: &mut dyn FnMut(&MetadataDelta, &Arc<MetadataImage>),
        publish: &mut dyn FnMut(&Arc<MetadataImage>),
    ) {
        if self.published.last_applied == self.image.last_applied {
            return;
        }
        let image = Arc::new(self.image.clone());
        let delta = MetadataDelta::between(&self.published, &image);
        if !delta.is_empty() {
            listener(&delta, &image);
        }
        publish(&image);
        self.published = image;
    }

    /// Sends the answers whose entries are replayed.
    fn answer(&mut self) {
        let applied = self.image.last_applied;
        while let Some(proposal) = self.proposals.pop_front_if(|next| next.at <= applied) {
            (proposal.reply)(Ok(proposal.outcome));
        }
    }

    /// Starts to decide, once an entry of this leader's own term is replayed.
    fn become_ready(&mut self, now_ms: i64) {
        let leads = self.raw.raft.state == StateRole::Leader;
        let own_term = self.image.last_applied.term == self.raw.raft.term;
        if !leads || !own_term || self.speculative.is_some() {
            return;
        }
        self.speculative = Some(self.image.clone());
        if let (None, Some(cluster_id)) = (&self.image.cluster_id, self.config.cluster_id.clone()) {
            let bootstrap = Command::Bootstrap { cluster_id };
            self.propose(now_ms, 0, &bootstrap, Box::new(|_| {}));
        }
        for (command, seed, reply) in std::mem::take(&mut self.waiting) {
            self.propose(now_ms, seed, &command, reply);
        }
    }

    /// When nothing is under way, the speculative image says the same as the replayed one: they
    /// shall also share the memory.
    fn rebase_speculative(&mut self) {
        if let Some(speculative) = &mut self.speculative
            && speculative.last_applied == self.image.last_applied
        {
            debug_assert_eq!(*speculative, self.image, "replay gives what was decided");
            *speculative = self.image.clone();
        }
    }

    /// What was proposed may still be committed by the next leader: nobody knows here.
    fn lose_leadership(&mut self) {
        self.speculative = None;
        for proposal in std::mem::take(&mut self.proposals) {
            (proposal.reply)(Err(ControllerError::OutcomeUnknown));
        }
        let leader = self.leader();
        for (_, _, reply) in std::mem::take(&mut self.waiting) {
            reply(Err(ControllerError::NotController { leader }));
        }
    }

    /// Answers everything that waits, when the node ends.
    pub fn fail_all(&mut self) {
        self.lose_leadership();
    }

    /// Messages for other voters, since the last call.
    pub fn take_messages(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.outgoing)
    }

    /// What a snapshot is due to be made of, if the log has grown enough since the last one: by the
    /// configured size, and by as much as a snapshot takes, so that a large cluster does not write
    /// its state again and again.
    pub fn snapshot_due(&mut self) -> Option<(MetadataImage, Arc<dyn SnapshotWriter>)> {
        if self.bytes_since_snapshot < self.config.snapshot_bytes.max(self.snapshot_bytes) {
            return None;
        }
        self.bytes_since_snapshot = 0;
        Some((self.image.clone(), self.raw.store().store.snapshot_writer()))
    }

    /// Drops what a written snapshot of this size covers from the log.
    pub fn snapshot_written(&mut self, at: LogPosition, bytes: usize) -> Result<(), NodeError> {
        self.snapshot_bytes = bytes as u64;
        Ok(self.raw.mut_store().store.compact(at, self.config.entries_kept())?)
    }

    /// What is replayed, published or not.
    pub fn image(&self) -> &MetadataImage {
        &self.image
    }

    /// The node that leads, if one is known.
    pub fn leader(&self) -> Option<i32> {
        node_id(self.raw.raft.leader_id)
    }

    /// The state of the quorum as this node sees it.
    pub fn quorum_status(&self) -> QuorumStatus {
        let raft = &self.raw.raft;
        let end = |index: u64| i64::try_from(index + 1).unwrap_or(i64::MAX);
        let leads = raft.state == StateRole::Leader;
        let log_end = |voter: i32| {
            if voter == self.config.node_id {
                return Some(end(raft.raft_log.last_index()));
            }
            let progress = leads.then(|| raft.prs().get(raft_id(voter))).flatten()?;
            Some(end(progress.matched))
        };
        QuorumStatus {
            leader: self.leader(),
            leader_epoch: i32::try_from(raft.term).unwrap_or(i32::MAX),
            high_watermark: end(raft.raft_log.committed),
            voters: self
                .config
                .voters
                .iter()
                .map(|voter| VoterStatus { node_id: *voter, log_end_offset: log_end(*voter) })
                .collect(),
        }
    }
}

/// Makes all that an entry says true in the image, which holds what came before it.
pub(super) fn replay_entry(image: &mut MetadataImage, entry: &Entry) -> Result<(), NodeError> {
    let index = entry.index;
    if entry.get_entry_type() != EntryType::EntryNormal {
        return Err(NodeError::ConfChange { index });
    }
    // A new leader's first entry has no data.
    let records = if entry.data.is_empty() {
        Vec::new()
    } else {
        encoding::decode_entry(&entry.data).map_err(|source| NodeError::Record { index, source })?
    };
    for record in &records {
        image.replay(record).map_err(|source| NodeError::Apply { index, source })?;
    }
    image.last_applied = LogPosition { index, term: entry.term };
    Ok(())
}

/// What an entry costs besides its data, so that many small ones bring a snapshot too.
const ENTRY_OVERHEAD: u64 = 128;

/// An election timeout is one to two times this.
const ELECTION_TICKS: usize = 10;
const HEARTBEAT_TICKS: usize = 2;
const MESSAGE_BYTES_MAX: u64 = 1024 * 1024;
const MESSAGES_IN_FLIGHT_MAX: usize = 64;

/// Raft's id of a node: raft takes 0 for nobody.
fn raft_id(node_id: i32) -> u64 {
    u64::try_from(i64::from(node_id) + 1).unwrap_or(0)
}

fn node_id(raft_id: u64) -> Option<i32> {
    i32::try_from(raft_id.checked_sub(1)?).ok()
}
