//! Which part of a log may be cleaned, how dirty it is, and which log is the dirtiest.
//!
//! A log is a clean part, then a dirty one that may be cleaned, then one that may not: the active
//! segment, what is not stable yet (open transactions, the high watermark), what is younger than
//! `min.compaction.lag.ms`, and, beyond Kafka, what is not on the disk yet (see
//! [`LogFacts::recovery_point`]).

/// One segment of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentFacts {
    pub(crate) base_offset: i64,
    pub(crate) bytes: u64,
    /// Only looked up where `min.compaction.lag.ms` asks for it.
    pub(crate) largest_timestamp: Option<i64>,
    /// Of the first batch; only looked up where `max.compaction.lag.ms` asks for it.
    pub(crate) first_timestamp: Option<i64>,
}

/// What the choice goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogFacts {
    /// All segments; the last one is active.
    pub(crate) segments: Vec<SegmentFacts>,
    pub(crate) log_start_offset: i64,
    pub(crate) log_end_offset: i64,
    pub(crate) last_stable_offset: i64,
    /// Everything before it is in the files for good. Nothing behind it is cleaned: a recovery, or
    /// a replay of the journal, would otherwise find other bytes than were written.
    pub(crate) recovery_point: i64,
    /// From `cleaner-offset-checkpoint`.
    pub(crate) checkpoint: Option<i64>,
    pub(crate) min_compaction_lag_ms: i64,
    pub(crate) max_compaction_lag_ms: i64,
}

/// Why the checkpoint of a log does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvalidCheckpoint {
    BeforeStart,
    BeyondEnd,
}

/// The part of a log that may be cleaned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cleanable {
    pub(crate) first_dirty_offset: i64,
    /// Base offset of a segment.
    pub(crate) first_uncleanable_offset: i64,
    pub(crate) invalid_checkpoint: Option<InvalidCheckpoint>,
    pub(crate) clean_bytes: u64,
    pub(crate) cleanable_bytes: u64,
    /// For how long `max.compaction.lag.ms` has been exceeded.
    pub(crate) delay_ms: i64,
}

impl Cleanable {
    /// Share of the bytes that may be cleaned.
    pub(crate) fn ratio(&self) -> f64 {
        let total = self.clean_bytes + self.cleanable_bytes;
        if total == 0 { 0.0 } else { self.cleanable_bytes as f64 / total as f64 }
    }

    /// Whether the log is worth it, or has to be cleaned.
    pub(crate) fn is_due(&self, min_ratio: f64) -> bool {
        self.ratio() > min_ratio || self.delay_ms > 0 && self.cleanable_bytes > 0
    }
}

/// The part of the log that may be cleaned at `now_ms`.
pub(crate) fn cleanable(facts: &LogFacts, now_ms: i64) -> Cleanable {
    let start = facts.log_start_offset;
    let checkpoint = facts.checkpoint.unwrap_or(start);
    let (first_dirty_offset, invalid_checkpoint) = if checkpoint < start {
        (start, Some(InvalidCheckpoint::BeforeStart))
    } else if checkpoint > facts.log_end_offset {
        // Damage at the end was cut off, perhaps. All of the log may be dirty.
        (start, Some(InvalidCheckpoint::BeyondEnd))
    } else {
        (checkpoint, None)
    };
    let uncleanable = first_uncleanable(facts, first_dirty_offset, now_ms).max(first_dirty_offset);
    let first_uncleanable_offset = segment_of(facts, uncleanable);
    let from = first_dirty_offset.min(first_uncleanable_offset);
    let cleanable = between(facts, from, first_uncleanable_offset);
    let clean = facts.segments.iter().filter(|segment| segment.base_offset < first_dirty_offset);
    Cleanable {
        first_dirty_offset,
        first_uncleanable_offset,
        invalid_checkpoint,
        clean_bytes: clean.map(|segment| segment.bytes).sum(),
        cleanable_bytes: cleanable.iter().map(|segment| segment.bytes).sum(),
        delay_ms: delay_ms(facts, first_dirty_offset, now_ms),
    }
}

