//! What the use of the broker costs a client: the seam for client quotas.
//!
//! The request wrapper ([`crate::dispatch`]) tells the [`Quota`] of every request. Where it answers
//! with a time, the client is told (`throttle_time_ms`), and its connection is not read from for so
//! long (KIP-219). The only quota there is has no limit; a configuration that asks for limits is
//! refused at the start.

use std::fmt::Debug;
use std::time::Duration;

use protocol_codec::ApiKey;

use crate::context::Principal;

/// One request, as far as it costs.
#[derive(Clone, Copy, Debug)]
pub struct Usage<'a> {
    pub principal: &'a Principal,
    /// Empty if the client has none.
    pub client_id: &'a str,
    pub api: ApiKey,
    /// Bytes of the request's frame.
    pub request_bytes: usize,
    /// Bytes of the records in the answer, which are nearly all of it where it matters.
    pub response_bytes: usize,
    /// From the request's arrival to its answer, waiting included.
    pub time: Duration,
}

/// Decides who is slowed down. Asked once a request, on the request path: it must not block.
pub trait Quota: Debug + Send + Sync {
    /// Takes the usage down. Returns for how long the client is to be silent, zero for not at all.
    fn record(&self, usage: &Usage<'_>) -> Duration;
}

/// Nobody is slowed down.
#[derive(Clone, Copy, Debug)]
pub struct Unlimited;

impl Quota for Unlimited {
    fn record(&self, _usage: &Usage<'_>) -> Duration {
        Duration::ZERO
    }
}
