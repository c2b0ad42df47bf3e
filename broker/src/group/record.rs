//! The records of `__consumer_offsets` that the classic group protocol writes and reads,
//! byte for byte as Kafka 4.4 writes them.
//!
//! A record's key starts with an `int16` that says what it is (0 and 1: a committed offset,
//! 2: a group), its value with an `int16` that is the version of the value's schema. A record
//! without a value is a tombstone. Records of the newer group protocols share the topic: they
//! are not ours to read, and [`Record::decode`] passes them over.

use bytes::Bytes;
use protocol_codec::StrBytes;
use protocol_codec::coordinator_records::consumer_offsets::{
    GroupMetadataKey, GroupMetadataValue, Key, LegacyOffsetCommitKey, LegacyOffsetCommitValue,
    OffsetCommitKey, OffsetCommitValue, Value,
};
use protocol_codec::wire::{DecodeError, EncodeError, Reader};

use super::offsets::NO_EXPIRY;

/// The longest string that the records can hold: lengths are `int16`.
pub(super) const STRING_BYTES_MAX: usize = i16::MAX as usize;

/// Offsets of old, offsets, groups.
const RECORD_TYPES: std::ops::RangeInclusive<i16> = 0..=2;

/// Version of the group value that Kafka 4.4 writes.
const GROUP_VALUE_VERSION: i16 = 3;
/// Version of the offset value that Kafka 4.4 writes, with the topic's id.
const OFFSET_VALUE_VERSION: i16 = 4;
/// The only version of the offset value that holds an expiry of its own.
const OFFSET_VALUE_VERSION_WITH_EXPIRY: i16 = 1;

#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// A committed offset, or its tombstone.
    Offset { key: OffsetCommitKey, value: Option<OffsetCommitValue> },
    /// A generation of a group, or the group's tombstone.
    Group { key: GroupMetadataKey, value: Option<GroupMetadataValue> },
}

impl Record {
    /// What a record takes in a batch beside its key and value, at most.
    pub(super) const OVERHEAD_BYTES_MAX: usize = 32;

    pub(super) fn group(group_id: &StrBytes, value: Option<GroupMetadataValue>) -> Self {
        let key = GroupMetadataKey { group: group_id.clone() };
        Record::Group { key, value }
    }

    pub(super) fn offset(
        group_id: &StrBytes,
        topic: &StrBytes,
        partition: i32,
        value: Option<OffsetCommitValue>,
    ) -> Self {
        let key = OffsetCommitKey { group: group_id.clone(), topic: topic.clone(), partition };
        Record::Offset { key, value }
    }

    /// Key and value as they stand in a batch.
    ///
    /// # Errors
    /// A string is longer than [`STRING_BYTES_MAX`].
    pub fn encode(&self) -> Result<(Bytes, Option<Bytes>), EncodeError> {
        match self {
            Record::Offset { key, value } => {
                let encode = |value: &OffsetCommitValue| {
                    Value::OffsetCommit(value.clone()).encode(offset_value_version(value))
                };
                let value = value.as_ref().map(encode).transpose()?;
                Ok((Key::OffsetCommit(key.clone()).encode()?, value))
            }
            Record::Group { key, value } => {
                let encode = |value: &GroupMetadataValue| {
                    Value::GroupMetadata(value.clone()).encode(GROUP_VALUE_VERSION)
                };
                let value = value.as_ref().map(encode).transpose()?;
                Ok((Key::GroupMetadata(key.clone()).encode()?, value))
            }
        }
    }

    /// Reads a record; `None` if it is of another kind than these.
    ///
    /// # Errors
    /// It is of these kinds and cannot be read.
    pub fn decode(key: Bytes, value: Option<Bytes>) -> Result<Option<Self>, DecodeError> {
        let record_type = Reader::new(key.clone()).i16()?;
        if !RECORD_TYPES.contains(&record_type) {
            return Ok(None);
        }
        let key = Key::decode(key)?;
        let value = value.map(|value| Value::decode(record_type, value)).transpose()?;
        Ok(match (key, value) {
            (Key::OffsetCommit(key), Some(Value::OffsetCommit(value))) => {
                Some(Record::Offset { key, value: Some(value) })
            }
            (Key::OffsetCommit(key), None) => Some(Record::Offset { key, value: None }),
            (Key::LegacyOffsetCommit(key), Some(Value::LegacyOffsetCommit(value))) => {
                Some(Record::Offset { key: legacy_key(key), value: Some(legacy_value(value)) })
            }
            (Key::LegacyOffsetCommit(key), None) => {
                Some(Record::Offset { key: legacy_key(key), value: None })
            }
            (Key::GroupMetadata(key), Some(Value::GroupMetadata(value))) => {
                Some(Record::Group { key, value: Some(value) })
            }
            (Key::GroupMetadata(key), None) => Some(Record::Group { key, value: None }),
            _ => None,
        })
    }

