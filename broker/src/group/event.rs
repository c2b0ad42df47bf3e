//! What goes into the group state machine and what comes out of it.
//!
//! Everything that the machine may not find out by itself is in the event: the client's address,
//! a fresh member id (randomness), the token under which the answer is awaited. A token is
//! answered exactly once, by the event that brought it or by a later one: a JoinGroup waits for
//! the others to join, a SyncGroup for the leader's assignment.

use protocol_codec::messages::{
    delete_groups, describe_groups, heartbeat, join_group, leave_group, list_groups, offset_commit,
    offset_delete, offset_fetch, sync_group,
};
use protocol_codec::{StrBytes, Uuid};

use super::record::Record;

/// The moment of an event, on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of a clock that never jumps: session and rebalance timeouts.
    pub ms: i64,
    /// Milliseconds since the epoch: what is written into records (commit and state timestamps).
    pub wall_ms: i64,
}

/// Names one waiting answer; unique within a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// Who sent a JoinGroup.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Client {
    /// The request header's client id; empty if there was none.
    pub id: StrBytes,
    /// The peer's address as Kafka prints it: `/127.0.0.1`.
    pub host: StrBytes,
}

/// A deleted topic: offsets that were committed for this id, or for no id, go with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeletedTopic {
    pub name: StrBytes,
    pub id: Uuid,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    pub request: join_group::Request,
    pub version: i16,
    pub client: Client,
    /// Random part (a UUID's text) of the member id, should a new member need one.
    pub member_id_suffix: StrBytes,
}

/// Everything that can happen to a shard. Time passing is [`super::machine::Machine::on_time`].
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    Join(Token, Box<Join>),
    Sync(Token, sync_group::Request),
    Heartbeat(Token, heartbeat::Request),
    Leave(Token, leave_group::Request),
    /// Topics carry name and id; unknown ones were answered before. The version decides errors.
    OffsetCommit(Token, i16, offset_commit::Request),
    /// Topics carry the name, and the id if the client asked by id.
    OffsetFetch(Token, OffsetFetch),
    OffsetDelete(Token, offset_delete::Request),
    DescribeGroups(Token, i16, Vec<StrBytes>),
    ListGroups(Token, list_groups::Request),
    DeleteGroups(Token, Vec<StrBytes>),
    TopicsDeleted(Vec<DeletedTopic>),
}

/// One group of an OffsetFetch request, by whatever version it came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OffsetFetch {
    pub group_id: StrBytes,
    /// `None`: all topics that the group has committed offsets for.
    pub topics: Option<Vec<offset_fetch::OffsetFetchRequestTopics>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Join(Box<join_group::Response>),
    Sync(sync_group::Response),
    Heartbeat(heartbeat::Response),
    Leave(leave_group::Response),
    OffsetCommit(offset_commit::Response),
    OffsetFetch(offset_fetch::OffsetFetchResponseGroup),
    OffsetDelete(offset_delete::Response),
    DescribeGroups(Vec<describe_groups::DescribedGroup>),
    ListGroups(Vec<list_groups::ListedGroup>),
    DeleteGroups(Vec<delete_groups::DeletableGroupResult>),
}

/// The consequences of one event. The replies leave after the records are durable.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    pub records: Vec<Record>,
    pub replies: Vec<(Token, Answer)>,
}

impl Outcome {
    pub fn reply(&mut self, token: Token, answer: Answer) {
        self.replies.push((token, answer));
    }
}
