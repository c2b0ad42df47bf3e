//! Requests: how many of each API and version, how long they took, and which errors they met.

use std::array;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use protocol_codec::ApiKey;
use protocol_codec::error_code::ErrorCode;

use super::exposition::Exposition;
use super::histogram::{Counts, Histogram};

/// API keys below this are counted; Kafka 4.4's largest is 94.
const APIS_MAX: usize = 128;

/// Versions below this are counted one by one, later ones with the last.
const VERSIONS_MAX: usize = 24;

/// Error codes below this are counted one by one. Code -1 (UNKNOWN_SERVER_ERROR) has the last place.
const ERRORS_MAX: usize = 160;

/// Quantiles cover the last one to two of these, as Kafka's cover about five minutes.
const WINDOW: Duration = Duration::from_secs(300);

const QUANTILES: [(&str, f64); 6] = [
    ("0.50", 0.50),
    ("0.75", 0.75),
    ("0.95", 0.95),
    ("0.98", 0.98),
    ("0.99", 0.99),
    ("0.999", 0.999),
];

/// Bounds of the buckets of our own histogram, in microseconds and as they are written (seconds).
const BOUNDS: [(&str, u64); 13] = [
    ("0.0001", 100),
    ("0.00025", 250),
    ("0.0005", 500),
    ("0.001", 1_000),
    ("0.0025", 2_500),
    ("0.005", 5_000),
    ("0.01", 10_000),
    ("0.025", 25_000),
    ("0.1", 100_000),
    ("0.5", 500_000),
    ("1", 1_000_000),
    ("5", 5_000_000),
    ("30", 30_000_000),
];

/// Counters of all APIs. An API takes memory from its first request on.
pub struct RequestMetrics {
    apis: [OnceLock<Box<ApiMetrics>>; APIS_MAX],
}

struct ApiMetrics {
    requests: [AtomicU64; VERSIONS_MAX],
    errors: [AtomicU64; ERRORS_MAX],
    total_time: Histogram,
    window: Mutex<Window>,
}

/// Earlier counts, so that quantiles tell of now and not of last week.
#[derive(Default)]
struct Window {
    /// What quantiles are counted from.
    older: Counts,
    /// What takes its place next, and since when it waits.
    newer: Option<(Instant, Counts)>,
}

impl Default for RequestMetrics {
    fn default() -> Self {
        Self { apis: array::from_fn(|_| OnceLock::new()) }
    }
}

impl std::fmt::Debug for RequestMetrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestMetrics").finish_non_exhaustive()
    }
}

impl RequestMetrics {
    /// Counts a request that was answered `total_time` after it had been read.
    pub fn record(&self, api: ApiKey, version: i16, total_time: Duration) {
        let Some(metrics) = self.api(api) else { return };
        let version = usize::try_from(version).unwrap_or(0).min(VERSIONS_MAX - 1);
        metrics.requests[version].fetch_add(1, Relaxed);
        metrics.total_time.record(total_time);
    }

    /// Counts `times` parts of an answer that carried `error`. Kafka counts every topic or
    /// partition of an answer, and NONE too.
    pub fn record_errors(&self, api: ApiKey, error: ErrorCode, times: u64) {
        let Some(metrics) = self.api(api) else { return };
        let place = usize::try_from(error.code()).unwrap_or(ERRORS_MAX).min(ERRORS_MAX - 1);
        metrics.errors[place].fetch_add(times, Relaxed);
    }

    fn api(&self, api: ApiKey) -> Option<&ApiMetrics> {
        let place = usize::try_from(api.code()).ok()?;
        Some(self.apis.get(place)?.get_or_init(Box::default))
    }

    pub(super) fn collect(&self, now: Instant, out: &mut Exposition) {
        for (place, metrics) in self.apis.iter().enumerate() {
            let api = i16::try_from(place).ok().and_then(ApiKey::from_code);
            if let (Some(metrics), Some(api)) = (metrics.get(), api) {
                metrics.collect(api, now, out);
            }
        }
    }
}

/// Kafka's metrics tell fetches of consumers from those of followers; all are of consumers here.
fn request_name(api: ApiKey) -> &'static str {
    if api == ApiKey::Fetch { "FetchConsumer" } else { api.name() }
}

impl Default for ApiMetrics {
    fn default() -> Self {
        Self {
            requests: array::from_fn(|_| AtomicU64::new(0)),
            errors: array::from_fn(|_| AtomicU64::new(0)),
            total_time: Histogram::default(),
            window: Mutex::default(),
        }
    }
}

