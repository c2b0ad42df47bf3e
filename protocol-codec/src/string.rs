//! Strings that are slices of a frame.

/// Text in shared bytes: validated once, cloned by counting a reference, used as a `&str`. It
/// hashes, compares and borrows like a `str`, so maps keyed by it can be asked with a `&str`.
///
/// A string from a request keeps the whole frame alive. What outlives its request (a group id, a
/// topic name in the metadata) is copied into a string of its own.
pub type StrBytes = bytestring::ByteString;
