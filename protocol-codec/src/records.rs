//! Record batches: the unit that producers send, logs store and consumers fetch.
//!
//! Only message format v2 (magic 2, KIP-98) is read and written; the older formats ended with Kafka 4.0.
//!
//! | module | what it holds |
//! |---|---|
//! | [`header`] | the 61 bytes in front of every batch, and its CRC-32C |
//! | [`batch`] | a batch in a buffer, without copying; cutting a buffer into batches |
//! | [`lookup`] | reading any batch: its records, and the search by timestamp |
//! | [`record`] | the records inside a batch that is not compressed |
//! | [`builder`] | building a batch |
//! | [`compression`] | compressing, and decompressing in bounded memory |
//! | [`control`] | control batches: transaction markers |
//! | [`stream`] | walking over records of any size in bounded memory |
//! | [`validate`] | what is checked of a produced batch |
//! | [`validated`] | a batch that may be appended |
//! | [`varint`] | the variable-length integers of records |
//!
//! Nothing here does I/O, reads a clock or keeps more of its input than the slice that it was given.
//! Every length and count is checked against the bytes that remain before it is used.

pub mod batch;
pub mod builder;
pub mod compression;
pub mod control;
pub mod header;
pub mod lookup;
pub mod record;
pub mod stream;
pub mod validate;
pub mod validated;
pub mod varint;

pub use batch::{Batch, BatchView, SplitError, split_batches};
pub use builder::{BatchBuilder, BuildError};
pub use header::{Attributes, BATCH_OVERHEAD, BatchError, BatchHeader, Compression, LOG_OVERHEAD};
pub use header::{TimestampType, crc32c};
pub use lookup::{PlainRecords, TimestampAndOffset};
pub use record::{Header, Headers, MalformedRecord, RecordIter, RecordView};
pub use stream::ReadError;
pub use validate::{CompressedCheck, ProduceRules, RecordError, RefusedRecord, validate_produce};
pub use validated::ValidatedBatch;
