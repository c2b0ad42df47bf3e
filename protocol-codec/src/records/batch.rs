//! A batch in a buffer, without copying, and the cutting of a buffer into batches.
//!
//! A [`BatchView`] or [`Batch`] has a header whose length, magic and size were checked against the buffer.
//! It does not say that the checksum or the records are right: [`BatchView::verify_checksum`] and the record
//! iterator do.

use bytes::Bytes;
use thiserror::Error;

use super::header::{
    BATCH_OVERHEAD, BatchError, BatchHeader, CRC_START, Compression, LOG_OVERHEAD, crc32c,
};
use super::record::RecordIter;

/// One batch in borrowed bytes.
#[derive(Clone, Copy, Debug)]
pub struct BatchView<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> BatchView<'a> {
    /// The batch at the start of `bytes`; bytes after its end are left out.
    ///
    /// # Errors
    /// `Truncated` if the batch is longer than `bytes`, otherwise as [`BatchHeader::read`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let header = BatchHeader::read(bytes)?;
        let needed = header.size();
        let whole = bytes.get(..needed);
        let bytes = whole.ok_or(BatchError::Truncated { needed, available: bytes.len() })?;
        Ok(Self { header, bytes })
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All bytes of the batch.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes after the header: the records, compressed if the attributes say so.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.bytes.get(BATCH_OVERHEAD..).unwrap_or_default()
    }

    /// Compares the checksum with the bytes.
    ///
    /// # Errors
    /// `Checksum` if they do not fit.
    pub fn verify_checksum(&self) -> Result<(), BatchError> {
        let computed = crc32c(self.bytes.get(CRC_START..).unwrap_or_default());
        let stored = self.header.crc;
        if computed == stored { Ok(()) } else { Err(BatchError::Checksum { stored, computed }) }
    }

    /// The records, if they are not compressed.
    ///
    /// `None` for a compressed batch, whose payload has to be decompressed first.
    #[must_use]
    pub fn records(&self) -> Option<RecordIter<'a>> {
        match self.header.attributes.compression() {
            Ok(Compression::None) => {
                Some(RecordIter::new(self.payload(), self.header.records_count))
            }
            _ => None,
        }
    }
}

/// One batch that shares the ownership of its bytes.
#[derive(Clone, Debug)]
pub struct Batch {
    header: BatchHeader,
    bytes: Bytes,
}

impl Batch {
    /// The batch at the start of `bytes`; bytes after its end are left out.
    ///
    /// # Errors
    /// As [`BatchView::read`].
    pub fn read(bytes: &Bytes) -> Result<Self, BatchError> {
        let view = BatchView::read(bytes)?;
        Ok(Self { header: view.header, bytes: bytes.slice_ref(view.bytes) })
    }

    /// The header.
    #[must_use]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All bytes of the batch.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The bytes after the header: the records, compressed if the attributes say so.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        self.bytes.slice(BATCH_OVERHEAD.min(self.bytes.len())..)
    }

    /// The same batch, borrowed.
    #[must_use]
    pub fn view(&self) -> BatchView<'_> {
        BatchView { header: self.header, bytes: &self.bytes }
    }
}

/// Why a buffer does not go on with a batch.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SplitError {
    /// The buffer ends inside a batch: a fetch was cut at its size limit, or a crash came in the middle of
    /// an append. A rest of nothing but zeros is torn too: file systems leave those after a power cut.
    #[error("the batch at position {position} ends after {available} bytes, {needed} are needed")]
    Torn {
        /// Where the batch begins in the buffer.
        position: usize,
        /// Bytes that it takes, as far as is known.
        needed: usize,
        /// Bytes that are there.
        available: usize,
    },
    /// The bytes at this position are not a batch.
    #[error("no batch at position {position}: {source}")]
    Corrupt {
        /// Where in the buffer.
        position: usize,
        /// What is wrong.
        source: BatchError,
    },
}

/// The batches of a buffer; made by [`split_batches`].
#[derive(Clone, Debug)]
pub struct Batches {
    bytes: Bytes,
    position: usize,
    failed: bool,
}

/// Cuts `bytes` into batches, by their headers only: checksums are not compared.
///
/// The iterator yields at most one error, as its last item.
#[must_use]
pub const fn split_batches(bytes: Bytes) -> Batches {
    Batches { bytes, position: 0, failed: false }
}

