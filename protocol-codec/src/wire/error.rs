//! What can go wrong between bytes and messages. A decode error means that the peer sent something
//! that is not a message; an encode error means that this process built a message that its version
//! cannot carry.

use thiserror::Error;

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A value or a length reaches past the end of the frame.
    #[error("{wanted} bytes announced, {remaining} left")]
    Truncated {
        /// Bytes that the value needs, or the least number that the announced elements need.
        wanted: usize,
        /// Bytes that are left in the frame.
        remaining: usize,
    },
    /// A length below -1.
    #[error("a length of {0}")]
    NegativeLength(i32),
    /// Null where the version has no null.
    #[error("null where the version does not allow it")]
    UnexpectedNull,
    /// Kafka's limit for every string: 32,767 bytes.
    #[error("a string of {0} bytes")]
    StringTooLong(usize),
    /// A string that is not UTF-8.
    #[error("a string that is not UTF-8")]
    InvalidUtf8,
    /// A variable-length integer that does not end, or does not fit its type.
    #[error("a varint that does not fit its type")]
    VarintTooLong,
    /// The request holds more array elements than [`MAX_ELEMENTS`](super::MAX_ELEMENTS).
    #[error("too many array elements in one message")]
    TooManyElements,
    /// The request holds more tagged fields than [`MAX_TAGS`](super::MAX_TAGS).
    #[error("too many tagged fields in one message")]
    TooManyTags,
    /// The arrays would take more memory than [`allocation_limit`](super::allocation_limit) allows.
    #[error("the message would take too much memory for its size")]
    TooMuchMemory,
    /// A tagged field whose content does not fill its announced size.
    #[error("tagged field {0} does not fill its size")]
    TagSize(u32),
    /// Bytes after the end of the message.
    #[error("{0} bytes after the end of the message")]
    TrailingBytes(usize),
    /// A version outside the range of the message.
    #[error("{name} has no version {version}")]
    UnsupportedVersion {
        /// The message.
        name: &'static str,
        /// The version that was asked for.
        version: i16,
    },
    /// An API key that Kafka 4.4 does not know or has no versions of.
    #[error("unknown API key {0}")]
    UnknownApi(i16),
    /// A record of an internal topic whose type Kafka 4.4 does not know.
    #[error("unknown record type {0}")]
    UnknownRecordType(i16),
    /// A record of the metadata log in a layout that Kafka 4.4 does not know.
    #[error("unknown frame version {0}")]
    FrameVersion(u32),
}

/// Why a message cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A version outside the range of the message.
    #[error("{name} has no version {version}")]
    UnsupportedVersion {
        /// The message.
        name: &'static str,
        /// The version that was asked for.
        version: i16,
    },
    /// A field that matters has a value, but the version has no such field.
    #[error("field {field} does not exist in version {version} and is not its default")]
    NotInVersion {
        /// The field.
        field: &'static str,
        /// The version that was asked for.
        version: i16,
    },
    /// Null in a field that has no null in this version.
    #[error("field {field} is null, which version {version} does not allow")]
    UnexpectedNull {
        /// The field.
        field: &'static str,
        /// The version that was asked for.
        version: i16,
    },
    /// Longer than its length field can say: strings 32,767 bytes, all else 2 GiB.
    #[error("{0} bytes or elements do not fit the length field")]
    TooLong(usize),
}
