//! The partitions of `__consumer_offsets`, as the group coordinator writes and reads them.

use std::sync::Arc;

use bytes::Bytes;
use protocol_codec::records::{ValidatedBatch, split_batches};
use storage::RequiredAcks;

use super::{Partition, ReplicaManager};
use crate::broker::Clock;
use crate::config::{Durability, LiveConfig};
use crate::error_mapping::ToErrorCode;
use crate::group::OFFSETS_TOPIC;
use crate::group::log::{AppendDone, AppendError, OffsetsLog, ReplayError};

/// How much a replay reads at a time. One batch may be larger.
const REPLAY_BYTES: usize = 1 << 20;

/// The internal topic's partitions on this broker.
#[derive(Debug)]
pub struct ReplicaOffsetsLog {
    replicas: Arc<ReplicaManager>,
    config: Arc<LiveConfig>,
    clock: Clock,
}

impl ReplicaOffsetsLog {
    pub fn new(replicas: Arc<ReplicaManager>, config: Arc<LiveConfig>, clock: Clock) -> Self {
        Self { replicas, config, clock }
    }

    fn try_append(
        &self,
        partition: i32,
        epoch: i32,
        batch: &Bytes,
    ) -> Result<Option<(Arc<storage::Log>, i64)>, AppendError> {
        let batch = ValidatedBatch::internal(batch)
            .map_err(|error| AppendError::Storage(error.to_string()))?;
        let partition = self.led(partition, epoch).ok_or(AppendError::NotLeader)?;
        let (log, leadership) = partition.leader_log(-1).map_err(|_| AppendError::NotLeader)?;
        let waits = self.config.load().durability == Durability::PowerLoss;
        let acks = if waits { RequiredAcks::All } else { RequiredAcks::Leader };
        let appended = partition
            .append(log, &batch, leadership.epoch, acks, self.clock.wall_ms())
            .map_err(|error| AppendError::Storage(error.to_string()))?;
        Ok(waits.then(|| (log.clone(), appended.last_offset + 1)))
    }

    /// The partition, if this broker leads it in this epoch.
    fn led(&self, partition: i32, epoch: i32) -> Option<Arc<Partition>> {
        let partition = self.replicas.partition(OFFSETS_TOPIC, partition)?;
        let is_led = partition.is_leader() && partition.leadership().epoch == epoch;
        is_led.then_some(partition)
    }
}

impl OffsetsLog for ReplicaOffsetsLog {
    fn append(&self, partition: i32, epoch: i32, batch: Bytes, done: AppendDone) {
        match self.try_append(partition, epoch, &batch) {
            Err(error) => done(Err(error)),
            Ok(None) => done(Ok(())),
            Ok(Some((log, end))) => log.when_durable(
                end,
                Box::new(move |result| {
                    done(match result {
                        Ok(_durable) => Ok(()),
                        Err(error) => Err(AppendError::Storage(error.to_string())),
                    });
                }),
            ),
        }
    }

    fn is_empty(&self, partition: i32) -> bool {
        let partition = self.replicas.partition(OFFSETS_TOPIC, partition);
        let log = partition.as_ref().and_then(|partition| partition.log());
        log.is_some_and(|log| log.log_start_offset() == log.log_end_offset())
    }

    fn replay(
        &self,
        partition: i32,
        epoch: i32,
        sink: &mut dyn FnMut(Bytes) -> Result<(), ReplayError>,
    ) -> Result<(), ReplayError> {
        let storage = |error: &dyn std::fmt::Display| ReplayError::Storage(error.to_string());
        let led = self.led(partition, epoch).ok_or(ReplayError::NotLeader)?;
        let log = led.log().ok_or_else(|| ReplayError::Storage("the log is offline".into()))?;
        let end = log.log_end_offset();
        let mut offset = log.log_start_offset();
        while offset < end {
            let slices = log.read(offset, REPLAY_BYTES, end, true).map_err(|error| {
                tracing::error!(partition, code = %error.error_code().name(), "Replay failed: {error}");
                storage(&error)
            })?;
            let bytes = slices.to_bytes().map_err(|error| storage(&error))?;
            if bytes.is_empty() {
                // Compaction has left nothing of what was between here and the end.
                break;
            }
            let (whole, next) = whole_batches(&bytes);
            if whole == 0 {
                let reason = format!("no batch begins at offset {offset}");
                return Err(ReplayError::Corrupt(reason));
            }
            sink(bytes.slice(..whole))?;
            offset = next;
        }
        Ok(())
    }
}

/// How many bytes are whole batches, and the offset after them. A read may end within a batch.
fn whole_batches(bytes: &Bytes) -> (usize, i64) {
    let mut whole = (0, 0);
    for batch in split_batches(bytes.clone()) {
        let Ok(batch) = batch else { break };
        let header = batch.header();
        whole.0 += header.size();
        whole.1 = header.base_offset + i64::from(header.last_offset_delta) + 1;
    }
    whole
}
