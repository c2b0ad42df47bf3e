//! A histogram of durations that many threads add to without a lock.
//!
//! Buckets grow by powers of two, each divided into eight: a value is known to 12.5 % or better,
//! from one microsecond to over an hour, in 2 KB.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Sub-buckets of each power of two.
const PARTS: u64 = 8;
const PARTS_BITS: u32 = PARTS.trailing_zeros();

/// Values of 2^32 microseconds (71 minutes) and more share the last bucket.
const MAX_BITS: u32 = 32;

/// The first `PARTS` values have a bucket each, then come `PARTS` for each further power of two.
const BUCKETS: usize = (MAX_BITS - PARTS_BITS + 1) as usize * PARTS as usize;

#[derive(Debug)]
pub(super) struct Histogram {
    counts: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

/// The counts of one moment.
#[derive(Debug, Clone)]
pub(super) struct Counts {
    counts: [u64; BUCKETS],
    pub sum_us: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: array::from_fn(|_| AtomicU64::new(0)), sum_us: AtomicU64::new(0) }
    }
}

impl Histogram {
    pub(super) fn record(&self, value: Duration) {
        let us = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get(bucket(us)) {
            count.fetch_add(1, Relaxed);
        }
        self.sum_us.fetch_add(us, Relaxed);
    }

    pub(super) fn counts(&self) -> Counts {
        let counts = array::from_fn(|at| self.counts[at].load(Relaxed));
        Counts { counts, sum_us: self.sum_us.load(Relaxed) }
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], sum_us: 0 }
    }
}

impl Counts {
    pub(super) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// What was added since `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let counts = array::from_fn(|at| self.counts[at].saturating_sub(earlier.counts[at]));
        Self { counts, sum_us: self.sum_us.saturating_sub(earlier.sum_us) }
    }

    /// The value, in microseconds, that the share `quantile` of all values does not exceed: the
    /// upper end of its bucket. 0 if there is none.
    pub(super) fn quantile_us(&self, quantile: f64) -> u64 {
        let total = self.total();
        // The share of a count is far below 2^53, so nothing is lost on the way.
        let rank = ((total as f64 * quantile).ceil() as u64).clamp(1, total.max(1));
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return upper_end(at);
            }
        }
        0
    }

    /// How many values are at most `us` microseconds, as far as the buckets tell.
    pub(super) fn at_most(&self, us: u64) -> u64 {
        let within = self.counts.iter().enumerate().take_while(|(at, _)| upper_end(*at) <= us);
        within.map(|(_, count)| count).sum()
    }
}

fn bucket(us: u64) -> usize {
    let us = us.min((1 << MAX_BITS) - 1);
    if us < PARTS {
        return us as usize;
    }
    let power = us.ilog2() - PARTS_BITS;
    let part = (us >> power) - PARTS;
    (u64::from(power + 1) * PARTS + part) as usize
}

/// The largest value of a bucket.
fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < PARTS {
        return bucket;
    }
    let power = bucket / PARTS - 1;
    ((bucket % PARTS + PARTS + 1) << power) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_and_hold_their_values() {
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        for at in 0..BUCKETS {
            assert_eq!(bucket(upper_end(at)), at);
            if at + 1 < BUCKETS {
                assert_eq!(bucket(upper_end(at) + 1), at + 1);
            }
        }
        for us in [1, 9, 1000, 123_456, 60_000_000] {
            let end = upper_end(bucket(us));
            assert!(end >= us && end - us <= us / 8, "{us} counts as {end}");
        }
    }

    #[test]
    fn quantiles() {
        let histogram = Histogram::default();
        assert_eq!(histogram.counts().quantile_us(0.5), 0);
        for ms in 1..=100 {
            histogram.record(Duration::from_millis(ms));
        }
        let counts = histogram.counts();
        assert_eq!((counts.total(), counts.sum_us), (100, 5_050_000));
        for (quantile, ms) in [(0.5, 50), (0.99, 99), (0.999, 100)] {
            let found = counts.quantile_us(quantile);
            assert!((ms * 1000..ms * 1125 + 1).contains(&found), "{quantile}: {found}");
        }
        assert_eq!(counts.at_most(u64::MAX), 100);
        assert!((8..=10).contains(&counts.at_most(10_000)));
        assert_eq!(counts.since(&counts).total(), 0);
    }
}
