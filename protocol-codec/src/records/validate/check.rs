//! What is asked of each record of a produced batch: offset, key, timestamp.

use super::plain::Summary;
use super::{ProduceRules, RecordError, RefusedRecord};
use crate::records::header::{BatchHeader, NO_TIMESTAMP, TimestampType};

/// How many refused records the answer names; the rest are only counted.
const MAX_NAMED: usize = 1000;

/// Collects the answers while the records go by.
pub(super) struct RecordCheck {
    index: i32,
    base_timestamp: i64,
    // The timestamp of all records, where the producer set the batch to append time.
    batch_timestamp: Option<i64>,
    // No bounds where the broker sets the time.
    earliest: i64,
    latest: i64,
    create_time: bool,
    needs_key: bool,
    max_timestamp: i64,
    max_timestamp_delta: i32,
    refused: Refused,
}

#[derive(Default)]
struct Refused {
    timestamp: bool,
    total: usize,
    records: Vec<RefusedRecord>,
}

impl RecordCheck {
    pub(super) fn new(header: &BatchHeader, rules: &ProduceRules, now_ms: i64) -> Self {
        let append_time = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        let create_time = rules.timestamp_type == TimestampType::CreateTime;
        let (before, after) = if create_time {
            (rules.timestamp_before_max_ms, rules.timestamp_after_max_ms)
        } else {
            (i64::MAX, i64::MAX)
        };
        Self {
            index: 0,
            base_timestamp: header.base_timestamp,
            batch_timestamp: append_time.then_some(header.max_timestamp),
            earliest: now_ms.saturating_sub(before),
            latest: now_ms.saturating_add(after),
            create_time,
            needs_key: rules.compacted,
            max_timestamp: NO_TIMESTAMP,
            max_timestamp_delta: header.last_offset_delta,
            refused: Refused::default(),
        }
    }

    /// Takes all records at once, if nothing about them needs a closer look.
    pub(super) fn accept(&mut self, sum: &Summary) -> bool {
        let (Some(min), Some(max)) = (
            self.base_timestamp.checked_add(sum.min_timestamp_delta),
            self.base_timestamp.checked_add(sum.max_timestamp_delta),
        ) else {
            return false;
        };
        let fine = self.batch_timestamp.is_none()
            && (sum.all_have_keys || !self.needs_key)
            && min >= self.earliest
            && max <= self.latest
            && max > NO_TIMESTAMP;
        if fine {
            (self.max_timestamp, self.max_timestamp_delta) = (max, sum.offset_delta_of_max);
        }
        fine
    }

    /// The next record.
    #[inline]
    pub(super) fn record(
        &mut self,
        timestamp_delta: i64,
        offset_delta: i32,
        has_key: bool,
    ) -> Result<(), RecordError> {
        let index = self.index;
        self.index += 1;
        if offset_delta != index {
            return Err(RecordError::OffsetDelta { index, found: offset_delta });
        }
        let timestamp = match self.batch_timestamp {
            Some(timestamp) => timestamp,
            None => self.base_timestamp.wrapping_add(timestamp_delta),
        };
        let fine = (self.earliest..=self.latest).contains(&timestamp)
            && self.batch_timestamp.is_none()
            && (has_key || !self.needs_key);
        if !fine {
            self.look_closer(index, timestamp, has_key);
        }
        if timestamp > self.max_timestamp {
            self.max_timestamp = timestamp;
            self.max_timestamp_delta = offset_delta;
        }
        Ok(())
    }

    /// Instead of the records, where they are not looked at: the header's timestamps.
    pub(super) fn header_only(&mut self, header: &BatchHeader) {
        self.look_closer(0, header.base_timestamp, true);
        self.look_closer(header.last_offset_delta, header.max_timestamp, true);
        self.max_timestamp = header.max_timestamp;
    }

    /// The largest timestamp and the offset delta of the first record that has it.
    pub(super) fn finish(self) -> Result<(i64, i32), RecordError> {
        if self.refused.total == 0 {
            return Ok((self.max_timestamp, self.max_timestamp_delta));
        }
        let Refused { timestamp, total, records } = self.refused;
        Err(RecordError::Refused { timestamp, total, records })
    }

    #[cold]
    fn look_closer(&mut self, index: i32, timestamp: i64, has_key: bool) {
        if self.needs_key && !has_key {
            self.refuse_keyless(index);
        } else if self.create_time && timestamp != NO_TIMESTAMP {
            if !(self.earliest..=self.latest).contains(&timestamp) {
                self.refuse_timestamp(index, timestamp);
            }
        } else if self.batch_timestamp.is_some() {
            self.refuse_append_time(index);
        }
    }

    fn refuse_keyless(&mut self, index: i32) {
        let message = "Compacted topic cannot accept message without key";
        self.refused.add(index, false, || message.to_owned());
    }

    fn refuse_timestamp(&mut self, index: i32, timestamp: i64) {
        let (earliest, latest) = (self.earliest, self.latest);
        self.refused.add(index, true, || {
            format!(
                "Timestamp {timestamp} of message with offset {index} is out of range. \
                 The timestamp should be within [{earliest}, {latest}]"
            )
        });
    }

    fn refuse_append_time(&mut self, index: i32) {
        let message = "Invalid timestamp type in message. \
                       Producer should not set timestamp type to LogAppendTime.";
        self.refused.add(index, true, || message.to_owned());
    }
}

impl Refused {
    fn add(&mut self, batch_index: i32, timestamp: bool, message: impl FnOnce() -> String) {
        self.timestamp |= timestamp;
        self.total += 1;
        if self.records.len() < MAX_NAMED {
            self.records.push(RefusedRecord { batch_index, message: message() });
        }
    }
}
