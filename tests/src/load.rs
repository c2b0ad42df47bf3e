//! A load generator that speaks the raw protocol: prebuilt frames, pipelined, every answer checked.
//!
//! It encodes by hand the few old versions it needs (Produce 3, Fetch 4, CreateTopics 2), so that it
//! costs little itself, shares no code with the broker, and works against any Kafka broker.

pub mod fetch;
pub mod measure;
pub mod produce;
pub mod wire;
