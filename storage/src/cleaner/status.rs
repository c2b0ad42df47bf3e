//! What the cleaners tell of themselves, for metrics.

use std::path::PathBuf;

use super::clean::CleanedStats;

/// Kafka's metrics of `kafka.log:type=LogCleaner` and `LogCleanerManager`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CleanerStatus {
    /// `max-dirty-percent`: of the dirtiest log at the last look.
    pub max_dirty_percent: i64,
    /// `cleaner-recopy-percent`: bytes written of those read, last cleaning of each thread.
    pub recopy_percent: i64,
    /// `max-clean-time-secs`, last cleaning of each thread.
    pub max_clean_time_secs: i64,
    /// `max-compaction-delay-secs`: how long `max.compaction.lag.ms` was exceeded.
    pub max_compaction_delay_secs: i64,
    /// `max-buffer-utilization-percent`, last cleaning of each thread.
    pub max_buffer_utilization_percent: i64,
    /// `time-since-last-run-ms`
    pub time_since_last_run_ms: i64,
    /// `DeadThreadCount`
    pub dead_threads: usize,
    /// For each log directory: `uncleanable-partitions-count` and `uncleanable-bytes`.
    pub uncleanable: Vec<(PathBuf, usize, u64)>,
}

/// The last cleaning of one thread.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct LastCleaning {
    pub(crate) stats: CleanedStats,
    pub(crate) took_ms: i64,
    pub(crate) delay_ms: i64,
}

impl CleanerStatus {
    /// Takes over what the threads did last.
    pub(crate) fn take_over(&mut self, last: &[LastCleaning]) {
        let most = |of: fn(&LastCleaning) -> i64| last.iter().map(of).max().unwrap_or(0);
        let written: u64 = last.iter().map(|last| last.stats.bytes_written).sum();
        let read: u64 = last.iter().map(|last| last.stats.bytes_read).sum();
        self.recopy_percent = (100.0 * written as f64 / read.max(1) as f64) as i64;
        self.max_clean_time_secs = most(|last| last.took_ms / 1000);
        self.max_compaction_delay_secs = most(|last| last.delay_ms / 1000);
        self.max_buffer_utilization_percent =
            most(|last| (last.stats.buffer_utilization * 100.0) as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_thread_is_shown_and_bytes_are_summed() {
        let last = |read, written, utilization, took_ms, delay_ms| LastCleaning {
            stats: CleanedStats {
                bytes_read: read,
                bytes_written: written,
                buffer_utilization: utilization,
                ..CleanedStats::default()
            },
            took_ms,
            delay_ms,
        };
        let mut status = CleanerStatus::default();
        status.take_over(&[last(100, 50, 0.25, 3999, 0), last(300, 50, 0.5, 1000, 7001)]);
        let wanted = CleanerStatus {
            recopy_percent: 25,
            max_clean_time_secs: 3,
            max_compaction_delay_secs: 7,
            max_buffer_utilization_percent: 50,
            ..CleanerStatus::default()
        };
        assert_eq!(status, wanted);
        status.take_over(&[]);
        assert_eq!(status.recopy_percent, 0);
    }
}
