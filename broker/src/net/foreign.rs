//! Other protocols on a Kafka port, recognised by their first four bytes.
//!
//! Read as a length, the first bytes of a TLS client or a browser give an absurd frame size. Kafka
//! answers with "Invalid receive (size = 369295616 ...)", which few users can read.

/// A protocol that is not Kafka's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// A TLS ClientHello: record type 22, version 3.x.
    Tls,
    /// The beginning of an HTTP request.
    Http,
    /// A load balancer's PROXY header, version 1 or 2.
    Proxy,
}

/// What HTTP clients are told.
pub const HTTP_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
Content-Length: 49\r\nConnection: close\r\n\r\nThis port speaks the Kafka protocol, not HTTP/1.\n";

/// Judges the first four bytes of a connection.
pub fn recognise(first: [u8; 4]) -> Option<Foreign> {
    match &first {
        [0x16, 0x03, 0..=4, _] => Some(Foreign::Tls),
        b"GET " | b"POST" | b"HEAD" | b"PUT " | b"DELE" | b"OPTI" | b"PATC" | b"CONN" | b"PRI " => {
            Some(Foreign::Http)
        }
        b"PROX" | [0x0d, 0x0a, 0x0d, 0x0a] => Some(Foreign::Proxy),
        _ => None,
    }
}

impl Foreign {
    /// What to tell the operator.
    pub fn advice(self) -> &'static str {
        match self {
            Foreign::Tls => "a TLS client on a PLAINTEXT listener: set security.protocol=PLAINTEXT",
            Foreign::Http => "an HTTP client on a Kafka port",
            Foreign::Proxy => "a PROXY protocol header: switch it off in the load balancer",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes() {
        assert_eq!(recognise([0x16, 3, 1, 2]), Some(Foreign::Tls));
        assert_eq!(recognise(*b"GET "), Some(Foreign::Http));
        assert_eq!(recognise(*b"PROX"), Some(Foreign::Proxy));
        // An ordinary request of 35 bytes, and the largest legal one.
        assert_eq!(recognise(35_u32.to_be_bytes()), None);
        assert_eq!(recognise((100_u32 << 20).to_be_bytes()), None);
    }

    #[test]
    fn the_http_answer_has_the_length_it_says() {
        let text = std::str::from_utf8(HTTP_ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
