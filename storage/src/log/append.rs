//! Append as leader: what clients produce, what coordinators write, and the markers that end
//! transactions.
//!
//! The batch was checked before. Inside the lock: the producer's state, the offsets, one
//! `pwritev` of header and records as they came (nothing is copied), the index entry, the new end.
//! In the steady state nothing is allocated.

use std::io::{self, IoSlice};
use std::sync::Arc;

use protocol_codec::records::control::EndTransactionMarker;
use protocol_codec::records::{BatchHeader, ValidatedBatch};
use thiserror::Error;

use super::durable::NotDurable;
use super::transactions::{EndTransaction, producer_marker};
use super::{Log, Unwritable, Writer};
use crate::log_config::LogConfig;
use crate::log_dir::is_out_of_space;
use crate::partition_metadata;
use crate::producer_state::{AppendOrigin, BatchMetadata, ProducerBatch};
use crate::producer_state::{ProducerStateError, Verdict};
use crate::segment::{BatchFacts, SegmentError, WriteError};

/// Free bytes that a full directory must have again, beside those of the batch, before an append
/// is tried.
const SPACE_RESERVE_BYTES: u64 = 4 << 20;

/// What the producer waits for; it decides what readers may see before the next sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredAcks {
    /// `acks=0`: nothing.
    None,
    /// `acks=1`: the page cache.
    Leader,
    /// `acks=all`: readers do not see the batch before it is durable.
    All,
}

/// Where a batch lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    pub base_offset: i64,
    pub last_offset: i64,
    /// -1 for records that keep their own time.
    pub log_append_time_ms: i64,
    pub log_start_offset: i64,
    /// The batch was in the log already; the offsets are those of the original. With `acks=all`
    /// the answer waits for the original to be durable, as for any batch.
    pub duplicate: bool,
}

/// Why a batch was not appended.
#[derive(Debug, Error)]
pub enum AppendError {
    #[error(transparent)]
    Producer(#[from] ProducerStateError),
    /// Kafka's MESSAGE_TOO_LARGE (10).
    #[error(
        "The record batch size is {size} bytes which exceeds the maximum configured value of {max}"
    )]
    BatchTooLarge { size: usize, max: i32 },
    /// Kafka's RECORD_LIST_TOO_LARGE (18).
    #[error(
        "The record batch size is {size} bytes which exceeds the maximum segment size of {max}"
    )]
    BatchLargerThanSegment { size: usize, max: i32 },
    /// The partition has used up all offsets.
    #[error("There are no offsets left after {0}")]
    OffsetsExhausted(i64),
    /// The disk is full: nothing was written, a later append may succeed. KAFKA_STORAGE_ERROR (56).
    #[error("log directory {dir} has no space left")]
    NoSpace { dir: String },
    /// KAFKA_STORAGE_ERROR (56).
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
    /// The write failed; the log directory is offline now. KAFKA_STORAGE_ERROR (56).
    #[error("cannot write to {log}: {source}")]
    Write { log: String, source: io::Error },
    /// The batch is in the log, but the sync that `flush.messages` asks for failed.
    /// KAFKA_STORAGE_ERROR (56).
    #[error(transparent)]
    NotFlushed(#[from] NotDurable),
    /// A control batch that is not the end of a transaction.
    #[error("cannot append a transaction marker: {0}")]
    Marker(String),
    /// The log could not be read as far as a transaction marker needs it. KAFKA_STORAGE_ERROR (56).
    #[error(transparent)]
    Segment(#[from] SegmentError),
}

/// What there is to do beside writing the bytes.
#[derive(Clone, Copy, Debug)]
struct Origin<'a> {
    appends: AppendOrigin,
    /// The batch is this marker.
    end: Option<&'a EndTransaction>,
}

impl Log {
    /// Appends one batch of a client with the next offsets.
    ///
    /// With [`RequiredAcks::All`] the caller goes on with
    /// [`when_durable`](Log::when_durable)`(last_offset + 1, ..)`, for a duplicate too.
    pub fn append_as_leader(
        self: &Arc<Self>,
        batch: &ValidatedBatch,
        leader_epoch: i32,
        acks: RequiredAcks,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let origin = Origin { appends: AppendOrigin::Client, end: None };
        self.append(batch, origin, leader_epoch, acks, now_ms)
    }

