//! Where partition logs lie, and the cluster-wide defaults of the topic keys.

use super::row::{ConfigKey, Valid, boolean, double, int, list, long, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    int("background.threads").default("10").min(1).cluster_wide().known("background.threads."),
    int("compression.gzip.level").default("-1").valid(Valid::GzipLevel).cluster_wide().acted(
        "compression.gzip.level."),
    int("compression.lz4.level").default("9").range(1, 17).cluster_wide().acted(
        "compression.lz4.level."),
    string("compression.type").default("producer")
        .one_of(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"])
        .cluster_wide().acted("compression.type."),
    int("compression.zstd.level").default("3").range(-131_072, 22).cluster_wide().acted(
        "compression.zstd.level."),
    list("cordoned.log.dirs").default("").per_broker().known("cordoned.log.dirs."),
    long("log.cleaner.backoff.ms").default("15000").min(0).cluster_wide().known(
        "log.cleaner.backoff.ms."),
    long("log.cleaner.dedupe.buffer.size").default("134217728").cluster_wide().known(
        "log.cleaner.dedupe.buffer.size."),
    long("log.cleaner.delete.retention.ms").default("86400000").min(0).cluster_wide().known(
        "log.cleaner.delete.retention.ms."),
    boolean("log.cleaner.enable").default("true").known("log.cleaner.enable."),
    double("log.cleaner.io.buffer.load.factor").default("0.9").cluster_wide().known(
        "log.cleaner.io.buffer.load.factor."),
    int("log.cleaner.io.buffer.size").default("524288").min(0).cluster_wide().known(
        "log.cleaner.io.buffer.size."),
    double("log.cleaner.io.max.bytes.per.second").default("1.7976931348623157E308")
        .cluster_wide().known("log.cleaner.io.max.bytes.per.second."),
    long("log.cleaner.max.compaction.lag.ms").default("9223372036854775807").min(1)
        .cluster_wide().known("log.cleaner.max.compaction.lag.ms."),
    double("log.cleaner.min.cleanable.ratio").default("0.5")
        .valid(Valid::BetweenDoubles(0.0, 1.0)).cluster_wide().known(
        "log.cleaner.min.cleanable.ratio."),
    long("log.cleaner.min.compaction.lag.ms").default("0").min(0).cluster_wide().known(
        "log.cleaner.min.compaction.lag.ms."),
    int("log.cleaner.threads").default("1").min(0).cluster_wide().known("log.cleaner.threads."),
    list("log.cleanup.policy").default("delete").one_of(&["compact", "delete"])
        .cluster_wide().acted("log.cleanup.policy."),
    list("log.dir").default("/tmp/kafka-logs").acted("log.dir."),
    long("log.dir.failure.timeout.ms").default("30000").min(1).known("log.dir.failure.timeout.ms."),
    list("log.dirs").acted("log.dirs."),
    long("log.flush.interval.messages").default("9223372036854775807").min(1)
        .cluster_wide().acted("log.flush.interval.messages."),
    long("log.flush.interval.ms").cluster_wide().acted("log.flush.interval.ms."),
    int("log.flush.offset.checkpoint.interval.ms").default("60000").min(0).acted(
        "log.flush.offset.checkpoint.interval.ms."),
    long("log.flush.scheduler.interval.ms").default("9223372036854775807").acted(
        "log.flush.scheduler.interval.ms."),
    int("log.flush.start.offset.checkpoint.interval.ms").default("60000").min(0).acted(
        "log.flush.start.offset.checkpoint.interval.ms."),
    int("log.index.interval.bytes").default("4096").min(0).cluster_wide().acted(
        "log.index.interval.bytes."),
    int("log.index.size.max.bytes").default("10485760").min(4).cluster_wide().acted(
        "log.index.size.max.bytes."),
    long("log.initial.task.delay.ms").default("30000").min(0).internal().known(
        "log.initial.task.delay.ms."),
    long("log.message.timestamp.after.max.ms").default("3600000").min(0).cluster_wide().acted(
        "log.message.timestamp.after.max.ms."),
    long("log.message.timestamp.before.max.ms").default("9223372036854775807").min(0)
        .cluster_wide().acted("log.message.timestamp.before.max.ms."),
    string("log.message.timestamp.type").default("CreateTime")
        .one_of(&["CreateTime", "LogAppendTime"]).cluster_wide().acted(
        "log.message.timestamp.type."),
    boolean("log.preallocate").default("false").cluster_wide().acted("log.preallocate."),
    long("log.retention.bytes").default("-1").cluster_wide().acted("log.retention.bytes."),
    long("log.retention.check.interval.ms").default("300000").min(1).acted(
        "log.retention.check.interval.ms."),
    int("log.retention.hours").default("168").acted("log.retention.hours."),
    int("log.retention.minutes").acted("log.retention.minutes."),
    long("log.retention.ms").cluster_wide().acted("log.retention.ms."),
    int("log.roll.hours").default("168").min(1).acted("log.roll.hours."),
    int("log.roll.jitter.hours").default("0").min(0).acted("log.roll.jitter.hours."),
    long("log.roll.jitter.ms").cluster_wide().acted("log.roll.jitter.ms."),
    long("log.roll.ms").cluster_wide().acted("log.roll.ms."),
    int("log.segment.bytes").default("1073741824").min(1_048_576).cluster_wide().acted(
        "log.segment.bytes."),
    long("log.segment.delete.delay.ms").default("60000").min(0).cluster_wide().acted(
        "log.segment.delete.delay.ms."),
    int("max.decompressed.message.bytes").default("2147483639").range(1, 2_147_483_639)
        .cluster_wide().acted("max.decompressed.message.bytes."),
    int("message.max.bytes").default("1048588").min(0).cluster_wide().acted("message.max.bytes."),
    int("num.recovery.threads.per.data.dir").default("2").min(1).cluster_wide().acted(
        "num.recovery.threads.per.data.dir."),
    int("num.replica.alter.log.dirs.threads").known("num.replica.alter.log.dirs.threads."),
];
