//! `GET /metrics` over HTTP/1.1, for `barnabas.http.listeners`.
//!
//! One request a connection, a bounded head, a deadline for all of it and a bounded number of
//! connections: there is nothing here that needs an HTTP library. Whatever is sent, the answer is a
//! whole response or a closed connection.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::{Metrics, exposition};

/// Longest request line and headers that are read.
const HEAD_MAX: usize = 8 * 1024;

/// Connections at a time; more wait in the listener's queue.
const CONNECTIONS_MAX: usize = 16;

/// Longest time for a request and its answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Wait after an accept that failed, which may be for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers scrapes on `listener` for ever.
pub async fn serve(listener: TcpListener, metrics: Arc<Metrics>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        // Never closed, so there always is one to come.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = Arc::clone(&metrics);
                tokio::spawn(async move {
                    // A peer that is slow or gone is no event of ours.
                    let _ = tokio::time::timeout(DEADLINE, answer(stream, &metrics)).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a metrics connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer(mut stream: TcpStream, metrics: &Metrics) -> io::Result<()> {
    let Some(head) = read_head(&mut stream).await? else {
        return respond(&mut stream, Status::BadRequest, "the request is too long\n", true).await;
    };
    let (status, body, with_body) = route(&head, metrics);
    respond(&mut stream, status, &body, with_body).await
}

/// The request line and headers; None if they are too long.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::with_capacity(1024);
    loop {
        if head.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(Some(head));
        }
        if head.len() >= HEAD_MAX {
            return Ok(None);
        }
        let mut chunk = [0; 1024];
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(chunk.get(..read).unwrap_or_default());
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
}

impl Status {
    fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
        }
    }
}

/// Status, body and whether the body is sent (not for HEAD).
fn route(head: &[u8], metrics: &Metrics) -> (Status, String, bool) {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
    let [method, target, version] = words[..] else {
        return (Status::BadRequest, "this is no HTTP request\n".to_owned(), true);
    };
    if !version.starts_with(b"HTTP/1.") {
        return (Status::BadRequest, "only HTTP/1.1 is spoken here\n".to_owned(), true);
    }
    if !matches!(method, b"GET" | b"HEAD") {
        return (Status::MethodNotAllowed, "only GET works here\n".to_owned(), true);
    }
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    if path != b"/metrics" {
        let body = "there is only /metrics here\n".to_owned();
        return (Status::NotFound, body, method == b"GET");
    }
    (Status::Ok, metrics.scrape(Instant::now()), method == b"GET")
}

async fn respond(
    stream: &mut TcpStream,
    status: Status,
    body: &str,
    with_body: bool,
) -> io::Result<()> {
    let content_type = match status {
        Status::Ok => exposition::CONTENT_TYPE,
        _ => "text/plain; charset=utf-8",
    };
    let allow = if status == Status::MethodNotAllowed { "Allow: GET, HEAD\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{allow}\
         Connection: close\r\n\r\n",
        status.line(),
        body.len(),
    );
    stream.write_all(head.as_bytes()).await?;
    if with_body {
        stream.write_all(body.as_bytes()).await?;
    }
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(request: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener, Arc::new(Metrics::new())));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // A server that closes with unread bytes may reset the connection after its answer.
        let _ = stream.read_to_end(&mut answer).await;
        server.abort();
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn metrics_are_served() {
        let answer = ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head}");
        assert!(body.contains("process_open_fds"));
        let answer = ask(b"HEAD /metrics?x=1 HTTP/1.1\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("\r\n\r\n"));
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        for (request, status) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], "404"),
            (b"POST /metrics HTTP/1.1\r\n\r\n", "405"),
            (b"GET /metrics HTTP/2\r\n\r\n", "400"),
            (b"\x00\x00\x00\x01\r\n\r\n", "400"),
            (&[b'x'; HEAD_MAX], "400"),
        ] {
            let answer = ask(request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        }
    }
}
