//! The control records of the metadata log.
//!
//! A snapshot, the file `<end offset>-<epoch>.checkpoint`, is a sequence of batches like a segment:
//! it begins with a control batch whose first record is the header, and ends with one that holds
//! the footer. Without the footer it was not finished.

use bytes::Bytes;

use crate::data::{
    KRaftVersionRecord, LeaderChangeMessage, SnapshotFooterRecord, SnapshotHeaderRecord,
    VotersRecord,
};
use crate::messages::Message;
use crate::records::RecordView;
use crate::records::control::{ControlError, ControlRecordType, control_type};
use crate::wire::{DecodeError, Reader};

/// A control record of the metadata log.
#[derive(Clone, Debug, PartialEq)]
pub enum QuorumRecord {
    /// A controller has become the leader.
    LeaderChange(LeaderChangeMessage),
    /// A snapshot begins.
    SnapshotHeader(SnapshotHeaderRecord),
    /// A snapshot is complete.
    SnapshotFooter(SnapshotFooterRecord),
    /// The finalized version of KRaft.
    KRaftVersion(KRaftVersionRecord),
    /// The voters are these.
    Voters(VotersRecord),
    /// Something else, which readers pass over.
    Other(ControlRecordType),
}

/// Why a control record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuorumRecordError {
    /// Its key.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Its value.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl QuorumRecord {
    /// Reads a record of a control batch. The structures are read in their first version and bytes
    /// behind it are passed over, as Kafka does: later versions only append fields.
    ///
    /// # Errors
    /// [`QuorumRecordError`] if key or value are too short or not well-formed.
    pub fn decode(record: &RecordView<'_>) -> Result<Self, QuorumRecordError> {
        let value = || Reader::new(Bytes::copy_from_slice(record.value.unwrap_or_default()));
        Ok(match control_type(record)? {
            ControlRecordType::LeaderChange => {
                Self::LeaderChange(LeaderChangeMessage::decode(&mut value(), 0)?)
            }
            ControlRecordType::SnapshotHeader => {
                Self::SnapshotHeader(SnapshotHeaderRecord::decode(&mut value(), 0)?)
            }
            ControlRecordType::SnapshotFooter => {
                Self::SnapshotFooter(SnapshotFooterRecord::decode(&mut value(), 0)?)
            }
            ControlRecordType::KRaftVersion => {
                Self::KRaftVersion(KRaftVersionRecord::decode(&mut value(), 0)?)
            }
            ControlRecordType::KRaftVoters => Self::Voters(VotersRecord::decode(&mut value(), 0)?),
            other => Self::Other(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::control::control_key;
    use crate::records::{BatchBuilder, BatchView};

    fn decoded(kind: ControlRecordType, value: &[u8]) -> Result<QuorumRecord, QuorumRecordError> {
        let mut builder = BatchBuilder::new().control(true);
        builder.append(0, Some(&control_key(kind)), Some(value), &[]).unwrap();
        let batch = builder.build().unwrap();
        let batch = BatchView::read(&batch).unwrap();
        QuorumRecord::decode(&batch.records().unwrap().next().unwrap().unwrap())
    }

    #[test]
    fn records_are_read_by_their_type() {
        let header =
            decoded(ControlRecordType::SnapshotHeader, &[0, 0, 0, 0, 0, 0, 0, 0, 3, 232, 0]);
        let expected = SnapshotHeaderRecord { version: 0, last_contained_log_timestamp: 1000 };
        assert_eq!(header, Ok(QuorumRecord::SnapshotHeader(expected)));
        let footer = QuorumRecord::SnapshotFooter(SnapshotFooterRecord::default());
        assert_eq!(decoded(ControlRecordType::SnapshotFooter, &[0, 0, 0]), Ok(footer));
        let version = KRaftVersionRecord { version: 0, kraft_version: 1 };
        let version = QuorumRecord::KRaftVersion(version);
        assert_eq!(decoded(ControlRecordType::KRaftVersion, &[0, 0, 0, 1, 0]), Ok(version));
        let commit = ControlRecordType::Commit;
        assert_eq!(decoded(commit, &[]), Ok(QuorumRecord::Other(commit)));
    }

    #[test]
    fn the_first_version_of_a_newer_record_is_read() {
        // Version 1: the directory id of each voter is left over.
        let mut newer = vec![0, 1, 0, 0, 0, 7, 1, 1, 0];
        newer.extend([9; 16]);
        let Ok(QuorumRecord::LeaderChange(change)) =
            decoded(ControlRecordType::LeaderChange, &newer)
        else {
            panic!("a leader change");
        };
        assert_eq!(change.leader_id, 7);
    }

    #[test]
    fn a_short_value_is_an_error() {
        let error = decoded(ControlRecordType::KRaftVoters, &[0, 0, 9]).unwrap_err();
        assert!(matches!(error, QuorumRecordError::Decode(_)), "{error}");
    }
}
