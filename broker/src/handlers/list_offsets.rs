//! ListOffsets: offsets by timestamp, or the special ones.

use protocol_codec::ErrorCode;
use protocol_codec::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsTopicResponse, Request, Response,
};

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::error_mapping::ToErrorCode;
use crate::replication::Lookup;
use crate::replication::replica_manager::Topics;
use crate::security::{Operation, Resource};

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
/// The first offset on local disks: the earliest, without tiered storage.
const EARLIEST_LOCAL: i64 = -4;
/// The last offset in tiered storage: nothing is there.
const LATEST_TIERED: i64 = -5;
/// The first offset that waits for upload to tiered storage: nothing does.
const EARLIEST_PENDING_UPLOAD: i64 = -6;

const READ_COMMITTED: i8 = 1;

/// From this version on, answers hold the leader epoch.
const LEADER_EPOCH_FROM: i16 = 4;

/// What is found for one partition: timestamp, offset, leader epoch.
type Found = (i64, i64, i32);

const NOTHING: Found = (-1, -1, -1);

pub async fn handle(broker: &Broker, context: &RequestContext, request: Request) -> Response {
    let topics = broker.replicas().topics();
    let read_committed = request.isolation_level == READ_COMMITTED;
    let responses = request.topics.iter().map(|topic| {
        let mut seen = Vec::with_capacity(topic.partitions.len());
        let is_allowed = broker.allows(context, Operation::Describe, Resource::Topic(&topic.name));
        let answer = |partition: &ListOffsetsPartition| {
            let is_duplicate = seen.contains(&partition.partition_index);
            seen.push(partition.partition_index);
            let found = if !is_allowed {
                Err(ErrorCode::TopicAuthorizationFailed)
            } else if is_duplicate {
                Err(ErrorCode::InvalidRequest)
            } else {
                find(&topics, &topic.name, partition, read_committed, context.api_version)
            };
            let found = found.map(|(timestamp, offset, epoch)| {
                let has_epoch = context.api_version >= LEADER_EPOCH_FROM;
                (timestamp, offset, if has_epoch { epoch } else { -1 })
            });
            respond(partition, found)
        };
        ListOffsetsTopicResponse {
            name: topic.name.clone(),
            partitions: topic.partitions.iter().map(answer).collect(),
        }
    });
    Response { topics: responses.collect(), ..Default::default() }
}

fn find(
    topics: &Topics,
    topic: &str,
    wanted: &ListOffsetsPartition,
    read_committed: bool,
    version: i16,
) -> Result<Found, ErrorCode> {
    let partition = match topics.partition(topic, wanted.partition_index) {
        Lookup::Here(partition) => partition,
        Lookup::NotHere | Lookup::UnknownTopic => return Err(ErrorCode::UnknownTopicOrPartition),
    };
    let usable = partition.leader_log(wanted.current_leader_epoch);
    let (log, leadership) = usable.map_err(|error| error.error_code())?;
    let epoch_of = |offset| log.epoch_for_offset(offset).unwrap_or(-1);
    let storage_error = |error: storage::SegmentError| {
        tracing::error!(partition = %partition.topic_partition(), "ListOffsets failed: {error}");
        error.error_code()
    };
    let is_supported = wanted.timestamp >= 0 || wanted.timestamp >= lowest_special(version);
    if !is_supported {
        return Err(ErrorCode::UnsupportedVersion);
    }
    let end = if read_committed { log.last_stable_offset() } else { log.visible_end() };
    let found = match wanted.timestamp {
        LATEST => return Ok((-1, end, leadership.epoch)),
        EARLIEST | EARLIEST_LOCAL => {
            let start = log.log_start_offset();
            return Ok((-1, start, epoch_of(start)));
        }
        LATEST_TIERED | EARLIEST_PENDING_UPLOAD => None,
        MAX_TIMESTAMP => log
            .max_timestamp_offset()
            .map_err(storage_error)?
            .map(|found| (found.timestamp, found.offset, found.leader_epoch)),
        timestamp if timestamp < 0 => return Err(ErrorCode::UnsupportedVersion),
        timestamp => log
            .offset_for_timestamp(timestamp)
            .map_err(storage_error)?
            .map(|found| (found.timestamp, found.offset, found.leader_epoch)),
    };
    // What the reader may not see yet cannot be found by its time either.
    Ok(found.filter(|(_, offset, _)| *offset < end).unwrap_or(NOTHING))
}

/// The lowest special timestamp of a version: each came with its own (KIP-734, 405, 1005, 1023).
fn lowest_special(version: i16) -> i64 {
    match version {
        ..7 => EARLIEST,
        7 => MAX_TIMESTAMP,
        8 => EARLIEST_LOCAL,
        9 | 10 => LATEST_TIERED,
        11.. => EARLIEST_PENDING_UPLOAD,
    }
}

fn respond(
    wanted: &ListOffsetsPartition,
    found: Result<Found, ErrorCode>,
) -> ListOffsetsPartitionResponse {
    let error = found.err().unwrap_or(ErrorCode::None);
    let (timestamp, offset, leader_epoch) = found.unwrap_or(NOTHING);
    ListOffsetsPartitionResponse {
        partition_index: wanted.partition_index,
        error_code: error.into(),
        timestamp,
        offset,
        leader_epoch,
    }
}
