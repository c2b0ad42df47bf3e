//! Frames: a length of 4 bytes, then that many bytes with a header and a message.

use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;
use tokio_util::codec::Decoder;

use crate::header::{RequestHeader, ResponseHeader};
use crate::messages::{Message, Request};
use crate::wire::{EncodeError, Encoded, Writer};

/// Room that a buffer gets for a frame that has only begun. A frame gets more as its bytes arrive,
/// so that an announced length alone costs nothing.
const MAX_RESERVED: usize = 256 * 1024;

/// Cuts a stream of bytes into frames, without their lengths. A frame is a slice of the buffer.
#[derive(Debug, Clone)]
pub struct FrameDecoder {
    max_bytes: usize,
}

/// Why a stream cannot be cut into frames any further.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The announced length is negative.
    #[error("a frame of {0} bytes")]
    Negative(i32),
    /// The announced length is above the limit (`socket.request.max.bytes`).
    #[error("a frame of {length} bytes, where {max_bytes} are allowed")]
    TooLarge {
        /// The announced length in bytes.
        length: usize,
        /// The limit in bytes.
        max_bytes: usize,
    },
    /// The stream itself failed.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl FrameDecoder {
    /// Accepts frames of up to `max_bytes`, their length not counted.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self { max_bytes }
    }
}

impl Decoder for FrameDecoder {
    type Item = Bytes;
    type Error = FrameError;

    fn decode(&mut self, buf: &mut BytesMut) -> Result<Option<Bytes>, FrameError> {
        let Some(length) = buf.first_chunk::<4>().copied().map(i32::from_be_bytes) else {
            return Ok(None);
        };
        let length = usize::try_from(length).map_err(|_| FrameError::Negative(length))?;
        if length > self.max_bytes {
            return Err(FrameError::TooLarge { length, max_bytes: self.max_bytes });
        }
        let total = length.saturating_add(4);
        if buf.len() < total {
            buf.reserve((total - buf.len()).min(MAX_RESERVED));
            return Ok(None);
        }
        buf.advance(4);
        Ok(Some(buf.split_to(length).freeze()))
    }
}

/// Encodes a request with its length and header into `buf`, which is empty.
///
/// # Errors
/// [`EncodeError`] if the version cannot carry the request.
pub fn encode_request<R: Request>(
    buf: BytesMut,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
    request: &R,
) -> Result<Encoded, EncodeError> {
    let mut w = Writer::new(buf);
    w.begin_frame();
    let header = RequestHeader {
        api_key: R::KEY,
        api_version: version,
        correlation_id,
        client_id: client_id.map(Into::into),
    };
    header.encode(&mut w)?;
    request.encode(&mut w, version)?;
    w.end_frame()?;
    Ok(w.finish())
}

/// Encodes the response to a request of type `R` with its length and header into `buf`, which is
/// empty.
///
/// # Errors
/// [`EncodeError`] if the version cannot carry the response.
pub fn encode_response<R: Request>(
    buf: BytesMut,
    version: i16,
    correlation_id: i32,
    response: &R::Response,
) -> Result<Encoded, EncodeError> {
    let mut w = Writer::new(buf);
    w.begin_frame();
    ResponseHeader { correlation_id }.encode(&mut w, R::KEY, version);
    response.encode(&mut w, version)?;
    w.end_frame()?;
    Ok(w.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{AnyRequest, heartbeat};
    use crate::wire::Reader;

    #[test]
    fn cuts_a_stream_at_any_place() {
        let request = heartbeat::Request { generation_id: 7, ..Default::default() };
        let encoded = encode_request(BytesMut::new(), 4, 1, Some("me"), &request).unwrap();
        let stream = [&encoded.buf[..], &encoded.buf[..]].concat();
        for cut in 0..stream.len() {
            let mut decoder = FrameDecoder::new(100);
            let mut frames = Vec::new();
            let mut buf = BytesMut::new();
            for part in [&stream[..cut], &stream[cut..]] {
                buf.extend_from_slice(part);
                while let Some(frame) = decoder.decode(&mut buf).unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames.len(), 2);
            for frame in frames {
                let mut r = Reader::new(frame);
                let header = RequestHeader::decode(&mut r).unwrap();
                assert_eq!(header.client_id.as_deref(), Some("me"));
                let read = AnyRequest::decode(header.api_key, &mut r, header.api_version);
                assert_eq!(read, Ok(AnyRequest::Heartbeat(Box::new(request.clone()))));
                assert_eq!(r.finish(), Ok(()));
            }
        }
    }

    #[test]
    fn refuses_lengths_that_are_negative_or_above_the_limit() {
        let decode = |length: i32| {
            FrameDecoder::new(100).decode(&mut BytesMut::from(&length.to_be_bytes()[..]))
        };
        assert!(matches!(decode(-1), Err(FrameError::Negative(-1))));
        assert!(matches!(decode(101), Err(FrameError::TooLarge { length: 101, max_bytes: 100 })));
        assert!(matches!(decode(i32::MAX), Err(FrameError::TooLarge { .. })));
        assert!(matches!(decode(100), Ok(None)));
        assert!(matches!(decode(0), Ok(Some(frame)) if frame.is_empty()));
    }

    #[test]
    fn an_announced_length_reserves_little() {
        let mut buf = BytesMut::from(&0x0600_0000_i32.to_be_bytes()[..]);
        assert!(FrameDecoder::new(usize::MAX).decode(&mut buf).unwrap().is_none());
        assert!(buf.capacity() <= 2 * MAX_RESERVED);
    }
}
