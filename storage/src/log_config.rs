//! The settings of one log: a topic's configuration, typed.
//!
//! Fields have the names of Kafka's topic configs with underscores, and `Default` gives Kafka's
//! defaults (4.4). Ranges are checked where configurations are read, not here.

/// The topic configuration that the log engine acts on. Times are in milliseconds, sizes in
/// bytes; -1 means "no limit" where Kafka says so.
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// A segment is rolled before it grows past this size.
    pub segment_bytes: i32,
    /// A segment is rolled when its records span more than this time.
    pub segment_ms: i64,
    /// Each segment rolls earlier by a random part of this, so that not all logs roll at once.
    pub segment_jitter_ms: i64,
    /// The largest size of an index file.
    pub segment_index_bytes: i32,
    /// One index entry is made for about this many bytes of records.
    pub index_interval_bytes: i32,
    /// Segments whose newest record is older than this are deleted; -1: never.
    pub retention_ms: i64,
    /// Oldest segments are deleted while the log is larger than this; -1: never.
    pub retention_bytes: i64,
    /// A deleted segment's files stay on disk under another name for this long.
    pub file_delete_delay_ms: i64,
    /// The largest record batch that is accepted from a producer.
    pub max_message_bytes: i32,
    /// The log is synced after this many messages.
    pub flush_messages: i64,
    /// The log is synced when it has had unsynced messages for this long.
    pub flush_ms: i64,
    pub cleanup_policy: CleanupPolicy,
    pub min_cleanable_dirty_ratio: f64,
    pub min_compaction_lag_ms: i64,
    pub max_compaction_lag_ms: i64,
    pub delete_retention_ms: i64,
    pub preallocate: bool,
    pub message_timestamp_type: TimestampType,
    pub message_timestamp_before_max_ms: i64,
    pub message_timestamp_after_max_ms: i64,
    pub max_decompressed_message_bytes: i32,
    pub compression_type: CompressionType,
    pub compression_gzip_level: i32,
    pub compression_lz4_level: i32,
    pub compression_zstd_level: i32,
    pub min_insync_replicas: i32,
    pub unclean_leader_election_enable: bool,
}

/// `cleanup.policy`: a list of `delete` and `compact`; both may be on, and since Kafka 4.4 none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    pub delete: bool,
    pub compact: bool,
}

/// `message.timestamp.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

/// `compression.type` of a topic: keep what the producer sent, or recompress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionType {
    Producer,
    Uncompressed,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 60 * 60 * 1000,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            retention_ms: 7 * 24 * 60 * 60 * 1000,
            retention_bytes: -1,
            file_delete_delay_ms: 60_000,
            max_message_bytes: (1 << 20) + 12,
            flush_messages: i64::MAX,
            flush_ms: i64::MAX,
            cleanup_policy: CleanupPolicy { delete: true, compact: false },
            min_cleanable_dirty_ratio: 0.5,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            delete_retention_ms: 24 * 60 * 60 * 1000,
            preallocate: false,
            message_timestamp_type: TimestampType::CreateTime,
            message_timestamp_before_max_ms: i64::MAX,
            message_timestamp_after_max_ms: 60 * 60 * 1000,
            max_decompressed_message_bytes: i32::MAX - 8,
            compression_type: CompressionType::Producer,
            compression_gzip_level: -1,
            compression_lz4_level: 9,
            compression_zstd_level: 3,
            min_insync_replicas: 1,
            unclean_leader_election_enable: false,
        }
    }
}
