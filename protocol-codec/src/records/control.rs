//! Control batches: records that the cluster writes into a partition for itself and that clients skip.
//!
//! ```text
//! key of every control record:   int16 version = 0, int16 type
//! value of COMMIT and ABORT:     int16 version = 0, int32 coordinator epoch
//! ```
//!
//! A control batch holds one record. Longer keys and values come from newer versions, which may only add
//! fields: the fields known here are read and the rest is ignored, as Kafka does.

use bytes::{Buf, Bytes};
use thiserror::Error;

use super::batch::BatchView;
use super::builder::{BatchBuilder, BuildError};
use super::header::NO_SEQUENCE;
use super::record::{MalformedRecord, RecordView};

/// What a control record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlRecordType {
    /// A transaction was aborted.
    Abort,
    /// A transaction was committed.
    Commit,
    /// A new leader of the metadata quorum.
    LeaderChange,
    /// The first record of a metadata snapshot.
    SnapshotHeader,
    /// The last record of a metadata snapshot.
    SnapshotFooter,
    /// The finalized version of KRaft.
    KRaftVersion,
    /// The voters of the metadata quorum.
    KRaftVoters,
    /// A type that is not known here and must be ignored.
    Unknown(i16),
}

impl ControlRecordType {
    /// The type with this id.
    #[must_use]
    pub const fn from_id(id: i16) -> Self {
        match id {
            0 => Self::Abort,
            1 => Self::Commit,
            2 => Self::LeaderChange,
            3 => Self::SnapshotHeader,
            4 => Self::SnapshotFooter,
            5 => Self::KRaftVersion,
            6 => Self::KRaftVoters,
            other => Self::Unknown(other),
        }
    }

    /// The id on the wire.
    #[must_use]
    pub const fn id(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::LeaderChange => 2,
            Self::SnapshotHeader => 3,
            Self::SnapshotFooter => 4,
            Self::KRaftVersion => 5,
            Self::KRaftVoters => 6,
            Self::Unknown(id) => id,
        }
    }
}

/// Why a control record could not be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ControlError {
    /// The batch is not a control batch.
    #[error("the batch is not a control batch")]
    NotControl,
    /// The batch is compressed or holds no record; Kafka writes neither.
    #[error("the control batch holds no readable record")]
    NoRecord,
    /// The record is not well-formed.
    #[error(transparent)]
    Malformed(#[from] MalformedRecord),
    /// The key or the value is shorter than its fields.
    #[error("the {0} of the control record is too short")]
    TooShort(&'static str),
    /// A negative version.
    #[error("invalid version {0} in a control record")]
    Version(i16),
    /// The record is of another type than the one asked for.
    #[error("the control record is not the end of a transaction")]
    NotEndOfTransaction,
}

/// Reads the type of a control record from its key.
///
/// # Errors
/// `TooShort` and `Version`.
pub fn control_type(record: &RecordView<'_>) -> Result<ControlRecordType, ControlError> {
    let mut key = record.key.unwrap_or_default();
    let version = key.try_get_i16().map_err(|_| ControlError::TooShort("key"))?;
    if version < 0 {
        return Err(ControlError::Version(version));
    }
    let id = key.try_get_i16().map_err(|_| ControlError::TooShort("key"))?;
    Ok(ControlRecordType::from_id(id))
}

/// The key of a control record.
#[must_use]
pub fn control_key(kind: ControlRecordType) -> [u8; 4] {
    let [high, low] = kind.id().to_be_bytes();
    [0, 0, high, low]
}

/// The end of a transaction in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTransactionMarker {
    /// Committed, or else aborted.
    pub committed: bool,
    /// Epoch of the transaction coordinator that decided it; older ones are fenced by it.
    pub coordinator_epoch: i32,
}

