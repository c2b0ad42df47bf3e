//! Committed offsets: by group, topic and partition.
//!
//! Changed only by the replay of a record. An offset implies its group: one that is committed
//! without membership makes a simple group (empty, without protocol type).

pub(super) mod commit;
pub(super) mod delete;
pub(super) mod expire;
pub(super) mod fetch;

use std::collections::BTreeMap;

use protocol_codec::coordinator_records::consumer_offsets::OffsetCommitValue;
use protocol_codec::{StrBytes, Uuid};

use super::owned::owned_str;

/// "No offset" in answers.
pub(super) const INVALID_OFFSET: i64 = -1;
/// "Unknown leader epoch", in records and answers.
pub(super) const NO_LEADER_EPOCH: i32 = -1;
/// "No explicit expiry", in records; also "default retention" in OffsetCommit requests.
pub(super) const NO_EXPIRY: i64 = -1;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommittedOffset {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: StrBytes,
    /// Milliseconds since the epoch.
    pub(crate) commit_timestamp_ms: i64,
    /// Milliseconds since the epoch, or [`NO_EXPIRY`]: only clients before OffsetCommit 5 ask.
    pub(crate) expire_timestamp_ms: i64,
    /// Zero if it was committed without.
    pub(crate) topic_id: Uuid,
}

impl CommittedOffset {
    fn from_record(record: &OffsetCommitValue) -> Self {
        Self {
            offset: record.offset,
            leader_epoch: record.leader_epoch,
            metadata: owned_str(&record.metadata),
            commit_timestamp_ms: record.commit_timestamp,
            expire_timestamp_ms: record.expire_timestamp,
            topic_id: record.topic_id,
        }
    }

    /// Whether it was committed for this very topic, as far as both sides know the id: an offset
    /// of a deleted topic says nothing about one that was created again under the name.
    pub(crate) fn is_for(&self, topic_id: Uuid) -> bool {
        self.topic_id == Uuid::ZERO || topic_id == Uuid::ZERO || self.topic_id == topic_id
    }
}

pub(crate) type TopicOffsets = BTreeMap<i32, CommittedOffset>;
pub(crate) type GroupOffsets = BTreeMap<StrBytes, TopicOffsets>;

/// No group and no topic is kept without an offset.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Offsets {
    by_group: BTreeMap<StrBytes, GroupOffsets>,
}

impl Offsets {
    pub(crate) fn group(&self, group_id: &str) -> Option<&GroupOffsets> {
        self.by_group.get(group_id)
    }

    pub(crate) fn get(
        &self,
        group_id: &str,
        topic: &str,
        partition: i32,
    ) -> Option<&CommittedOffset> {
        self.by_group.get(group_id)?.get(topic)?.get(&partition)
    }

    pub(crate) fn groups(&self) -> impl Iterator<Item = (&StrBytes, &GroupOffsets)> {
        self.by_group.iter()
    }

    /// Replays a commit; group and topic id are copied only when they are new.
    pub(crate) fn put(
        &mut self,
        group_id: &StrBytes,
        topic: &StrBytes,
        partition: i32,
        record: &OffsetCommitValue,
    ) {
        let topics = match self.by_group.get_mut(group_id) {
            Some(topics) => topics,
            None => self.by_group.entry(owned_str(group_id)).or_default(),
        };
        let partitions = match topics.get_mut(topic) {
            Some(partitions) => partitions,
            None => topics.entry(owned_str(topic)).or_default(),
        };
        partitions.insert(partition, CommittedOffset::from_record(record));
    }

    /// Replays a tombstone.
    pub(crate) fn remove(&mut self, group_id: &str, topic: &str, partition: i32) {
        let Some(topics) = self.by_group.get_mut(group_id) else { return };
        let Some(partitions) = topics.get_mut(topic) else { return };
        partitions.remove(&partition);
        if partitions.is_empty() {
            topics.remove(topic);
        }
        if topics.is_empty() {
            self.by_group.remove(group_id);
        }
    }
}
