//! Walking the batches of a segment by their headers.

use std::io;
use std::path::PathBuf;

use protocol_codec::records::{BATCH_OVERHEAD, BatchHeader};

use super::files::LOG_SUFFIX;
use super::{Segment, SegmentError, relative};
use crate::fs::{File, Fs, read_at_most};

/// Bytes that are read at once: small batches come many in one read, and of a large one only the
/// header is wanted.
const WINDOW_BYTES: usize = 2048;

/// A batch's place in its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchAt {
    pub(crate) position: u64,
    pub(crate) header: BatchHeader,
}

impl BatchAt {
    pub(crate) fn end(&self) -> u64 {
        self.position + self.header.size() as u64
    }
}

/// Reads headers one after another, from a position up to an end. Checksums are not compared.
#[derive(Debug)]
pub(crate) struct HeaderScan<'a> {
    segment: &'a Segment,
    file: &'a dyn File,
    position: u64,
    end: u64,
    /// The smallest base offset that the next batch may have.
    offset_min: i64,
    window: [u8; WINDOW_BYTES],
    window_start: u64,
    window_len: usize,
}

impl Segment {
    /// The batches from `position`, which must be the beginning of one, up to `end`.
    pub(crate) fn scan(
        &self,
        fs: &dyn Fs,
        position: u64,
        end: u64,
    ) -> Result<HeaderScan<'_>, SegmentError> {
        Ok(HeaderScan {
            segment: self,
            file: &**self.file(fs)?,
            position,
            end,
            offset_min: self.base_offset,
            window: [0; WINDOW_BYTES],
            window_start: 0,
            window_len: 0,
        })
    }

    pub(crate) fn io_error(&self, source: io::Error) -> SegmentError {
        SegmentError::Io { path: self.log_path(), source }
    }

    pub(crate) fn corrupt(&self, position: u64, reason: impl ToString) -> SegmentError {
        let reason = reason.to_string();
        SegmentError::Corrupt { path: self.log_path(), position, reason }
    }

    fn log_path(&self) -> PathBuf {
        self.path(LOG_SUFFIX)
    }
}

impl HeaderScan<'_> {
    /// The next batch; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<BatchAt>, SegmentError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let position = self.position;
        let bytes = self.header_bytes()?;
        let header =
            BatchHeader::read(bytes).map_err(|error| self.segment.corrupt(position, error))?;
        let batch = BatchAt { position, header };
        if batch.end() > self.end {
            let there = self.end - position;
            let text = format!("the batch has {} bytes and {there} are there", header.size());
            return Err(self.segment.corrupt(position, text));
        }
        let in_order = header.base_offset >= self.offset_min && header.last_offset_delta >= 0;
        if !in_order || relative(self.segment.base_offset, header.last_offset()).is_none() {
            let text = format!(
                "offsets {} to {} where at least {} is due",
                header.base_offset,
                header.last_offset(),
                self.offset_min
            );
            return Err(self.segment.corrupt(position, text));
        }
        self.offset_min = header.next_offset();
        self.position = batch.end();
        Ok(Some(batch))
    }

    fn header_bytes(&mut self) -> Result<&[u8], SegmentError> {
        let wanted = BATCH_OVERHEAD.min((self.end - self.position) as usize);
        let start = self.position.checked_sub(self.window_start);
        let inside = start.is_some_and(|start| start + wanted as u64 <= self.window_len as u64);
        if !inside {
            let len = WINDOW_BYTES.min((self.end - self.position) as usize);
            let window = self.window.get_mut(..len).unwrap_or_default();
            self.window_len = read_at_most(self.file, window, self.position)
                .map_err(|error| self.segment.io_error(error))?;
            self.window_start = self.position;
        }
        let start = (self.position - self.window_start) as usize;
        let end = (start + BATCH_OVERHEAD).min(self.window_len);
        Ok(self.window.get(start..end).unwrap_or_default())
    }
}
