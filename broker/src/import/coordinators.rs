//! What the internal topics hold: groups that can be taken over and groups that cannot, and
//! transactions that have not ended.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use protocol_codec::coordinator_records::{consumer_offsets, transaction_state};
use protocol_codec::records::Batch;
use protocol_codec::wire::DecodeError;
use storage::SegmentError;
use storage::batch_file::scan;
use storage::fs::Fs;

use super::Obstacles;
use super::partitions::Found;

const OFFSETS_TOPIC: &str = "__consumer_offsets";
const TRANSACTIONS_TOPIC: &str = "__transaction_state";

/// What one batch of an internal topic may grow to.
const DECOMPRESSED_BATCH_BYTES_MAX: usize = 64 << 20;

/// `Empty` and the two `Complete` states: nothing is under way. The others are `Ongoing` (1),
/// `PrepareCommit` (2), `PrepareAbort` (3) and `PrepareEpochFence` (7); 6 is `Dead`.
const ENDED: [i8; 4] = [0, 4, 5, 6];

/// What was found in the internal topics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coordinators {
    /// Groups of the classic protocol, or with nothing but offsets.
    pub groups: usize,
    pub transactional_ids: usize,
}

/// Why a record stops the look.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Segment(#[from] SegmentError),
    #[error("cannot read a record of {topic} at offset {offset}: {source}")]
    Record { topic: &'static str, offset: i64, source: DecodeError },
    #[error("cannot read the batch of {topic} at offset {offset}: {reason}")]
    Batch { topic: &'static str, offset: i64, reason: String },
}

/// Reads the internal topics.
pub(super) fn look(fs: &dyn Fs, found: &Found, obstacles: &mut Obstacles) -> Coordinators {
    let mut groups = Groups::default();
    let mut transactions = Transactions::default();
    for folder in &found.folders {
        let looked = match &*folder.partition.topic {
            OFFSETS_TOPIC => scan(fs, &folder.path, |batch| {
                each_record(OFFSETS_TOPIC, batch, |key, value| groups.replay(key, value))
            }),
            TRANSACTIONS_TOPIC => scan(fs, &folder.path, |batch| {
                each_record(TRANSACTIONS_TOPIC, batch, |key, value| transactions.replay(key, value))
            }),
            _ => Ok(()),
        };
        if let Err(error) = looked {
            obstacles.0.push(error.to_string());
        }
    }
    obstacles.0.extend(groups.obstacles());
    obstacles.0.extend(transactions.obstacles());
    Coordinators { groups: groups.classic.len(), transactional_ids: transactions.states.len() }
}

/// Shows key and value of every record that a client or coordinator wrote.
fn each_record(
    topic: &'static str,
    batch: &Batch,
    mut show: impl FnMut(Bytes, Option<Bytes>) -> Result<(), DecodeError>,
) -> Result<(), LookError> {
    let header = batch.header();
    if header.attributes.is_control() {
        return Ok(());
    }
    let offset = header.base_offset;
    let failed = |reason: String| LookError::Batch { topic, offset, reason };
    let view = batch.view();
    let plain = view.plain_records(DECOMPRESSED_BATCH_BYTES_MAX);
    for record in &plain.map_err(|error| failed(error.to_string()))? {
        let record = record.map_err(|error| failed(error.to_string()))?;
        let Some(key) = record.key else { continue };
        let offset = header.offset_of(record.offset_delta);
        let value = record.value.map(Bytes::copy_from_slice);
        show(Bytes::copy_from_slice(key), value).map_err(|source| LookError::Record {
            topic,
            offset,
            source,
        })?;
    }
    Ok(())
}

#[derive(Debug, Default)]
struct Groups {
    classic: BTreeSet<String>,
    /// Groups of the newer protocols with the name of theirs.
    newer: BTreeMap<String, &'static str>,
}

impl Groups {
    fn replay(&mut self, key: Bytes, value: Option<Bytes>) -> Result<(), DecodeError> {
        use consumer_offsets::Key;
        let exists = value.is_some();
        let (group, newer) = match Key::decode(key)? {
            Key::ConsumerGroupMetadata(key) => (key.group_id, Some("consumer (KIP-848)")),
            Key::ShareGroupMetadata(key) => (key.group_id, Some("share")),
            Key::StreamsGroupMetadata(key) => (key.group_id, Some("streams")),
            Key::GroupMetadata(key) => (key.group, None),
            Key::OffsetCommit(key) if exists => (key.group, None),
            Key::LegacyOffsetCommit(key) if exists => (key.group, None),
            _ => return Ok(()),
        };
        let group = group.to_string();
        match (newer, exists) {
            (Some(protocol), true) => drop(self.newer.insert(group, protocol)),
            (Some(_), false) => drop(self.newer.remove(&group)),
            (None, true) => drop(self.classic.insert(group)),
            (None, false) => drop(self.classic.remove(&group)),
        }
        Ok(())
    }

    fn obstacles(&self) -> impl Iterator<Item = String> {
        self.newer.iter().map(|(group, protocol)| {
            let remedy = match *protocol {
                "share" => "delete it with kafka-share-groups.sh --delete",
                "streams" => "delete it with kafka-streams-groups.sh --delete",
                _ => {
                    "stop its members and let one join with group.protocol=classic, which keeps the \
                     offsets, or delete it with kafka-consumer-groups.sh --delete"
                }
            };
            format!("group {group} is a {protocol} group, which cannot be served yet: {remedy}")
        })
    }
}

#[derive(Debug, Default)]
struct Transactions {
    states: BTreeMap<String, i8>,
}

impl Transactions {
    fn replay(&mut self, key: Bytes, value: Option<Bytes>) -> Result<(), DecodeError> {
        use transaction_state::{Key, Value};
        let key = Key::decode(key)?;
        let record_type = key.record_type();
        let Key::TransactionLog(key) = key;
        let id = key.transactional_id.to_string();
        match value.map(|value| Value::decode(record_type, value)).transpose()? {
            None => drop(self.states.remove(&id)),
            Some(Value::TransactionLog(value)) => {
                self.states.insert(id, value.transaction_status);
            }
        }
        Ok(())
    }

    fn obstacles(&self) -> impl Iterator<Item = String> {
        let open = self.states.iter().filter(|(_, state)| !ENDED.contains(state));
        open.map(|(id, _)| {
            format!(
                "the transaction of transactional.id {id} has not ended: start Kafka, let its \
                 application end it or its time run out, then stop Kafka"
            )
        })
    }
}

#[cfg(test)]
mod tests;
