//! Metrics, client telemetry and config providers.

use super::row::{ConfigKey, int, list, long, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    list("config.providers").default("").cluster_wide().acted(
        "Names of providers for ${provider:path:key} references in values; each needs \
         config.providers.NAME.class."),
    int("kafka.metrics.polling.interval.secs").default("10").min(1).known(
        "How often Kafka's metrics reporters poll."),
    list("kafka.metrics.reporters").default("").known("Classes of Kafka's old metrics reporters."),
    list("metric.reporters").default("org.apache.kafka.common.metrics.JmxReporter")
        .cluster_wide().known(
        "Classes that report metrics. Metrics are served by barnabas.http.listeners here."),
    int("metrics.num.samples").default("2").min(1).known(
        "Samples over which Kafka's metrics are computed."),
    string("metrics.recording.level").default("INFO").known(
        "The finest level of metrics that Kafka records."),
    long("metrics.sample.window.ms").default("30000").min(1).known(
        "Length of one sample of Kafka's metrics."),
    int("telemetry.max.bytes").default("1048576").min(1).known(
        "Largest metrics message that a client may push."),
];
