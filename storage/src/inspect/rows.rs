//! The entries of the three kinds of indexes, one after another.

use std::io;
use std::path::Path;

use super::WindowReader;
use crate::fields::Fields;
use crate::fs::Fs;

/// Which index a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowKind {
    Offset,
    Time,
    Txn,
}

impl RowKind {
    /// Bytes of an entry.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Offset => 8,
            Self::Time => 12,
            Self::Txn => 34,
        }
    }
}

/// One entry, with absolute offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// The batch that begins at `position` ends with `offset`.
    Offset { offset: i64, position: u32 },
    /// `timestamp` is the largest up to the batch with `offset`.
    Time { timestamp: i64, offset: i64 },
    /// An aborted transaction.
    Txn {
        version: i16,
        producer_id: i64,
        first_offset: i64,
        last_offset: i64,
        last_stable_offset: i64,
    },
}

/// Reads an index file front to back.
#[derive(Debug)]
pub struct Rows {
    reader: WindowReader,
    kind: RowKind,
    base_offset: i64,
    position: u64,
}

impl Rows {
    /// Opens the index of the segment with this base offset.
    pub fn open(fs: &dyn Fs, path: &Path, kind: RowKind, base_offset: i64) -> io::Result<Self> {
        let reader = WindowReader::open(fs, path)?;
        Ok(Self { reader, kind, base_offset, position: 0 })
    }

    /// Length of the file when it was opened.
    pub fn end(&self) -> u64 {
        self.reader.end()
    }

    /// Bytes behind the last whole entry. A good file has none.
    pub fn excess(&self) -> u64 {
        self.end() % self.kind.bytes() as u64
    }

    /// The next entry and where it begins; `None` when no whole one is left.
    pub fn next_row(&mut self) -> io::Result<Option<(u64, Row)>> {
        let (position, kind, base) = (self.position, self.kind, self.base_offset);
        let bytes = self.reader.bytes_at(position, kind.bytes())?;
        let mut fields = Fields(bytes);
        let row = match kind {
            RowKind::Offset => fields
                .offset(base)
                .zip(fields.u32())
                .map(|(offset, position)| Row::Offset { offset, position }),
            RowKind::Time => fields
                .i64()
                .zip(fields.offset(base))
                .map(|(timestamp, offset)| Row::Time { timestamp, offset }),
            RowKind::Txn => fields.txn(),
        };
        self.position += kind.bytes() as u64;
        Ok(row.map(|row| (position, row)))
    }

    /// Whether nothing but zeros follows from `position` on: Kafka makes the indexes of the segment
    /// that it writes to larger than they are, and cuts them at a clean stop.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn is_padding_from(&mut self, position: u64) -> io::Result<bool> {
        let mut at = position;
        while at < self.end() {
            let bytes = self.reader.bytes_at(at, 64 << 10)?;
            if bytes.is_empty() || bytes.iter().any(|byte| *byte != 0) {
                return Ok(bytes.is_empty());
            }
            at += bytes.len() as u64;
        }
        Ok(true)
    }
}

impl Fields<'_> {
    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_be_bytes)
    }

    /// An offset that is kept relative to the segment's base offset, as a signed number.
    fn offset(&mut self, base: i64) -> Option<i64> {
        let relative = self.take().map(i32::from_be_bytes)?;
        Some(base.saturating_add(i64::from(relative)))
    }

    fn txn(&mut self) -> Option<Row> {
        Some(Row::Txn {
            version: self.take().map(i16::from_be_bytes)?,
            producer_id: self.i64()?,
            first_offset: self.i64()?,
            last_offset: self.i64()?,
            last_stable_offset: self.i64()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{MemFs, replace_file};

    #[test]
    fn entries_are_read_up_to_the_last_whole_one() {
        let fs = MemFs::new();
        let path = Path::new("/x");
        replace_file(&fs, path, &[0, 0, 0, 4, 0, 0, 1, 0, 0, 0]).unwrap();
        let mut rows = Rows::open(&fs, path, RowKind::Offset, 100).unwrap();
        let row = Row::Offset { offset: 104, position: 256 };
        assert_eq!(rows.next_row().unwrap(), Some((0, row)));
        assert_eq!(rows.next_row().unwrap(), None);
        assert_eq!(rows.excess(), 2);

        let mut txn = vec![0, 0];
        for field in [7_i64, 100, 120, 121] {
            txn.extend_from_slice(&field.to_be_bytes());
        }
        replace_file(&fs, path, &txn).unwrap();
        let mut rows = Rows::open(&fs, path, RowKind::Txn, 100).unwrap();
        let row = Row::Txn {
            version: 0,
            producer_id: 7,
            first_offset: 100,
            last_offset: 120,
            last_stable_offset: 121,
        };
        assert_eq!(rows.next_row().unwrap(), Some((0, row)));
    }
}
