//! Metrics: counters that the request path moves, and gauges that are asked for when somebody
//! looks.
//!
//! Counting is one relaxed atomic addition and never allocates once an API or a topic has been
//! seen. Everything that has a value at any moment (log sizes, lag, connections) is not stored
//! here: whoever owns it implements [`Gauges`] and is asked at scrape time. Names are those of
//! Kafka's metrics as the common JMX exporter rules write them, so that dashboards fit; the names
//! of `kafka_exporter` are used for offsets and lag.

pub mod cleaner;
pub mod exposition;
mod histogram;
pub mod http;
pub mod kafka;
mod process;
mod requests;
mod topics;

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

pub use exposition::Exposition;
pub use requests::RequestMetrics;
pub use topics::{TopicCounters, TopicMetrics};

/// Something that has values at any moment.
pub trait Gauges: Send + Sync {
    /// Writes the values of now. Called on the metrics connection's task; must not block for long.
    fn collect(&self, out: &mut Exposition);
}

/// All metrics of one broker.
#[derive(Default)]
pub struct Metrics {
    pub requests: RequestMetrics,
    pub topics: TopicMetrics,
    gauges: Mutex<Vec<Arc<dyn Gauges>>>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    pub fn new() -> Self {
        Self::default()
    }

    /// Has `gauges` asked at every scrape from now on.
    pub fn register(&self, gauges: Arc<dyn Gauges>) {
        self.gauges.lock().push(gauges);
    }

    /// Everything as Prometheus text (version 0.0.4).
    pub fn scrape(&self, now: Instant) -> String {
        let mut out = Exposition::default();
        self.requests.collect(now, &mut out);
        self.topics.collect(&mut out);
        process::collect(&mut out);
        // Not under the lock: collecting takes others.
        let gauges = self.gauges.lock().clone();
        for gauges in gauges {
            gauges.collect(&mut out);
        }
        out.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use protocol_codec::ApiKey;
    use protocol_codec::error_code::ErrorCode;

    use super::*;

    struct Fixed;

    impl Gauges for Fixed {
        fn collect(&self, out: &mut Exposition) {
            out.gauge("kafka_brokers", "Brokers there are.", &[], 1.0);
        }
    }

    #[test]
    fn a_scrape_has_counters_and_gauges() {
        let metrics = Metrics::new();
        metrics.register(Arc::new(Fixed));
        metrics.requests.record(ApiKey::Produce, 9, Duration::from_millis(3));
        metrics.requests.record_errors(ApiKey::Produce, ErrorCode::NotLeaderOrFollower, 1);
        let topic = metrics.topics.of("t");
        metrics.topics.produced(&topic, 5, 100);
        let text = metrics.scrape(Instant::now());
        for line in [
            "kafka_brokers 1",
            "kafka_network_requestmetrics_requests_total{request=\"Produce\",version=\"9\"} 1",
            "kafka_network_requestmetrics_errors_total{request=\"Produce\",error=\"NOT_LEADER_OR_FOLLOWER\"} 1",
            "kafka_network_requestmetrics_totaltimems_count{request=\"Produce\"} 1",
            "kafka_server_brokertopicmetrics_bytesin_total 100",
            "kafka_server_brokertopicmetrics_messagesin_total{topic=\"t\"} 5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.contains("\nprocess_resident_memory_bytes "));
    }
}
