//! A delay by a clock that may be set.

/// Something that happens some time after it was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delay {
    since_ms: i64,
    delay_ms: i64,
}

impl Delay {
    pub(crate) fn new(now_ms: i64, delay_ms: i64) -> Self {
        Self { since_ms: now_ms, delay_ms }
    }

    /// Whether it is over. It begins anew when the clock was set back: it must not last until the
    /// clock has caught up.
    pub(crate) fn is_over(&mut self, now_ms: i64) -> bool {
        self.since_ms = self.since_ms.min(now_ms);
        now_ms.saturating_sub(self.since_ms) >= self.delay_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_over_in_time_wherever_the_clock_jumps() {
        let mut delay = Delay::new(1_000, 60);
        assert!(!delay.is_over(1_059) && delay.is_over(1_060));
        let mut delay = Delay::new(1_000_000, 60);
        assert!(!delay.is_over(1_000_059) && !delay.is_over(7) && !delay.is_over(66));
        assert!(delay.is_over(67));
        let mut delay = Delay::new(i64::MAX, 60);
        assert!(!delay.is_over(i64::MIN) && delay.is_over(i64::MAX));
    }
}
