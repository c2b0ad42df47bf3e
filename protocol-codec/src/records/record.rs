//! The records inside a batch, once they are not compressed.
//!
//! ```text
//! length          varint   bytes of the record after this field
//! attributes      int8     unused
//! timestamp delta varlong  to the base timestamp of the batch
//! offset delta    varint   to the base offset of the batch
//! key length      varint   -1: null
//! key
//! value length    varint   -1: null
//! value
//! header count    varint
//! headers: key length varint, key (UTF-8), value length varint (-1: null), value
//! ```
//!
//! A negative key or value length means null, whatever the number, as in Kafka. Nothing is copied and nothing
//! is allocated: a record is a set of slices of the batch.

use thiserror::Error;

use super::varint::{VarintError, read_varint, read_varlong};

/// Why the bytes of a batch are not the records that its header announces.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum MalformedRecord {
    /// The number of records in the batch header is negative.
    #[error("found invalid record count {0} in the batch header")]
    RecordCount(i32),
    /// A number inside a record does not end, or the record ends inside it.
    #[error("found invalid record structure: {0}")]
    Varint(#[from] VarintError),
    /// A record's length is negative or larger than what is left of the batch.
    #[error(
        "invalid record size: expected {length} bytes in record payload, but {remaining} remain"
    )]
    Length {
        /// The length as found.
        length: i32,
        /// Bytes left of the batch.
        remaining: usize,
    },
    /// A key, value or header reaches beyond its record.
    #[error("found invalid record structure: {field} of {length} bytes where {remaining} remain")]
    Field {
        /// Which part of the record.
        field: &'static str,
        /// Its length as found.
        length: i32,
        /// Bytes left of the record.
        remaining: usize,
    },
    /// The number of headers is negative or larger than what is left of the record.
    #[error("found invalid number of record headers: {count} where {remaining} bytes remain")]
    HeaderCount {
        /// The count as found.
        count: i32,
        /// Bytes left of the record.
        remaining: usize,
    },
    /// A header has no key.
    #[error("invalid negative header key size {0}")]
    HeaderKey(i32),
    /// The fields of a record end before its length says.
    #[error("invalid record size: {0} bytes remain after the last header")]
    TrailingBytes(usize),
    /// The batch holds more bytes than its records.
    #[error("incorrect declared batch size, {0} bytes remain after the last record")]
    TrailingRecords(usize),
}

/// One record, as slices of its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordView<'a> {
    /// Unused so far.
    pub attributes: i8,
    /// To be added to the batch's base timestamp, in ms.
    pub timestamp_delta: i64,
    /// To be added to the batch's base offset.
    pub offset_delta: i32,
    /// The key, if there is one.
    pub key: Option<&'a [u8]>,
    /// The value; none in a tombstone.
    pub value: Option<&'a [u8]>,
    /// The headers, in the order in which they were written; keys may repeat.
    pub headers: Headers<'a>,
}

impl<'a> RecordView<'a> {
    /// Reads the record at the start of `input`, length included, and moves `input` past it.
    ///
    /// # Errors
    /// The record is not well-formed; how far `input` moved is not specified then.
    #[inline]
    pub fn read(input: &mut &'a [u8]) -> Result<Self, MalformedRecord> {
        let length = read_varint(input)?;
        let too_long = MalformedRecord::Length { length, remaining: input.len() };
        let length = usize::try_from(length).map_err(|_| too_long)?;
        let (mut body, rest) = input.split_at_checked(length).ok_or(too_long)?;
        *input = rest;
        let record = Self::read_body(&mut body)?;
        if body.is_empty() { Ok(record) } else { Err(MalformedRecord::TrailingBytes(body.len())) }
    }

