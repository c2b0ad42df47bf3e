//! Tagged fields (KIP-482): count, then number, size and content of each.

use bytes::Buf;

use super::Reader;
use crate::wire::DecodeError;

/// A tagged field whose number and size have been read. See [`Reader::tag`].
#[derive(Debug)]
pub struct Tag {
    /// The number of the field.
    pub number: u32,
    remaining_after: usize,
}

impl Reader {
    /// How many tagged fields follow.
    ///
    /// # Errors
    /// [`DecodeError::TooManyTags`], or that of the varint.
    pub fn tag_count(&mut self) -> Result<u32, DecodeError> {
        let count = self.unsigned_varint()?;
        self.tags_left =
            self.tags_left.checked_sub(count as usize).ok_or(DecodeError::TooManyTags)?;
        Ok(count)
    }

    /// The number and the size of the next tagged field. Its content is read next, or skipped with
    /// [`Reader::skip_tag`], and then checked with [`Reader::end_tag`].
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] if the content is not there, or that of a varint.
    pub fn tag(&mut self) -> Result<Tag, DecodeError> {
        let number = self.unsigned_varint()?;
        let size = self.unsigned_varint()? as usize;
        let remaining = self.remaining();
        match remaining.checked_sub(size) {
            Some(remaining_after) => Ok(Tag { number, remaining_after }),
            None => Err(DecodeError::Truncated { wanted: size, remaining }),
        }
    }

    /// Skips the content of a tagged field that this version does not know.
    pub fn skip_tag(&mut self, tag: &Tag) {
        self.rest.advance(self.remaining().saturating_sub(tag.remaining_after));
    }

    /// Checks that the content of a tagged field filled its size.
    ///
    /// # Errors
    /// [`DecodeError::TagSize`].
    pub fn end_tag(&mut self, tag: &Tag) -> Result<(), DecodeError> {
        if self.remaining() == tag.remaining_after {
            Ok(())
        } else {
            Err(DecodeError::TagSize(tag.number))
        }
    }

    /// Skips all tagged fields of a struct that has none of its own.
    ///
    /// # Errors
    /// Those of [`Reader::tag_count`] and [`Reader::tag`].
    pub fn skip_tags(&mut self) -> Result<(), DecodeError> {
        for _ in 0..self.tag_count()? {
            let tag = self.tag()?;
            self.skip_tag(&tag);
        }
        Ok(())
    }
}
