//! The batches of a `.log` file, one after another.

use std::io;
use std::path::Path;

use protocol_codec::records::{BATCH_OVERHEAD, BatchError, BatchHeader, BatchView};
use thiserror::Error;

use super::{WindowReader, batch_crc};
use crate::fs::Fs;

/// A batch up to this size is held in memory to look at its records. Larger ones, which no default
/// of Kafka allows, only have their checksum compared.
pub const BATCH_BYTES_MAX: usize = 128 << 20;

/// Why a file does not go on with a batch.
#[derive(Debug, Error)]
pub enum BatchReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file ends inside a batch, or with nothing but zeros: a write that was not finished.
    #[error("the file ends inside a batch: {0}")]
    Torn(String),
    /// The bytes are no batch.
    #[error("{0}")]
    Corrupt(String),
}

/// One batch as it was found. Its checksum was compared, nothing else.
#[derive(Debug)]
pub struct FoundBatch<'a> {
    /// Where it begins in the file.
    pub position: u64,
    pub header: BatchHeader,
    /// The checksum of the bytes; a good batch has this in its header.
    pub computed_crc: u32,
    /// All bytes of the batch, unless there are more than [`BATCH_BYTES_MAX`].
    pub view: Option<BatchView<'a>>,
}

impl FoundBatch<'_> {
    pub fn is_valid(&self) -> bool {
        self.header.crc == self.computed_crc
    }
}

/// Reads a file of batches front to back.
#[derive(Debug)]
pub struct BatchReader {
    reader: WindowReader,
    position: u64,
}

impl BatchReader {
    /// Opens the file. It is read up to the length that it has now.
    pub fn open(fs: &dyn Fs, path: &Path) -> io::Result<Self> {
        Ok(Self { reader: WindowReader::open(fs, path)?, position: 0 })
    }

    /// The same, summing the whole file up.
    pub(crate) fn open_with_sum(fs: &dyn Fs, path: &Path) -> io::Result<Self> {
        Ok(Self { reader: WindowReader::open(fs, path)?.with_sum(), position: 0 })
    }

    /// Goes on at `position`, which must be where a batch begins.
    pub fn skip_to(&mut self, position: u64) {
        self.position = position;
    }

    /// Where the next batch begins.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Length of the file when it was opened.
    pub fn end(&self) -> u64 {
        self.reader.end()
    }

    /// The next header, without the checksum; `None` at the end. The next call goes on behind it.
    pub(crate) fn next_header(&mut self) -> Result<Option<(u64, BatchHeader)>, BatchReadError> {
        let position = self.position;
        if position >= self.reader.end() {
            return Ok(None);
        }
        let bytes = self.reader.bytes_at(position, BATCH_OVERHEAD)?;
        let header = match BatchHeader::read(bytes) {
            Ok(header) => header,
            Err(error) => return Err(self.explain(position, error)?),
        };
        let there = self.reader.end().saturating_sub(position);
        let size = header.size() as u64;
        if size > there {
            let text = format!("it has {size} bytes and {there} are there");
            return Err(BatchReadError::Torn(text));
        }
        self.position = position + size;
        Ok(Some((position, header)))
    }

    /// The next batch; `None` at the end.
    ///
    /// # Errors
    /// After an error the position is where the damage is.
    pub fn next_batch(&mut self) -> Result<Option<FoundBatch<'_>>, BatchReadError> {
        let Some((position, header)) = self.next_header()? else { return Ok(None) };
        let size = header.size();
        if size > BATCH_BYTES_MAX {
            let end = position + size as u64;
            let computed_crc = batch_crc(&mut self.reader, position, end)?;
            return Ok(Some(FoundBatch { position, header, computed_crc, view: None }));
        }
        let bytes = self.reader.bytes_at(position, size)?;
        let view = match BatchView::read(bytes) {
            Ok(view) => view,
            // The file was cut between the two reads.
            Err(error) => {
                self.position = position;
                return Err(BatchReadError::Torn(error.to_string()));
            }
        };
        let computed_crc = match view.verify_checksum() {
            Err(BatchError::Checksum { computed, .. }) => computed,
            _ => header.crc,
        };
        Ok(Some(FoundBatch { position, header, computed_crc, view: Some(view) }))
    }

    /// Whether the bytes at `position`, which are no batch, are the rest of an unfinished write.
    fn explain(&mut self, position: u64, error: BatchError) -> io::Result<BatchReadError> {
        let text = error.to_string();
        Ok(match error {
            BatchError::Truncated { .. } => BatchReadError::Torn(text),
            BatchError::InvalidLength { length: 0 } if self.is_zero_from(position)? => {
                BatchReadError::Torn("nothing but zeros follows".to_owned())
            }
            _ => BatchReadError::Corrupt(text),
        })
    }

    fn is_zero_from(&mut self, position: u64) -> io::Result<bool> {
        let mut at = position;
        while at < self.reader.end() {
            let bytes = self.reader.bytes_at(at, 64 << 10)?;
            if bytes.is_empty() || bytes.iter().any(|byte| *byte != 0) {
                return Ok(bytes.is_empty());
            }
            at += bytes.len() as u64;
        }
        Ok(true)
    }

    /// Reads what is left; bytes and CRC-32C of the whole file, if it was opened to be summed up.
    pub(crate) fn finish_sum(self) -> io::Result<(u64, u32)> {
        self.reader.finish_sum()
    }
}
