//! Reads the primitive types out of one frame.
//!
//! Invariants, which hold for every input:
//! * a length, count or tag size is compared with the bytes that remain before anything is
//!   allocated or skipped;
//! * strings, byte fields and records are slices of the frame, never copies;
//! * the arrays of one message hold at most [`MAX_ELEMENTS`] elements together and take at most
//!   [`allocation_limit`] bytes, even while an array grows;
//! * nothing here panics.

mod arrays;
mod tags;

use bytes::{Buf, Bytes};

use super::varint;
use super::{DecodeError, Records};
use crate::{StrBytes, Uuid};

pub use tags::Tag;

/// Array elements that one message may hold in all its arrays together.
pub const MAX_ELEMENTS: usize = 1_000_000;
/// Tagged fields that one message may hold.
pub const MAX_TAGS: usize = 10_000;
/// Elements that an array makes room for before it has read any; more come as they are read.
pub const MAX_PREALLOCATED: usize = 1_000;
/// Kafka's limit for every string, in bytes.
pub const MAX_STRING_LENGTH: usize = i16::MAX as usize;

// An array that grows holds its old and its new room at the same moment, at most twice what it ends
// with. So arrays are charged half of what may be allocated.
const ARRAY_BYTES_PER_FRAME_BYTE: usize = 20;
const ARRAY_BYTES_OF_ANY_FRAME: usize = 16 * 1024;
const MAX_ARRAY_BYTES: usize = 60 * 1024 * 1024;

/// The most bytes that decoding a frame of `frame_len` bytes allocates: 40 times the frame and
/// a little, and never more than 120 MiB.
#[must_use]
pub fn allocation_limit(frame_len: usize) -> usize {
    array_limit(frame_len) * 2
}

fn array_limit(frame_len: usize) -> usize {
    frame_len
        .saturating_mul(ARRAY_BYTES_PER_FRAME_BYTE)
        .saturating_add(ARRAY_BYTES_OF_ANY_FRAME)
        .min(MAX_ARRAY_BYTES)
}

/// A position in one frame, and what its message may still allocate.
#[derive(Debug, Clone)]
pub struct Reader {
    rest: Bytes,
    frame_len: usize,
    elements_left: usize,
    tags_left: usize,
    array_bytes_left: usize,
}

