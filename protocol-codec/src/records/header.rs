//! The header of a record batch, and its checksum.
//!
//! ```text
//!  at  bytes  field                      in the CRC
//!   0      8  base offset                no: the broker assigns it
//!   8      4  batch length               no: bytes from position 12 to the end of the batch
//!  12      4  partition leader epoch     no: the broker assigns it
//!  16      1  magic = 2                  no
//!  17      4  CRC-32C of bytes 21..end   no
//!  21      2  attributes                 yes
//!  23      4  last offset delta          yes
//!  27      8  base timestamp, ms         yes
//!  35      8  max timestamp, ms          yes
//!  43      8  producer id, or -1         yes
//!  51      2  producer epoch, or -1      yes
//!  53      4  base sequence, or -1       yes
//!  57      4  number of records          yes
//!  61         records, compressed together if the attributes say so
//! ```
//!
//! All integers are big-endian. Attributes: bits 0-2 compression, bit 3 timestamp type, bit 4 transactional,
//! bit 5 control batch, bit 6 delete horizon (the base timestamp is then the horizon), the rest unused.

use bytes::{Buf, BufMut};
use thiserror::Error;

/// Bytes of a batch header: everything before the records.
pub const BATCH_OVERHEAD: usize = 61;
/// Bytes of base offset and batch length, which the batch length does not count.
pub const LOG_OVERHEAD: usize = 12;
/// The only magic that is read and written.
pub const MAGIC_V2: i8 = 2;
/// Where the bytes begin that the CRC covers.
pub const CRC_START: usize = 21;

/// "No producer id": a batch of a producer that is neither idempotent nor transactional.
pub const NO_PRODUCER_ID: i64 = -1;
/// "No producer epoch".
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// "No sequence".
pub const NO_SEQUENCE: i32 = -1;
/// "No timestamp".
pub const NO_TIMESTAMP: i64 = -1;
/// "No partition leader epoch".
pub const NO_PARTITION_LEADER_EPOCH: i32 = -1;

/// How the records of a batch are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// Not at all.
    #[default]
    None = 0,
    /// gzip, RFC 1952.
    Gzip = 1,
    /// snappy, raw or in the frames of snappy-java.
    Snappy = 2,
    /// LZ4 frames.
    Lz4 = 3,
    /// zstd, RFC 8878 (KIP-110).
    Zstd = 4,
}

impl Compression {
    /// Every kind, in order of its id.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The kind with this id, if there is one: ids 5 to 7 mean nothing.
    #[must_use]
    pub fn from_id(id: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == id)
    }

    /// The name in Kafka's configuration: `none`, `gzip`, `snappy`, `lz4`, `zstd`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

/// Who sets the timestamps of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimestampType {
    /// The producer; each record has its own.
    #[default]
    CreateTime,
    /// The broker; all records have the batch's max timestamp.
    LogAppendTime,
}

/// The attribute bits of a batch.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Attributes(i16);

impl Attributes {
    const COMPRESSION: i16 = 0x07;
    const LOG_APPEND_TIME: i16 = 0x08;
    const TRANSACTIONAL: i16 = 0x10;
    const CONTROL: i16 = 0x20;
    const DELETE_HORIZON: i16 = 0x40;

    /// The attributes with these bits. Unused bits are kept.
    #[must_use]
    pub const fn from_bits(bits: i16) -> Self {
        Self(bits)
    }

    /// The bits as they are on the wire.
    #[must_use]
    pub const fn bits(self) -> i16 {
        self.0
    }

    /// How the records are compressed.
    ///
    /// # Errors
    /// `UnknownCompression` for the ids 5 to 7.
    pub fn compression(self) -> Result<Compression, BatchError> {
        let id = (self.0 & Self::COMPRESSION) as u8;
        Compression::from_id(id).ok_or(BatchError::UnknownCompression { id })
    }

    /// Who sets the timestamps.
    #[must_use]
    pub fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    /// Whether the batch is part of a transaction.
    #[must_use]
    pub const fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Whether the batch holds control records, which consumers do not see.
    #[must_use]
    pub const fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// Whether the base timestamp is the time at which tombstones of this batch may go (KIP-534).
    #[must_use]
    pub const fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    /// These attributes with another compression.
    #[must_use]
    pub const fn with_compression(self, kind: Compression) -> Self {
        Self(self.0 & !Self::COMPRESSION | kind as i16)
    }

