//! Walking over the records of a batch without keeping them, whether compressed or not.
//!
//! A record that lies within one window of output is read as a slice; one that straddles windows is read
//! field by field, and its key, value and headers are skipped. Both ways check the same.

use std::ops::ControlFlow;

use thiserror::Error;

use super::compression::{DecompressError, Decompressor};
use super::header::Compression;
use super::record::{MalformedRecord, RecordView};
use super::varint::{
    MAX_VARINT_LEN, MAX_VARLONG_LEN, VarintError, read_groups, read_varint, unzigzag32, unzigzag64,
};

/// Why the records of a batch could not be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ReadError {
    /// They could not be decompressed, or not within the limit.
    #[error(transparent)]
    Decompress(#[from] DecompressError),
    /// They are not well-formed.
    #[error(transparent)]
    Malformed(#[from] MalformedRecord),
    /// A record is larger than allowed.
    #[error("record of {size} bytes exceeds the maximum of {max} bytes when decompressed")]
    RecordTooLarge {
        /// Bytes of the record.
        size: usize,
        /// The limit.
        max: usize,
    },
}

/// What may come out of a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Bytes of all records.
    pub(super) total: usize,
    /// Bytes of one record.
    pub(super) record: usize,
}

/// What is left of a record that went by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordShape {
    pub(super) timestamp_delta: i64,
    pub(super) offset_delta: i32,
    pub(super) has_key: bool,
}

/// Shows `count` records to `each` until it breaks; makes sure that nothing follows the last one. Returns the
/// decompressed size so far.
pub(super) fn walk<E: From<ReadError>>(
    payload: &[u8],
    kind: Compression,
    count: i32,
    limits: Limits,
    mut each: impl FnMut(RecordShape) -> Result<ControlFlow<()>, E>,
) -> Result<usize, E> {
    let mut input =
        Decompressor::new(kind, payload, limits.total).map_err(ReadError::Decompress)?;
    for _ in 0..count {
        let shape = match whole_record(&mut input, limits.record)? {
            Some(shape) => shape,
            None => straddling_record(&mut input, limits.record)?,
        };
        if each(shape)?.is_break() {
            return Ok(input.produced());
        }
    }
    let remaining = input.window().map_err(ReadError::Decompress)?.len();
    if remaining > 0 {
        return Err(ReadError::from(MalformedRecord::TrailingRecords(remaining)).into());
    }
    Ok(input.produced())
}

/// Reads the next record if all of it is in the window.
#[inline]
fn whole_record(
    input: &mut Decompressor<'_>,
    max: usize,
) -> Result<Option<RecordShape>, ReadError> {
    let window = input.window()?;
    let mut rest = window;
    let size = match read_varint(&mut rest) {
        Ok(length) => body_size(length, rest.len(), max)?,
        Err(VarintError::Truncated) => return Ok(None),
        Err(error) => return Err(MalformedRecord::from(error).into()),
    };
    if size > rest.len() {
        return Ok(None);
    }
    let mut rest = window;
    let record = RecordView::read(&mut rest)?;
    let shape = RecordShape {
        timestamp_delta: record.timestamp_delta,
        offset_delta: record.offset_delta,
        has_key: record.key.is_some(),
    };
    let used = window.len() - rest.len();
    input.consume(used);
    Ok(Some(shape))
}

fn body_size(length: i32, remaining: usize, max: usize) -> Result<usize, ReadError> {
    let size =
        usize::try_from(length).map_err(|_| MalformedRecord::Length { length, remaining })?;
    if size > max { Err(ReadError::RecordTooLarge { size, max }) } else { Ok(size) }
}

#[cold]
fn straddling_record(input: &mut Decompressor<'_>, max: usize) -> Result<RecordShape, ReadError> {
    let mut prefix = Body { input, left: MAX_VARINT_LEN };
    let length = prefix.varint()?;
    let left = body_size(length, 0, max)?;
    let mut body = Body { input, left };
    body.byte()?;
    let timestamp_delta = body.varlong()?;
    let offset_delta = body.varint()?;
    let has_key = body.skip_nullable("the key")?;
    body.skip_nullable("the value")?;
    body.skip_headers()?;
    if body.left > 0 {
        return Err(MalformedRecord::TrailingBytes(body.left).into());
    }
    Ok(RecordShape { timestamp_delta, offset_delta, has_key })
}

/// The rest of a record, `left` bytes of the stream.
struct Body<'d, 'a> {
    input: &'d mut Decompressor<'a>,
    left: usize,
}

impl Body<'_, '_> {
    fn byte(&mut self) -> Result<u8, ReadError> {
        let truncated = MalformedRecord::Varint(VarintError::Truncated);
        self.left = self.left.checked_sub(1).ok_or(truncated)?;
        let byte = *self.input.window()?.first().ok_or(truncated)?;
        self.input.consume(1);
        Ok(byte)
    }

    fn varint(&mut self) -> Result<i32, ReadError> {
        read_groups(MAX_VARINT_LEN, || self.byte()).map(|raw| unzigzag32(raw as u32))
    }

    fn varlong(&mut self) -> Result<i64, ReadError> {
        read_groups(MAX_VARLONG_LEN, || self.byte()).map(unzigzag64)
    }

    /// Skips a field and says whether it is there.
    fn skip_nullable(&mut self, field: &'static str) -> Result<bool, ReadError> {
        let length = self.varint()?;
        if length >= 0 {
            self.skip(length, field)?;
        }
        Ok(length >= 0)
    }

    fn skip_headers(&mut self) -> Result<(), ReadError> {
        let found = self.varint()?;
        // A header takes two bytes at least, so the record bounds this loop.
        let lie = MalformedRecord::HeaderCount { count: found, remaining: self.left };
        let count = usize::try_from(found).map_err(|_| lie)?;
        if count > self.left {
            return Err(lie.into());
        }
        for _ in 0..count {
            let length = self.varint()?;
            if length < 0 {
                return Err(MalformedRecord::HeaderKey(length).into());
            }
            self.skip(length, "a header key")?;
            self.skip_nullable("a header value")?;
        }
        Ok(())
    }

    fn skip(&mut self, length: i32, field: &'static str) -> Result<(), ReadError> {
        let lie = |remaining| MalformedRecord::Field { field, length, remaining };
        let mut count = usize::try_from(length).unwrap_or(usize::MAX);
        self.left = self.left.checked_sub(count).ok_or(lie(self.left))?;
        while count > 0 {
            let step = count.min(self.input.window()?.len());
            if step == 0 {
                return Err(lie(0).into());
            }
            self.input.consume(step);
            count -= step;
        }
        Ok(())
    }
}

impl From<VarintError> for ReadError {
    fn from(error: VarintError) -> Self {
        Self::Malformed(error.into())
    }
}
