//! Hostile bytes: each costs one connection and little memory, and the next client is served.

use protocol_codec::messages::produce::{self, PartitionProduceData, TopicProduceData};
use protocol_codec::records::{BatchBuilder, Compression};
use protocol_codec::wire::Records;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;
use tests::barnabas::{Barnabas, Node};
use tests::client::Client;
use tests::topics::create_topic;

/// How long the broker may take to answer or to close.
const PATIENCE: Duration = Duration::from_secs(30);

/// Resident memory that no single attack may make the broker grow by.
const GROWTH_MAX_KIB: u64 = 64 * 1024;

fn connect(broker: &Barnabas) -> TcpStream {
    let stream = TcpStream::connect(broker.bootstrap()).expect("the broker listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a positive time");
    stream.set_write_timeout(Some(PATIENCE)).expect("a positive time");
    stream
}

/// A frame: length, API key, version, correlation id 7, no client id, body.
fn frame(api_key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    payload.extend(api_key.to_be_bytes());
    payload.extend(version.to_be_bytes());
    payload.extend(7_i32.to_be_bytes());
    payload.extend((-1_i16).to_be_bytes());
    payload.extend(body);
    let mut frame = i32::try_from(payload.len()).expect("a small frame").to_be_bytes().to_vec();
    frame.extend(payload);
    frame
}

/// Reads one answer; `None` when the broker closed the connection.
fn answer(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    match stream.read_exact(&mut length) {
        Ok(()) => {}
        Err(error)
            if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) =>
        {
            return None;
        }
        Err(error) => panic!("neither an answer nor a close: {error}"),
    }
    let mut payload = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
    stream.read_exact(&mut payload).expect("a whole answer");
    Some(payload)
}

/// A well-behaved client gets its ApiVersions.
fn serves(broker: &Barnabas) {
    let mut stream = connect(broker);
    stream.write_all(&frame(18, 0, &[])).expect("the broker reads");
    let payload = answer(&mut stream).expect("an answer");
    assert_eq!(payload[..6], [0, 0, 0, 7, 0, 0], "correlation id 7, no error");
}

/// Resident memory of the broker in KiB.
fn resident(broker: &mut Barnabas) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", broker.process().pid()))
        .expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a VmRSS line");
    line.split_whitespace().nth(1).expect("a value").parse().expect("a number")
}

/// Sends the bytes, closes the sending side, and expects the broker to close without an answer.
fn closes_on(broker: &Barnabas, bytes: &[u8]) {
    let mut stream = connect(broker);
    drop(stream.write_all(bytes));
    drop(stream.shutdown(Shutdown::Write));
    assert_eq!(answer(&mut stream), None, "{:?}...", &bytes[..bytes.len().min(40)]);
}

#[test]
fn broken_frames_close_the_connection() {
    let node = Node::new();
    let mut broker = node.start();
    let before = resident(&mut broker);
    for length in [0, 1, 7, -1, i32::MIN, i32::MAX, 100 * 1024 * 1024 + 1] {
        closes_on(&broker, &length.to_be_bytes());
        let mut with_garbage = length.to_be_bytes().to_vec();
        with_garbage.extend([0xee; 64]);
        closes_on(&broker, &with_garbage);
    }
    for cut in 0..frame(18, 0, &[]).len() {
        closes_on(&broker, &frame(18, 0, &[])[..cut]);
    }
    serves(&broker);
    let grown = resident(&mut broker).saturating_sub(before);
    assert!(grown < GROWTH_MAX_KIB, "grew by {grown} KiB");
    broker.stop();
}

#[test]
fn unknown_apis_and_versions_close_the_connection() {
    let node = Node::new();
    let broker = node.start();
    for api_key in [-1, 4, 7, 95, 999, i16::MAX, i16::MIN] {
        closes_on(&broker, &frame(api_key, 0, &[0; 16]));
    }
    for api_key in (0..95).filter(|key| *key != 18) {
        for version in [-1, 99, i16::MAX] {
            closes_on(&broker, &frame(api_key, version, &[0; 16]));
        }
    }
    let mut stream = connect(&broker);
    // From version 3 on the header ends with tagged fields, here none.
    stream.write_all(&frame(18, 99, &[0])).expect("the broker reads");
    let payload = answer(&mut stream).expect("ApiVersions of any version is answered");
    assert_eq!(payload[4..6], [0, 35], "UNSUPPORTED_VERSION in the encoding of version 0");
    serves(&broker);
    broker.stop();
}

