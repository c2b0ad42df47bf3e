//! Fetch: reads from the leaders of partitions, waiting for data if there is little.
//!
//! | file | holds |
//! |---|---|
//! | `fetch/session.rs` | from a request to the partitions that it means (KIP-227) |
//! | `fetch/read.rs` | one look at all partitions |
//! | `fetch/response.rs` | what of it the client is told |
//!
//! A fetch that finds too little registers with its partitions and looks again whenever one of
//! them has more, until `min_bytes` are there or `max_wait_ms` is over. One timer a request.

mod read;
mod response;
mod session;

use std::sync::Arc;
use std::time::Duration;

use protocol_codec::messages::fetch::{Request, Response};
use protocol_codec::{ApiKey, ErrorCode};
use storage::FileRegion;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::broker::Broker;
use crate::context::RequestContext;
use crate::dispatch::{self, Answer, Fault, Reply};
use crate::replication::fetch_session::FetchSession;
use crate::security::{Operation, Resource};
use read::{Limits, MayRead, PartitionRead, read_all};
use response::LeaderHints;
use session::{Kind, Opened};

/// The response, and the regions of files that its records are.
#[derive(Debug, Default)]
pub struct FetchAnswer {
    response: Response,
    regions: Vec<Vec<FileRegion>>,
}

impl Answer for FetchAnswer {
    fn set_throttle_time(&mut self, throttle_ms: i32) {
        self.response.throttle_time_ms = throttle_ms;
    }

    fn record_bytes(&self) -> usize {
        self.regions.iter().flatten().map(|region| region.len).sum()
    }

    fn encode(self, context: &RequestContext) -> Result<Reply, Fault> {
        let response = dispatch::Response::encode(context, &self.response, self.regions);
        response.map(Reply::Response)
    }
}

pub async fn handle(broker: &Broker, context: &RequestContext, request: Request) -> FetchAnswer {
    let limits = Limits::of(broker, &request);
    let max_wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
    let may_read = |topic: &str| broker.allows(context, Operation::Read, Resource::Topic(topic));
    let mut opened = match session::open(broker, context.api_version, request) {
        Ok(opened) => opened,
        Err(code) => {
            let response = Response { error_code: code.into(), ..Default::default() };
            return FetchAnswer { response, regions: Vec::new() };
        }
    };
    let reads = read_until_enough(broker, opened.session(), &limits, &may_read, max_wait).await;
    respond(broker, context, opened, reads)
}

async fn read_until_enough(
    broker: &Broker,
    session: &mut FetchSession,
    limits: &Limits,
    may_read: &MayRead<'_>,
    max_wait: Duration,
) -> Vec<PartitionRead> {
    let look = |session: &mut FetchSession| {
        session::resolve(broker, session);
        read_all(session, limits, may_read)
    };
    let (reads, enough) = look(session);
    if enough || max_wait.is_zero() || session.is_empty() {
        return reads;
    }
    // What was read keeps files open; it is read again.
    drop(reads);
    let deadline = Instant::now() + max_wait;
    let waiter = Arc::new(Notify::new());
    let mut registered_in = None;
    loop {
        // New partitions may have come since; registering comes before looking.
        if registered_in != session.generation {
            register(session, &waiter);
            registered_in = session.generation;
        }
        let (reads, enough) = look(session);
        if enough {
            return reads;
        }
        if registered_in != session.generation {
            continue;
        }
        drop(reads);
        if tokio::time::timeout_at(deadline, waiter.notified()).await.is_err() {
            return look(session).0;
        }
    }
}

fn register(session: &FetchSession, waiter: &Arc<Notify>) {
    for partition in session.entries().filter_map(|entry| entry.partition.as_ref().ok()) {
        partition.register(waiter);
    }
}

/// Counts what was read, by topic.
fn count(broker: &Broker, session: &FetchSession, reads: &[PartitionRead]) {
    let metrics = broker.metrics();
    for (entry, read) in session.entries().zip(reads) {
        if read.error != ErrorCode::None {
            metrics.topics.fetch_failed(None);
            metrics.requests.record_errors(ApiKey::Fetch, read.error, 1);
        } else if let Ok(partition) = &entry.partition {
            metrics.topics.fetched(partition.counters(metrics), read.data.slices.len() as u64);
        }
    }
}

fn respond(
    broker: &Broker,
    context: &RequestContext,
    mut opened: Opened<'_>,
    reads: Vec<PartitionRead>,
) -> FetchAnswer {
    let incremental = matches!(opened.kind, Kind::Incremental);
    count(broker, opened.session(), &reads);
    let hints = LeaderHints { broker, context };
    let mut answer = response::build(opened.session(), reads, incremental, &hints);
    answer.response.session_id = opened.close();
    answer
}