impl ApiMetrics {
    fn collect(&self, api: ApiKey, now: Instant, out: &mut Exposition) {
        let request = request_name(api);
        for (version, count) in counted(&self.requests) {
            out.counter(
                "kafka_network_requestmetrics_requests_total",
                "Requests that were answered.",
                &[("request", request), ("version", &version.to_string())],
                count,
            );
        }
        for (place, count) in counted(&self.errors) {
            let code = i16::try_from(place).ok().and_then(ErrorCode::from_code);
            out.counter(
                "kafka_network_requestmetrics_errors_total",
                "Error codes in answers.",
                &[
                    ("request", request),
                    ("error", code.map_or("UNKNOWN_SERVER_ERROR", ErrorCode::name)),
                ],
                count,
            );
        }
        let counts = self.total_time.counts();
        let recent = self.window.lock().advance(now, &counts);
        let quantiles = QUANTILES.map(|(name, q)| (name, recent.quantile_us(q) as f64 / 1e3));
        out.summary(
            "kafka_network_requestmetrics_totaltimems",
            "Time from a request having been read to its answer, in milliseconds.",
            &[("request", request)],
            &quantiles,
            counts.sum_us as f64 / 1e3,
            counts.total(),
        );
        let mut buckets: Vec<(&str, u64)> =
            BOUNDS.iter().map(|(name, us)| (*name, counts.at_most(*us))).collect();
        buckets.push(("+Inf", counts.total()));
        out.histogram(
            "barnabas_request_duration_seconds",
            "Time from a request having been read to its answer.",
            &[("request", request)],
            &buckets,
            counts.sum_us as f64 / 1e6,
        );
    }
}

impl Window {
    /// What was counted within the window that ends now.
    fn advance(&mut self, now: Instant, counts: &Counts) -> Counts {
        match &self.newer {
            Some((since, _)) if now.saturating_duration_since(*since) < WINDOW => {}
            _ => {
                if let Some((_, newer)) = self.newer.replace((now, counts.clone())) {
                    self.older = newer;
                }
            }
        }
        counts.since(&self.older)
    }
}

/// The places that have counted something, and how much.
fn counted(counters: &[AtomicU64]) -> impl Iterator<Item = (usize, u64)> {
    let values = counters.iter().map(|counter| counter.load(Relaxed)).enumerate();
    values.filter(|(_, count)| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_server_error_and_high_versions_have_their_place() {
        let metrics = RequestMetrics::default();
        metrics.record_errors(ApiKey::Fetch, ErrorCode::UnknownServerError, 2);
        metrics.record(ApiKey::Fetch, 18, Duration::from_micros(70));
        let mut out = Exposition::default();
        metrics.collect(Instant::now(), &mut out);
        let text = out.finish();
        for part in [
            "errors_total{request=\"FetchConsumer\",error=\"UNKNOWN_SERVER_ERROR\"} 2\n",
            "requests_total{request=\"FetchConsumer\",version=\"18\"} 1\n",
            "duration_seconds_bucket{request=\"FetchConsumer\",le=\"0.0001\"} 1\n",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[test]
    fn quantiles_forget() {
        let histogram = Histogram::default();
        let mut window = Window::default();
        let start = Instant::now();
        let at = |windows: f64| start + WINDOW.mul_f64(windows);
        histogram.record(Duration::from_secs(1));
        assert_eq!(window.advance(at(0.0), &histogram.counts()).total(), 1);
        assert_eq!(window.advance(at(0.5), &histogram.counts()).total(), 1);
        assert_eq!(window.advance(at(1.1), &histogram.counts()).total(), 0);
        histogram.record(Duration::from_secs(1));
        assert_eq!(window.advance(at(1.2), &histogram.counts()).total(), 1);
        assert_eq!(window.advance(at(2.3), &histogram.counts()).total(), 1);
        assert_eq!(window.advance(at(3.4), &histogram.counts()).total(), 0);
    }

    #[test]
    fn every_api_and_error_of_the_protocol_has_a_place() {
        for code in 0..=i16::MAX {
            let place = usize::try_from(code).unwrap();
            assert!(ApiKey::from_code(code).is_none() || place < APIS_MAX);
            assert!(ErrorCode::from_code(code).is_none() || place < ERRORS_MAX - 1);
        }
    }
}
