//! Any bytes as a frame with a request: header and message. Decoding stays within its memory; what
//! it accepts can be written, and read again as the same.

#![no_main]

#[path = "../../../protocol-codec/tests/it/allocations.rs"]
mod allocations;

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use protocol_codec::header::RequestHeader;
use protocol_codec::messages::AnyRequest;
use protocol_codec::wire::{DecodeError, Reader, Writer, allocation_limit};

fuzz_target!(|data: &[u8]| {
    let frame = Bytes::copy_from_slice(data);
    let (decoded, peak) = allocations::peak_of(|| decode(frame));
    assert!(peak <= allocation_limit(data.len()), "{peak} bytes for {}", data.len());
    if let Ok((header, request)) = decoded {
        let bytes = encode(&header, &request);
        let (_, again) = decode(bytes.clone()).expect("what was written can be read");
        assert_eq!(encode(&header, &again), bytes);
    }
});

fn decode(frame: Bytes) -> Result<(RequestHeader, AnyRequest), DecodeError> {
    let mut r = Reader::new(frame);
    let header = RequestHeader::decode(&mut r)?;
    let request = AnyRequest::decode(header.api_key, &mut r, header.api_version)?;
    Ok((header, request))
}

fn encode(header: &RequestHeader, request: &AnyRequest) -> Bytes {
    let mut w = Writer::new(BytesMut::new());
    header.encode(&mut w).expect("a header that was read can be written");
    request.encode(&mut w, header.api_version).expect("a request that was read can be written");
    w.finish().buf.freeze()
}
