//! A request under way: polled by its connection, inside its span, with its panics kept from
//! others.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::{Context, Poll};
use std::time::Instant;

use protocol_codec::ApiKey;
use tracing::Span;

use super::{Answered, Api, Fault, RequestFuture};
use crate::context::RequestContext;
use crate::metrics::Metrics;

/// One request that has started.
pub struct Running<'a> {
    api: &'static Api,
    metrics: &'a Metrics,
    trace: Trace,
    future: RequestFuture<'a>,
}

/// What remains of a request's header while its handler runs.
#[derive(Debug)]
pub struct Trace {
    version: i16,
    received: Instant,
    span: Span,
}

impl Trace {
    pub fn of(context: &RequestContext) -> Self {
        let span = tracing::debug_span!(
            "request",
            api = %context.api_key,
            version = context.api_version,
            correlation_id = context.correlation_id,
            peer = %context.connection.peer,
        );
        Self { version: context.api_version, received: context.received, span }
    }
}

impl<'a> Running<'a> {
    pub fn new(
        api: &'static Api,
        metrics: &'a Metrics,
        trace: Trace,
        future: RequestFuture<'a>,
    ) -> Self {
        Self { api, metrics, trace, future }
    }

    /// Whether another one like this may start while this one waits.
    pub fn overlaps(&self) -> bool {
        self.api.overlaps
    }

    /// The API of the request.
    pub fn api(&self) -> ApiKey {
        self.api.key
    }

    /// Goes on with the request. Not to be called again once it was ready.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Answered, Fault>> {
        let _entered = self.trace.span.enter();
        // A handler that panicked is never polled again, and what it shares with others is behind
        // locks that a panic does not poison.
        let polled = catch_unwind(AssertUnwindSafe(|| self.future.as_mut().poll(cx)));
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => result,
            Err(_) => Err(Fault::Panic { api: self.api.key, version: self.trace.version }),
        };
        let elapsed = self.trace.received.elapsed();
        tracing::debug!(?elapsed, ok = result.is_ok(), "answered");
        self.metrics.requests.record(self.api.key, self.trace.version, elapsed);
        Poll::Ready(result)
    }
}

impl std::fmt::Debug for Running<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("api", &self.api.key).finish_non_exhaustive()
    }
}
