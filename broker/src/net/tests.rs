//! The network as a stranger sees it: a raw client against a node in this process.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use protocol_codec::frame::encode_request;
use protocol_codec::messages::{Request, api_versions, create_topics, fetch, metadata, produce};
use protocol_codec::records::BatchBuilder;
use protocol_codec::wire::Records;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::run::testing::TestNode;

fn encoded<R: Request>(version: i16, correlation_id: i32, request: &R) -> BytesMut {
    let buf = BytesMut::new();
    encode_request(buf, version, correlation_id, Some("test"), request).unwrap().buf
}

/// One answer: its correlation id and all that follows it.
async fn answer(stream: &mut TcpStream) -> io::Result<(i32, Vec<u8>)> {
    let len = usize::try_from(stream.read_i32().await?).unwrap();
    let correlation_id = stream.read_i32().await?;
    let mut rest = vec![0; len - 4];
    stream.read_exact(&mut rest).await?;
    Ok((correlation_id, rest))
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest).await {
        Ok(_) => rest.is_empty(),
        Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
    }
}

async fn create_topic(stream: &mut TcpStream, name: &str) {
    let topic = create_topics::CreatableTopic {
        name: name.into(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    let request = create_topics::Request { topics: vec![topic], ..Default::default() };
    stream.write_all(&encoded(5, 1, &request)).await.unwrap();
    answer(stream).await.unwrap();
}

fn produce_request(topic: &str, acks: i16) -> produce::Request {
    let mut batch = BatchBuilder::new();
    batch.append(1_700_000_000_000, None, Some(b"value"), &[]).unwrap();
    let records = Some(Records::Memory(batch.build().unwrap()));
    let partition = produce::PartitionProduceData { index: 0, records };
    let topic = produce::TopicProduceData {
        name: topic.into(),
        partition_data: vec![partition],
        ..Default::default()
    };
    let topic_data = vec![topic];
    produce::Request { acks, timeout_ms: 10_000, topic_data, ..Default::default() }
}

fn fetch_request(topic: &str, offset: i64, max_wait_ms: i32) -> fetch::Request {
    let partition = fetch::FetchPartition {
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let topic = fetch::FetchTopic {
        topic: topic.into(),
        partitions: vec![partition],
        ..Default::default()
    };
    fetch::Request { max_wait_ms, min_bytes: 1, topics: vec![topic], ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn pipelined_requests_are_answered_in_order() {
    let node = TestNode::start(&[]).await;
    let mut stream = TcpStream::connect(node.address()).await.unwrap();
    create_topic(&mut stream, "t").await;
    let mut sent = BytesMut::new();
    for correlation_id in 0..200 {
        let frame = match correlation_id % 4 {
            0 | 1 => encoded(9, correlation_id, &produce_request("t", -1)),
            // Sees what was produced before, so it never waits.
            2 => encoded(11, correlation_id, &fetch_request("t", 0, 60_000)),
            _ => encoded(4, correlation_id, &metadata::Request::default()),
        };
        sent.extend_from_slice(&frame);
    }
    // In pieces that end anywhere.
    for piece in sent.chunks(777) {
        stream.write_all(piece).await.unwrap();
    }
    let mut fetched = 0;
    for expected in 0..200 {
        let (correlation_id, body) = answer(&mut stream).await.unwrap();
        assert_eq!(correlation_id, expected);
        if expected % 4 == 2 {
            assert!(body.len() > fetched, "a fetch sees every produce before it");
            fetched = body.len();
        }
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_not_read_from_and_loses_nothing() {
    let node = TestNode::start(&[]).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(node.address()).await.unwrap();
    create_topic(&mut stream, "t").await;
    let frame = encoded(9, 1, &produce_request("t", 1));
    for _ in 0..2000 {
        stream.write_all(&frame).await.unwrap();
        answer(&mut stream).await.unwrap();
    }
    // Each answer is about 150 KB; the requests stop being taken long before a thousand.
    let mut sent = 0;
    let mut partial = BytesMut::new();
    let stopped = loop {
        if partial.is_empty() {
            partial = encoded(11, sent, &fetch_request("t", 0, 0));
            sent += 1;
        }
        let write = stream.write_buf(&mut partial);
        match tokio::time::timeout(Duration::from_secs(1), write).await {
            Ok(written) => assert!(written.unwrap() > 0),
            Err(_) => break true,
        }
        if sent > 2_000_000 {
            break false;
        }
    };
    assert!(stopped, "{sent} requests were taken without an answer being read");
    // One request may have been cut: it is finished while the answers are read.
    let (mut reader, mut writer) = stream.into_split();
    let rest = tokio::spawn(async move {
        writer.write_all_buf(&mut partial).await.unwrap();
        writer
    });
    for expected in 0..sent.min(100) {
        let len = usize::try_from(reader.read_i32().await.unwrap()).unwrap();
        let mut frame = vec![0; len];
        reader.read_exact(&mut frame).await.unwrap();
        assert_eq!(frame[..4], expected.to_be_bytes());
    }
    rest.abort();
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_sent_away_and_others_are_served() {
    let node = TestNode::start(&["socket.request.max.bytes=100000"]).await;
    let hello: [&[u8]; 5] = [
        &[0x16, 3, 1, 2, 0, 1],
        &(-1_i32).to_be_bytes(),
        &i32::MAX.to_be_bytes(),
        &100_001_i32.to_be_bytes(),
        &[0, 0, 0, 4, 0, 3, 0, 1],
    ];
    for bytes in hello {
        let mut stream = TcpStream::connect(node.address()).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        assert!(is_closed(&mut stream).await, "{bytes:?}");
    }
    let mut browser = TcpStream::connect(node.address()).await.unwrap();
    browser.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut said = Vec::new();
    let _ = browser.read_to_end(&mut said).await;
    assert!(said.starts_with(b"HTTP/1.1 400 "), "{said:?}");

    let mut stream = TcpStream::connect(node.address()).await.unwrap();
    stream.write_all(&encoded(0, 9, &api_versions::Request::default())).await.unwrap();
    assert_eq!(answer(&mut stream).await.unwrap().0, 9);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_are_closed_and_too_many_refused() {
    let node = TestNode::start(&["connections.max.idle.ms=300", "max.connections.per.ip=2"]).await;
    let mut first = TcpStream::connect(node.address()).await.unwrap();
    let mut second = TcpStream::connect(node.address()).await.unwrap();
    for stream in [&mut first, &mut second] {
        stream.write_all(&encoded(0, 1, &api_versions::Request::default())).await.unwrap();
        answer(stream).await.unwrap();
    }
    let mut third = TcpStream::connect(node.address()).await.unwrap();
    assert!(is_closed(&mut third).await, "two are there already");
    assert!(is_closed(&mut first).await && is_closed(&mut second).await, "they were idle");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_waits_is_dropped_with_its_connection() {
    let node = TestNode::start(&[]).await;
    let mut stream = TcpStream::connect(node.address()).await.unwrap();
    create_topic(&mut stream, "t").await;
    stream.write_all(&encoded(11, 5, &fetch_request("t", 0, i32::MAX))).await.unwrap();
    drop(stream);
    // It does not hold up the stop.
    let stopped = tokio::time::timeout(Duration::from_secs(10), node.stop()).await;
    assert!(stopped.is_ok());
}

#[tokio::test]
async fn a_request_that_trickles_in_is_given_its_time_once() {
    let node = TestNode::start(&[]).await;
    let mut stream = TcpStream::connect(node.address()).await.unwrap();
    stream.write_all(&1000_u32.to_be_bytes()).await.unwrap();
    stream.write_all(&[0; 10]).await.unwrap();
    tokio::task::yield_now().await;
    tokio::time::pause();
    for _ in 0..10 {
        // A broken pipe is what is waited for.
        let _ = stream.write_all(&[0]).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
    }
    tokio::time::resume();
    let closed = tokio::time::timeout(Duration::from_secs(5), is_closed(&mut stream)).await;
    assert!(closed.unwrap(), "it was closed long ago");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_waits_holds_none_of_the_memory_budget() {
    let node = TestNode::start(&[]).await;
    let mut stream = TcpStream::connect(node.address()).await.unwrap();
    create_topic(&mut stream, "t").await;
    let mut waiting = TcpStream::connect(node.address()).await.unwrap();
    waiting.write_all(&encoded(11, 1, &fetch_request("t", 0, 600_000))).await.unwrap();
    let idle = async {
        while node.net().waiting.load(Ordering::Relaxed) == 0 || node.net().budget.used_bytes() > 0
        {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), idle).await.unwrap();
    // The request itself has not been lost.
    stream.write_all(&encoded(9, 2, &produce_request("t", -1))).await.unwrap();
    assert_eq!(answer(&mut waiting).await.unwrap().0, 1);
    node.stop().await;
}