impl Batches {
    /// Where in the buffer the next batch begins: the number of bytes in the batches so far.
    #[must_use]
    pub const fn position(&self) -> usize {
        self.position
    }

    fn explain(&self, rest: &[u8], source: BatchError) -> SplitError {
        let position = self.position;
        match source {
            BatchError::Truncated { needed, available } => {
                SplitError::Torn { position, needed, available }
            }
            BatchError::InvalidLength { length: 0 } if rest.iter().all(|byte| *byte == 0) => {
                SplitError::Torn { position, needed: LOG_OVERHEAD, available: 0 }
            }
            source => SplitError::Corrupt { position, source },
        }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, SplitError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.position >= self.bytes.len() {
            return None;
        }
        let rest = self.bytes.slice(self.position..);
        match Batch::read(&rest) {
            Ok(batch) => {
                self.position += batch.bytes.len();
                Some(Ok(batch))
            }
            Err(error) => {
                self.failed = true;
                Some(Err(self.explain(&rest, error)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::BatchBuilder;

    fn batch(value: &str) -> Bytes {
        let mut builder = BatchBuilder::new();
        builder.append(7, None, Some(value.as_bytes()), &[]).unwrap();
        builder.build().unwrap()
    }

    fn joined() -> Bytes {
        [batch("one"), batch("two, a longer one"), batch("three")].concat().into()
    }

    #[test]
    fn a_buffer_of_batches() {
        let values: Vec<_> = split_batches(joined())
            .map(|batch| {
                let batch = batch.unwrap();
                batch.view().verify_checksum().unwrap();
                let record = batch.view().records().unwrap().next().unwrap().unwrap();
                String::from_utf8(record.value.unwrap().to_vec()).unwrap()
            })
            .collect();
        assert_eq!(values, ["one", "two, a longer one", "three"]);
    }

    #[test]
    fn batches_share_the_buffer() {
        let bytes = joined();
        let second = split_batches(bytes.clone()).nth(1).unwrap().unwrap();
        let range = bytes.as_ptr_range();
        assert!(range.contains(&second.bytes().as_ptr()));
    }

    #[test]
    fn every_cut_is_torn_and_keeps_the_batches_before_it() {
        let bytes = joined();
        let ends: Vec<_> = split_batches(bytes.clone())
            .scan(0, |end, batch| {
                *end += batch.unwrap().bytes().len();
                Some(*end)
            })
            .collect();
        for len in 0..bytes.len() {
            let whole = ends.iter().filter(|end| **end <= len).count();
            let items: Vec<_> = split_batches(bytes.slice(..len)).collect();
            let position = whole.checked_sub(1).map_or(0, |last| ends[last]);
            if position == len {
                assert_eq!(items.len(), whole);
                continue;
            }
            assert_eq!(items.len(), whole + 1, "{len}");
            let error = items.last().unwrap().as_ref().unwrap_err();
            assert!(
                matches!(error, SplitError::Torn { position: at, available, .. }
                    if *at == position && *available == len - position),
                "{len}: {error:?}"
            );
        }
    }

    #[test]
    fn zeros_are_torn_and_other_nonsense_is_corrupt() {
        let first = batch("one");
        for zeros in 1..80 {
            let bytes: Bytes = [first.as_ref(), &vec![0; zeros]].concat().into();
            let last = split_batches(bytes).last().unwrap().unwrap_err();
            assert!(matches!(last, SplitError::Torn { position, .. } if position == first.len()));
        }
        let mut bytes = [first.as_ref(), &[0; 70]].concat();
        bytes.push(1);
        let last = split_batches(bytes.into()).last().unwrap().unwrap_err();
        let source = BatchError::InvalidLength { length: 0 };
        assert_eq!(last, SplitError::Corrupt { position: first.len(), source });
    }

    #[test]
    fn a_flipped_bit_after_the_magic_breaks_the_checksum() {
        let good = batch("some value");
        for at in 17..good.len() {
            for bit in 0..8 {
                let mut bytes = good.to_vec();
                bytes[at] ^= 1 << bit;
                let view = BatchView::read(&bytes).unwrap();
                assert!(view.verify_checksum().is_err(), "byte {at} bit {bit}");
            }
        }
    }
}
