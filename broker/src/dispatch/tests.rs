//! The wrapper with guards that say no: a denying authorizer, a throttling quota.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use protocol_codec::ErrorCode;
use protocol_codec::frame::encode_request;
use protocol_codec::header::ResponseHeader;
use protocol_codec::messages::{
    Message, Request, api_versions, describe_log_dirs, describe_quorum, fetch, heartbeat,
    join_group, leave_group, list_config_resources, list_offsets, list_partition_reassignments,
    metadata, produce, sync_group,
};
use protocol_codec::records::BatchBuilder;
use protocol_codec::wire::Records;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::broker::Guards;
use crate::context::ConnectionInfo;
use crate::quota::{Quota, Usage};
use crate::run::testing::TestNode;
use crate::security::{Authorizer, Decision};

#[test]
fn the_table_is_sorted_and_serves_the_versions_that_kafka_serves() {
    assert!(APIS.is_sorted_by_key(|api| api.key));
    for api in APIS {
        assert_eq!(api.versions, api.key.versions(), "{}", api.key);
    }
}

struct Client(TcpStream);

impl Client {
    async fn connect(node: &TestNode) -> Self {
        Self(TcpStream::connect(node.address()).await.unwrap())
    }

    async fn send<R: Request>(&mut self, version: i16, request: &R) {
        let frame = encode_request(BytesMut::new(), version, 7, Some("guarded"), request).unwrap();
        self.0.write_all(&frame.buf).await.unwrap();
    }

    async fn receive<R: Request>(&mut self, version: i16) -> R::Response {
        let len = usize::try_from(self.0.read_i32().await.unwrap()).unwrap();
        let mut frame = vec![0; len];
        self.0.read_exact(&mut frame).await.unwrap();
        let mut reader = Reader::new(Bytes::from(frame));
        ResponseHeader::decode(&mut reader, R::KEY, version).unwrap();
        R::Response::decode(&mut reader, version).unwrap()
    }

    async fn ask<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(version, request).await;
        self.receive::<R>(version).await
    }
}

/// Denies everything, and notes what it was asked.
#[derive(Debug, Default)]
struct DenyAll(Mutex<Vec<String>>);

impl Authorizer for DenyAll {
    fn authorize(
        &self,
        client: &ConnectionInfo,
        operation: Operation,
        resource: Resource<'_>,
    ) -> Decision {
        assert_eq!(client.principal.to_string(), "User:ANONYMOUS");
        self.0.lock().push(format!("{operation:?} {resource:?}"));
        Decision::Denied
    }
}

/// Throttles one API.
#[derive(Debug)]
struct Throttle {
    api: ApiKey,
    time: Duration,
    seen: Mutex<Vec<(ApiKey, String, usize, usize)>>,
}

impl Throttle {
    fn of(api: ApiKey, time: Duration) -> Arc<Self> {
        Arc::new(Self { api, time, seen: Mutex::default() })
    }
}

