//! Which records of a batch survive, and the batch that is made of them.
//!
//! A record survives if it is the last one of its key in the part that was mapped, or lies behind
//! it; a tombstone until the batch's delete horizon has passed (KIP-534): the first cleaning that
//! meets one writes the horizon into the batch, in the place of its base timestamp. Offsets,
//! sequences, producer, leader epoch and compression of a batch stay as they are, so what is left
//! of a batch has its old first and last offset. A batch from which everything went is dropped,
//! except that the last batch of a producer that is still remembered stays as a header: a restart
//! learns the producer's sequence from it. A batch of which everything stays is not touched at all.
//!
//! Bytes are Kafka's, but for compressed records, where they depend on the compressor.

use std::collections::HashMap;

use protocol_codec::records::compression::{CompressError, DecompressError, compress};
use protocol_codec::records::control::{ControlRecordType, control_type};
use protocol_codec::records::header::NO_TIMESTAMP;
use protocol_codec::records::varint::{
    VarintError, read_varint, read_varlong, varlong_len, write_varint, write_varlong,
};
use protocol_codec::records::{
    Attributes, BATCH_OVERHEAD, BatchHeader, BatchView, Compression, LOG_OVERHEAD, MalformedRecord,
    PlainRecords, RecordView, TimestampType,
};
use thiserror::Error;

use super::offset_map::OffsetMap;
use super::transactions::CleanedTransactions;
use crate::index::txn::AbortedTxn;

/// Control records are tiny, and never compressed by Kafka.
const CONTROL_BYTES_MAX: usize = 1 << 20;

/// What the log remembers of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LastRecord {
    /// None if all that is known of it is a transaction marker.
    pub(crate) last_data_offset: Option<i64>,
    pub(crate) producer_epoch: i16,
}

/// What decides over all batches of a cleaning.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) map: &'a OffsetMap,
    pub(crate) last_records: &'a HashMap<i64, LastRecord>,
    pub(crate) high_watermark: i64,
    pub(crate) delete_retention_ms: i64,
    pub(crate) now_ms: i64,
    /// Most bytes that the records of one batch may decompress to.
    pub(crate) decompressed_bytes_max: usize,
}

impl Rules<'_> {
    /// Whether a batch stays even without records.
    fn retains_empty(&self, header: &BatchHeader) -> bool {
        let is_last = self.last_records.get(&header.producer_id).is_some_and(|last| {
            last.last_data_offset.map_or_else(
                || header.attributes.is_control() && header.producer_epoch == last.producer_epoch,
                |offset| header.last_offset() == offset,
            )
        });
        header.has_producer_id() && is_last || header.next_offset() == self.high_watermark
    }

    /// Whether every record of a batch of data was put into the map, and was overtaken there.
    pub(crate) fn are_overtaken(&self, header: &BatchHeader) -> bool {
        !header.attributes.is_control()
            && self.map.has_overtaken(header.base_offset, header.last_offset())
    }
}

/// Why a batch cannot be cleaned: the partition cannot.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum FilterError {
    #[error(transparent)]
    Decompress(#[from] DecompressError),
    #[error(transparent)]
    Compress(#[from] CompressError),
    #[error(transparent)]
    Malformed(#[from] MalformedRecord),
    #[error("the batch would have more than 2147483647 bytes")]
    TooLarge,
}

impl From<VarintError> for FilterError {
    fn from(error: VarintError) -> Self {
        Self::Malformed(error.into())
    }
}

/// What is left of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Left {
    #[default]
    Nothing,
    /// All of it, byte by byte. Nothing was written.
    Whole,
    /// A batch of this header, which was written.
    New(BatchHeader),
}

/// What was done with a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filtered {
    pub(crate) left: Left,
    pub(crate) records_read: u64,
    pub(crate) records_kept: u64,
    /// Records without a key, which have no business in a compacted log. They are dropped.
    pub(crate) keyless: u64,
    /// An aborted transaction of which something is left.
    pub(crate) aborted: Option<AbortedTxn>,
}

/// A record that survives, in the bytes of its batch's records.
#[derive(Clone, Copy, Debug)]
struct Kept {
    start: usize,
    end: usize,
    timestamp: i64,
    offset: i64,
    is_tombstone: bool,
    /// Of its key, until the map was asked.
    unasked: Option<[u64; 2]>,
}

/// What is known of a record before the map is searched.
enum Fate {
    Goes,
    Stays,
    /// As the map says of this hash.
    InMap([u64; 2]),
}

/// What happens to a batch before its records are looked at.
struct BatchVerdict {
    /// None of the records stays.
    discard_records: bool,
    /// The batch stays even without records.
    retain_empty: bool,
    /// A marker of a transaction of which nothing is left.
    marker_may_go: bool,
}

/// Filters batches; keeps its buffers from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    kept: Vec<Kept>,
    plain: Vec<u8>,
}

