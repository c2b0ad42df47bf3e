//! Finding a batch of a segment by offset or by timestamp.

use bytes::Bytes;
use protocol_codec::records::Batch;

use super::scan::BatchAt;
use super::{Segment, SegmentError};
use crate::fs::{Fs, read_exact_at};

impl Segment {
    /// The first batch that ends at or after `offset`, among the first `limit` bytes.
    pub(crate) fn find_offset(
        &self,
        fs: &dyn Fs,
        offset: i64,
        limit: u64,
    ) -> Result<Option<BatchAt>, SegmentError> {
        let start = self.position_before(fs, offset)?;
        let mut scan = self.scan(fs, start.min(limit), limit)?;
        while let Some(batch) = scan.next()? {
            if batch.header.last_offset() >= offset {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }

    /// Where the batches begin that may hold a timestamp of at least `timestamp` in a record at or
    /// after `offset_min`.
    pub(crate) fn position_for_timestamp(
        &self,
        fs: &dyn Fs,
        timestamp: i64,
        offset_min: i64,
    ) -> Result<u64, SegmentError> {
        let found = {
            let indexes = self.indexes(fs)?;
            let found = indexes.times.last_where(|entry| entry.timestamp <= timestamp);
            found.map_err(|error| self.io_error(error))?
        };
        let relative_offset = found.map_or(0, |entry| entry.relative_offset);
        let offset = self.base_offset + i64::from(relative_offset);
        self.position_before(fs, offset.max(offset_min))
    }

    /// The position of a batch that ends at or before `offset`, or 0: where a search begins.
    pub(crate) fn position_before(&self, fs: &dyn Fs, offset: i64) -> Result<u64, SegmentError> {
        let relative = offset - self.base_offset;
        let indexes = self.indexes(fs)?;
        let found = indexes
            .offsets
            .last_where(|entry| i64::from(entry.relative_offset) <= relative)
            .map_err(|error| self.io_error(error))?;
        Ok(found.map_or(0, |entry| u64::from(entry.position)))
    }

    /// Reads a whole batch and compares its checksum.
    pub(crate) fn read_batch(&self, fs: &dyn Fs, at: &BatchAt) -> Result<Batch, SegmentError> {
        let mut bytes = vec![0; at.header.size()];
        read_exact_at(&*self.file(fs)?, &mut bytes, at.position)
            .map_err(|error| self.io_error(error))?;
        let batch =
            Batch::read(&Bytes::from(bytes)).map_err(|error| self.corrupt(at.position, error))?;
        batch.view().verify_checksum().map_err(|error| self.corrupt(at.position, error))?;
        Ok(batch)
    }
}