    /// Appends a batch that a coordinator of this broker writes, for itself or in a producer's
    /// name: it has no sequences, only the producer's epoch is checked.
    pub fn append_as_coordinator(
        self: &Arc<Self>,
        batch: &ValidatedBatch,
        leader_epoch: i32,
        acks: RequiredAcks,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let origin = Origin { appends: AppendOrigin::Coordinator, end: None };
        self.append(batch, origin, leader_epoch, acks, now_ms)
    }

    pub(super) fn append_marker(
        self: &Arc<Self>,
        batch: &ValidatedBatch,
        end: &EndTransaction,
        leader_epoch: i32,
        acks: RequiredAcks,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let origin = Origin { appends: AppendOrigin::Coordinator, end: Some(end) };
        self.append(batch, origin, leader_epoch, acks, now_ms)
    }

    fn append(
        self: &Arc<Self>,
        batch: &ValidatedBatch,
        origin: Origin<'_>,
        leader_epoch: i32,
        acks: RequiredAcks,
        now_ms: i64,
    ) -> Result<Appended, AppendError> {
        let config = self.config.load();
        check_size(batch.size(), &config)?;
        self.check_space(batch.size())?;
        if batch.header().attributes.is_control() != origin.end.is_some() {
            return Err(AppendError::Marker("a control batch comes as a marker only".to_owned()));
        }

        let mut writer = self.lock_to_write()?;
        let producer = ProducerBatch::from(batch.header());
        if let Some(original) = writer.check_producer(&producer, batch.header(), origin)? {
            return Ok(self.duplicate(&original));
        }

        let base_offset = writer.next_offset;
        let last_offset = base_offset
            .checked_add(i64::from(batch.header().last_offset_delta))
            .filter(|last| *last < i64::MAX)
            .ok_or(AppendError::OffsetsExhausted(base_offset))?;
        let facts = BatchFacts {
            base_offset,
            last_offset,
            max_timestamp: batch.header().max_timestamp,
            size: batch.size() as u64,
        };
        self.roll_if_due(&mut writer, &config, &facts, now_ms);
        if origin.end.is_some() {
            self.prepare_for_marker(&writer)?;
        }
        self.write(&mut writer, batch, leader_epoch, &facts, &config)?;

        let marker = origin.end.map(|end| end.marker);
        writer.take_over(batch.header(), marker, leader_epoch, &facts, acks, now_ms);
        let position = writer.active.size() - facts.size;
        self.publish_end(&mut writer, Some((base_offset, position)));
        self.context.dir.note_appended(facts.size);
        if config.flush_ms < i64::MAX && !writer.is_in_flush_timer {
            writer.is_in_flush_timer = true;
            let due_ms = now_ms.saturating_add(config.flush_ms);
            self.context.sync_queue.timer().add(due_ms, self);
        }
        let flush = writer.unflushed_records >= config.flush_messages.unsigned_abs();
        drop(writer);
        if flush {
            self.flush()?;
        }
        Ok(Appended {
            base_offset,
            last_offset,
            log_append_time_ms: batch.log_append_time_ms(),
            log_start_offset: self.log_start_offset(),
            duplicate: false,
        })
    }

    fn duplicate(&self, original: &BatchMetadata) -> Appended {
        Appended {
            base_offset: original.base_offset(),
            last_offset: original.last_offset,
            // Kafka answers with the batch's timestamp here, whatever its kind.
            log_append_time_ms: original.timestamp,
            log_start_offset: self.log_start_offset(),
            duplicate: true,
        }
    }

    /// Refuses while the disk is full; looks whether it still is.
    fn check_space(&self, batch_bytes: usize) -> Result<(), AppendError> {
        let dir = &self.context.dir;
        if !dir.is_full() {
            return Ok(());
        }
        let needed = batch_bytes as u64 + SPACE_RESERVE_BYTES;
        match self.fs().space(dir.path()) {
            Ok(space) if space.usable >= needed => {
                dir.set_full(false);
                Ok(())
            }
            _ => Err(AppendError::NoSpace { dir: dir.path().display().to_string() }),
        }
    }

