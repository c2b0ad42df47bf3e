//! Keys of a topic, each with the broker keys that hold its default.

use super::row::{ConfigKey, Valid, boolean, double, int, list, long, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    list("cleanup.policy").default("delete").one_of(&["compact", "delete"])
        .falls_back_to(&["log.cleanup.policy"]).acted(
        "What happens to old records: delete removes old segments, compact keeps the last \
         record of each key. Both may be given; an empty list keeps everything."),
    int("compression.gzip.level").default("-1").valid(Valid::GzipLevel)
        .falls_back_to(&["compression.gzip.level"]).acted(
        "Compression level where the broker itself compresses with gzip; -1 is the codec's \
         default."),
    int("compression.lz4.level").default("9").range(1, 17)
        .falls_back_to(&["compression.lz4.level"]).acted(
        "Compression level where the broker itself compresses with lz4. Barnabas has one level: \
         the value is taken and shown, and changes nothing."),
    string("compression.type").default("producer")
        .one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])
        .falls_back_to(&["compression.type"]).acted(
        "How batches are kept: producer keeps them as they come, any other value recompresses."),
    int("compression.zstd.level").default("3").range(-131_072, 22)
        .falls_back_to(&["compression.zstd.level"]).acted(
        "Compression level where the broker itself compresses with zstd."),
    long("delete.retention.ms").default("86400000").min(0)
        .falls_back_to(&["log.cleaner.delete.retention.ms"]).acted(
        "How long a compacted topic keeps tombstones."),
    boolean("errors.deadletterqueue.group.enable").default("false").known(
        "Whether share groups may use this topic for dead letters."),
    long("file.delete.delay.ms").default("60000").min(0)
        .falls_back_to(&["log.segment.delete.delay.ms"]).acted(
        "How long the files of a deleted segment stay on disk."),
    long("flush.messages").default("9223372036854775807").min(1)
        .falls_back_to(&["log.flush.interval.messages"]).acted(
        "A log is synced to disk after this many records."),
    long("flush.ms").default("9223372036854775807").min(0)
        .falls_back_to(&["log.flush.interval.ms", "log.flush.scheduler.interval.ms"]).acted(
        "A log is synced to disk at the latest this long after a record was appended."),
    list("follower.replication.throttled.replicas").default("")
        .valid(Valid::ThrottledReplicas).known(
        "Replicas whose fetching is throttled, as partition:broker, or * for all."),
    int("index.interval.bytes").default("4096").min(0)
        .falls_back_to(&["log.index.interval.bytes"]).acted(
        "Bytes of records for each entry of an offset index."),
    int("internal.segment.bytes").internal().acted(
        "Segment size below the usual minimum, for tests."),
    list("leader.replication.throttled.replicas").default("")
        .valid(Valid::ThrottledReplicas).known(
        "Replicas whose serving of followers is throttled, as partition:broker, or * for all."),
    long("local.retention.bytes").default("-2").min(-2)
        .falls_back_to(&["log.local.retention.bytes"]).known(
        "Bytes of a tiered log that stay on this machine; -2 follows retention.bytes."),
    long("local.retention.ms").default("-2").min(-2)
        .falls_back_to(&["log.local.retention.ms"]).known(
        "How long records of a tiered log stay on this machine; -2 follows retention.ms."),
    long("max.compaction.lag.ms").default("9223372036854775807").min(1)
        .falls_back_to(&["log.cleaner.max.compaction.lag.ms"]).acted(
        "A record of a compacted topic is compacted at the latest after this time."),
    int("max.decompressed.message.bytes").default("2147483639").range(1, 2_147_483_639)
        .falls_back_to(&["max.decompressed.message.bytes"]).acted(
        "Largest size of a batch after decompression."),
    int("max.message.bytes").default("1048588").min(0)
        .falls_back_to(&["message.max.bytes"]).acted(
        "Largest record batch that is accepted, as it is sent."),
    long("message.timestamp.after.max.ms").default("3600000").min(0)
        .falls_back_to(&["log.message.timestamp.after.max.ms"]).acted(
        "How far a record's timestamp may lie after the broker's clock."),
    long("message.timestamp.before.max.ms").default("9223372036854775807").min(0)
        .falls_back_to(&["log.message.timestamp.before.max.ms"]).acted(
        "How far a record's timestamp may lie before the broker's clock."),
    string("message.timestamp.type").default("CreateTime")
        .one_of(&["CreateTime", "LogAppendTime"])
        .falls_back_to(&["log.message.timestamp.type"]).acted(
        "Whose timestamp a record carries: CreateTime is the producer's, LogAppendTime the \
         broker's."),
    double("min.cleanable.dirty.ratio").default("0.5")
        .valid(Valid::BetweenDoubles(0.0, 1.0))
        .falls_back_to(&["log.cleaner.min.cleanable.ratio"]).acted(
        "Share of uncleaned bytes from which on a log is worth cleaning."),
    long("min.compaction.lag.ms").default("0").min(0)
        .falls_back_to(&["log.cleaner.min.compaction.lag.ms"]).acted(
        "A record of a compacted topic is left alone for at least this time."),
    int("min.insync.replicas").default("1").min(1).falls_back_to(&["min.insync.replicas"]).acted(
        "In-sync replicas a partition must have for a write with acks=all to be admitted."),
    boolean("preallocate").default("false").falls_back_to(&["log.preallocate"]).acted(
        "Whether the file of a new segment gets its full size at once."),
    long("remote.copy.lag.bytes").default("-1").min(-1)
        .falls_back_to(&["log.remote.copy.lag.bytes"]).known(
        "How many bytes a segment may lag before it must be copied to the remote tier."),
    long("remote.copy.lag.ms").default("0").min(-1)
        .falls_back_to(&["log.remote.copy.lag.ms"]).known(
        "How long a segment may lag before it must be copied to the remote tier."),
    boolean("remote.log.copy.disable").default("false").known(
        "Whether copying to the remote tier is stopped and the tiered part is read-only."),
    boolean("remote.log.delete.on.disable").default("false").known(
        "Whether the tiered part is deleted when tiered storage is switched off."),
    boolean("remote.storage.enable").default("false").known(
        "Whether old segments go to the remote tier."),
    long("retention.bytes").default("-1").falls_back_to(&["log.retention.bytes"]).acted(
        "Largest size of a partition's log before old segments are deleted; -1 has no limit."),
    long("retention.ms").default("604800000").min(-1)
        .falls_back_to(&["log.retention.ms", "log.retention.minutes", "log.retention.hours"]).acted(
        "How long records are kept; -1 keeps them for ever."),
    int("segment.bytes").default("1073741824").min(1_048_576)
        .falls_back_to(&["log.segment.bytes"]).acted("Largest size of one segment file."),
    int("segment.index.bytes").default("10485760").min(4)
        .falls_back_to(&["log.index.size.max.bytes"]).acted("Largest size of an index file."),
    long("segment.jitter.ms").default("0").min(0)
        .falls_back_to(&["log.roll.jitter.ms", "log.roll.jitter.hours"]).acted(
        "Largest random time taken off the roll time, so that logs do not all roll at once."),
    long("segment.ms").default("604800000").min(1)
        .falls_back_to(&["log.roll.ms", "log.roll.hours"]).acted(
        "A new segment begins after this time even if the old one is not full."),
    boolean("unclean.leader.election.enable").default("false")
        .falls_back_to(&["unclean.leader.election.enable"]).known(
        "Whether a replica that is not in sync may become leader, at the price of lost records."),
];
