//! Any bytes as a response; the first two are the API and the version. See `request.rs`.

#![no_main]

#[path = "../../../protocol-codec/tests/it/allocations.rs"]
mod allocations;

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use protocol_codec::ApiKey;
use protocol_codec::messages::AnyResponse;
use protocol_codec::wire::{Reader, Writer, allocation_limit};

fuzz_target!(|data: &[u8]| {
    let [key, version, body @ ..] = data else { return };
    let Some(key) = ApiKey::from_code(i16::from(*key)) else { return };
    let version = i16::from(*version);
    let decode = |bytes| AnyResponse::decode(key, &mut Reader::new(bytes), version);
    let encode = |response: &AnyResponse| {
        let mut w = Writer::new(BytesMut::new());
        response.encode(&mut w, version).expect("a response that was read can be written");
        w.finish().buf.freeze()
    };
    let bytes = Bytes::copy_from_slice(body);
    let (decoded, peak) = allocations::peak_of(|| decode(bytes));
    assert!(peak <= allocation_limit(body.len()), "{peak} bytes for {}", body.len());
    if let Ok(response) = decoded {
        let bytes = encode(&response);
        let again = decode(bytes.clone()).expect("what was written can be read");
        assert_eq!(encode(&again), bytes);
    }
});