/// The methods that read one value of fixed size.
macro_rules! fixed {
    ($($(#[$doc:meta])* $name:ident: $type:ty;)*) => {$(
        $(#[$doc])*
        ///
        /// # Errors
        /// [`DecodeError::Truncated`].
        pub fn $name(&mut self) -> Result<$type, DecodeError> {
            self.fixed().map(<$type>::from_be_bytes)
        }
    )*};
}

impl Reader {
    /// Starts at the beginning of a frame, which holds one message (and its header).
    #[must_use]
    pub fn new(frame: Bytes) -> Self {
        Self {
            frame_len: frame.len(),
            elements_left: MAX_ELEMENTS,
            tags_left: MAX_TAGS,
            array_bytes_left: array_limit(frame.len()),
            rest: frame,
        }
    }

    /// Bytes that have not been read.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Bytes that have been read, for messages about errors.
    #[must_use]
    pub fn position(&self) -> usize {
        self.frame_len - self.rest.len()
    }

    /// Checks that the message filled its frame.
    ///
    /// # Errors
    /// [`DecodeError::TrailingBytes`].
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            n => Err(DecodeError::TrailingBytes(n)),
        }
    }

    fixed! {
        /// A signed byte.
        i8: i8;
        /// A signed 16-bit integer.
        i16: i16;
        /// A signed 32-bit integer.
        i32: i32;
        /// A signed 64-bit integer.
        i64: i64;
        /// An unsigned 16-bit integer.
        u16: u16;
        /// An unsigned 32-bit integer.
        u32: u32;
        /// A 64-bit floating point number.
        f64: f64;
    }

    /// A boolean: any byte but 0 is true, as in Kafka.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        self.i8().map(|byte| byte != 0)
    }

    /// A UUID.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        self.fixed().map(Uuid::from_bytes)
    }

    /// An unsigned variable-length integer of at most 32 bits.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`], [`DecodeError::VarintTooLong`].
    pub fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let (value, length) = varint::read_u32(&self.rest)?;
        self.rest.advance(length);
        Ok(value)
    }

    /// A string that must not be null.
    ///
    /// # Errors
    /// [`DecodeError`] of its length or content.
    pub fn string(&mut self, flexible: bool) -> Result<StrBytes, DecodeError> {
        self.nullable_string(flexible)?.ok_or(DecodeError::UnexpectedNull)
    }

    /// A string that may be null.
    ///
    /// # Errors
    /// [`DecodeError`] of its length or content.
    pub fn nullable_string(&mut self, flexible: bool) -> Result<Option<StrBytes>, DecodeError> {
        let length =
            if flexible { self.compact_length()? } else { length(i32::from(self.i16()?))? };
        let Some(length) = length else { return Ok(None) };
        if length > MAX_STRING_LENGTH {
            return Err(DecodeError::StringTooLong(length));
        }
        let bytes = self.take(length)?;
        StrBytes::try_from(bytes).map(Some).map_err(|_| DecodeError::InvalidUtf8)
    }

    /// A byte field that must not be null.
    ///
    /// # Errors
    /// [`DecodeError`] of its length.
    pub fn bytes(&mut self, flexible: bool) -> Result<Bytes, DecodeError> {
        self.nullable_bytes(flexible)?.ok_or(DecodeError::UnexpectedNull)
    }

    /// A byte field that may be null.
    ///
    /// # Errors
    /// [`DecodeError`] of its length.
    pub fn nullable_bytes(&mut self, flexible: bool) -> Result<Option<Bytes>, DecodeError> {
        match self.length(flexible)? {
            None => Ok(None),
            Some(length) => self.take(length).map(Some),
        }
    }

    /// Record batches that must not be null.
    ///
    /// # Errors
    /// [`DecodeError`] of their length.
    pub fn records(&mut self, flexible: bool) -> Result<Records, DecodeError> {
        self.bytes(flexible).map(Records::Memory)
    }

    /// Record batches that may be null.
    ///
    /// # Errors
    /// [`DecodeError`] of their length.
    pub fn nullable_records(&mut self, flexible: bool) -> Result<Option<Records>, DecodeError> {
        Ok(self.nullable_bytes(flexible)?.map(Records::Memory))
    }

    /// Whether a nullable struct is there.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn is_present(&mut self) -> Result<bool, DecodeError> {
        self.i8().map(|byte| byte >= 0)
    }

    /// Whether a nullable struct that is a tagged field is there.
    ///
    /// # Errors
    /// [`DecodeError`] of the varint.
    pub fn is_tagged_present(&mut self) -> Result<bool, DecodeError> {
        self.unsigned_varint().map(|count| count != 0)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let Some(bytes) = self.rest.first_chunk::<N>().copied() else {
            return Err(DecodeError::Truncated { wanted: N, remaining: self.remaining() });
        };
        self.rest.advance(N);
        Ok(bytes)
    }

    fn take(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        let remaining = self.remaining();
        if length > remaining {
            return Err(DecodeError::Truncated { wanted: length, remaining });
        }
        Ok(self.rest.split_to(length))
    }

    fn length(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        if flexible { self.compact_length() } else { length(self.i32()?) }
    }

    /// Compact lengths are one more than the length, and 0 means null.
    fn compact_length(&mut self) -> Result<Option<usize>, DecodeError> {
        self.unsigned_varint().map(|length| (length as usize).checked_sub(1))
    }
}

/// A length on the wire: -1 is null.
fn length(length: i32) -> Result<Option<usize>, DecodeError> {
    match length {
        -1 => Ok(None),
        length => {
            usize::try_from(length).map(Some).map_err(|_| DecodeError::NegativeLength(length))
        }
    }
}