impl EndTransactionMarker {
    /// The control batch that ends a transaction of this producer. The caller sets offset and leader epoch
    /// when it appends.
    ///
    /// # Errors
    /// None in practice: one small record always fits.
    pub fn to_batch(
        self,
        timestamp_ms: i64,
        producer_id: i64,
        producer_epoch: i16,
    ) -> Result<Bytes, BuildError> {
        let kind =
            if self.committed { ControlRecordType::Commit } else { ControlRecordType::Abort };
        let mut value = [0_u8; 6];
        if let Some(epoch) = value.last_chunk_mut::<4>() {
            *epoch = self.coordinator_epoch.to_be_bytes();
        }
        let mut builder = BatchBuilder::new()
            .producer(producer_id, producer_epoch, NO_SEQUENCE)
            .transactional(true)
            .control(true);
        builder.append(timestamp_ms, Some(&control_key(kind)), Some(&value), &[])?;
        builder.build()
    }

    /// Reads the marker in a control batch.
    ///
    /// # Errors
    /// The batch holds another control record, or none that can be read.
    pub fn from_batch(batch: &BatchView<'_>) -> Result<Self, ControlError> {
        let record = control_record(batch)?;
        let committed = match control_type(&record)? {
            ControlRecordType::Commit => true,
            ControlRecordType::Abort => false,
            _ => return Err(ControlError::NotEndOfTransaction),
        };
        let mut value = record.value.unwrap_or_default();
        let version = value.try_get_i16().map_err(|_| ControlError::TooShort("value"))?;
        if version < 0 {
            return Err(ControlError::Version(version));
        }
        let coordinator_epoch = value.try_get_i32().map_err(|_| ControlError::TooShort("value"))?;
        Ok(Self { committed, coordinator_epoch })
    }
}

/// The record of a control batch.
///
/// # Errors
/// `NotControl`, `NoRecord` and `Malformed`.
pub fn control_record<'a>(batch: &BatchView<'a>) -> Result<RecordView<'a>, ControlError> {
    if !batch.header().attributes.is_control() {
        return Err(ControlError::NotControl);
    }
    let mut records = batch.records().ok_or(ControlError::NoRecord)?;
    Ok(records.next().ok_or(ControlError::NoRecord)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_round_trip() {
        for committed in [true, false] {
            let marker = EndTransactionMarker { committed, coordinator_epoch: 77 };
            let bytes = marker.to_batch(5, 1000, 3).unwrap();
            let batch = BatchView::read(&bytes).unwrap();
            let header = batch.header();
            assert!(header.attributes.is_control() && header.attributes.is_transactional());
            assert_eq!((header.producer_id, header.producer_epoch), (1000, 3));
            assert_eq!((header.base_sequence, header.records_count), (-1, 1));
            assert_eq!(EndTransactionMarker::from_batch(&batch), Ok(marker));
        }
    }

    #[test]
    fn what_is_not_a_marker() {
        let batch = |control: bool, key: &[u8], value: &[u8]| {
            let mut builder = BatchBuilder::new().control(control);
            builder.append(0, Some(key), Some(value), &[]).unwrap();
            let bytes = builder.build().unwrap();
            EndTransactionMarker::from_batch(&BatchView::read(&bytes).unwrap())
        };
        let value = [0, 0, 0, 0, 0, 9];
        assert_eq!(batch(false, &[0, 0, 0, 1], &value), Err(ControlError::NotControl));
        assert_eq!(batch(true, &[0, 0, 0], &value), Err(ControlError::TooShort("key")));
        assert_eq!(batch(true, &[255, 255, 0, 1], &value), Err(ControlError::Version(-1)));
        assert_eq!(batch(true, &[0, 0, 0, 2], &value), Err(ControlError::NotEndOfTransaction));
        assert_eq!(batch(true, &[0, 0, 0, 1], &value[..5]), Err(ControlError::TooShort("value")));
        // A newer version with more fields is read as far as it is known.
        let newer = [0, 1, 0, 0, 0, 9, 1, 1];
        let marker = EndTransactionMarker { committed: true, coordinator_epoch: 9 };
        assert_eq!(batch(true, &[0, 1, 0, 1, 5], &newer), Ok(marker));
        let empty = BatchBuilder::new().control(true).build().unwrap();
        let empty = BatchView::read(&empty).unwrap();
        assert_eq!(control_record(&empty).unwrap_err(), ControlError::NoRecord);
    }

    #[test]
    fn ids_round_trip() {
        for id in -1..9 {
            assert_eq!(ControlRecordType::from_id(id).id(), id);
        }
    }
}
