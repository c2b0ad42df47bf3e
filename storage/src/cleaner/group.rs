//! Which segments become one: neighbours that fit together, so that segments that were cleaned
//! often do not get ever smaller.

use std::ops::Range;

/// What has to be known of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentSizes {
    pub(crate) base_offset: i64,
    pub(crate) log_bytes: u64,
    pub(crate) offset_index_bytes: u64,
    pub(crate) time_index_bytes: u64,
}

/// The limits of one segment: `segment.bytes` and `segment.index.bytes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupLimits {
    pub(crate) log_bytes: u64,
    pub(crate) index_bytes: u64,
    /// No offset at or after this one is cleaned.
    pub(crate) end_offset: i64,
}

/// The groups, in order, as ranges of `segments`. Each has one segment at least.
pub(crate) fn group(segments: &[SegmentSizes], limits: GroupLimits) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut sum = None::<SegmentSizes>;
    for (at, next) in segments.iter().enumerate() {
        // What it ends at is not looked up: the next one begins behind it.
        let end = segments.get(at + 1).map_or(limits.end_offset, |after| after.base_offset);
        let joined = sum.and_then(|sum| join(&sum, next, end, limits));
        match (joined, groups.last_mut()) {
            (Some(joined), Some(last)) => {
                last.end = at + 1;
                sum = Some(joined);
            }
            _ => {
                groups.push(at..at + 1);
                sum = Some(*next);
            }
        }
    }
    groups
}

/// The sum of a group and one more segment that ends before `end`, if they fit into one.
fn join(
    group: &SegmentSizes,
    next: &SegmentSizes,
    end: i64,
    limits: GroupLimits,
) -> Option<SegmentSizes> {
    let sum = SegmentSizes {
        base_offset: group.base_offset,
        log_bytes: group.log_bytes + next.log_bytes,
        offset_index_bytes: group.offset_index_bytes + next.offset_index_bytes,
        time_index_bytes: group.time_index_bytes + next.time_index_bytes,
    };
    let in_range = (end - 1).saturating_sub(group.base_offset) <= i64::from(i32::MAX);
    let fits = sum.log_bytes <= limits.log_bytes
        && sum.offset_index_bytes <= limits.index_bytes
        && sum.time_index_bytes <= limits.index_bytes
        && (next.log_bytes == 0 || in_range);
    fits.then_some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(base_offset: i64, log_bytes: u64) -> SegmentSizes {
        SegmentSizes {
            base_offset,
            log_bytes,
            offset_index_bytes: log_bytes / 10,
            time_index_bytes: 12,
        }
    }

    fn groups(segments: &[SegmentSizes], log_bytes: u64, index_bytes: u64) -> Vec<Range<usize>> {
        group(segments, GroupLimits { log_bytes, index_bytes, end_offset: i64::from(i32::MAX) + 2 })
    }

    #[test]
    fn neighbours_are_joined_up_to_the_size_of_a_segment() {
        let row = [segment(0, 100), segment(10, 100), segment(20, 100), segment(30, 250)];
        assert_eq!(groups(&row, 300, 1000), [0..3, 3..4]);
        assert_eq!(groups(&row, 299, 1000), [0..2, 2..3, 3..4]);
        assert_eq!(groups(&row, 1, 1000), [0..1, 1..2, 2..3, 3..4]);
        assert_eq!(groups(&[], 1, 1), []);
    }

    #[test]
    fn the_indexes_must_fit_too() {
        let row = [segment(0, 100), segment(10, 100), segment(20, 100)];
        assert_eq!(groups(&row, 1000, 24), [0..2, 2..3]);
        assert_eq!(groups(&row, 1000, 20), [0..1, 1..2, 2..3]);
    }

    #[test]
    fn offsets_must_fit_into_the_index_of_the_first_segment() {
        let far = i64::from(i32::MAX);
        let ends_at = |end_offset| {
            let row = [segment(0, 1), segment(10, 1)];
            group(&row, GroupLimits { log_bytes: 9, index_bytes: 99, end_offset })
        };
        assert_eq!(ends_at(far + 1).len(), 1);
        assert_eq!(ends_at(far + 2), [0..1, 1..2]);
        // An empty segment has no offsets that would have to fit.
        let row = [segment(0, 1), segment(far + 5, 0)];
        let limits = GroupLimits { log_bytes: 9, index_bytes: 99, end_offset: far + 9 };
        assert_eq!(group(&row, limits).len(), 1);
    }
}
