//! Walking the batches of a segment by their headers.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use protocol_codec::records::{BATCH_OVERHEAD, BatchHeader, BatchView};

use super::files::LOG_SUFFIX;
use super::{Segment, SegmentError, relative};
use crate::fs::{File, Fs, read_at_most, read_exact_at};

/// Bytes that are read at once to find one batch: of a large one only the header is wanted.
const WINDOW_BYTES: usize = 2048;
/// Bytes that are read at once to go over a whole segment.
const BULK_WINDOW_BYTES: usize = 64 << 10;

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
pub(crate) struct HeaderScan<'a, W = [u8; WINDOW_BYTES]> {
    segment: &'a Segment,
    file: Arc<dyn File>,
    position: u64,
    end: u64,
    /// The smallest base offset that the next batch may have.
    offset_min: i64,
    window: W,
    window_start: u64,
    window_len: usize,
}

impl Segment {
    /// The batches from `position`, which must be the beginning of one, up to `end`: to look at a
    /// few of them.
    pub(crate) fn scan(
        &self,
        fs: &dyn Fs,
        position: u64,
        end: u64,
    ) -> Result<HeaderScan<'_>, SegmentError> {
        self.scan_with(fs, position, end, [0; WINDOW_BYTES])
    }

    /// The same, to look at very many.
    pub(crate) fn scan_in_bulk(
        &self,
        fs: &dyn Fs,
        position: u64,
    ) -> Result<HeaderScan<'_, Vec<u8>>, SegmentError> {
        self.scan_with(fs, position, self.size(), vec![0; BULK_WINDOW_BYTES])
    }

    fn scan_with<W>(
        &self,
        fs: &dyn Fs,
        position: u64,
        end: u64,
        window: W,
    ) -> Result<HeaderScan<'_, W>, SegmentError> {
        Ok(HeaderScan {
            segment: self,
            file: self.file(fs)?,
            position,
            end,
            offset_min: self.base_offset,
            window,
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

impl<W: AsRef<[u8]> + AsMut<[u8]>> HeaderScan<'_, W> {
    /// The next batch has no smaller base offset than this.
    pub(crate) fn expect(&mut self, offset_min: i64) {
        self.offset_min = offset_min;
    }

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

    /// Compares the checksum of a batch that `next` has just returned.
    pub(crate) fn verify(
        &mut self,
        batch: &BatchAt,
        buffer: &mut Vec<u8>,
    ) -> Result<(), SegmentError> {
        let size = batch.header.size();
        let segment = self.segment;
        let bytes = if size <= self.window.as_ref().len() {
            self.bytes_at(batch.position, size)?
        } else {
            buffer.resize(size, 0);
            read_exact_at(&*self.file, buffer, batch.position)
                .map_err(|error| segment.io_error(error))?;
            buffer
        };
        BatchView::read(bytes)
            .and_then(|view| view.verify_checksum())
            .map_err(|error| segment.corrupt(batch.position, error))
    }

    fn header_bytes(&mut self) -> Result<&[u8], SegmentError> {
        self.bytes_at(self.position, BATCH_OVERHEAD)
    }

    /// The `len` bytes at `position`, fewer at the end; at most as many as the window holds.
    fn bytes_at(&mut self, position: u64, len: usize) -> Result<&[u8], SegmentError> {
        let room = usize::try_from(self.end.saturating_sub(position)).unwrap_or(usize::MAX);
        let wanted = len.min(room) as u64;
        let start = position.checked_sub(self.window_start);
        let inside = start.is_some_and(|start| start + wanted <= self.window_len as u64);
        if !inside {
            let window = self.window.as_mut();
            let len = window.len().min(room);
            self.window_len = window
                .get_mut(..len)
                .map_or(Ok(0), |window| read_at_most(&*self.file, window, position))
                .map_err(|error| self.segment.io_error(error))?;
            self.window_start = position;
        }
        let start = (position - self.window_start) as usize;
        let end = (start + len).min(self.window_len);
        Ok(self.window.as_ref().get(start..end).unwrap_or_default())
    }
}
