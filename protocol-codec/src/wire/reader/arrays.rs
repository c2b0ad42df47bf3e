//! Arrays: their counts, and the room for their elements, come out of the budgets of the message.

use super::{MAX_PREALLOCATED, Reader};
use crate::wire::DecodeError;
use crate::{StrBytes, Uuid};

/// The methods that read an array of primitive elements, not null and nullable.
macro_rules! arrays {
    ($($name:ident, $nullable:ident: $type:ty = $element:expr;)*) => {$(
        /// An array that must not be null.
        ///
        /// # Errors
        /// Those of [`Reader::array`].
        pub fn $name(&mut self, flexible: bool) -> Result<Vec<$type>, DecodeError> {
            self.$nullable(flexible)?.ok_or(DecodeError::UnexpectedNull)
        }

        /// An array that may be null.
        ///
        /// # Errors
        /// Those of [`Reader::array`].
        pub fn $nullable(&mut self, flexible: bool) -> Result<Option<Vec<$type>>, DecodeError> {
            self.elements(flexible, |r| $element(r, flexible))
        }
    )*};
}

impl Reader {
    arrays! {
        i8_array, nullable_i8_array: i8 = |r: &mut Self, _| r.i8();
        i16_array, nullable_i16_array: i16 = |r: &mut Self, _| r.i16();
        i32_array, nullable_i32_array: i32 = |r: &mut Self, _| r.i32();
        i64_array, nullable_i64_array: i64 = |r: &mut Self, _| r.i64();
        uuid_array, nullable_uuid_array: Uuid = |r: &mut Self, _| r.uuid();
        string_array, nullable_string_array: StrBytes = Self::string;
    }

    /// An array of structs that must not be null.
    ///
    /// # Errors
    /// [`DecodeError`] of its count, of the budgets, or of an element.
    pub fn array<T>(
        &mut self,
        flexible: bool,
        version: i16,
        element: fn(&mut Self, i16) -> Result<T, DecodeError>,
    ) -> Result<Vec<T>, DecodeError> {
        self.nullable_array(flexible, version, element)?.ok_or(DecodeError::UnexpectedNull)
    }

    /// An array of structs that may be null.
    ///
    /// # Errors
    /// [`DecodeError`] of its count, of the budgets, or of an element.
    pub fn nullable_array<T>(
        &mut self,
        flexible: bool,
        version: i16,
        element: fn(&mut Self, i16) -> Result<T, DecodeError>,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        self.elements(flexible, |r| element(r, version))
    }

    fn elements<T>(
        &mut self,
        flexible: bool,
        mut element: impl FnMut(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<Option<Vec<T>>, DecodeError> {
        let Some(count) = self.count(flexible)? else { return Ok(None) };
        let mut elements = Vec::new();
        for _ in 0..count {
            if elements.len() == elements.capacity() {
                self.make_room(&mut elements, count)?;
            }
            elements.push(element(self)?);
        }
        Ok(Some(elements))
    }

    /// The count of an array, which takes its elements out of the budget. Every element has at
    /// least one byte.
    fn count(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        let Some(count) = self.length(flexible)? else { return Ok(None) };
        let remaining = self.remaining();
        if count > remaining {
            return Err(DecodeError::Truncated { wanted: count, remaining });
        }
        self.elements_left =
            self.elements_left.checked_sub(count).ok_or(DecodeError::TooManyElements)?;
        Ok(Some(count))
    }

    fn make_room<T>(&mut self, elements: &mut Vec<T>, count: usize) -> Result<(), DecodeError> {
        let held = elements.len();
        let wanted = if held == 0 { MAX_PREALLOCATED } else { held.saturating_mul(2) }.min(count);
        let more = wanted.saturating_sub(held);
        let bytes = more.saturating_mul(size_of::<T>());
        self.array_bytes_left =
            self.array_bytes_left.checked_sub(bytes).ok_or(DecodeError::TooMuchMemory)?;
        elements.reserve_exact(more);
        Ok(())
    }
}
