//! Writes the primitive types, and whole frames, into a buffer.
//!
//! Lengths that are not known beforehand are patched in afterwards, so there is no second pass over
//! a message to find its size. Records that are [`Records::Elsewhere`] leave a [`Splice`] behind
//! instead of bytes; every length around them counts them in.

use bytes::{BufMut, BytesMut};

use super::{EncodeError, Records, varint};
use crate::Uuid;

/// Writes one frame, or the bare bytes of one message.
#[derive(Debug, Default)]
pub struct Writer {
    buf: BytesMut,
    splices: Vec<Splice>,
    spliced: usize,
}

/// What a [`Writer`] wrote: the bytes in memory, and where others belong between them.
#[derive(Debug, Default)]
pub struct Encoded {
    /// The bytes in memory.
    pub buf: BytesMut,
    /// Where bytes from elsewhere belong, in ascending order.
    pub splices: Vec<Splice>,
}

/// A place in an [`Encoded`] where bytes belong that were not in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Splice {
    /// They come before `buf[at]`.
    pub at: usize,
    /// How many they are.
    pub len: usize,
    /// Which they are: the number that came with [`Elsewhere`](super::Elsewhere).
    pub slot: u32,
}

/// The tagged fields of a struct, while they are written. See [`Writer::begin_tags`].
#[derive(Debug)]
#[must_use]
pub struct OpenTags {
    at: usize,
    count: u8,
}

/// A tagged field, while it is written. See [`Writer::begin_tag`].
#[derive(Debug)]
#[must_use]
pub struct OpenTag {
    at: usize,
}