impl Filter {
    /// Appends to `out` what is left of `batch`, unless that is all of it.
    pub(crate) fn filter(
        &mut self,
        batch: &BatchView<'_>,
        rules: &Rules<'_>,
        transactions: &mut CleanedTransactions,
        out: &mut Vec<u8>,
    ) -> Result<Filtered, FilterError> {
        let header = batch.header();
        let mut done = Filtered::default();
        let verdict = judge(batch, rules, transactions, &mut done)?;
        if verdict.discard_records && !verdict.retain_empty {
            return Ok(done);
        }
        let records = batch.plain_records(rules.decompressed_bytes_max)?;
        let has_tombstone = self.choose(header, &records, rules, &verdict, &mut done)?;
        if self.kept.is_empty() {
            if verdict.retain_empty {
                done.left = empty(header, out);
            }
            return Ok(done);
        }
        let had_horizon = header.attributes.has_delete_horizon();
        let needs_horizon = (has_tombstone || verdict.marker_may_go) && !had_horizon;
        if done.records_kept == done.records_read && !needs_horizon {
            done.left = Left::Whole;
            return Ok(done);
        }
        // A retention beyond all times keeps tombstones for ever.
        let new_horizon = rules.now_ms.checked_add(rules.delete_retention_ms);
        let horizon = if had_horizon {
            Some(header.base_timestamp)
        } else {
            new_horizon.filter(|_| needs_horizon)
        };
        done.left = Left::New(self.rewrite(header, records.bytes(), horizon, out)?);
        Ok(done)
    }

    /// The same for a batch of data whose records are all overtaken, by its header.
    pub(crate) fn filter_overtaken(
        header: &BatchHeader,
        rules: &Rules<'_>,
        transactions: &mut CleanedTransactions,
        out: &mut Vec<u8>,
    ) -> Filtered {
        transactions.on_batch(header);
        let retains_empty = rules.retains_empty(header);
        let left = if retains_empty { empty(header, out) } else { Left::Nothing };
        let records_read = u64::try_from(header.records_count).unwrap_or(0);
        Filtered { left, records_read, ..Filtered::default() }
    }

    /// Notes which records stay. Returns whether a tombstone is among them.
    fn choose(
        &mut self,
        header: &BatchHeader,
        records: &PlainRecords<'_>,
        rules: &Rules<'_>,
        verdict: &BatchVerdict,
        done: &mut Filtered,
    ) -> Result<bool, FilterError> {
        self.kept.clear();
        let whole = records.bytes().len();
        let mut rest = records.bytes();
        for _ in 0..header.records_count {
            let start = whole - rest.len();
            let record = RecordView::read(&mut rest)?;
            done.records_read += 1;
            let is_control = header.attributes.is_control();
            done.keyless += u64::from(!is_control && record.key.is_none());
            let unasked = match fate(header, &record, rules) {
                _ if verdict.discard_records => continue,
                _ if is_control => None,
                Fate::Goes => continue,
                Fate::Stays => None,
                Fate::InMap(hash) => Some(hash),
            };
            self.kept.push(Kept {
                start,
                end: whole - rest.len(),
                timestamp: header.timestamp_of(record.timestamp_delta),
                offset: header.offset_of(record.offset_delta),
                is_tombstone: record.value.is_none(),
                unasked,
            });
        }
        if !rest.is_empty() {
            return Err(MalformedRecord::TrailingRecords(rest.len()).into());
        }
        self.ask(rules.map);
        done.records_kept = self.kept.len() as u64;
        Ok(self.kept.iter().any(|record| record.is_tombstone))
    }

    /// Drops the records that are not the last ones of their keys.
    fn ask(&mut self, map: &OffsetMap) {
        map.bring_near(self.kept.iter().filter_map(|record| record.unasked));
        self.kept.retain(|record| {
            let last = record.unasked.and_then(|hash| map.get(hash));
            last.is_none_or(|last| record.offset >= last)
        });
    }

    /// Writes the batch of the records that were kept.
    fn rewrite(
        &mut self,
        header: &BatchHeader,
        records: &[u8],
        horizon: Option<i64>,
        out: &mut Vec<u8>,
    ) -> Result<BatchHeader, FilterError> {
        let first = self.kept.first().map_or(NO_TIMESTAMP, |record| record.timestamp);
        let base_timestamp = horizon.unwrap_or(first);
        // What the batch header checks on its own is known to be right: the records were read.
        let compression = header.attributes.compression().unwrap_or_default();
        let start = out.len();
        out.extend_from_slice(&[0; BATCH_OVERHEAD]);
        if compression == Compression::None {
            write_records(&self.kept, records, base_timestamp, out)?;
        } else {
            self.plain.clear();
            write_records(&self.kept, records, base_timestamp, &mut self.plain)?;
            compress(compression, None, &self.plain, out)?;
        }
        let latest = self.kept.iter().map(|record| record.timestamp).fold(NO_TIMESTAMP, i64::max);
        let max_timestamp = match header.attributes.timestamp_type() {
            TimestampType::CreateTime => latest,
            TimestampType::LogAppendTime => header.max_timestamp,
        };
        let attributes =
            header.attributes.without_unused_bits().with_delete_horizon(horizon.is_some());
        let count = i32::try_from(self.kept.len()).map_err(|_| FilterError::TooLarge)?;
        let new = BatchHeader {
            attributes,
            base_timestamp,
            max_timestamp,
            records_count: count,
            ..*header
        };
        finish(new, start, out).ok_or(FilterError::TooLarge)
    }
}