/// The dirtiest of the logs that are due, by its place in the row.
pub(crate) fn dirtiest(logs: &[(Cleanable, f64)]) -> Option<usize> {
    let due = logs.iter().enumerate().filter(|(_, (log, min_ratio))| log.is_due(*min_ratio));
    due.max_by(|(_, (a, _)), (_, (b, _))| a.ratio().total_cmp(&b.ratio())).map(|(at, _)| at)
}

fn first_uncleanable(facts: &LogFacts, first_dirty_offset: i64, now_ms: i64) -> i64 {
    let active = active_base(facts);
    let bound = active.min(facts.last_stable_offset).min(facts.recovery_point);
    if facts.min_compaction_lag_ms <= 0 {
        return bound;
    }
    let since_ms = now_ms.saturating_sub(facts.min_compaction_lag_ms);
    let is_young =
        |segment: &&SegmentFacts| segment.largest_timestamp.is_some_and(|t| t > since_ms);
    let young = inactive_from(facts, first_dirty_offset).iter().find(is_young);
    young.map_or(bound, |segment| bound.min(segment.base_offset))
}

fn delay_ms(facts: &LogFacts, first_dirty_offset: i64, now_ms: i64) -> i64 {
    let until_ms = now_ms.saturating_sub(facts.max_compaction_lag_ms.max(0));
    let times = inactive_from(facts, first_dirty_offset).iter().filter_map(|s| s.first_timestamp);
    let earliest = times.filter(|timestamp| *timestamp > 0).min().unwrap_or(i64::MAX);
    until_ms.saturating_sub(earliest).max(0)
}

fn active_base(facts: &LogFacts) -> i64 {
    facts.segments.last().map_or(0, |active| active.base_offset)
}

/// Base offset of the inactive segment that holds `offset`, else of the active one.
fn segment_of(facts: &LogFacts, offset: i64) -> i64 {
    inactive_from(facts, offset).first().map_or(active_base(facts), |segment| segment.base_offset)
}

fn inactive_from(facts: &LogFacts, offset: i64) -> &[SegmentFacts] {
    let active = active_base(facts);
    if offset > active { &[] } else { between(facts, offset, active) }
}