    /// Bytes that the record takes in a batch, nearly: what its strings and byte fields hold.
    pub(super) fn encoded_size(&self) -> usize {
        self.encode().map_or(usize::MAX, |(key, value)| {
            key.len() + value.map_or(0, |value| value.len()) + Self::OVERHEAD_BYTES_MAX
        })
    }
}

fn offset_value_version(value: &OffsetCommitValue) -> i16 {
    match value.expire_timestamp {
        NO_EXPIRY => OFFSET_VALUE_VERSION,
        _ => OFFSET_VALUE_VERSION_WITH_EXPIRY,
    }
}

fn legacy_key(key: LegacyOffsetCommitKey) -> OffsetCommitKey {
    OffsetCommitKey { group: key.group, topic: key.topic, partition: key.partition }
}

fn legacy_value(value: LegacyOffsetCommitValue) -> OffsetCommitValue {
    OffsetCommitValue {
        offset: value.offset,
        metadata: value.metadata,
        commit_timestamp: value.commit_timestamp,
        ..OffsetCommitValue::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> StrBytes {
        StrBytes::from(text)
    }

    /// Bytes that Kafka 4.4.0's own serializer writes for the same values.
    #[test]
    fn offset_record_has_kafkas_bytes() {
        let value = OffsetCommitValue {
            offset: 42,
            leader_epoch: 7,
            metadata: text("m"),
            commit_timestamp: 1000,
            ..OffsetCommitValue::default()
        };
        let record = Record::offset(&text("g"), &text("t"), 3, Some(value));
        let (key, value) = record.encode().unwrap();
        assert_eq!(&key[..], b"\0\x01\0\x01g\0\x01t\0\0\0\x03");
        assert_eq!(
            &value.clone().unwrap()[..],
            b"\0\x04\0\0\0\0\0\0\0\x2a\0\0\0\x07\x02m\0\0\0\0\0\0\x03\xe8\0"
        );
        assert_eq!(Record::decode(key, value).unwrap(), Some(record));
    }

    #[test]
    fn offset_with_expiry_is_version_1() {
        let value = OffsetCommitValue {
            offset: 42,
            commit_timestamp: 1000,
            expire_timestamp: 2000,
            ..OffsetCommitValue::default()
        };
        let record = Record::offset(&text("g"), &text("t"), 3, Some(value));
        let (_, value) = record.encode().unwrap();
        assert_eq!(
            &value.unwrap()[..],
            b"\0\x01\0\0\0\0\0\0\0\x2a\0\0\0\0\0\0\0\0\x03\xe8\0\0\0\0\0\0\x07\xd0"
        );
    }

    #[test]
    fn empty_group_record_has_kafkas_bytes() {
        let value = GroupMetadataValue {
            protocol_type: text("consumer"),
            generation: 5,
            protocol: None,
            leader: None,
            current_state_timestamp: 1000,
            members: Vec::new(),
        };
        let record = Record::group(&text("g"), Some(value));
        let (key, value) = record.encode().unwrap();
        assert_eq!(&key[..], b"\0\x02\0\x01g");
        assert_eq!(
            &value.clone().unwrap()[..],
            b"\0\x03\0\x08consumer\0\0\0\x05\xff\xff\xff\xff\0\0\0\0\0\0\x03\xe8\0\0\0\0"
        );
        assert_eq!(Record::decode(key, value).unwrap(), Some(record));
    }

    #[test]
    fn tombstones_and_foreign_records() {
        let record = Record::group(&text("g"), None);
        let (key, value) = record.encode().unwrap();
        assert_eq!(value, None);
        assert_eq!(Record::decode(key, None).unwrap(), Some(record));
        // Key type 3 is a group of the newer protocol; 99 is of no one's.
        assert_eq!(Record::decode(Bytes::from_static(b"\0\x03\0\x01g"), None).unwrap(), None);
        assert_eq!(Record::decode(Bytes::from_static(b"\0\x63"), None).unwrap(), None);
        assert!(Record::decode(Bytes::from_static(b"\0\x02\0\x09g"), None).is_err());
    }

    #[test]
    fn a_record_of_the_first_version_is_read() {
        let key = Bytes::from_static(b"\0\0\0\x01g\0\x01t\0\0\0\x03");
        let value = Bytes::from_static(b"\0\0\0\0\0\0\0\0\0\x2a\0\x01m\0\0\0\0\0\0\x03\xe8");
        let Some(Record::Offset { key, value: Some(value) }) =
            Record::decode(key, Some(value)).unwrap()
        else {
            panic!("an offset");
        };
        assert_eq!((&*key.topic, key.partition), ("t", 3));
        assert_eq!((value.offset, value.leader_epoch, &*value.metadata), (42, -1, "m"));
    }
}
