//! Where partition logs lie, and the cluster-wide defaults of the topic keys.

use super::row::{ConfigKey, Valid, boolean, double, int, list, long, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    int("background.threads").default("10").min(1).cluster_wide().known(
        "Threads for background work of Kafka's kind."),
    int("compression.gzip.level").default("-1").valid(Valid::GzipLevel).cluster_wide().acted(
        "Compression level where the broker itself compresses with gzip; -1 is the codec's \
         default."),
    int("compression.lz4.level").default("9").range(1, 17).cluster_wide().acted(
        "Compression level where the broker itself compresses with lz4. Barnabas has one level: \
         the value is taken and shown, and changes nothing."),
    string("compression.type").default("producer")
        .one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])
        .cluster_wide().acted(
        "How batches are kept: producer keeps them as they come, any other value recompresses."),
    int("compression.zstd.level").default("3").range(-131_072, 22).cluster_wide().acted(
        "Compression level where the broker itself compresses with zstd."),
    list("cordoned.log.dirs").default("").per_broker().known(
        "Log directories that get no new partitions."),
    long("log.cleaner.backoff.ms").default("15000").min(0).cluster_wide().acted(
        "How long a cleaner with nothing to clean waits."),
    long("log.cleaner.dedupe.buffer.size").default("134217728").cluster_wide().acted(
        "Memory of all cleaner threads for deduplication."),
    long("log.cleaner.delete.retention.ms").default("86400000").min(0).cluster_wide().acted(
        "How long a compacted topic keeps tombstones."),
    boolean("log.cleaner.enable").default("true").acted("Whether compaction runs."),
    double("log.cleaner.io.buffer.load.factor").default("0.9").cluster_wide().acted(
        "How full the deduplication buffer of a cleaner may get."),
    int("log.cleaner.io.buffer.size").default("524288").min(0).cluster_wide().acted(
        "Memory of all cleaner threads for reading and writing."),
    double("log.cleaner.io.max.bytes.per.second").default("1.7976931348623157E308")
        .cluster_wide().acted("Most bytes a second that the cleaners read and write together."),
    long("log.cleaner.max.compaction.lag.ms").default("9223372036854775807").min(1)
        .cluster_wide().acted(
        "A record of a compacted topic is compacted at the latest after this time."),
    double("log.cleaner.min.cleanable.ratio").default("0.5")
        .valid(Valid::BetweenDoubles(0.0, 1.0)).cluster_wide().acted(
        "Share of uncleaned bytes from which on a log is worth cleaning."),
    long("log.cleaner.min.compaction.lag.ms").default("0").min(0).cluster_wide().acted(
        "A record of a compacted topic is left alone for at least this time."),
    int("log.cleaner.threads").default("1").min(0).cluster_wide().acted(
        "Threads that compact logs."),
    list("log.cleanup.policy").default("delete").one_of(&["compact", "delete"])
        .cluster_wide().acted(
        "What happens to old records: delete removes old segments, compact keeps the last \
         record of each key. Both may be given; an empty list keeps everything."),
    list("log.dir").default("/tmp/kafka-logs").valid(Valid::NonEmptyList).acted(
        "A directory for logs; log.dirs goes before it."),
    long("log.dir.failure.timeout.ms").default("30000").min(1).known(
        "A broker that cannot report a failed log directory for this long stops."),
    list("log.dirs").valid(Valid::NonEmptyList).acted(
        "Directories that hold the logs. Without it, log.dir."),
    long("log.flush.interval.messages").default("9223372036854775807").min(1)
        .cluster_wide().acted("A log is synced to disk after this many records."),
    long("log.flush.interval.ms").cluster_wide().acted(
        "A log is synced to disk at the latest this long after a record was appended. Without \
         it, log.flush.scheduler.interval.ms."),
    int("log.flush.offset.checkpoint.interval.ms").default("60000").min(0).acted(
        "How often the offsets up to which logs are on disk are written down."),
    long("log.flush.scheduler.interval.ms").default("9223372036854775807").acted(
        "The default of log.flush.interval.ms."),
    int("log.flush.start.offset.checkpoint.interval.ms").default("60000").min(0).acted(
        "How often the start offsets of logs are written down."),
    int("log.index.interval.bytes").default("4096").min(0).cluster_wide().acted(
        "Bytes of records for each entry of an offset index."),
    int("log.index.size.max.bytes").default("10485760").min(4).cluster_wide().acted(
        "Largest size of an index file."),
    long("log.initial.task.delay.ms").default("30000").min(0).internal().known(
        "How long background work on logs waits after the start."),
    long("log.message.timestamp.after.max.ms").default("3600000").min(0).cluster_wide().acted(
        "How far a record's timestamp may lie after the broker's clock."),
    long("log.message.timestamp.before.max.ms").default("9223372036854775807").min(0)
        .cluster_wide().acted("How far a record's timestamp may lie before the broker's clock."),
    string("log.message.timestamp.type").default("CreateTime")
        .one_of(&["CreateTime", "LogAppendTime"]).cluster_wide().acted(
        "Whose timestamp a record carries: CreateTime is the producer's, LogAppendTime the \
         broker's."),
    boolean("log.preallocate").default("false").cluster_wide().acted(
        "Whether the file of a new segment gets its full size at once."),
    long("log.retention.bytes").default("-1").cluster_wide().acted(
        "Largest size of a partition's log before old segments are deleted; -1 has no limit."),
    long("log.retention.check.interval.ms").default("300000").min(1).acted(
        "How often logs are checked for segments to delete."),
    int("log.retention.hours").default("168").acted(
        "How long records are kept, in hours; log.retention.minutes and log.retention.ms go \
         before it."),
    int("log.retention.minutes").acted(
        "How long records are kept, in minutes; log.retention.ms goes before it."),
    long("log.retention.ms").cluster_wide().acted(
        "How long records are kept, in milliseconds; -1 keeps them for ever."),
    int("log.roll.hours").default("168").min(1).acted(
        "A new segment begins after this many hours even if the old one is not full; \
         log.roll.ms goes before it."),
    int("log.roll.jitter.hours").default("0").min(0).acted(
        "Largest random time, in hours, taken off the roll time; log.roll.jitter.ms goes before \
         it."),
    long("log.roll.jitter.ms").cluster_wide().acted(
        "Largest random time, in milliseconds, taken off the roll time."),
    long("log.roll.ms").cluster_wide().acted(
        "A new segment begins after this many milliseconds even if the old one is not full."),
    int("log.segment.bytes").default("1073741824").min(1_048_576).cluster_wide().acted(
        "Largest size of one segment file."),
    long("log.segment.delete.delay.ms").default("60000").min(0).cluster_wide().acted(
        "How long the files of a deleted segment stay on disk."),
    int("max.decompressed.message.bytes").default("2147483639").range(1, 2_147_483_639)
        .cluster_wide().acted("Largest size of a batch after decompression."),
    int("message.max.bytes").default("1048588").min(0).cluster_wide().acted(
        "Largest record batch that is accepted, as it is sent."),
    int("num.recovery.threads.per.data.dir").default("2").min(1).cluster_wide().acted(
        "Threads that open and recover the logs of one directory at the start."),
    int("num.replica.alter.log.dirs.threads").known(
        "Threads that move replicas between log directories."),
];
