//! Reading the batches of a segment one after another, in large pieces.

use std::sync::Arc;

use protocol_codec::records::{BATCH_OVERHEAD, BatchError, BatchHeader, BatchView};

use crate::fs::{File, Fs, read_at_most};
use crate::segment::{Segment, SegmentError};

/// Not to read so many bytes is worth a read of its own for the next header: a call costs as much
/// as the copy of some ten thousand bytes.
const SKIPPED_BYTES_MIN: usize = 64 << 10;

/// Batches from a position of a segment up to an end, their checksums compared.
#[derive(Debug)]
pub(crate) struct BatchReader<'a> {
    segment: &'a Segment,
    file: Arc<dyn File>,
    buffer: &'a mut Vec<u8>,
    /// Bytes of `buffer` that were read from the file.
    filled: usize,
    /// Where in `buffer` the next batch begins: behind what is filled, if it was skipped to.
    start: usize,
    /// Where in the file `buffer` begins.
    position: u64,
    end: u64,
    next_offset: i64,
}

/// What [`BatchReader::next`] needs before it can go on.
pub(crate) enum Step<'b> {
    /// A batch, and where in the file it begins.
    Batch(BatchView<'b>, u64),
    /// The header of a batch whose bytes are not wanted.
    Skipped(BatchHeader, u64),
    /// This many bytes were read from the file.
    Read(usize),
    End,
}

impl<'a> BatchReader<'a> {
    /// `buffer` decides how much is read at once; it grows for a larger batch.
    pub(crate) fn new(
        fs: &dyn Fs,
        segment: &'a Segment,
        position: u64,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Self, SegmentError> {
        Ok(Self {
            segment,
            file: Arc::clone(&segment.file(fs)?),
            buffer,
            filled: 0,
            start: 0,
            position,
            end: segment.size(),
            next_offset: segment.base_offset(),
        })
    }

    /// The next batch, or the news that the disk was read.
    pub(crate) fn next(&mut self) -> Result<Step<'_>, SegmentError> {
        self.next_unless(&|_| false)
    }

    /// The same, without reading a batch that `skip` does not want, of which only the header's
    /// form is checked.
    pub(crate) fn next_unless(
        &mut self,
        skip: &dyn Fn(&BatchHeader) -> bool,
    ) -> Result<Step<'_>, SegmentError> {
        let at = self.position + self.start as u64;
        if at >= self.end {
            return Ok(Step::End);
        }
        let there = self.buffer.get(self.start..self.filled).unwrap_or_default();
        let needed = match BatchHeader::read(there) {
            Ok(header) if header.size() as u64 <= self.end - at && skip(&header) => {
                self.next_offset = offset_after(self.segment, at, &header, self.next_offset)?;
                self.start += header.size();
                return Ok(Step::Skipped(header, at));
            }
            Ok(header) if header.size() <= there.len() => {
                let batch = self.take(at, header.size())?;
                return Ok(Step::Batch(batch, at));
            }
            Ok(header) => header.size(),
            Err(BatchError::Truncated { .. }) => BATCH_OVERHEAD,
            Err(_) if there.len() < BATCH_OVERHEAD => BATCH_OVERHEAD,
            Err(error) => return Err(self.segment.corrupt(at, error)),
        };
        let left = self.end - at;
        if needed as u64 > left {
            let text = format!("the batch has {needed} bytes and {left} are there");
            return Err(self.segment.corrupt(at, text));
        }
        self.fill(needed).map(Step::Read)
    }

    fn take(&mut self, at: u64, size: usize) -> Result<BatchView<'_>, SegmentError> {
        let bytes = self.buffer.get(self.start..self.start + size).unwrap_or_default();
        let corrupt = |error| self.segment.corrupt(at, error);
        let batch = BatchView::read(bytes).map_err(corrupt)?;
        // A batch that is written anew gets a new checksum: damage must not be signed with it.
        batch.verify_checksum().map_err(corrupt)?;
        self.next_offset = offset_after(self.segment, at, batch.header(), self.next_offset)?;
        self.start += size;
        Ok(batch)
    }

    /// Moves what is left to the front and fills the rest of the buffer.
    fn fill(&mut self, needed: usize) -> Result<usize, SegmentError> {
        // Behind a batch that was not wanted only the next header is read: that may not be either.
        let skipped = self.start.saturating_sub(self.filled);
        let is_peek = skipped >= SKIPPED_BYTES_MIN && needed == BATCH_OVERHEAD;
        self.buffer.copy_within(self.start.min(self.filled)..self.filled, 0);
        self.filled = self.filled.saturating_sub(self.start);
        self.position += self.start as u64;
        self.start = 0;
        if self.buffer.len() < needed {
            self.buffer.resize(needed, 0);
        }
        let at = self.position + self.filled as u64;
        let room = usize::try_from(self.end - at).unwrap_or(usize::MAX);
        let most = if is_peek { needed } else { self.buffer.len() };
        let to = most.min(self.filled.saturating_add(room));
        let target = self.buffer.get_mut(self.filled..to).unwrap_or_default();
        let read =
            read_at_most(&*self.file, target, at).map_err(|error| self.segment.io_error(error))?;
        self.filled += read;
        if self.filled < needed {
            return Err(self.segment.corrupt(at, "the file ends too early"));
        }
        Ok(read)
    }
}

/// The offset after a batch that begins at `due` or later.
fn offset_after(
    segment: &Segment,
    at: u64,
    header: &BatchHeader,
    due: i64,
) -> Result<i64, SegmentError> {
    if header.base_offset < due || header.last_offset_delta < 0 {
        let text = format!("offset {} where {due} is due", header.base_offset);
        return Err(segment.corrupt(at, text));
    }
    Ok(header.next_offset())
}
