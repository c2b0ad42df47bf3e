//! From a frame to a handler and back: the one table of served APIs, and the one wrapper around
//! every request.
//!
//! The wrapper reads the header, refuses what is not served, decodes the request, asks the
//! authorizer where one resource decides over the whole request (the row says so), runs the handler
//! within a span, isolates its panics, tells the quota what it has cost, encodes the answer and
//! counts. Handlers see none of this; they ask the authorizer themselves for the topics that a
//! request names ([`Broker::allows`]). There is one authorizer, which allows everything, and one
//! quota, which has no limit ([`crate::security`], [`crate::quota`]).

use std::future::Future;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use protocol_codec::ApiKey;
use protocol_codec::header::RequestHeader;
use protocol_codec::messages::{self, Request};
use protocol_codec::wire::{DecodeError, EncodeError, Reader};

use crate::broker::Broker;
use crate::context::{ConnectionInfo, RequestContext};
use crate::handlers;
use crate::quota::Usage;
use crate::security::{Operation, Resource};

mod reply;
mod running;

pub use reply::{Answer, Answered, Reply, Response};
pub use running::Running;

/// A started request: decoding, handling and encoding, as one future.
pub type RequestFuture<'a> = Pin<Box<dyn Future<Output = Result<Answered, Fault>> + Send + 'a>>;

/// One served API.
#[derive(Debug)]
pub struct Api {
    pub key: ApiKey,
    pub versions: RangeInclusive<i16>,
    /// While one of these waits, another one may start.
    pub overlaps: bool,
    run: for<'a> fn(&'a Broker, RequestContext, Reader, usize) -> RequestFuture<'a>,
}

/// Why a request ends its connection.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("malformed request: {0}")]
    Header(DecodeError),
    #[error("malformed {api} request, version {version}: {error}")]
    Decode { api: ApiKey, version: i16, error: DecodeError },
    #[error("{api} version {version} is not supported")]
    NotServed { api: ApiKey, version: i16 },
    #[error("the answer to {api} version {version} cannot be encoded: {error}")]
    Encode { api: ApiKey, version: i16, error: EncodeError },
    #[error("the handler of {api} version {version} panicked")]
    Panic { api: ApiKey, version: i16 },
    /// A Produce with acks=0 failed: closing the connection is all that can be said.
    #[error("a request without an answer failed")]
    NothingToSay,
}

/// Declares the table. A row: name, versions, handler, whether it overlaps its like, and what the
/// client must be allowed to do for the request to be looked at: to the cluster, or to the group
/// that it names.
macro_rules! apis {
    ($($key:ident $min:literal..=$max:literal $module:ident $($overlaps:ident)?
        $(=> $operation:ident $resource:ident)?;)*) => {
        /// Every API that is served, by number. ApiVersions is derived from it.
        pub static APIS: &[Api] = &[$(Api {
            key: ApiKey::$key,
            versions: $min..=$max,
            overlaps: apis!(@ $($overlaps)?),
            run: |broker, context, reader, request_bytes| Box::pin(async move {
                let request = decode::<messages::$module::Request>(&context, reader)?;
                $(
                    let resource = apis!(@ $resource request);
                    if !broker.allows(&context, Operation::$operation, resource) {
                        let error_code = resource.denied().into();
                        let answer =
                            messages::$module::Response { error_code, ..Default::default() };
                        return finish(broker, &context, request_bytes, answer);
                    }
                )?
                let answer = handlers::$module::handle(broker, &context, request).await;
                finish(broker, &context, request_bytes, answer)
            }),
        },)*];
    };
    (@) => { false };
    (@ overlaps) => { true };
    (@ Cluster $request:ident) => { Resource::Cluster };
    (@ Group $request:ident) => { Resource::Group(&$request.group_id) };
}

apis! {
    Produce                      3..=13  produce overlaps;
    Fetch                        4..=18  fetch;
    ListOffsets                  1..=11  list_offsets;
    Metadata                     0..=13  metadata;
    OffsetCommit                 2..=10  offset_commit;
    OffsetFetch                  1..=10  offset_fetch;
    FindCoordinator              0..=6   find_coordinator;
    JoinGroup                    0..=9   join_group => Read Group;
    Heartbeat                    0..=4   heartbeat => Read Group;
    LeaveGroup                   0..=5   leave_group => Read Group;
    SyncGroup                    0..=5   sync_group => Read Group;
    DescribeGroups               0..=6   describe_groups;
    ListGroups                   0..=5   list_groups;
    ApiVersions                  0..=5   api_versions;
    CreateTopics                 2..=7   create_topics;
    DeleteTopics                 1..=6   delete_topics;
    DeleteRecords                0..=2   delete_records;
    InitProducerId               0..=5   init_producer_id;
    OffsetForLeaderEpoch         2..=4   offset_for_leader_epoch;
    DescribeConfigs              1..=4   describe_configs;
    AlterConfigs                 0..=2   alter_configs;
    DescribeLogDirs              1..=5   describe_log_dirs => Describe Cluster;
    CreatePartitions             0..=3   create_partitions;
    DeleteGroups                 0..=3   delete_groups;
    IncrementalAlterConfigs      0..=1   incremental_alter_configs;
    ListPartitionReassignments   0..=0   list_partition_reassignments => Describe Cluster;
    OffsetDelete                 0..=0   offset_delete;
    DescribeQuorum               0..=2   describe_quorum => Describe Cluster;
    DescribeCluster              0..=2   describe_cluster;
    DescribeProducers            0..=0   describe_producers;
    ListConfigResources          0..=1   list_config_resources => DescribeConfigs Cluster;
    DescribeTopicPartitions      0..=0   describe_topic_partitions;
}