/// The segments with offsets from `from` on that begin before `to`.
fn between(facts: &LogFacts, from: i64, to: i64) -> &[SegmentFacts] {
    if from >= to {
        return &[];
    }
    let first = facts.segments.partition_point(|segment| segment.base_offset <= from);
    let after = facts.segments.partition_point(|segment| segment.base_offset < to);
    facts.segments.get(first.saturating_sub(1)..after).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments of 100 bytes at 0, 10, 20, 30; the last is active; the log ends at 35.
    fn facts() -> LogFacts {
        let segment = |base_offset: i64| SegmentFacts {
            base_offset,
            bytes: 100,
            largest_timestamp: Some(1000 + base_offset + 9),
            first_timestamp: Some(1000 + base_offset),
        };
        LogFacts {
            segments: [0, 10, 20, 30].map(segment).to_vec(),
            log_start_offset: 0,
            log_end_offset: 35,
            last_stable_offset: 35,
            recovery_point: 35,
            checkpoint: None,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
        }
    }

    fn range(facts: &LogFacts) -> (i64, i64) {
        let found = cleanable(facts, 2000);
        (found.first_dirty_offset, found.first_uncleanable_offset)
    }

    #[test]
    fn all_but_the_active_segment_may_be_cleaned() {
        let found = cleanable(&facts(), 2000);
        assert_eq!((found.first_dirty_offset, found.first_uncleanable_offset), (0, 30));
        assert_eq!((found.clean_bytes, found.cleanable_bytes, found.delay_ms), (0, 300, 0));
        assert!(found.is_due(0.5) && !found.is_due(1.0));
    }

    #[test]
    fn the_clean_part_counts_against_it() {
        let found = cleanable(&LogFacts { checkpoint: Some(20), ..facts() }, 2000);
        assert_eq!((found.clean_bytes, found.cleanable_bytes), (200, 100));
        assert!(!found.is_due(0.5) && found.is_due(0.3));
        // A segment that is half clean counts on both sides, as in Kafka.
        let found = cleanable(&LogFacts { checkpoint: Some(15), ..facts() }, 2000);
        assert_eq!((found.clean_bytes, found.cleanable_bytes), (200, 200));
        let found = cleanable(&LogFacts { checkpoint: Some(30), ..facts() }, 2000);
        assert_eq!((found.cleanable_bytes, found.ratio()), (0, 0.0));
        assert_eq!(range(&LogFacts { checkpoint: Some(33), ..facts() }), (33, 30));
    }

    #[test]
    fn only_whole_segments_before_every_limit() {
        for (limit, end) in [(35, 30), (30, 30), (29, 20), (20, 20), (9, 0)] {
            assert_eq!(range(&LogFacts { last_stable_offset: limit, ..facts() }), (0, end));
            assert_eq!(range(&LogFacts { recovery_point: limit, ..facts() }), (0, end));
        }
    }

    #[test]
    fn young_segments_are_left_alone() {
        let young = |lag| range(&LogFacts { min_compaction_lag_ms: lag, ..facts() }).1;
        assert_eq!((young(971), young(972), young(981), young(982)), (30, 20, 20, 10));
        assert_eq!(young(i64::MAX), 0);
    }

    #[test]
    fn an_old_record_makes_a_log_due_however_clean_it_is() {
        let old = |lag, checkpoint| {
            let facts = LogFacts { max_compaction_lag_ms: lag, checkpoint, ..facts() };
            cleanable(&facts, 2000)
        };
        assert_eq!((old(1000, None).delay_ms, old(999, None).delay_ms), (0, 1));
        assert_eq!(old(970, Some(20)).delay_ms, 10);
        assert!(old(970, Some(20)).is_due(0.9) && !old(980, Some(20)).is_due(0.9));
        // There is nothing that could be cleaned.
        let none = LogFacts { recovery_point: 0, max_compaction_lag_ms: 1, ..facts() };
        assert!(!cleanable(&none, 2000).is_due(0.0));
    }

    #[test]
    fn a_checkpoint_outside_of_the_log_is_reset_to_its_start() {
        let facts = LogFacts { log_start_offset: 12, ..facts() };
        let invalid = |checkpoint| {
            let found =
                cleanable(&LogFacts { checkpoint: Some(checkpoint), ..facts.clone() }, 2000);
            (found.first_dirty_offset, found.invalid_checkpoint)
        };
        assert_eq!(invalid(11), (12, Some(InvalidCheckpoint::BeforeStart)));
        assert_eq!(invalid(36), (12, Some(InvalidCheckpoint::BeyondEnd)));
        assert_eq!(invalid(12), (12, None));
        assert_eq!(invalid(35), (35, None));
    }

    #[test]
    fn the_dirtiest_log_comes_first_if_it_is_due() {
        let log = |clean_bytes, cleanable_bytes, delay_ms| Cleanable {
            first_dirty_offset: 0,
            first_uncleanable_offset: 9,
            invalid_checkpoint: None,
            clean_bytes,
            cleanable_bytes,
            delay_ms,
        };
        let logs = [(log(60, 40, 0), 0.5), (log(30, 70, 0), 0.5), (log(10, 90, 0), 0.95)];
        assert_eq!(dirtiest(&logs), Some(1));
        assert_eq!(dirtiest(logs.get(..1).unwrap()), None);
        assert_eq!(dirtiest(&[(log(60, 40, 1), 0.5), (log(60, 0, 1), 0.5)]), Some(0));
        assert_eq!(dirtiest(&[]), None);
    }
}