impl Encoded {
    /// All bytes, those in memory and those that are not.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buf.len() + self.splices.iter().map(|splice| splice.len).sum::<usize>()
    }

    /// Whether there is nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Writer {
    /// Appends to `buf`, which is usually empty and may come from a pool.
    #[must_use]
    pub fn new(buf: BytesMut) -> Self {
        Self { buf, splices: Vec::new(), spliced: 0 }
    }

    /// What has been written.
    #[must_use]
    pub fn finish(self) -> Encoded {
        Encoded { buf: self.buf, splices: self.splices }
    }

    /// Leaves room for the length of a frame; [`Writer::end_frame`] fills it in.
    pub fn begin_frame(&mut self) {
        self.buf.put_i32(0);
    }

    /// Fills in the length of the frame that the whole buffer is.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`].
    pub fn end_frame(&mut self) -> Result<(), EncodeError> {
        let length = self.buf.len().saturating_sub(4) + self.spliced;
        let length = wire_length(length)?;
        if let Some(room) = self.buf.first_chunk_mut::<4>() {
            *room = length.to_be_bytes();
        }
        Ok(())
    }

    /// A signed byte.
    pub fn i8(&mut self, value: i8) {
        self.buf.put_i8(value);
    }

    /// A signed 16-bit integer.
    pub fn i16(&mut self, value: i16) {
        self.buf.put_i16(value);
    }

    /// A signed 32-bit integer.
    pub fn i32(&mut self, value: i32) {
        self.buf.put_i32(value);
    }

    /// A signed 64-bit integer.
    pub fn i64(&mut self, value: i64) {
        self.buf.put_i64(value);
    }

    /// An unsigned 16-bit integer.
    pub fn u16(&mut self, value: u16) {
        self.buf.put_u16(value);
    }

    /// An unsigned 32-bit integer.
    pub fn u32(&mut self, value: u32) {
        self.buf.put_u32(value);
    }

    /// A 64-bit floating point number.
    pub fn f64(&mut self, value: f64) {
        self.buf.put_f64(value);
    }

    /// A boolean.
    pub fn bool(&mut self, value: bool) {
        self.buf.put_u8(u8::from(value));
    }

    /// A UUID.
    pub fn uuid(&mut self, value: Uuid) {
        self.buf.put_slice(value.as_bytes());
    }

    /// An unsigned variable-length integer.
    pub fn unsigned_varint(&mut self, value: u32) {
        let (bytes, length) = varint::write_u32(value);
        self.buf.put_slice(bytes.get(..length).unwrap_or_default());
    }

    /// A string.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 32,767 bytes.
    pub fn string(&mut self, value: &str, flexible: bool) -> Result<(), EncodeError> {
        let short = i16::try_from(value.len()).map_err(|_| EncodeError::TooLong(value.len()))?;
        if flexible {
            self.length(value.len(), true)?;
        } else {
            self.i16(short);
        }
        self.buf.put_slice(value.as_bytes());
        Ok(())
    }

    /// A string or null.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 32,767 bytes.
    pub fn nullable_string(
        &mut self,
        value: Option<&str>,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        match value {
            Some(value) => self.string(value, flexible)?,
            None if flexible => self.unsigned_varint(0),
            None => self.i16(-1),
        }
        Ok(())
    }

    /// A byte field.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 2 GiB.
    pub fn bytes(&mut self, value: &[u8], flexible: bool) -> Result<(), EncodeError> {
        self.length(value.len(), flexible)?;
        self.buf.put_slice(value);
        Ok(())
    }

    /// A byte field or null.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 2 GiB.
    pub fn nullable_bytes(
        &mut self,
        value: Option<&[u8]>,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        match value {
            Some(value) => self.bytes(value, flexible)?,
            None => self.null(flexible),
        }
        Ok(())
    }

    /// Record batches: their bytes, or a [`Splice`] in their place.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 2 GiB.
    pub fn records(&mut self, value: &Records, flexible: bool) -> Result<(), EncodeError> {
        match value {
            Records::Memory(bytes) => self.bytes(bytes, flexible)?,
            Records::Elsewhere(elsewhere) => {
                self.length(elsewhere.len, flexible)?;
                let at = self.buf.len();
                self.splices.push(Splice { at, len: elsewhere.len, slot: elsewhere.slot });
                self.spliced += elsewhere.len;
            }
        }
        Ok(())
    }

    /// Record batches or null.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 2 GiB.
    pub fn nullable_records(
        &mut self,
        value: Option<&Records>,
        flexible: bool,
    ) -> Result<(), EncodeError> {
        match value {
            Some(value) => self.records(value, flexible)?,
            None => self.null(flexible),
        }
        Ok(())
    }

    /// The length of a byte field or the count of an array.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 2^31 - 1.
    pub fn length(&mut self, length: usize, flexible: bool) -> Result<(), EncodeError> {
        let short = wire_length(length)?;
        if flexible {
            self.unsigned_varint(short.unsigned_abs() + 1);
        } else {
            self.i32(short);
        }
        Ok(())
    }

    /// Null instead of a byte field or an array.
    pub fn null(&mut self, flexible: bool) {
        if flexible {
            self.unsigned_varint(0);
        } else {
            self.i32(-1);
        }
    }

    /// Says whether a nullable struct follows.
    pub fn presence(&mut self, present: bool) {
        self.i8(if present { 1 } else { -1 });
    }

    /// Says whether a nullable struct that is a tagged field follows.
    pub fn tagged_presence(&mut self, present: bool) {
        self.unsigned_varint(u32::from(present));
    }

    /// Starts the tagged fields of a struct. A struct has far fewer than 128, so their count is one
    /// byte that [`Writer::end_tags`] fills in.
    pub fn begin_tags(&mut self) -> OpenTags {
        let at = self.buf.len();
        self.buf.put_u8(0);
        OpenTags { at, count: 0 }
    }

    /// Starts a tagged field. Numbers must ascend within a struct.
    pub fn begin_tag(&mut self, tags: &mut OpenTags, number: u32) -> OpenTag {
        tags.count += 1;
        self.unsigned_varint(number);
        OpenTag { at: self.buf.len() }
    }

    /// Ends a tagged field: puts its size before its content.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 2 GiB.
    pub fn end_tag(&mut self, tag: &OpenTag) -> Result<(), EncodeError> {
        let end = self.buf.len();
        let size = wire_length(end.saturating_sub(tag.at))?;
        let (bytes, length) = varint::write_u32(size.unsigned_abs());
        let bytes = bytes.get(..length).unwrap_or_default();
        self.buf.put_slice(bytes);
        self.buf.copy_within(tag.at..end, tag.at + length);
        if let Some(room) = self.buf.get_mut(tag.at..tag.at + length) {
            room.copy_from_slice(bytes);
        }
        Ok(())
    }

    /// Ends the tagged fields of a struct.
    pub fn end_tags(&mut self, tags: &OpenTags) {
        if let Some(room) = self.buf.get_mut(tags.at) {
            *room = tags.count;
        }
    }

    /// The tagged fields of a struct that has none.
    pub fn no_tags(&mut self) {
        self.buf.put_u8(0);
    }
}

fn wire_length(length: usize) -> Result<i32, EncodeError> {
    i32::try_from(length).map_err(|_| EncodeError::TooLong(length))
}
