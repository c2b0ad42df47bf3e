//! One look at all partitions of a fetch.

use protocol_codec::ErrorCode;
use protocol_codec::messages::fetch::Request;

use crate::broker::Broker;
use crate::error_mapping::ToErrorCode;
use crate::replication::fetch_session::{Entry, FetchSession};
use crate::replication::partition::{NotUsable, PartitionData};
use crate::replication::{Leadership, Partition};

/// `isolation_level` of consumers that do not want to see open transactions.
const READ_COMMITTED: i8 = 1;

/// One fetch gets this part of the files that may be open: a session may have more partitions than
/// the process has descriptors.
const REGIONS_DIVISOR: usize = 8;

/// Whether the client may read a topic.
pub(super) type MayRead<'a> = dyn Fn(&str) -> bool + Send + Sync + 'a;

/// What a fetch asks for as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    min_bytes: usize,
    max_bytes: usize,
    /// Regions, each of which keeps a file open until the answer has left.
    max_regions: usize,
    read_committed: bool,
    /// Fetches of followers are not served.
    is_follower: bool,
}

/// What was found in one partition.
#[derive(Debug)]
pub(super) struct PartitionRead {
    pub(super) error: ErrorCode,
    /// The leader to ask instead.
    pub(super) leader: Option<Leadership>,
    pub(super) log_start_offset: i64,
    /// `last_fetched_epoch` and its end here, if the log has diverged from the reader's.
    pub(super) diverging: Option<(i32, i64)>,
    /// The partition exists here.
    pub(super) was_found: bool,
    pub(super) read_committed: bool,
    pub(super) data: PartitionData,
}

impl Limits {
    pub(super) fn of(broker: &Broker, request: &Request) -> Self {
        let bytes = |bytes: i32| usize::try_from(bytes).unwrap_or(0);
        let replica_id = request.replica_id.max(request.replica_state.replica_id);
        Self {
            min_bytes: bytes(request.min_bytes),
            max_bytes: bytes(request.max_bytes).min(broker.config().fetch.fetch_max_bytes),
            max_regions: (broker.log_manager().open_files().budget() / REGIONS_DIVISOR).max(1),
            read_committed: request.isolation_level == READ_COMMITTED,
            is_follower: replica_id >= 0,
        }
    }
}

/// Reads every partition of the session, and says whether that is enough for an answer: enough
/// bytes, or something that the client must hear of.
pub(super) fn read_all(
    session: &FetchSession,
    limits: &Limits,
    may_read: &MayRead<'_>,
) -> (Vec<PartitionRead>, bool) {
    let mut reads = Vec::with_capacity(session.len());
    let mut left = limits.max_bytes;
    let (mut bytes, mut regions) = (0, 0);
    let mut enough = limits.min_bytes == 0;
    for entry in session.entries() {
        // The first batch comes even if it is larger than all limits, or a reader would be stuck.
        let read = if is_denied(entry, may_read) {
            PartitionRead::error(ErrorCode::TopicAuthorizationFailed)
        } else {
            read_one(entry, limits, left, bytes == 0)
        };
        let len = read.data.slices.len();
        bytes += len;
        left = left.saturating_sub(len);
        regions += read.data.slices.regions.len();
        if regions >= limits.max_regions {
            // The others come first the next time.
            left = 0;
        }
        enough |= read.error != ErrorCode::None || read.diverging.is_some();
        reads.push(read);
    }
    enough |= bytes > 0 && bytes >= limits.min_bytes || regions >= limits.max_regions;
    (reads, enough)
}

/// Who may not read does not learn whether the topic is there. One that is asked for by an unknown
/// id has no name.
fn is_denied(entry: &Entry, may_read: &MayRead<'_>) -> bool {
    let name = match &entry.partition {
        Ok(partition) => &*partition.topic_partition().topic,
        Err(_) => &*entry.key.topic,
    };
    !name.is_empty() && !may_read(name)
}

fn read_one(entry: &Entry, limits: &Limits, left: usize, min_one_batch: bool) -> PartitionRead {
    let wanted = &entry.wanted;
    let partition = match &entry.partition {
        Ok(partition) => partition,
        Err(code) => return PartitionRead { was_found: false, ..PartitionRead::error(*code) },
    };
    let (log, leadership) = match partition.leader_log(wanted.current_leader_epoch) {
        Ok(found) => found,
        Err(error) => return PartitionRead::not_usable(error),
    };
    if limits.is_follower {
        return PartitionRead::error(ErrorCode::NotLeaderOrFollower);
    }
    let mut read = PartitionRead {
        error: ErrorCode::None,
        leader: None,
        log_start_offset: log.log_start_offset(),
        diverging: None,
        was_found: true,
        read_committed: limits.read_committed,
        data: PartitionData::default(),
    };
    if wanted.last_fetched_epoch >= 0 {
        let end = log.end_offset_for_epoch(wanted.last_fetched_epoch);
        if end.epoch < 0 || end.end_offset < 0 {
            return PartitionRead::error(ErrorCode::OffsetOutOfRange);
        }
        if end.epoch < wanted.last_fetched_epoch || end.end_offset < wanted.fetch_offset {
            read.diverging = Some((end.epoch, end.end_offset));
            read.data.high_watermark = Partition::high_watermark(log);
            read.data.last_stable_offset = log.last_stable_offset().min(read.data.high_watermark);
            return read;
        }
    }
    let max_bytes = left.min(usize::try_from(wanted.max_bytes).unwrap_or(0));
    let found =
        Partition::read(log, wanted.fetch_offset, max_bytes, limits.read_committed, min_one_batch);
    match found {
        Ok(data) => read.data = data,
        Err(error) => {
            let code = error.error_code();
            if code == ErrorCode::KafkaStorageError {
                tracing::error!(
                    partition = %partition.topic_partition(), epoch = leadership.epoch,
                    "Fetch from offset {} failed: {error}", wanted.fetch_offset
                );
            }
            return PartitionRead::error(code);
        }
    }
    read
}

impl PartitionRead {
    fn error(error: ErrorCode) -> Self {
        Self {
            error,
            leader: None,
            log_start_offset: -1,
            diverging: None,
            was_found: true,
            read_committed: false,
            data: PartitionData {
                high_watermark: -1,
                last_stable_offset: -1,
                ..PartitionData::default()
            },
        }
    }

    fn not_usable(error: NotUsable) -> Self {
        let leader = match error {
            NotUsable::NotLeader(leadership) | NotUsable::Fenced(leadership) => Some(leadership),
            NotUsable::UnknownEpoch(_) | NotUsable::Offline => None,
        };
        Self { leader, ..Self::error(error.error_code()) }
    }
}