impl Quota for Throttle {
    fn record(&self, usage: &Usage<'_>) -> Duration {
        let Usage { api, client_id, request_bytes, response_bytes, .. } = *usage;
        self.seen.lock().push((api, client_id.to_owned(), request_bytes, response_bytes));
        if usage.api == self.api { self.time } else { Duration::ZERO }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_denied_is_answered_with_kafkas_code_and_not_done() {
    let authorizer = Arc::new(DenyAll::default());
    let guards = Guards { authorizer: authorizer.clone(), ..Guards::default() };
    let node = TestNode::start_guarded(&[], guards).await;
    let mut client = Client::connect(&node).await;
    let (cluster, group) =
        (ErrorCode::ClusterAuthorizationFailed.code(), ErrorCode::GroupAuthorizationFailed.code());
    let log_dirs = client.ask(5, &describe_log_dirs::Request::default()).await;
    assert_eq!((log_dirs.error_code, log_dirs.results.len()), (cluster, 0));
    let quorum = client.ask(2, &describe_quorum::Request::default()).await;
    assert_eq!((quorum.error_code, quorum.topics.len()), (cluster, 0));
    let moving = client.ask(0, &list_partition_reassignments::Request::default()).await;
    assert_eq!(moving.error_code, cluster);
    let configs = client.ask(1, &list_config_resources::Request::default()).await;
    assert_eq!((configs.error_code, configs.config_resources.len()), (cluster, 0));
    let named = || "g".into();
    let join = join_group::Request { group_id: named(), ..Default::default() };
    assert_eq!(client.ask(9, &join).await.error_code, group);
    let sync = sync_group::Request { group_id: named(), ..Default::default() };
    assert_eq!(client.ask(5, &sync).await.error_code, group);
    let beat = heartbeat::Request { group_id: named(), ..Default::default() };
    assert_eq!(client.ask(4, &beat).await.error_code, group);
    let leave = leave_group::Request { group_id: named(), ..Default::default() };
    assert_eq!(client.ask(5, &leave).await.error_code, group);
    let asked = authorizer.0.lock().clone();
    assert_eq!(
        asked,
        [
            "Describe Cluster",
            "Describe Cluster",
            "Describe Cluster",
            "DescribeConfigs Cluster",
            "Read Group(\"g\")",
            "Read Group(\"g\")",
            "Read Group(\"g\")",
            "Read Group(\"g\")",
        ]
    );
    // Everybody may ask what is served.
    let versions = client.ask(2, &api_versions::Request::default()).await;
    assert_eq!(versions.error_code, 0);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_asked_for_one_by_one() {
    let authorizer = Arc::new(DenyAll::default());
    let guards = Guards { authorizer: authorizer.clone(), ..Guards::default() };
    let node = TestNode::start_guarded(&[], guards).await;
    let mut client = Client::connect(&node).await;
    let denied = ErrorCode::TopicAuthorizationFailed.code();
    let mut batch = BatchBuilder::new();
    batch.append(1_700_000_000_000, None, Some(b"value"), &[]).unwrap();
    let records = Some(Records::Memory(batch.build().unwrap()));
    let data = produce::PartitionProduceData { index: 0, records };
    let topic = produce::TopicProduceData {
        name: "t".into(),
        partition_data: vec![data],
        ..Default::default()
    };
    let produce = produce::Request { acks: -1, topic_data: vec![topic], ..Default::default() };
    let answer = client.ask(9, &produce).await;
    assert_eq!(answer.responses[0].partition_responses[0].error_code, denied);

    let topic = fetch::FetchTopic {
        topic: "t".into(),
        partitions: vec![fetch::FetchPartition::default()],
        ..Default::default()
    };
    let fetch = fetch::Request { topics: vec![topic], ..Default::default() };
    let answer = client.ask(12, &fetch).await;
    assert_eq!(answer.responses[0].partitions[0].error_code, denied);

    let topic = list_offsets::ListOffsetsTopic {
        name: "t".into(),
        partitions: vec![list_offsets::ListOffsetsPartition::default()],
    };
    let offsets = list_offsets::Request { topics: vec![topic], ..Default::default() };
    let answer = client.ask(5, &offsets).await;
    assert_eq!(answer.topics[0].partitions[0].error_code, denied);

    let topic = metadata::MetadataRequestTopic { name: Some("t".into()), ..Default::default() };
    let metadata = metadata::Request {
        topics: Some(vec![topic]),
        allow_auto_topic_creation: true,
        ..Default::default()
    };
    let answer = client.ask(9, &metadata).await;
    assert_eq!((answer.topics[0].error_code, answer.topics[0].partitions.len()), (denied, 0));
    // A list of all topics holds those that may be seen.
    let all = client.ask(9, &metadata::Request { topics: None, ..Default::default() }).await;
    assert_eq!((all.topics.len(), all.brokers.len()), (0, 1));
    let asked = authorizer.0.lock().clone();
    assert_eq!(
        asked,
        [
            "Write Topic(\"t\")",
            "Read Topic(\"t\")",
            "Describe Topic(\"t\")",
            "Describe Topic(\"t\")"
        ]
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_throttled_is_told_and_not_read_from_for_so_long() {
    let time = Duration::from_millis(400);
    let quota = Throttle::of(ApiKey::Metadata, time);
    let guards = Guards { quota: quota.clone(), ..Guards::default() };
    let node = TestNode::start_guarded(&[], guards).await;
    let mut client = Client::connect(&node).await;
    let begun = Instant::now();
    client.send(9, &metadata::Request::default()).await;
    client.send(4, &api_versions::Request::default()).await;
    assert_eq!(client.receive::<metadata::Request>(9).await.throttle_time_ms, 400);
    // It had been sent before the answer came, and is looked at when the time is over.
    let versions = client.receive::<api_versions::Request>(4).await;
    assert!(begun.elapsed() >= time, "answered after {:?}", begun.elapsed());
    assert_eq!(versions.throttle_time_ms, 0);
    let seen = quota.seen.lock().clone();
    let apis: Vec<_> = seen.iter().map(|(api, client, ..)| (*api, client.as_str())).collect();
    assert_eq!(apis, [(ApiKey::Metadata, "guarded"), (ApiKey::ApiVersions, "guarded")]);
    assert!(seen.iter().all(|(_, _, request_bytes, _)| *request_bytes > 10));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_connection_is_not_idle() {
    let quota = Throttle::of(ApiKey::Metadata, Duration::from_millis(700));
    let guards = Guards { quota, ..Guards::default() };
    let node = TestNode::start_guarded(&["connections.max.idle.ms=300"], guards).await;
    let mut client = Client::connect(&node).await;
    client.send(9, &metadata::Request::default()).await;
    client.send(4, &api_versions::Request::default()).await;
    client.receive::<metadata::Request>(9).await;
    client.receive::<api_versions::Request>(4).await;
    node.stop().await;
}