/// Decides over the batch as a whole, and takes it over into the transactions.
fn judge(
    batch: &BatchView<'_>,
    rules: &Rules<'_>,
    transactions: &mut CleanedTransactions,
    done: &mut Filtered,
) -> Result<BatchVerdict, FilterError> {
    let header = batch.header();
    let mut marker_may_go = false;
    let discard_records = if header.attributes.is_control() {
        let verdict = transactions.on_control(header, control_kind(batch)?);
        done.aborted = verdict.aborted;
        marker_may_go = verdict.may_go;
        let horizon_passed =
            header.attributes.has_delete_horizon() && header.base_timestamp <= rules.now_ms;
        marker_may_go && horizon_passed
    } else {
        transactions.on_batch(header)
    };
    let retain_empty = rules.retains_empty(header);
    Ok(BatchVerdict { discard_records, retain_empty, marker_may_go })
}

/// The kind of a control batch; `None` if it has no record any more.
pub(crate) fn control_kind(
    batch: &BatchView<'_>,
) -> Result<Option<ControlRecordType>, FilterError> {
    let records = batch.plain_records(CONTROL_BYTES_MAX)?;
    let Some(record) = records.iter().next() else { return Ok(None) };
    // A key that cannot be read is of a kind that is not known here.
    Ok(Some(control_type(&record?).unwrap_or(ControlRecordType::Unknown(-1))))
}

fn fate(header: &BatchHeader, record: &RecordView<'_>, rules: &Rules<'_>) -> Fate {
    let offset = header.offset_of(record.offset_delta);
    if offset > rules.map.latest_offset() {
        return Fate::Stays;
    }
    let Some(key) = record.key else { return Fate::Goes };
    let horizon_passed =
        header.attributes.has_delete_horizon() && header.base_timestamp <= rules.now_ms;
    if record.value.is_none() && horizon_passed {
        return Fate::Goes;
    }
    match rules.map.is_newest(offset) {
        Some(true) => Fate::Stays,
        Some(false) => Fate::Goes,
        None => Fate::InMap(rules.map.hash(key)),
    }
}

/// Writes records with other timestamp deltas; nothing else in them depends on the batch.
fn write_records(
    kept: &[Kept],
    records: &[u8],
    base_timestamp: i64,
    out: &mut Vec<u8>,
) -> Result<(), FilterError> {
    for record in kept {
        let mut body = records.get(record.start..record.end).unwrap_or_default();
        read_varint(&mut body)?;
        let mut body = body.get(1..).unwrap_or_default();
        read_varlong(&mut body)?;
        let delta = record.timestamp.wrapping_sub(base_timestamp);
        let len = 1 + varlong_len(delta) + body.len();
        write_varint(out, i32::try_from(len).map_err(|_| FilterError::TooLarge)?);
        // Attributes of records mean nothing; Kafka writes zeros.
        out.push(0);
        write_varlong(out, delta);
        out.extend_from_slice(body);
    }
    Ok(())
}

/// Leaves the header alone, which may be all that there was.
fn empty(header: &BatchHeader, out: &mut Vec<u8>) -> Left {
    let start = out.len();
    let new = write_empty(header, out);
    if new == *header {
        out.truncate(start);
        return Left::Whole;
    }
    Left::New(new)
}

/// Writes the header alone.
fn write_empty(header: &BatchHeader, out: &mut Vec<u8>) -> BatchHeader {
    let kept = header.attributes;
    let attributes = Attributes::default()
        .with_timestamp_type(kept.timestamp_type())
        .with_transactional(kept.is_transactional())
        .with_control(kept.is_control());
    let empty =
        BatchHeader { attributes, base_timestamp: NO_TIMESTAMP, records_count: 0, ..*header };
    let start = out.len();
    out.extend_from_slice(&[0; BATCH_OVERHEAD]);
    // A header always fits.
    finish(empty, start, out).unwrap_or(empty)
}

/// Fills in length and checksum, and puts the header in front of the records at `start`.
fn finish(mut header: BatchHeader, start: usize, out: &mut [u8]) -> Option<BatchHeader> {
    let (head, payload) = out.get_mut(start..)?.split_first_chunk_mut::<BATCH_OVERHEAD>()?;
    let length = BATCH_OVERHEAD - LOG_OVERHEAD + payload.len();
    header.batch_length = i32::try_from(length).ok()?;
    header.crc = header.checksum(payload);
    *head = header.to_bytes();
    Some(header)
}

#[cfg(test)]
mod tests;
