//! Reading any batch, compressed or not: its records, and the search for timestamps that ListOffsets needs.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::batch::BatchView;
use super::compression::{DecompressError, decompress};
use super::header::{BatchHeader, Compression, NO_TIMESTAMP, TimestampType};
use super::record::{MalformedRecord, RecordIter};
use super::stream::{Limits, ReadError, walk};

/// The records of a batch, decompressed if they were compressed.
#[derive(Clone, Debug)]
pub struct PlainRecords<'a> {
    bytes: Cow<'a, [u8]>,
    count: i32,
}

impl PlainRecords<'_> {
    /// The records, one after the other.
    #[must_use]
    pub fn iter(&self) -> RecordIter<'_> {
        RecordIter::new(&self.bytes, self.count)
    }

    /// All records as bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<'a> IntoIterator for &'a PlainRecords<'_> {
    type Item = Result<super::RecordView<'a>, MalformedRecord>;
    type IntoIter = RecordIter<'a>;

    fn into_iter(self) -> RecordIter<'a> {
        self.iter()
    }
}

/// A record found by its timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimestampAndOffset {
    /// Timestamp of the record in ms.
    pub timestamp: i64,
    /// Offset of the record.
    pub offset: i64,
}

impl BatchHeader {
    /// The timestamp of a record with this delta: its own, or the batch's where the broker sets it.
    #[must_use]
    pub fn timestamp_of(&self, timestamp_delta: i64) -> i64 {
        match self.attributes.timestamp_type() {
            TimestampType::CreateTime => self.base_timestamp.wrapping_add(timestamp_delta),
            TimestampType::LogAppendTime => self.max_timestamp,
        }
    }

    /// The offset of a record with this delta.
    #[must_use]
    pub fn offset_of(&self, offset_delta: i32) -> i64 {
        self.base_offset.wrapping_add(i64::from(offset_delta))
    }
}

impl<'a> BatchView<'a> {
    /// The records of any batch: a slice of it, or a decompressed copy of at most `limit` bytes.
    ///
    /// # Errors
    /// The records cannot be decompressed; whether they are well-formed shows when they are read.
    pub fn plain_records(&self, limit: usize) -> Result<PlainRecords<'a>, DecompressError> {
        let bytes = match self.compression()? {
            Compression::None => Cow::Borrowed(self.payload()),
            kind => Cow::Owned(decompress(kind, self.payload(), limit)?),
        };
        Ok(PlainRecords { bytes, count: self.header().records_count })
    }

    /// The first record at or after `from_offset` whose timestamp is `target_ms` or later.
    ///
    /// # Errors
    /// The records cannot be read, or take more than `limit` bytes.
    pub fn first_since(
        &self,
        target_ms: i64,
        from_offset: i64,
        limit: usize,
    ) -> Result<Option<TimestampAndOffset>, ReadError> {
        let header = *self.header();
        if header.max_timestamp < target_ms || header.last_offset() < from_offset {
            return Ok(None);
        }
        self.find(limit, |found| found.timestamp >= target_ms && found.offset >= from_offset)
    }

    /// The first record with the batch's max timestamp; none in a batch without timestamps.
    ///
    /// # Errors
    /// The records cannot be read, or take more than `limit` bytes.
    pub fn max_timestamp_record(
        &self,
        limit: usize,
    ) -> Result<Option<TimestampAndOffset>, ReadError> {
        let max = self.header().max_timestamp;
        if max == NO_TIMESTAMP {
            return Ok(None);
        }
        self.find(limit, |found| found.timestamp == max)
    }

    fn find(
        &self,
        limit: usize,
        wanted: impl Fn(&TimestampAndOffset) -> bool,
    ) -> Result<Option<TimestampAndOffset>, ReadError> {
        let header = *self.header();
        let kind = self.compression()?;
        let limits = Limits { total: limit.max(self.payload().len()), record: usize::MAX };
        let mut answer = None;
        walk(self.payload(), kind, header.records_count, limits, |shape| {
            let found = TimestampAndOffset {
                timestamp: header.timestamp_of(shape.timestamp_delta),
                offset: header.offset_of(shape.offset_delta),
            };
            if wanted(&found) {
                answer = Some(found);
                return Ok::<_, ReadError>(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(answer)
    }

    fn compression(&self) -> Result<Compression, DecompressError> {
        let reason = "unknown compression";
        let unknown = DecompressError::Corrupt { kind: Compression::None, reason };
        self.header().attributes.compression().map_err(|_| unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::BatchBuilder;

    const LIMIT: usize = 1 << 20;

    fn batch(builder: BatchBuilder) -> bytes::Bytes {
        let mut builder = builder.base_offset(100);
        for timestamp in [10, 30, 20, 30, 5] {
            let value = vec![b'v'; 40_000];
            builder.append(timestamp, None, Some(&value), &[]).unwrap();
        }
        builder.build().unwrap()
    }

    #[test]
    fn timestamps_are_found_in_every_codec() {
        for kind in Compression::ALL {
            let bytes = batch(BatchBuilder::new().compression(kind, None));
            let view = BatchView::read(&bytes).unwrap();
            let first = |target, from| {
                view.first_since(target, from, LIMIT).unwrap().map(|f| (f.timestamp, f.offset))
            };
            assert_eq!(first(0, 0), Some((10, 100)));
            assert_eq!(first(11, 0), Some((30, 101)));
            assert_eq!(first(11, 102), Some((20, 102)));
            assert_eq!(first(30, 102), Some((30, 103)));
            assert_eq!(first(30, 104), None);
            assert_eq!(first(31, 0), None);
            assert_eq!(first(0, 105), None);
            let max = view.max_timestamp_record(LIMIT).unwrap();
            assert_eq!(max, Some(TimestampAndOffset { timestamp: 30, offset: 101 }));
        }
    }

    #[test]
    fn append_time_is_every_records_time() {
        let bytes = batch(BatchBuilder::new().log_append_time(77));
        let view = BatchView::read(&bytes).unwrap();
        let found = Some(TimestampAndOffset { timestamp: 77, offset: 100 });
        assert_eq!(view.max_timestamp_record(LIMIT).unwrap(), found);
        assert_eq!(view.first_since(60, 0, LIMIT).unwrap(), found);
    }

    #[test]
    fn a_batch_without_timestamps_has_no_max_timestamp_record() {
        let mut builder = BatchBuilder::new();
        builder.append(NO_TIMESTAMP, None, None, &[]).unwrap();
        let bytes = builder.build().unwrap();
        let view = BatchView::read(&bytes).unwrap();
        assert_eq!(view.max_timestamp_record(LIMIT).unwrap(), None);
    }

    #[test]
    fn plain_records_are_bounded() {
        for kind in Compression::ALL {
            let bytes = batch(BatchBuilder::new().compression(kind, None));
            let view = BatchView::read(&bytes).unwrap();
            let records = view.plain_records(LIMIT).unwrap();
            assert_eq!(records.iter().filter(Result::is_ok).count(), 5);
            assert!(records.bytes().len() > 200_000);
            let bounded = view.plain_records(1000);
            assert_eq!(bounded.is_err(), kind != Compression::None);
        }
    }
}
