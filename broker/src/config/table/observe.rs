//! Metrics, client telemetry and config providers.

use super::row::{ConfigKey, int, list, long, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    list("config.providers").default("").cluster_wide().acted("config.providers."),
    int("kafka.metrics.polling.interval.secs").default("10").min(1).known(
        "kafka.metrics.polling.interval.secs."),
    list("kafka.metrics.reporters").default("").known("kafka.metrics.reporters."),
    list("metric.reporters").default("org.apache.kafka.common.metrics.JmxReporter")
        .cluster_wide().known("metric.reporters."),
    int("metrics.num.samples").default("2").min(1).known("metrics.num.samples."),
    string("metrics.recording.level").default("INFO").known("metrics.recording.level."),
    long("metrics.sample.window.ms").default("30000").min(1).known("metrics.sample.window.ms."),
    int("telemetry.max.bytes").default("1048576").min(1).known("telemetry.max.bytes."),
];
