//! `log.cleaner.io.max.bytes.per.second`: how long to wait after so many bytes.

/// The pace of all cleaners together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Throttle {
    bytes_per_second: f64,
    /// When everything so far would have been done at exactly the allowed pace.
    done_ms: f64,
}

impl Throttle {
    pub(crate) fn new(bytes_per_second: f64) -> Self {
        Self { bytes_per_second, done_ms: 0.0 }
    }

    /// Notes `bytes` that were just read or written. Returns the ms to wait.
    pub(crate) fn note(&mut self, bytes: u64, now_ms: i64) -> u64 {
        // More than any disk can do, or nonsense, is no limit.
        if !(f64::MIN_POSITIVE..1e15).contains(&self.bytes_per_second) {
            return 0;
        }
        let now_ms = now_ms as f64;
        self.done_ms = self.done_ms.max(now_ms) + bytes as f64 * 1000.0 / self.bytes_per_second;
        (self.done_ms - now_ms) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_kept_over_time() {
        let mut throttle = Throttle::new(1000.0);
        assert_eq!(throttle.note(100, 5000), 100);
        assert_eq!(throttle.note(100, 5000), 200, "another thread has used up the time");
        assert_eq!(throttle.note(50, 5200), 50);
        // Time without work is not saved up.
        assert_eq!(throttle.note(10, 9000), 10);
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        for rate in [f64::MAX, f64::INFINITY, 0.0, -1.0, f64::NAN] {
            assert_eq!(Throttle::new(rate).note(u64::MAX, 1), 0);
        }
    }
}
