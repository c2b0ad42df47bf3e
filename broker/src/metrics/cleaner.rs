//! The gauges of the log cleaner, by the names that Kafka's have in most exporters.

use storage::CleanerStatus;

use super::exposition::Exposition;

/// Writes what the cleaners tell of themselves.
pub fn collect(status: &CleanerStatus, out: &mut Exposition) {
    for (name, help, value) in [
        (
            "kafka_log_logcleanermanager_max_dirty_percent",
            "Dirty share of the dirtiest compacted log, in percent.",
            status.max_dirty_percent,
        ),
        (
            "kafka_log_logcleanermanager_time_since_last_run_ms",
            "Since a cleaner looked for something to clean.",
            status.time_since_last_run_ms,
        ),
        (
            "kafka_log_logcleaner_cleaner_recopy_percent",
            "What was left of the logs that were cleaned last, in percent.",
            status.recopy_percent,
        ),
        (
            "kafka_log_logcleaner_max_clean_time_secs",
            "How long the last cleaning took.",
            status.max_clean_time_secs,
        ),
        (
            "kafka_log_logcleaner_max_compaction_delay_secs",
            "For how long max.compaction.lag.ms was exceeded.",
            status.max_compaction_delay_secs,
        ),
        (
            "kafka_log_logcleaner_max_buffer_utilization_percent",
            "Use of the deduplication buffer in the last cleaning, in percent.",
            status.max_buffer_utilization_percent,
        ),
    ] {
        out.gauge(name, help, &[], value as f64);
    }
    let dead = status.dead_threads as f64;
    out.gauge("kafka_log_logcleaner_deadthreadcount", "Cleaner threads that have died.", &[], dead);
    let help = "Partitions whose cleaning has failed: they are not compacted.";
    for (dir, partitions, _) in &status.uncleanable {
        let labels = [("logDirectory", &*dir.to_string_lossy())];
        let name = "kafka_log_logcleanermanager_uncleanable_partitions_count";
        out.gauge(name, help, &labels, *partitions as f64);
    }
    let help = "Bytes of these partitions that should be compacted.";
    for (dir, _, bytes) in &status.uncleanable {
        let labels = [("logDirectory", &*dir.to_string_lossy())];
        out.gauge("kafka_log_logcleanermanager_uncleanable_bytes", help, &labels, *bytes as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_gauge_has_its_value() {
        let status = CleanerStatus {
            max_dirty_percent: 1,
            recopy_percent: 2,
            max_clean_time_secs: 3,
            max_compaction_delay_secs: 4,
            max_buffer_utilization_percent: 5,
            time_since_last_run_ms: 6,
            dead_threads: 7,
            uncleanable: vec![("/a".into(), 8, 9)],
        };
        let mut out = Exposition::default();
        collect(&status, &mut out);
        let text = out.finish();
        for line in [
            "kafka_log_logcleanermanager_max_dirty_percent 1",
            "kafka_log_logcleaner_cleaner_recopy_percent 2",
            "kafka_log_logcleaner_max_clean_time_secs 3",
            "kafka_log_logcleaner_max_compaction_delay_secs 4",
            "kafka_log_logcleaner_max_buffer_utilization_percent 5",
            "kafka_log_logcleanermanager_time_since_last_run_ms 6",
            "kafka_log_logcleaner_deadthreadcount 7",
            "kafka_log_logcleanermanager_uncleanable_partitions_count{logDirectory=\"/a\"} 8",
            "kafka_log_logcleanermanager_uncleanable_bytes{logDirectory=\"/a\"} 9",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