    /// These attributes with another timestamp type.
    #[must_use]
    pub const fn with_timestamp_type(self, kind: TimestampType) -> Self {
        self.with(Self::LOG_APPEND_TIME, matches!(kind, TimestampType::LogAppendTime))
    }

    /// These attributes with the transactional bit set or not.
    #[must_use]
    pub const fn with_transactional(self, on: bool) -> Self {
        self.with(Self::TRANSACTIONAL, on)
    }

    /// These attributes with the control bit set or not.
    #[must_use]
    pub const fn with_control(self, on: bool) -> Self {
        self.with(Self::CONTROL, on)
    }

    /// These attributes with the delete horizon bit set or not.
    #[must_use]
    pub const fn with_delete_horizon(self, on: bool) -> Self {
        self.with(Self::DELETE_HORIZON, on)
    }

    /// These attributes without the bits that mean nothing.
    #[must_use]
    pub const fn without_unused_bits(self) -> Self {
        Self(self.0 & 0x7f)
    }

    const fn with(self, mask: i16, on: bool) -> Self {
        if on { Self(self.0 | mask) } else { Self(self.0 & !mask) }
    }
}

impl std::fmt::Debug for Attributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attributes({:#06x})", self.0)
    }
}

/// Why bytes are not a record batch.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum BatchError {
    /// Fewer bytes than the batch says it has.
    #[error("the batch needs {needed} bytes and {available} are there")]
    Truncated {
        /// Bytes that the batch, or its header, takes.
        needed: usize,
        /// Bytes that are there.
        available: usize,
    },
    /// A batch length that leaves no room for the header.
    #[error("batch length {length} is not possible: a batch has at least {} bytes after its length", BATCH_OVERHEAD - LOG_OVERHEAD)]
    InvalidLength {
        /// The batch length as found.
        length: i32,
    },
    /// A magic other than 2.
    #[error("magic {magic} is not supported")]
    UnsupportedMagic {
        /// The magic as found.
        magic: i8,
    },
    /// The checksum does not fit the bytes.
    #[error("the batch is corrupt (stored crc = {stored}, computed crc = {computed})")]
    Checksum {
        /// The CRC in the header.
        stored: u32,
        /// The CRC of the bytes.
        computed: u32,
    },
    /// A compression that does not exist.
    #[error("compression id {id} is unknown")]
    UnknownCompression {
        /// The id as found, 5 to 7.
        id: u8,
    },
}