    #[inline]
    fn read_body(body: &mut &'a [u8]) -> Result<Self, MalformedRecord> {
        let (&attributes, rest) = body.split_first().ok_or(VarintError::Truncated)?;
        *body = rest;
        let timestamp_delta = read_varlong(body)?;
        let offset_delta = read_varint(body)?;
        let key = read_nullable(body, "the key")?;
        let value = read_nullable(body, "the value")?;
        let headers = Headers::read(body)?;
        Ok(Self {
            attributes: attributes as i8,
            timestamp_delta,
            offset_delta,
            key,
            value,
            headers,
        })
    }
}

/// One header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// The key: UTF-8 by the specification, which brokers do not check.
    pub key: &'a [u8],
    /// The value, if there is one.
    pub value: Option<&'a [u8]>,
}

/// The headers of a record: an iterator over checked bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers<'a> {
    count: usize,
    bytes: &'a [u8],
}

impl<'a> Headers<'a> {
    #[inline]
    fn read(body: &mut &'a [u8]) -> Result<Self, MalformedRecord> {
        let found = read_varint(body)?;
        if found == 0 {
            return Ok(Self::default());
        }
        // A header takes two bytes at least, so a larger count is a lie; the loop below needs no other bound.
        let lie = MalformedRecord::HeaderCount { count: found, remaining: body.len() };
        let count = usize::try_from(found).map_err(|_| lie)?;
        if count > body.len() {
            return Err(lie);
        }
        let whole = *body;
        for _ in 0..count {
            read_header(body)?;
        }
        let used = whole.len() - body.len();
        Ok(Self { count, bytes: whole.get(..used).unwrap_or_default() })
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Header<'a>> {
        self.count = self.count.checked_sub(1)?;
        // `read` went through the same bytes before.
        read_header(&mut self.bytes).ok()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.count, Some(self.count))
    }
}

impl ExactSizeIterator for Headers<'_> {}

fn read_header<'a>(body: &mut &'a [u8]) -> Result<Header<'a>, MalformedRecord> {
    let length = read_varint(body)?;
    if length < 0 {
        return Err(MalformedRecord::HeaderKey(length));
    }
    let key = take(body, length, "a header key")?;
    let value = read_nullable(body, "a header value")?;
    Ok(Header { key, value })
}

#[inline]
fn read_nullable<'a>(
    body: &mut &'a [u8],
    field: &'static str,
) -> Result<Option<&'a [u8]>, MalformedRecord> {
    let length = read_varint(body)?;
    if length < 0 {
        return Ok(None);
    }
    take(body, length, field).map(Some)
}

#[inline]
fn take<'a>(
    body: &mut &'a [u8],
    length: i32,
    field: &'static str,
) -> Result<&'a [u8], MalformedRecord> {
    let split = usize::try_from(length).ok().and_then(|length| body.split_at_checked(length));
    let Some((taken, rest)) = split else {
        return Err(MalformedRecord::Field { field, length, remaining: body.len() });
    };
    *body = rest;
    Ok(taken)
}

/// The records of a batch, one after the other.
///
/// Yields an error once and nothing after it: when a record is not well-formed, and when bytes remain
/// after the last one.
#[derive(Clone, Debug)]
pub struct RecordIter<'a> {
    remaining: i32,
    bytes: &'a [u8],
    failed: bool,
}

impl<'a> RecordIter<'a> {
    /// The `count` records in `bytes`, which must not be compressed.
    #[must_use]
    pub const fn new(bytes: &'a [u8], count: i32) -> Self {
        Self { remaining: count, bytes, failed: false }
    }

    #[inline]
    fn step(&mut self) -> Result<Option<RecordView<'a>>, MalformedRecord> {
        match self.remaining {
            0 if self.bytes.is_empty() => Ok(None),
            0 => Err(MalformedRecord::TrailingRecords(self.bytes.len())),
            count if count < 0 => Err(MalformedRecord::RecordCount(count)),
            _ => {
                self.remaining -= 1;
                RecordView::read(&mut self.bytes).map(Some)
            }
        }
    }
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<RecordView<'a>, MalformedRecord>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let item = self.step().transpose();
        self.failed = matches!(item, Some(Err(_)));
        item
    }
}

#[cfg(test)]
mod tests;
