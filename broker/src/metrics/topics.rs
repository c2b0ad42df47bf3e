//! Traffic by topic, and of all topics together.
//!
//! A partition keeps its topic's counters at hand, so that counting looks nothing up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::RwLock;

use super::exposition::{Exposition, Labels};

/// Counters of one topic, or of all.
#[derive(Debug, Default)]
pub struct TopicCounters {
    messages_in: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    bytes_rejected: AtomicU64,
    produce_requests: AtomicU64,
    fetch_requests: AtomicU64,
    failed_produce_requests: AtomicU64,
    failed_fetch_requests: AtomicU64,
}

/// Counters of every topic that has had traffic since the start, and of all together.
#[derive(Debug, Default)]
pub struct TopicMetrics {
    all: TopicCounters,
    by_name: RwLock<BTreeMap<Arc<str>, Arc<TopicCounters>>>,
}

impl TopicMetrics {
    /// The counters of a topic. Keep them: this looks them up.
    pub fn of(&self, topic: &str) -> Arc<TopicCounters> {
        if let Some(counters) = self.by_name.read().get(topic) {
            return Arc::clone(counters);
        }
        let mut topics = self.by_name.write();
        Arc::clone(topics.entry(topic.into()).or_default())
    }

    /// Forgets a deleted topic. The sums keep what it counted.
    pub fn forget(&self, topic: &str) {
        self.by_name.write().remove(topic);
    }

    /// A batch of `messages` records in `bytes` bytes was appended.
    pub fn produced(&self, topic: &TopicCounters, messages: u64, bytes: u64) {
        for counters in [&self.all, topic] {
            counters.produce_requests.fetch_add(1, Relaxed);
            counters.messages_in.fetch_add(messages, Relaxed);
            counters.bytes_in.fetch_add(bytes, Relaxed);
        }
    }

    /// A batch of `bytes` bytes was not appended.
    pub fn produce_failed(&self, topic: Option<&TopicCounters>, bytes: u64) {
        for counters in [Some(&self.all), topic].into_iter().flatten() {
            counters.produce_requests.fetch_add(1, Relaxed);
            counters.failed_produce_requests.fetch_add(1, Relaxed);
            counters.bytes_rejected.fetch_add(bytes, Relaxed);
        }
    }

    /// `bytes` bytes of a topic's records were put into the answer to a fetch.
    pub fn fetched(&self, topic: &TopicCounters, bytes: u64) {
        for counters in [&self.all, topic] {
            counters.fetch_requests.fetch_add(1, Relaxed);
            counters.bytes_out.fetch_add(bytes, Relaxed);
        }
    }

    /// A fetch of a topic failed.
    pub fn fetch_failed(&self, topic: Option<&TopicCounters>) {
        for counters in [Some(&self.all), topic].into_iter().flatten() {
            counters.fetch_requests.fetch_add(1, Relaxed);
            counters.failed_fetch_requests.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn collect(&self, out: &mut Exposition) {
        self.all.collect(out, &[]);
        // Cloned, so that producers of new topics do not wait for a scrape.
        let topics = self.by_name.read().clone();
        for (topic, counters) in topics {
            counters.collect(out, &[("topic", &topic)]);
        }
    }
}

impl TopicCounters {
    fn collect(&self, out: &mut Exposition, labels: Labels<'_>) {
        for (name, help, counter) in [
            (
                "kafka_server_brokertopicmetrics_messagesin_total",
                "Records appended.",
                &self.messages_in,
            ),
            (
                "kafka_server_brokertopicmetrics_bytesin_total",
                "Bytes of records appended.",
                &self.bytes_in,
            ),
            (
                "kafka_server_brokertopicmetrics_bytesout_total",
                "Bytes of records fetched.",
                &self.bytes_out,
            ),
            (
                "kafka_server_brokertopicmetrics_bytesrejected_total",
                "Bytes of records that were not accepted.",
                &self.bytes_rejected,
            ),
            (
                "kafka_server_brokertopicmetrics_totalproducerequests_total",
                "Batches produced, whether they were accepted or not.",
                &self.produce_requests,
            ),
            (
                "kafka_server_brokertopicmetrics_totalfetchrequests_total",
                "Partitions fetched, whether it worked or not.",
                &self.fetch_requests,
            ),
            (
                "kafka_server_brokertopicmetrics_failedproducerequests_total",
                "Batches that were not accepted.",
                &self.failed_produce_requests,
            ),
            (
                "kafka_server_brokertopicmetrics_failedfetchrequests_total",
                "Partitions that could not be fetched.",
                &self.failed_fetch_requests,
            ),
        ] {
            out.counter(name, help, labels, counter.load(Relaxed));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(metrics: &TopicMetrics, line: &str) -> bool {
        let mut out = Exposition::default();
        metrics.collect(&mut out);
        out.finish().lines().any(|found| found == line)
    }

    #[test]
    fn a_topic_and_the_sum_count_and_a_deleted_topic_stays_in_the_sum() {
        let metrics = TopicMetrics::default();
        let topic = metrics.of("t");
        assert!(Arc::ptr_eq(&topic, &metrics.of("t")));
        metrics.produced(&topic, 2, 30);
        metrics.produce_failed(None, 4);
        metrics.fetched(&topic, 7);
        metrics.fetch_failed(Some(&topic));
        let name = |rest: &str| format!("kafka_server_brokertopicmetrics_{rest}");
        assert!(sample(&metrics, &name("bytesin_total{topic=\"t\"} 30")));
        assert!(sample(&metrics, &name("totalfetchrequests_total{topic=\"t\"} 2")));
        assert!(sample(&metrics, &name("failedproducerequests_total 1")));
        assert!(sample(&metrics, &name("bytesrejected_total 4")));
        metrics.forget("t");
        assert!(!sample(&metrics, &name("bytesin_total{topic=\"t\"} 30")));
        assert!(sample(&metrics, &name("bytesin_total 30")));
    }
}
