//! Keys of a topic, each with the broker keys that hold its default.

use super::row::{ConfigKey, Valid, boolean, double, int, list, long, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    list("cleanup.policy").default("delete").one_of(&["compact", "delete"])
        .falls_back_to(&["log.cleanup.policy"]).acted("cleanup.policy."),
    int("compression.gzip.level").default("-1").valid(Valid::GzipLevel)
        .falls_back_to(&["compression.gzip.level"]).acted("compression.gzip.level."),
    int("compression.lz4.level").default("9").range(1, 17)
        .falls_back_to(&["compression.lz4.level"]).acted("compression.lz4.level."),
    string("compression.type").default("producer")
        .one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])
        .falls_back_to(&["compression.type"]).acted("compression.type."),
    int("compression.zstd.level").default("3").range(-131_072, 22)
        .falls_back_to(&["compression.zstd.level"]).acted("compression.zstd.level."),
    long("delete.retention.ms").default("86400000").min(0)
        .falls_back_to(&["log.cleaner.delete.retention.ms"]).known("delete.retention.ms."),
    boolean("errors.deadletterqueue.group.enable").default("false").known(
        "errors.deadletterqueue.group.enable."),
    long("file.delete.delay.ms").default("60000").min(0)
        .falls_back_to(&["log.segment.delete.delay.ms"]).acted("file.delete.delay.ms."),
    long("flush.messages").default("9223372036854775807").min(1)
        .falls_back_to(&["log.flush.interval.messages"]).acted("flush.messages."),
    long("flush.ms").default("9223372036854775807").min(0)
        .falls_back_to(&["log.flush.interval.ms", "log.flush.scheduler.interval.ms"]).acted(
        "flush.ms."),
    list("follower.replication.throttled.replicas").default("")
        .valid(Valid::ThrottledReplicas).known("follower.replication.throttled.replicas."),
    int("index.interval.bytes").default("4096").min(0)
        .falls_back_to(&["log.index.interval.bytes"]).acted("index.interval.bytes."),
    int("internal.segment.bytes").internal().acted("internal.segment.bytes."),
    list("leader.replication.throttled.replicas").default("")
        .valid(Valid::ThrottledReplicas).known("leader.replication.throttled.replicas."),
    long("local.retention.bytes").default("-2").min(-2)
        .falls_back_to(&["log.local.retention.bytes"]).known("local.retention.bytes."),
    long("local.retention.ms").default("-2").min(-2)
        .falls_back_to(&["log.local.retention.ms"]).known("local.retention.ms."),
    long("max.compaction.lag.ms").default("9223372036854775807").min(1)
        .falls_back_to(&["log.cleaner.max.compaction.lag.ms"]).known("max.compaction.lag.ms."),
    int("max.decompressed.message.bytes").default("2147483639").range(1, 2_147_483_639)
        .falls_back_to(&["max.decompressed.message.bytes"]).acted(
        "max.decompressed.message.bytes."),
    int("max.message.bytes").default("1048588").min(0)
        .falls_back_to(&["message.max.bytes"]).acted("max.message.bytes."),
    long("message.timestamp.after.max.ms").default("3600000").min(0)
        .falls_back_to(&["log.message.timestamp.after.max.ms"]).acted(
        "message.timestamp.after.max.ms."),
    long("message.timestamp.before.max.ms").default("9223372036854775807").min(0)
        .falls_back_to(&["log.message.timestamp.before.max.ms"]).acted(
        "message.timestamp.before.max.ms."),
    string("message.timestamp.type").default("CreateTime")
        .one_of(&["CreateTime", "LogAppendTime"])
        .falls_back_to(&["log.message.timestamp.type"]).acted("message.timestamp.type."),
    double("min.cleanable.dirty.ratio").default("0.5")
        .valid(Valid::BetweenDoubles(0.0, 1.0))
        .falls_back_to(&["log.cleaner.min.cleanable.ratio"]).known("min.cleanable.dirty.ratio."),
    long("min.compaction.lag.ms").default("0").min(0)
        .falls_back_to(&["log.cleaner.min.compaction.lag.ms"]).known("min.compaction.lag.ms."),
    int("min.insync.replicas").default("1").min(1).falls_back_to(&["min.insync.replicas"]).acted(
        "min.insync.replicas."),
    boolean("preallocate").default("false").falls_back_to(&["log.preallocate"]).acted(
        "preallocate."),
    long("remote.copy.lag.bytes").default("-1").min(-1)
        .falls_back_to(&["log.remote.copy.lag.bytes"]).known("remote.copy.lag.bytes."),
    long("remote.copy.lag.ms").default("0").min(-1)
        .falls_back_to(&["log.remote.copy.lag.ms"]).known("remote.copy.lag.ms."),
    boolean("remote.log.copy.disable").default("false").known("remote.log.copy.disable."),
    boolean("remote.log.delete.on.disable").default("false").known("remote.log.delete.on.disable."),
    boolean("remote.storage.enable").default("false").known("remote.storage.enable."),
    long("retention.bytes").default("-1").falls_back_to(&["log.retention.bytes"]).acted(
        "retention.bytes."),
    long("retention.ms").default("604800000").min(-1)
        .falls_back_to(&["log.retention.ms", "log.retention.minutes", "log.retention.hours"]).acted(
        "retention.ms."),
    int("segment.bytes").default("1073741824").min(1_048_576)
        .falls_back_to(&["log.segment.bytes"]).acted("segment.bytes."),
    int("segment.index.bytes").default("10485760").min(4)
        .falls_back_to(&["log.index.size.max.bytes"]).acted("segment.index.bytes."),
    long("segment.jitter.ms").default("0").min(0)
        .falls_back_to(&["log.roll.jitter.ms", "log.roll.jitter.hours"]).acted(
        "segment.jitter.ms."),
    long("segment.ms").default("604800000").min(1)
        .falls_back_to(&["log.roll.ms", "log.roll.hours"]).acted("segment.ms."),
    boolean("unclean.leader.election.enable").default("false")
        .falls_back_to(&["unclean.leader.election.enable"]).known(
        "unclean.leader.election.enable."),
];
