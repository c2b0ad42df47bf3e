//! `barnabas health`: one ApiVersions request to a running node.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use crate::config::{BrokerConfig, Sources};

/// What to ask, and for how long to wait.
#[derive(Debug, Clone)]
pub struct Check {
    /// `host:port`.
    pub address: String,
    pub timeout: Duration,
}

/// Why a node does not count as healthy.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    #[error("{address} is no host:port that can be reached: {source}")]
    Address { address: String, source: io::Error },
    #[error("no broker answers at {address}: {source}")]
    NoAnswer { address: String, source: io::Error },
    #[error("{address} does not answer like a broker")]
    NoBroker { address: String },
}

/// Where a node listens that was started with this environment.
pub(super) fn default_address(environment: Vec<(String, String)>) -> String {
    let sources = Sources { environment, ..Sources::default() };
    let listener = BrokerConfig::load(&sources)
        .ok()
        .and_then(|loaded| loaded.config.listeners.bound.into_iter().next());
    match listener {
        Some(endpoint) if matches!(endpoint.host.as_str(), "" | "0.0.0.0" | "::") => {
            format!("localhost:{}", endpoint.port)
        }
        Some(endpoint) if endpoint.host.contains(':') => {
            format!("[{}]:{}", endpoint.host, endpoint.port)
        }
        Some(endpoint) => format!("{}:{}", endpoint.host, endpoint.port),
        None => "localhost:9092".to_owned(),
    }
}

const CORRELATION_ID: i32 = 1;

/// ApiVersions, version 0, in a frame: size, header version 1 (api key 18, version, correlation id,
/// client id) and an empty body.
fn request() -> Vec<u8> {
    const CLIENT_ID: &[u8] = b"barnabas-health";
    let mut request = Vec::with_capacity(64);
    request.extend_from_slice(&18_i16.to_be_bytes());
    request.extend_from_slice(&0_i16.to_be_bytes());
    request.extend_from_slice(&CORRELATION_ID.to_be_bytes());
    request.extend_from_slice(&(CLIENT_ID.len() as u16).to_be_bytes());
    request.extend_from_slice(CLIENT_ID);
    let mut frame = (request.len() as u32).to_be_bytes().to_vec();
    frame.extend_from_slice(&request);
    frame
}

impl Check {
    /// Asks once.
    ///
    /// # Errors
    /// Why the node does not serve, in one sentence.
    pub fn run(&self) -> Result<(), Unhealthy> {
        let address = || self.address.clone();
        let deadline = Instant::now() + self.timeout;
        let candidates = self
            .address
            .to_socket_addrs()
            .map_err(|source| Unhealthy::Address { address: address(), source })?;
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for candidate in candidates {
            let left = left(deadline).and_then(|left| TcpStream::connect_timeout(&candidate, left));
            match left.and_then(|stream| ask(stream, deadline)) {
                Ok(true) => return Ok(()),
                Ok(false) => return Err(Unhealthy::NoBroker { address: address() }),
                Err(error) => last = error,
            }
        }
        Err(Unhealthy::NoAnswer { address: address(), source: last })
    }
}

/// Time until the deadline; none left is an error.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Sends the request; true if the answer is one of a broker that serves.
fn ask(mut stream: TcpStream, deadline: Instant) -> io::Result<bool> {
    stream.set_write_timeout(Some(left(deadline)?))?;
    stream.write_all(&request())?;
    // Size, correlation id, error code: what follows does not matter.
    let mut answer = [0; 10];
    let mut filled = 0;
    while let Some(rest) = answer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        stream.set_read_timeout(Some(left(deadline)?))?;
        match stream.read(rest) {
            Ok(0) => return Ok(false),
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(io::ErrorKind::TimedOut.into());
            }
            Err(error) => return Err(error),
        }
    }
    let [_, _, _, _, id @ .., error_1, error_2] = answer;
    Ok(id == CORRELATION_ID.to_be_bytes() && [error_1, error_2] == [0, 0])
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one connection with `answer` after having read the request.
    fn node(answer: &'static [u8]) -> (Check, std::thread::JoinHandle<Vec<u8>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; request().len()];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(answer).unwrap();
            asked
        });
        (Check { address, timeout: Duration::from_secs(10) }, serving)
    }

    #[test]
    fn a_broker_that_answers_is_healthy() {
        let (check, node) = node(b"\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00");
        check.run().unwrap();
        let asked = node.join().unwrap();
        assert_eq!(asked[..12], *b"\x00\x00\x00\x19\x00\x12\x00\x00\x00\x00\x00\x01");
    }

    #[test]
    fn something_else_is_not() {
        for answer in
            [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"\x00\x00\x00\x0a\x00\x00\x00\x01\x00\x23", b""]
        {
            let (check, node) = node(answer);
            let error = check.run().unwrap_err().to_string();
            assert!(error.ends_with("does not answer like a broker"), "{error}");
            node.join().unwrap();
        }
    }

    #[test]
    fn nobody_there_is_not() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let check = Check { address: free.to_string(), timeout: Duration::from_secs(10) };
        let error = check.run().unwrap_err().to_string();
        assert!(error.starts_with(&format!("no broker answers at {free}")), "{error}");
        let check = Check { address: "nonsense".to_owned(), timeout: Duration::from_secs(10) };
        assert!(check.run().is_err());
    }
}
