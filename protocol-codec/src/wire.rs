//! The primitive types of the wire: how single values, lengths, arrays and tagged fields are
//! read and written. Everything above (messages, headers, records of internal topics) is built
//! from these.

mod error;
mod reader;
mod records;
mod varint;
mod writer;

pub use error::{DecodeError, EncodeError};
pub use reader::{
    MAX_ELEMENTS, MAX_PREALLOCATED, MAX_STRING_LENGTH, MAX_TAGS, Reader, Tag, allocation_limit,
};
pub use records::{Elsewhere, Records};
pub use writer::{Encoded, OpenTag, OpenTags, Splice, Writer};

#[cfg(test)]
mod tests;
