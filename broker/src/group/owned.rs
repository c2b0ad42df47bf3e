//! Copies of what came in a request, for what outlives it: a slice would keep the whole frame alive.

use bytes::Bytes;
use protocol_codec::StrBytes;

/// A copy that is on its own.
pub(super) fn owned_str(text: &StrBytes) -> StrBytes {
    StrBytes::from(&**text)
}

/// As [`owned_str`], for bytes.
pub(super) fn owned_bytes(bytes: &Bytes) -> Bytes {
    Bytes::copy_from_slice(bytes)
}