/// The header of a batch; the module's documentation has the byte map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Bytes of the batch after this field.
    pub batch_length: i32,
    /// Epoch of the leader that appended the batch, -1 before that.
    pub partition_leader_epoch: i32,
    /// Version of the format: always 2 in a header that was read here.
    pub magic: i8,
    /// CRC-32C of everything after this field.
    pub crc: u32,
    /// Flags.
    pub attributes: Attributes,
    /// Offset of the last record, relative to the base offset; compaction keeps it.
    pub last_offset_delta: i32,
    /// Timestamp in ms that the records' deltas add to.
    pub base_timestamp: i64,
    /// Largest timestamp of the records in ms, or the append time.
    pub max_timestamp: i64,
    /// Id of an idempotent or transactional producer, -1 for others.
    pub producer_id: i64,
    /// Epoch of that producer.
    pub producer_epoch: i16,
    /// Sequence of the first record from that producer.
    pub base_sequence: i32,
    /// Number of records.
    pub records_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`. The checksum is not looked at.
    ///
    /// # Errors
    /// `Truncated`, `InvalidLength` (also for a length that no batch could have) and `UnsupportedMagic`.
    pub fn read(bytes: &[u8]) -> Result<Self, BatchError> {
        let Some(mut head) = bytes.first_chunk::<BATCH_OVERHEAD>().map(<[u8; 61]>::as_slice) else {
            return Err(Self::why_too_short(bytes));
        };
        let header = Self {
            base_offset: head.get_i64(),
            batch_length: head.get_i32(),
            partition_leader_epoch: head.get_i32(),
            magic: head.get_i8(),
            crc: head.get_u32(),
            attributes: Attributes::from_bits(head.get_i16()),
            last_offset_delta: head.get_i32(),
            base_timestamp: head.get_i64(),
            max_timestamp: head.get_i64(),
            producer_id: head.get_i64(),
            producer_epoch: head.get_i16(),
            base_sequence: head.get_i32(),
            records_count: head.get_i32(),
        };
        // The magic comes first: the older formats' smallest batches are shorter than ours.
        if header.magic != MAGIC_V2 && header.batch_length > 0 {
            return Err(BatchError::UnsupportedMagic { magic: header.magic });
        }
        check_length(header.batch_length)?;
        Ok(header)
    }

    // A short buffer may already show that this is no batch at all, which matters to recovery.
    fn why_too_short(bytes: &[u8]) -> BatchError {
        let available = bytes.len();
        let length = bytes.get(8..LOG_OVERHEAD).map(|mut field| field.get_i32());
        match (length, bytes.get(16)) {
            (Some(length), None) if length <= 0 => BatchError::InvalidLength { length },
            (Some(length), Some(&magic)) => match check_length(length) {
                _ if magic as i8 != MAGIC_V2 && length > 0 => {
                    BatchError::UnsupportedMagic { magic: magic as i8 }
                }
                Err(error) => error,
                Ok(()) => BatchError::Truncated { needed: BATCH_OVERHEAD, available },
            },
            _ => BatchError::Truncated { needed: BATCH_OVERHEAD, available },
        }
    }

    /// The header as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; BATCH_OVERHEAD] {
        let mut bytes = [0; BATCH_OVERHEAD];
        let mut out = bytes.as_mut_slice();
        out.put_i64(self.base_offset);
        out.put_i32(self.batch_length);
        out.put_i32(self.partition_leader_epoch);
        out.put_i8(self.magic);
        out.put_u32(self.crc);
        out.put_i16(self.attributes.bits());
        out.put_i32(self.last_offset_delta);
        out.put_i64(self.base_timestamp);
        out.put_i64(self.max_timestamp);
        out.put_i64(self.producer_id);
        out.put_i16(self.producer_epoch);
        out.put_i32(self.base_sequence);
        out.put_i32(self.records_count);
        bytes
    }

    /// Bytes of the whole batch, header included.
    #[must_use]
    pub fn size(&self) -> usize {
        LOG_OVERHEAD + usize::try_from(self.batch_length).unwrap_or(0)
    }

    /// Offset of the last record.
    #[must_use]
    pub fn last_offset(&self) -> i64 {
        self.base_offset.wrapping_add(i64::from(self.last_offset_delta))
    }

    /// Offset after the last record.
    #[must_use]
    pub fn next_offset(&self) -> i64 {
        self.last_offset().wrapping_add(1)
    }

    /// Whether an idempotent or transactional producer wrote the batch.
    #[must_use]
    pub const fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }

    /// Sequence of the last record, or -1 without sequences. Sequences wrap from 2^31-1 to 0.
    #[must_use]
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence == NO_SEQUENCE {
            return NO_SEQUENCE;
        }
        increment_sequence(self.base_sequence, self.last_offset_delta)
    }

    /// The CRC that belongs to this header in front of `payload` (everything after the header).
    #[must_use]
    pub fn checksum(&self, payload: &[u8]) -> u32 {
        let bytes = self.to_bytes();
        let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
        digest.update(bytes.get(CRC_START..).unwrap_or_default());
        digest.update(payload);
        digest.finalize() as u32
    }
}

/// `sequence + increment`, wrapping from 2^31-1 to 0 as producers do.
#[must_use]
pub fn increment_sequence(sequence: i32, increment: i32) -> i32 {
    sequence.wrapping_add(increment) & i32::MAX
}

/// CRC-32C (Castagnoli), the checksum of record batches.
#[must_use]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

fn check_length(length: i32) -> Result<(), BatchError> {
    match usize::try_from(length) {
        Ok(found) if found >= BATCH_OVERHEAD - LOG_OVERHEAD => Ok(()),
        _ => Err(BatchError::InvalidLength { length }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BatchHeader {
        BatchHeader {
            base_offset: 0x0102_0304_0506_0708,
            batch_length: 0x0a0b,
            partition_leader_epoch: 0x0c0d_0e0f,
            magic: 2,
            crc: 0x1122_3344,
            attributes: Attributes::from_bits(0x55),
            last_offset_delta: 0x2122_2324,
            base_timestamp: 0x3132_3334_3536_3738,
            max_timestamp: 0x4142_4344_4546_4748,
            producer_id: 0x5152_5354_5556_5758,
            producer_epoch: 0x6162,
            base_sequence: 0x7172_7374,
            records_count: 0x0102_0304,
        }
    }

    #[test]
    fn every_field_stands_where_the_byte_map_says() {
        let bytes = header().to_bytes();
        assert_eq!(bytes[..8], [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(bytes[8..12], [0, 0, 0x0a, 0x0b]);
        assert_eq!(bytes[12..17], [0x0c, 0x0d, 0x0e, 0x0f, 2]);
        assert_eq!(bytes[17..23], [0x11, 0x22, 0x33, 0x44, 0, 0x55]);
        assert_eq!(bytes[23..27], [0x21, 0x22, 0x23, 0x24]);
        assert_eq!((bytes[27], bytes[35], bytes[43], bytes[51]), (0x31, 0x41, 0x51, 0x61));
        assert_eq!(bytes[53..61], [0x71, 0x72, 0x73, 0x74, 1, 2, 3, 4]);
        assert_eq!(BatchHeader::read(&bytes), Ok(header()));
    }

    #[test]
    fn attributes() {
        let bits = Attributes::from_bits(0x5c);
        assert_eq!(bits.compression(), Ok(Compression::Zstd));
        assert_eq!(bits.timestamp_type(), TimestampType::LogAppendTime);
        assert!(bits.is_transactional() && !bits.is_control() && bits.has_delete_horizon());
        let built = Attributes::default()
            .with_compression(Compression::Zstd)
            .with_timestamp_type(TimestampType::LogAppendTime)
            .with_transactional(true)
            .with_delete_horizon(true);
        assert_eq!(built, bits);
        assert_eq!(built.with_transactional(false).with_control(true).bits(), 0x6c);
        for id in 5..8 {
            let unknown = Attributes::from_bits(id);
            assert_eq!(unknown.compression(), Err(BatchError::UnknownCompression { id: id as u8 }));
        }
    }

    #[test]
    fn what_cannot_be_a_header() {
        let read = |change: fn(&mut [u8; 61])| {
            let mut bytes = header().to_bytes();
            change(&mut bytes);
            BatchHeader::read(&bytes).unwrap_err()
        };
        assert_eq!(read(|b| b[16] = 1), BatchError::UnsupportedMagic { magic: 1 });
        assert_eq!(read(|b| b[16] = 0xff), BatchError::UnsupportedMagic { magic: -1 });
        for length in [0, -1, 48, i32::MIN] {
            let mut bytes = header().to_bytes();
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            assert_eq!(BatchHeader::read(&bytes), Err(BatchError::InvalidLength { length }));
        }
        let bytes = header().to_bytes();
        for len in 0..BATCH_OVERHEAD {
            let error = BatchHeader::read(&bytes[..len]).unwrap_err();
            assert_eq!(error, BatchError::Truncated { needed: 61, available: len });
        }
        assert_eq!(BatchHeader::read(&[0; 20]), Err(BatchError::InvalidLength { length: 0 }));
    }

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(increment_sequence(i32::MAX, 1), 0);
        assert_eq!(increment_sequence(i32::MAX - 1, 3), 1);
        assert_eq!(increment_sequence(5, 3), 8);
        let mut wrapped = header();
        (wrapped.base_sequence, wrapped.last_offset_delta) = (i32::MAX, 2);
        assert_eq!(wrapped.last_sequence(), 1);
        wrapped.base_sequence = NO_SEQUENCE;
        assert_eq!(wrapped.last_sequence(), NO_SEQUENCE);
    }

    #[test]
    fn the_check_value_of_crc_32c() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }
}
