//! The primitives of the record encoding. Integers are little-endian and of fixed width, lengths
//! are `u32`, and every length is checked against the remaining bytes before anything is allocated.

use std::sync::Arc;

use protocol_codec::Uuid;

/// Why bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("{what} ends after {remaining} of {needed} bytes")]
    Truncated { what: &'static str, needed: usize, remaining: usize },
    #[error("a string is not UTF-8")]
    NotUtf8,
    #[error("{0} is not a value of an option or a flag")]
    BadFlag(u8),
}

/// Appends fields to a buffer.
#[derive(Debug)]
pub(super) struct Writer<'a>(pub(super) &'a mut Vec<u8>);

impl Writer<'_> {
    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn bool(&mut self, value: bool) {
        self.u8(u8::from(value));
    }

    pub(super) fn i8(&mut self, value: i8) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn i16(&mut self, value: i16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn i32(&mut self, value: i32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn i64(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn f64(&mut self, value: f64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn uuid(&mut self, value: &Uuid) {
        self.0.extend_from_slice(value.as_bytes());
    }

    pub(super) fn string(&mut self, value: &str) {
        self.length(value.len());
        self.0.extend_from_slice(value.as_bytes());
    }

    pub(super) fn bytes(&mut self, value: &[u8]) {
        self.length(value.len());
        self.0.extend_from_slice(value);
    }

    pub(super) fn option<T>(&mut self, value: Option<&T>, write: impl FnOnce(&mut Self, &T)) {
        self.bool(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(super) fn array<T>(&mut self, values: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.length(values.len());
        for value in values {
            write(self, value);
        }
    }

    /// Lengths above 4 GiB cannot be met: requests are bounded far below. A saturated length makes
    /// the record unreadable instead of wrong.
    pub(super) fn length(&mut self, length: usize) {
        self.u32(u32::try_from(length).unwrap_or(u32::MAX));
    }
}

/// Takes fields off the front of a slice.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    what: &'static str,
}

impl<'a> Reader<'a> {
    /// `what` names the thing that is read, for the error.
    pub(super) fn new(bytes: &'a [u8], what: &'static str) -> Self {
        Reader { bytes, what }
    }

    pub(super) fn remaining(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn take(&mut self, needed: usize) -> Result<&'a [u8], WireError> {
        let Some((head, tail)) = self.bytes.split_at_checked(needed) else {
            return Err(self.truncated(needed));
        };
        self.bytes = tail;
        Ok(head)
    }

    fn array_of<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let Some((head, tail)) = self.bytes.split_first_chunk::<N>() else {
            return Err(self.truncated(N));
        };
        self.bytes = tail;
        Ok(*head)
    }

    fn truncated(&self, needed: usize) -> WireError {
        WireError::Truncated { what: self.what, needed, remaining: self.bytes.len() }
    }

    pub(super) fn u8(&mut self) -> Result<u8, WireError> {
        Ok(u8::from_le_bytes(self.array_of()?))
    }

    pub(super) fn bool(&mut self) -> Result<bool, WireError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(WireError::BadFlag(other)),
        }
    }

    pub(super) fn i8(&mut self) -> Result<i8, WireError> {
        Ok(i8::from_le_bytes(self.array_of()?))
    }

    pub(super) fn i16(&mut self) -> Result<i16, WireError> {
        Ok(i16::from_le_bytes(self.array_of()?))
    }

    pub(super) fn u16(&mut self) -> Result<u16, WireError> {
        Ok(u16::from_le_bytes(self.array_of()?))
    }

    pub(super) fn i32(&mut self) -> Result<i32, WireError> {
        Ok(i32::from_le_bytes(self.array_of()?))
    }

    pub(super) fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.array_of()?))
    }

    pub(super) fn i64(&mut self) -> Result<i64, WireError> {
        Ok(i64::from_le_bytes(self.array_of()?))
    }

    pub(super) fn f64(&mut self) -> Result<f64, WireError> {
        Ok(f64::from_le_bytes(self.array_of()?))
    }

    pub(super) fn uuid(&mut self) -> Result<Uuid, WireError> {
        Ok(Uuid::from_bytes(self.array_of()?))
    }

    pub(super) fn string(&mut self) -> Result<Arc<str>, WireError> {
        let length = self.length(1)?;
        let bytes = self.take(length)?;
        Ok(Arc::from(std::str::from_utf8(bytes).map_err(|_| WireError::NotUtf8)?))
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, WireError> {
        let length = self.length(1)?;
        Ok(self.take(length)?.to_vec())
    }

    pub(super) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, WireError>,
    ) -> Result<Option<T>, WireError> {
        if self.bool()? { read(self).map(Some) } else { Ok(None) }
    }

    /// An array whose elements take at least `element_size_min` bytes each.
    pub(super) fn array<T>(
        &mut self,
        element_size_min: usize,
        mut read: impl FnMut(&mut Self) -> Result<T, WireError>,
    ) -> Result<Vec<T>, WireError> {
        let length = self.length(element_size_min)?;
        let mut values = Vec::with_capacity(length);
        for _ in 0..length {
            values.push(read(self)?);
        }
        Ok(values)
    }

    /// A count that the remaining bytes can hold.
    fn length(&mut self, element_size_min: usize) -> Result<usize, WireError> {
        let length = self.u32()? as usize;
        let needed = length.saturating_mul(element_size_min);
        if needed > self.bytes.len() {
            return Err(self.truncated(needed));
        }
        Ok(length)
    }
}
