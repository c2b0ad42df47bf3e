//! Frames by hand: requests are bytes, answers are read field by field.

use std::io::{BufReader, BufWriter, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Larger frames are sent by themselves.
const SENT_TOGETHER_BYTES: usize = 16 * 1024;

/// How long a broker may stay silent before a benchmark gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Writes the protocol's primitive types.
#[derive(Debug, Default)]
pub struct Out(pub Vec<u8>);

impl Out {
    /// A frame's start: room for the length, then request header 1 with correlation id 0.
    #[must_use]
    pub fn request(api_key: i16, version: i16) -> Self {
        let mut out = Self(vec![0; 4]);
        out.i16(api_key);
        out.i16(version);
        out.i32(0);
        out.string("load");
        out
    }

    pub fn i8(&mut self, value: i8) {
        self.0.extend(value.to_be_bytes());
    }

    pub fn i16(&mut self, value: i16) {
        self.0.extend(value.to_be_bytes());
    }

    pub fn i32(&mut self, value: i32) {
        self.0.extend(value.to_be_bytes());
    }

    pub fn i64(&mut self, value: i64) {
        self.0.extend(value.to_be_bytes());
    }

    pub fn string(&mut self, value: &str) {
        self.i16(i16::try_from(value.len()).expect("a short string"));
        self.0.extend(value.as_bytes());
    }

    pub fn bytes(&mut self, value: &[u8]) {
        self.i32(i32::try_from(value.len()).expect("a small blob"));
        self.0.extend(value);
    }

    /// The finished frame.
    #[must_use]
    pub fn frame(mut self) -> Vec<u8> {
        let length = i32::try_from(self.0.len() - 4).expect("a small frame");
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// A connection whose answers are read into one recycled buffer. As clients do that keep several
/// requests in flight, it sends together what it has to send after all answers that are there: or
/// the load would be one of the client's system calls.
#[derive(Debug)]
pub struct Connection {
    reader: BufReader<TcpStream>,
    writer: BufWriter<TcpStream>,
    payload: Vec<u8>,
}

impl Connection {
    /// # Panics
    /// When nobody listens.
    #[must_use]
    pub fn open(bootstrap: &str) -> Self {
        let stream = TcpStream::connect(bootstrap).expect("the broker listens");
        stream.set_nodelay(true).expect("a TCP option");
        stream.set_read_timeout(Some(PATIENCE)).expect("a positive time");
        let sender = stream.try_clone().expect("a second descriptor");
        let reader = BufReader::with_capacity(256 * 1024, stream);
        let writer = BufWriter::with_capacity(SENT_TOGETHER_BYTES, sender);
        Self { reader, writer, payload: Vec::new() }
    }

    /// Sends a finished frame, at the latest when an answer is waited for.
    pub fn send(&mut self, frame: &[u8]) {
        self.writer.write_all(frame).expect("the broker reads");
    }

    /// Reads one answer: what follows the correlation id.
    pub fn receive(&mut self) -> In<'_> {
        if self.reader.buffer().is_empty() {
            self.writer.flush().expect("the broker reads");
        }
        let mut length = [0; 4];
        self.reader.read_exact(&mut length).expect("the broker answers");
        let length = usize::try_from(i32::from_be_bytes(length)).expect("a length");
        self.payload.resize(length, 0);
        self.reader.read_exact(&mut self.payload).expect("a whole answer");
        In(&self.payload[4..])
    }

    /// Sends a frame and reads its answer.
    pub fn call(&mut self, frame: &[u8]) -> In<'_> {
        self.send(frame);
        self.receive()
    }
}

/// Reads the protocol's primitive types.
#[derive(Debug)]
pub struct In<'a>(pub &'a [u8]);

impl<'a> In<'a> {
    pub fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    pub fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take(2).try_into().expect("two bytes"))
    }

    pub fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().expect("four bytes"))
    }

    pub fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.take(8).try_into().expect("eight bytes"))
    }

    pub fn string(&mut self) -> &'a [u8] {
        let length = usize::try_from(self.i16()).unwrap_or(0);
        self.take(length)
    }
}

/// Creates a topic and waits until all of its partitions serve: Kafka answers before they do.
pub fn create_topic(bootstrap: &str, topic: &str, partitions: i32) {
    create_topic_with(bootstrap, topic, partitions, &[]);
}

/// The same with configs of its own.
pub fn create_topic_with(bootstrap: &str, topic: &str, partitions: i32, configs: &[(&str, &str)]) {
    let mut out = Out::request(19, 2);
    out.i32(1);
    out.string(topic);
    out.i32(partitions);
    out.i16(1);
    out.i32(0);
    out.i32(i32::try_from(configs.len()).expect("a few"));
    for (key, value) in configs {
        out.string(key);
        out.string(value);
    }
    out.i32(30_000);
    out.i8(0);
    let mut connection = Connection::open(bootstrap);
    let mut answer = connection.call(&out.frame());
    let (_throttle, count) = (answer.i32(), answer.i32());
    assert_eq!(count, 1, "one topic was asked for");
    let _ = answer.string();
    assert_eq!(answer.i16(), 0, "CreateTopics {topic}");
    let begun = Instant::now();
    while !all_serve(&mut connection, topic, partitions) {
        assert!(begun.elapsed() < PATIENCE, "{topic} does not serve");
        // Nothing tells a client that a partition serves; asking without pause would be a load.
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether every partition has a leader that knows of it: asks for the end of each log.
fn all_serve(connection: &mut Connection, topic: &str, partitions: i32) -> bool {
    let mut out = Out::request(2, 1);
    out.i32(-1);
    out.i32(1);
    out.string(topic);
    out.i32(partitions);
    for partition in 0..partitions {
        out.i32(partition);
        out.i64(-1);
    }
    let mut answer = connection.call(&out.frame());
    let (_count, _name, answered) = (answer.i32(), answer.string(), answer.i32());
    assert_eq!(answered, partitions, "ListOffsets {topic}");
    (0..partitions).all(|_| {
        let (_partition, error) = (answer.i32(), answer.i16());
        let (_timestamp, _offset) = (answer.i64(), answer.i64());
        error == 0
    })
}

/// Deletes a topic, so that one round's data does not weigh on the next.
pub fn delete_topic(bootstrap: &str, topic: &str) {
    let mut out = Out::request(20, 1);
    out.i32(1);
    out.string(topic);
    out.i32(30_000);
    let mut connection = Connection::open(bootstrap);
    let _ = connection.call(&out.frame());
}