    fn write(
        &self,
        writer: &mut Writer,
        batch: &ValidatedBatch,
        leader_epoch: i32,
        facts: &BatchFacts,
        config: &LogConfig,
    ) -> Result<(), AppendError> {
        self.make_active_file(writer).map_err(|error| self.write_error(error))?;
        let head = batch.head(facts.base_offset, leader_epoch);
        let mut parts = [IoSlice::new(&head), IoSlice::new(batch.payload())];
        let interval = u64::try_from(config.index_interval_bytes).unwrap_or(0);
        let written = writer.active.append(self.fs(), &mut parts, facts, interval);
        written.map_err(|WriteError { error, cut_back }| {
            if !cut_back {
                let reason = "a batch that was written in part could not be cut off";
                self.context.dir.take_offline(reason);
            }
            self.write_error(error)
        })
    }

    /// Makes the active segment's file, and the directory, if this is the first append.
    pub(super) fn make_active_file(&self, writer: &mut Writer) -> io::Result<()> {
        if writer.active.has_file() {
            return Ok(());
        }
        // Again where it has not come to its end: nobody would know whose the records are.
        if !writer.has_dir {
            writer.dir_unsynced = true;
            self.create_dir()?;
            writer.has_dir = true;
        }
        writer.names_unsynced |= writer.active.create_file(self.fs())?;
        Ok(())
    }

    /// Makes the partition's directory, and says in it whose it is.
    fn create_dir(&self) -> io::Result<()> {
        self.fs().create_dir_all(&self.path)?;
        match self.topic_id.get() {
            Some(topic_id) => partition_metadata::write(self.fs(), &self.path, *topic_id),
            None => Ok(()),
        }
    }

    /// Judges a failed write: no space passes, anything else takes the directory offline.
    pub(super) fn write_error(&self, source: io::Error) -> AppendError {
        let dir = &self.context.dir;
        dir.judge_write_error(&source, &format!("cannot write to {}", self.topic_partition));
        if is_out_of_space(&source) {
            return AppendError::NoSpace { dir: dir.path().display().to_string() };
        }
        AppendError::Write { log: self.topic_partition.to_string(), source }
    }
}

impl Writer {
    /// Whether the producer may append this. Gives the original of a duplicate.
    fn check_producer(
        &self,
        producer: &ProducerBatch,
        header: &BatchHeader,
        origin: Origin<'_>,
    ) -> Result<Option<BatchMetadata>, ProducerStateError> {
        if let Some(end) = origin.end {
            let marker = producer_marker(header, end.marker);
            self.producers.check_marker(&marker, end.transaction_version)?;
            return Ok(None);
        }
        match self.producers.check(producer, origin.appends)? {
            Verdict::Append => Ok(None),
            Verdict::Duplicate(original) => Ok(Some(original)),
        }
    }

    /// The batch is in the file: takes it over into everything else.
    fn take_over(
        &mut self,
        header: &BatchHeader,
        marker: Option<EndTransactionMarker>,
        leader_epoch: i32,
        facts: &BatchFacts,
        acks: RequiredAcks,
        now_ms: i64,
    ) {
        assert_eq!(self.next_offset, facts.base_offset, "offsets are assigned without gaps");
        match marker {
            Some(marker) => self.end_transaction(header, marker, facts.base_offset),
            None => self.producers.update(&ProducerBatch::from(header), facts.base_offset),
        }
        self.note_epoch(leader_epoch, facts.base_offset);
        self.next_offset = facts.last_offset + 1;
        if acks == RequiredAcks::All && self.first_undurable.is_none() {
            self.first_undurable = Some(facts.base_offset);
        }
        self.unflushed_records += u64::try_from(header.records_count).unwrap_or(0);
        self.unflushed_since_ms.get_or_insert(now_ms);
    }
}

fn check_size(size: usize, config: &LogConfig) -> Result<(), AppendError> {
    let exceeds = |max: i32| usize::try_from(max).is_ok_and(|max| size > max);
    if exceeds(config.max_message_bytes) {
        return Err(AppendError::BatchTooLarge { size, max: config.max_message_bytes });
    }
    if exceeds(config.segment_bytes) {
        return Err(AppendError::BatchLargerThanSegment { size, max: config.segment_bytes });
    }
    Ok(())
}
