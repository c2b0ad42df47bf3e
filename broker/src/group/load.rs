//! Loading a partition: its log, replayed from the start into a new machine.

use std::sync::Arc;

use bytes::Bytes;
use protocol_codec::records::compression::decompress;
use protocol_codec::records::control::{ControlError, EndTransactionMarker};
use protocol_codec::records::{
    Batch, BatchHeader, BatchView, Compression, RecordIter, split_batches,
};
use tracing::warn;

use super::GroupConfig;
use super::log::{OffsetsLog, ReplayError};
use super::machine::Machine;
use super::record::Record;
use pending::PendingOffsets;

mod pending;

/// What one compressed batch of the internal topic may grow to.
const DECOMPRESSED_BATCH_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A machine in the state that the partition's log describes, and the number of records in it.
pub(super) fn load(
    config: &Arc<GroupConfig>,
    log: &dyn OffsetsLog,
    partition: i32,
    epoch: i32,
) -> Result<(Machine, u64), ReplayError> {
    let machine = Machine::new(Arc::clone(config));
    let mut loader = Loader { machine, records: 0, pending: PendingOffsets::default() };
    log.replay(partition, epoch, &mut |piece| loader.replay_piece(piece))?;
    let open = loader.pending.open_transactions();
    if open > 0 {
        warn!(
            "__consumer_offsets-{partition}: {open} transactions have not ended and do not count"
        );
    }
    Ok((loader.machine, loader.records))
}

struct Loader {
    machine: Machine,
    records: u64,
    /// Offsets that were committed in transactions.
    pending: PendingOffsets,
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
        let view = batch.view();
        if header.attributes.is_control() {
            return self.end_transaction(&view);
        }
        match view.records() {
            Some(records) => self.replay_records(header, records),
            None => {
                let payload = decompressed(&view)?;
                self.replay_records(header, RecordIter::new(&payload, header.records_count))
            }
        }
    }

    /// What a transaction committed counts from here on.
    fn end_transaction(&mut self, batch: &BatchView<'_>) -> Result<(), ReplayError> {
        let marker = match EndTransactionMarker::from_batch(batch) {
            Ok(marker) => marker,
            // Compaction empties the batch of a marker whose transaction left nothing behind.
            Err(ControlError::NoRecord | ControlError::NotEndOfTransaction) => return Ok(()),
            Err(error) => return Err(ReplayError::Corrupt(error.to_string())),
        };
        for record in self.pending.end(batch.header().producer_id, marker.committed) {
            self.machine.replay(&record);
            self.records += 1;
        }
        Ok(())
    }

    fn replay_records(
        &mut self,
        header: &BatchHeader,
        records: RecordIter<'_>,
    ) -> Result<(), ReplayError> {
        let producer_id = header.attributes.is_transactional().then_some(header.producer_id);
        for record in records {
            let record = record.map_err(|error| ReplayError::Corrupt(error.to_string()))?;
            let Some(key) = record.key else { continue };
            let offset = header.offset_of(record.offset_delta);
            let key = Bytes::copy_from_slice(key);
            let value = record.value.map(Bytes::copy_from_slice);
            let record = Record::decode(key, value)
                .map_err(|error| ReplayError::Corrupt(error.to_string()))?;
            if let Some(record) = record.and_then(|r| self.pending.add(producer_id, offset, r)) {
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
