//! The `records` field of Produce, Fetch and their kin: record batches, either here in memory or
//! somewhere else, where only their length matters to the encoding.

use bytes::Bytes;

/// Record batches as a field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Records {
    /// The bytes themselves. A decoded message holds a slice of its frame.
    Memory(Bytes),
    /// Bytes that are not in memory, such as a region of a log segment.
    Elsewhere(Elsewhere),
}

/// A promise of `len` bytes that whoever sends the encoded message puts in by itself: the encoding
/// notes where they belong as a [`Splice`](super::Splice).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elsewhere {
    /// How many bytes. They are written as the length of the field.
    pub len: usize,
    /// Which bytes: a number of the sender's own choice.
    pub slot: u32,
}

impl Records {
    /// How many bytes the record batches have.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::Elsewhere(elsewhere) => elsewhere.len,
        }
    }

    /// Whether there is no batch at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, if they are in memory. Those of a decoded message always are.
    #[must_use]
    pub fn in_memory(&self) -> Option<&Bytes> {
        match self {
            Self::Memory(bytes) => Some(bytes),
            Self::Elsewhere(_) => None,
        }
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Self::Memory(bytes)
    }
}
