//! A blocking client that speaks one request at a time, in any version, by our own codec.

use bytes::{Bytes, BytesMut};
use protocol_codec::frame::encode_request;
use protocol_codec::header::ResponseHeader;
use protocol_codec::messages::{Message, Request};
use protocol_codec::wire::Reader;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long a broker may take to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection to a broker.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    /// # Panics
    /// When nobody listens.
    #[must_use]
    pub fn connect(bootstrap: &str) -> Self {
        let stream = TcpStream::connect(bootstrap).expect("the broker listens");
        stream.set_nodelay(true).expect("a TCP option");
        stream.set_read_timeout(Some(PATIENCE)).expect("a positive time");
        Self { stream, correlation_id: 0 }
    }

    /// Sends a request without waiting for its answer.
    pub fn send<R: Request>(&mut self, version: i16, request: &R) {
        self.correlation_id += 1;
        let encoded =
            encode_request(BytesMut::new(), version, self.correlation_id, Some("it"), request);
        let encoded = encoded.expect("the version carries the request");
        self.stream.write_all(&encoded.buf).expect("the broker reads");
    }

    /// Reads the next answer, which must be to a request of type `R`; `None` when the broker closed
    /// the connection.
    pub fn receive<R: Request>(&mut self, version: i16) -> Option<R::Response> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).expect("a length")];
        self.stream.read_exact(&mut frame).expect("a whole answer");
        let mut reader = Reader::new(Bytes::from(frame));
        let _ = ResponseHeader::decode(&mut reader, R::KEY, version).expect("a response header");
        let response =
            R::Response::decode(&mut reader, version).expect("a response of this version");
        reader.finish().expect("nothing after the response");
        Some(response)
    }

    /// Sends a request and reads its answer.
    ///
    /// # Panics
    /// When the broker closes the connection.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        self.send(version, request);
        let answer = self.receive::<R>(version);
        answer.unwrap_or_else(|| panic!("{} {version}: the broker closed the connection", R::NAME))
    }

    /// Sends a request and reads its answer; `None` when the broker closes the connection.
    pub fn try_call<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        self.send(version, request);
        self.receive::<R>(version)
    }
}