/// Every API with bodies of ones, of zeros, and with arrays that announce 2^31-1 elements.
#[test]
fn garbage_bodies_of_every_api_are_survived() {
    let node = Node::new();
    let mut broker = node.start();
    let before = resident(&mut broker);
    let compact_huge = [0x00, 0xff, 0xff, 0xff, 0xff, 0x07, 0xff, 0xff, 0xff, 0xff, 0x0f];
    let huge = [0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff];
    for api_key in 0..95 {
        for version in 0..14 {
            for body in [&[0xff; 32][..], &compact_huge, &huge, &[]] {
                let mut stream = connect(&broker);
                drop(stream.write_all(&frame(api_key, version, body)));
                drop(stream.shutdown(Shutdown::Write));
                while answer(&mut stream).is_some() {}
            }
        }
    }
    serves(&broker);
    let grown = resident(&mut broker).saturating_sub(before);
    assert!(grown < GROWTH_MAX_KIB, "grew by {grown} KiB");
    broker.stop();
}

/// Clients of other protocols get a close, and the log says what they spoke.
#[test]
fn foreign_protocols_are_named_in_the_log() {
    let node = Node::new();
    let mut broker = node.start();
    closes_on(&broker, &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03]);
    let _ = broker.process().wait_for_line("TLS");
    let mut stream = connect(&broker);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").expect("the broker reads");
    let mut said = String::new();
    drop(stream.read_to_string(&mut said));
    assert!(said.starts_with("HTTP/1.1 400"), "{said:?}");
    let _ = broker.process().wait_for_line("HTTP");
    serves(&broker);
    broker.stop();
}

#[test]
fn ten_thousand_half_open_connections_leave_room_for_one_more() {
    let node = Node::new();
    let mut broker = node.start();
    let before = resident(&mut broker);
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised)
        .expect("a soft limit may be raised");
    let mut held = Vec::new();
    for number in 0..10_000_usize {
        let mut stream = connect(&broker);
        // Every second one has begun a frame that it never finishes.
        if number % 2 == 0 {
            stream.write_all(&[0, 0, 1]).expect("the broker reads");
        }
        held.push(stream);
    }
    serves(&broker);
    let grown = resident(&mut broker).saturating_sub(before);
    assert!(grown < GROWTH_MAX_KIB, "grew by {grown} KiB");
    drop(held);
    serves(&broker);
    broker.stop();
}

/// Asks for much and never reads: the broker must stop reading from it, not buffer without end.
#[test]
fn a_client_that_never_reads_costs_bounded_memory() {
    let node = Node::new();
    let mut broker = node.start();
    let before = resident(&mut broker);
    let mut stream = connect(&broker);
    stream.set_write_timeout(Some(Duration::from_secs(2))).expect("a positive time");
    let requests = frame(18, 0, &[]).repeat(4_000);
    let mut sent = 0;
    while sent < 256 * 1024 * 1024 {
        match stream.write(&requests) {
            Ok(count) => sent += count,
            Err(_) => break,
        }
    }
    assert!(
        sent < 256 * 1024 * 1024,
        "the broker read everything although its answers were never read"
    );
    let grown = resident(&mut broker).saturating_sub(before);
    assert!(grown < GROWTH_MAX_KIB, "grew by {grown} KiB");
    serves(&broker);
    drop(stream);
    broker.stop();
}

/// A few hundred KB that unpack to 160 MiB: refused, and never unpacked into memory.
#[test]
fn decompression_bombs_are_refused_in_bounded_memory() {
    let node = Node::new();
    let mut broker = node.start();
    let mut client = Client::connect(&broker.bootstrap());
    let zeros = vec![0; 160 * 1024 * 1024];
    let codecs = [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];
    let bombs = codecs.map(|codec| {
        let mut builder = BatchBuilder::new().compression(codec, None);
        builder.append(1_700_000_000_000, None, Some(&zeros), &[]).expect("a batch");
        (codec, builder.build().expect("a batch"))
    });
    drop(zeros);
    // The packed size is no reason to refuse.
    create_topic(&mut client, "bombs", 1, &[("max.message.bytes", "100000000")]);
    let before = resident(&mut broker);
    for (codec, records) in bombs {
        let size = u64::try_from(records.len() / 1024).expect("small");
        let data = PartitionProduceData { index: 0, records: Some(Records::Memory(records)) };
        let topic_data = vec![TopicProduceData {
            name: "bombs".into(),
            partition_data: vec![data],
            ..Default::default()
        }];
        let request =
            produce::Request { transactional_id: None, acks: 1, timeout_ms: 30_000, topic_data };
        let answer = client.call(9, &request);
        let partition = &answer.responses[0].partition_responses[0];
        assert_ne!(partition.error_code, 0, "{codec:?} was accepted");
        let grown = resident(&mut broker).saturating_sub(before);
        assert!(grown < GROWTH_MAX_KIB + 2 * size, "{codec:?}: grew by {grown} KiB");
    }
    serves(&broker);
    broker.stop();
}
