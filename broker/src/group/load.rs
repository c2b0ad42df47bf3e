//! Loading a partition: its log, replayed from the start into a new machine.

use std::sync::Arc;

use bytes::Bytes;
use protocol_codec::records::compression::decompress;
use protocol_codec::records::{Batch, BatchView, Compression, RecordIter, split_batches};
use tracing::warn;

use super::GroupConfig;
use super::log::{OffsetsLog, ReplayError};
use super::machine::Machine;
use super::record::Record;

/// What one compressed batch of the internal topic may grow to.
const DECOMPRESSED_BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A machine in the state that the partition's log describes, and the number of records in it.
pub(super) fn load(
    config: &Arc<GroupConfig>,
    log: &dyn OffsetsLog,
    partition: i32,
    epoch: i32,
) -> Result<(Machine, u64), ReplayError> {
    let mut loader = Loader { machine: Machine::new(Arc::clone(config)), records: 0, skipped: 0 };
    log.replay(partition, epoch, &mut |piece| loader.replay_piece(piece))?;
    if loader.skipped > 0 {
        warn!(
            "__consumer_offsets-{partition}: {} batches of transactions were passed over",
            loader.skipped
        );
    }
    Ok((loader.machine, loader.records))
}

struct Loader {
    machine: Machine,
    records: u64,
    /// Transactional and control batches: offsets in transactions are not supported yet.
    skipped: u64,
}

impl Loader {
    fn replay_piece(&mut self, piece: Bytes) -> Result<(), ReplayError> {
        for batch in split_batches(piece) {
            let batch = batch.map_err(|error| ReplayError::Corrupt(error.to_string()))?;
            self.replay_batch(&batch)?;
        }
        Ok(())
    }

    fn replay_batch(&mut self, batch: &Batch) -> Result<(), ReplayError> {
        let header = batch.header();
        if header.attributes.is_control() || header.attributes.is_transactional() {
            self.skipped += 1;
            return Ok(());
        }
        let view = batch.view();
        match view.records() {
            Some(records) => self.replay_records(records),
            None => {
                let payload = decompressed(&view)?;
                self.replay_records(RecordIter::new(&payload, header.records_count))
            }
        }
    }

    fn replay_records(&mut self, records: RecordIter<'_>) -> Result<(), ReplayError> {
        for record in records {
            let record = record.map_err(|error| ReplayError::Corrupt(error.to_string()))?;
            let Some(key) = record.key else { continue };
            let key = Bytes::copy_from_slice(key);
            let value = record.value.map(Bytes::copy_from_slice);
            let record = Record::decode(key, value)
                .map_err(|error| ReplayError::Corrupt(error.to_string()))?;
            if let Some(record) = record {
                self.machine.replay(&record);
                self.records += 1;
            }
        }
        Ok(())
    }
}

fn decompressed(batch: &BatchView<'_>) -> Result<Vec<u8>, ReplayError> {
    let kind = batch.header().attributes.compression().unwrap_or(Compression::None);
    decompress(kind, batch.payload(), DECOMPRESSED_BATCH_BYTES_MAX)
        .map_err(|error| ReplayError::Corrupt(error.to_string()))
}