/// The row of an API.
pub fn find(key: ApiKey) -> Option<&'static Api> {
    let index = APIS.binary_search_by_key(&key, |api| api.key).ok()?;
    APIS.get(index)
}

/// Starts the request in a frame.
pub fn start<'a>(
    broker: &'a Broker,
    connection: &Arc<ConnectionInfo>,
    frame: Bytes,
) -> Result<Running<'a>, Fault> {
    if let Some(context) = newer_api_versions(connection, &frame)
        && let Some(row) = find(ApiKey::ApiVersions)
    {
        let trace = running::Trace::of(&context);
        let answer = handlers::api_versions::too_new(&context).map(Answered::from);
        let future = Box::pin(std::future::ready(answer));
        return Ok(Running::new(row, broker.metrics(), trace, future));
    }
    let request_bytes = frame.len();
    let mut reader = Reader::new(frame);
    let header = RequestHeader::decode(&mut reader).map_err(Fault::Header)?;
    let (api, version) = (header.api_key, header.api_version);
    let Some(row) = find(api).filter(|row| row.versions.contains(&version)) else {
        return Err(Fault::NotServed { api, version });
    };
    let context = RequestContext {
        api_key: api,
        api_version: version,
        correlation_id: header.correlation_id,
        client_id: header.client_id,
        connection: connection.clone(),
        received: Instant::now(),
    };
    let trace = running::Trace::of(&context);
    Ok(Running::new(
        row,
        broker.metrics(),
        trace,
        (row.run)(broker, context, reader, request_bytes),
    ))
}

/// An ApiVersions request in a version that is not served. What follows its correlation id may be
/// of any shape and is not looked at.
fn newer_api_versions(connection: &Arc<ConnectionInfo>, frame: &Bytes) -> Option<RequestContext> {
    let [k0, k1, v0, v1, correlation_id @ ..] = *frame.first_chunk::<8>()?;
    let api_version = i16::from_be_bytes([v0, v1]);
    let is_newer = i16::from_be_bytes([k0, k1]) == ApiKey::ApiVersions.code()
        && !ApiKey::ApiVersions.versions().contains(&api_version);
    is_newer.then(|| RequestContext {
        api_key: ApiKey::ApiVersions,
        api_version,
        correlation_id: i32::from_be_bytes(correlation_id),
        client_id: None,
        connection: connection.clone(),
        received: Instant::now(),
    })
}

/// Tells the quota of the request, and the client what the quota says.
fn finish(
    broker: &Broker,
    context: &RequestContext,
    request_bytes: usize,
    mut answer: impl Answer,
) -> Result<Answered, Fault> {
    let throttle = broker.quota().record(&Usage {
        principal: &context.connection.principal,
        client_id: context.client_id.as_deref().unwrap_or_default(),
        api: context.api_key,
        request_bytes,
        response_bytes: answer.record_bytes(),
        time: context.received.elapsed(),
    });
    if !throttle.is_zero() {
        answer.set_throttle_time(i32::try_from(throttle.as_millis()).unwrap_or(i32::MAX));
    }
    Ok(Answered { reply: answer.encode(context)?, throttle })
}

/// Whether the request in this frame may start while another one like it waits.
pub fn overlaps(frame: &Bytes) -> bool {
    let key = frame.first_chunk().map(|key| i16::from_be_bytes(*key));
    key.and_then(ApiKey::from_code).and_then(find).is_some_and(|api| api.overlaps)
}

fn decode<R: Request>(context: &RequestContext, mut reader: Reader) -> Result<R, Fault> {
    let version = context.api_version;
    let fault = |error| Fault::Decode { api: R::KEY, version, error };
    let request = R::decode(&mut reader, version).map_err(fault)?;
    reader.finish().map_err(fault)?;
    Ok(request)
}

#[cfg(test)]
mod tests;
