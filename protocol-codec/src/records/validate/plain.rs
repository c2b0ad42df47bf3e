//! The records of a batch that is not compressed: the hot path of Produce.
//!
//! A first walk only sums up and keeps its state in registers. If the sum is not plainly good, a second walk
//! asks of each record what there is to ask and finds the words for the answer.

use super::RecordError;
use super::check::RecordCheck;
use crate::records::batch::BatchView;
use crate::records::record::{MalformedRecord, RecordView};
use crate::records::stream::{ReadError, RecordShape};
use crate::records::varint::{read_varint, read_varlong};

/// What is asked of all records at once.
pub(super) struct Summary {
    pub(super) min_timestamp_delta: i64,
    pub(super) max_timestamp_delta: i64,
    /// Offset delta of the first record with that timestamp.
    pub(super) offset_delta_of_max: i32,
    pub(super) all_have_keys: bool,
}

pub(super) fn check(view: &BatchView<'_>, check: &mut RecordCheck) -> Result<(), RecordError> {
    if summarize(view).is_some_and(|summary| check.accept(&summary)) {
        return Ok(());
    }
    let mut input = view.payload();
    for _ in 0..view.header().records_count {
        let record = RecordView::read(&mut input).map_err(ReadError::Malformed)?;
        check.record(record.timestamp_delta, record.offset_delta, record.key.is_some())?;
    }
    match input.len() {
        0 => Ok(()),
        rest => Err(ReadError::Malformed(MalformedRecord::TrailingRecords(rest)).into()),
    }
}

/// `None` if the records are not well-formed or their offsets do not count from 0.
fn summarize(view: &BatchView<'_>) -> Option<Summary> {
    let mut sum = Summary {
        min_timestamp_delta: i64::MAX,
        max_timestamp_delta: i64::MIN,
        offset_delta_of_max: 0,
        all_have_keys: true,
    };
    let mut input = view.payload();
    for index in 0..view.header().records_count {
        let record = skim(&mut input)?;
        if record.offset_delta != index {
            return None;
        }
        let delta = record.timestamp_delta;
        sum.min_timestamp_delta = sum.min_timestamp_delta.min(delta);
        if delta > sum.max_timestamp_delta {
            (sum.max_timestamp_delta, sum.offset_delta_of_max) = (delta, index);
        }
        sum.all_have_keys &= record.has_key;
    }
    input.is_empty().then_some(sum)
}

/// Checks one record as [`RecordView::read`] does, and keeps no more of it than `summarize` needs.
#[inline(always)]
fn skim(input: &mut &[u8]) -> Option<RecordShape> {
    let length = read_varint(input).ok()?;
    let (body, rest) = input.split_at_checked(usize::try_from(length).ok()?)?;
    *input = rest;
    let (_attributes, mut body) = body.split_first()?;
    let timestamp_delta = read_varlong(&mut body).ok()?;
    let offset_delta = read_varint(&mut body).ok()?;
    let has_key = skip_nullable(&mut body)?;
    skip_nullable(&mut body)?;
    let headers = read_varint(&mut body).ok()?;
    if headers != 0 {
        skip_headers(&mut body, usize::try_from(headers).ok()?)?;
    }
    body.is_empty().then_some(RecordShape { timestamp_delta, offset_delta, has_key })
}

#[inline(always)]
fn skip_nullable(body: &mut &[u8]) -> Option<bool> {
    let length = read_varint(body).ok()?;
    match usize::try_from(length) {
        Ok(length) => *body = body.get(length..)?,
        Err(_) => return Some(false),
    }
    Some(true)
}

fn skip_headers(body: &mut &[u8], count: usize) -> Option<()> {
    for _ in 0..count {
        let has_key = skip_nullable(body)?;
        skip_nullable(body).filter(|_| has_key)?;
    }
    Some(())
}
