//! From what was read to what the client is told.
//!
//! An incremental answer leaves out partitions of which nothing changed: no records, the same high
//! watermark and log start. One with an error is always told, and told again when the error has
//! gone.

use bytes::Bytes;
use protocol_codec::messages::fetch::{
    AbortedTransaction, EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, NodeEndpoint,
    PartitionData, Response,
};
use protocol_codec::wire::{Elsewhere, Records};
use protocol_codec::{ErrorCode, StrBytes, Uuid};

use storage::Slices;

use super::FetchAnswer;
use super::read::PartitionRead;
use crate::broker::{Broker, NodeAddress};
use crate::context::RequestContext;
use crate::replication::Leadership;
use crate::replication::fetch_session::{FetchSession, Key, Known};

/// From this version on, answers say who leads instead, and from the next one where (KIP-951).
const CURRENT_LEADER_FROM: i16 = 12;
const ENDPOINTS_FROM: i16 = 16;

/// What is needed to say where another leader is.
pub(super) struct LeaderHints<'a> {
    pub(super) broker: &'a Broker,
    pub(super) context: &'a RequestContext,
}

/// Builds the answer from one read for each partition of the session, in its order.
pub(super) fn build(
    session: &mut FetchSession,
    reads: Vec<PartitionRead>,
    incremental: bool,
    hints: &LeaderHints<'_>,
) -> FetchAnswer {
    let mut answer = FetchAnswer::default();
    let mut last_served = None;
    for (at, (entry, read)) in session.entries_mut().zip(reads).enumerate() {
        let now_known = Known {
            high_watermark: read.data.high_watermark,
            log_start_offset: read.log_start_offset,
        };
        let changed = !read.data.slices.is_empty()
            || read.error != ErrorCode::None
            || read.diverging.is_some()
            || now_known != entry.known;
        entry.known = if read.error == ErrorCode::None { now_known } else { Known::NOTHING };
        if incremental && !changed {
            continue;
        }
        if !read.data.slices.is_empty() {
            last_served = Some(at);
        }
        answer.add(&entry.key, read, hints);
    }
    if let Some(served) = last_served {
        session.rotate(served);
    }
    answer
}

impl FetchAnswer {
    fn add(&mut self, key: &Key, read: PartitionRead, hints: &LeaderHints<'_>) {
        let mut data = PartitionData {
            partition_index: key.partition,
            error_code: read.error.into(),
            high_watermark: read.data.high_watermark,
            last_stable_offset: read.data.last_stable_offset,
            log_start_offset: read.log_start_offset,
            ..Default::default()
        };
        // Empty and not null, as in Kafka, where no partition was found to be read.
        if read.was_found {
            let aborted = read.data.aborted.iter().map(|txn| AbortedTransaction {
                producer_id: txn.producer_id,
                first_offset: txn.first_offset,
            });
            data.aborted_transactions = read.read_committed.then(|| aborted.collect());
        }
        if let Some((epoch, end_offset)) = read.diverging {
            data.diverging_epoch = EpochEndOffset { epoch, end_offset };
        }
        if let Some(Leadership { leader, epoch }) = read.leader {
            if hints.context.api_version >= CURRENT_LEADER_FROM {
                data.current_leader = LeaderIdAndEpoch { leader_id: leader, leader_epoch: epoch };
            }
            if hints.context.api_version >= ENDPOINTS_FROM {
                self.add_endpoint(leader, hints);
            }
        }
        data.records = Some(self.records(read.data.slices));
        topic_of(&mut self.response, &key.topic, key.topic_id).partitions.push(data);
    }

    fn records(&mut self, slices: Slices) -> Records {
        let len = slices.len();
        if len == 0 {
            return Records::Memory(Bytes::new());
        }
        let slot = u32::try_from(self.regions.len()).unwrap_or(u32::MAX);
        self.regions.push(slices.regions.into_vec());
        Records::Elsewhere(Elsewhere { len, slot })
    }

    fn add_endpoint(&mut self, leader: i32, hints: &LeaderHints<'_>) {
        if self.response.node_endpoints.iter().any(|node| node.node_id == leader) {
            return;
        }
        let LeaderHints { broker, context } = hints;
        let address = broker.endpoint(leader, &context.connection.listener);
        let Some(NodeAddress { host, port, rack }) = address else { return };
        self.response.node_endpoints.push(NodeEndpoint { node_id: leader, host, port, rack });
    }
}

/// The topic that was added last, if it is this one, or a new one.
fn topic_of<'a>(
    response: &'a mut Response,
    topic: &StrBytes,
    topic_id: Uuid,
) -> &'a mut FetchableTopicResponse {
    let responses = &mut response.responses;
    let is_same =
        responses.last().is_some_and(|last| last.topic == *topic && last.topic_id == topic_id);
    if !is_same {
        let topic = topic.clone();
        responses.push(FetchableTopicResponse { topic, topic_id, partitions: Vec::new() });
    }
    let last = responses.len() - 1;
    &mut responses[last]
}
