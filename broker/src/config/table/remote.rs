//! Tiered storage.

use super::row::{ConfigKey, Valid, boolean, double, int, long, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    boolean("follower.fetch.last.tiered.offset.enable").default("false").cluster_wide().known(
        "Whether a new follower starts from the end of the tiered part of the log."),
    long("log.local.retention.bytes").default("-2").min(-2).cluster_wide().known(
        "Bytes of a tiered log that stay on this machine; -2 follows log.retention.bytes."),
    long("log.local.retention.ms").default("-2").min(-2).cluster_wide().known(
        "How long records of a tiered log stay on this machine; -2 follows log.retention.ms."),
    long("log.remote.copy.lag.bytes").default("-1").min(-1).cluster_wide().known(
        "How many bytes a segment may lag before it must be copied to the remote tier."),
    long("log.remote.copy.lag.ms").default("0").min(-1).cluster_wide().known(
        "How long a segment may lag before it must be copied to the remote tier."),
    int("remote.fetch.max.wait.ms").default("500").min(1).cluster_wide().known(
        "Longest wait for records from the remote tier."),
    long("remote.list.offsets.request.timeout.ms").default("30000").min(1).cluster_wide().known(
        "Longest wait for an offset lookup in the remote tier."),
    long("remote.log.index.file.cache.total.size.bytes").default("1073741824").min(1)
        .cluster_wide().known("Disk space for cached indexes of remote segments."),
    long("remote.log.index.file.cache.ttl.ms").default("900000").min(-1).internal().known(
        "How long an unused cached index of a remote segment is kept."),
    int("remote.log.manager.copier.thread.pool.size").default("10").min(1).cluster_wide().known(
        "Threads that copy segments to the remote tier."),
    long("remote.log.manager.copy.max.bytes.per.second").default("9223372036854775807")
        .min(1).cluster_wide().known("Most bytes a second copied to the remote tier."),
    int("remote.log.manager.copy.quota.window.num").default("11").min(1).known(
        "How many samples the remote copy quota remembers."),
    int("remote.log.manager.copy.quota.window.size.seconds").default("1").min(1).known(
        "Length of one sample of the remote copy quota."),
    int("remote.log.manager.expiration.thread.pool.size").default("10").min(1)
        .cluster_wide().known("Threads that delete expired remote segments."),
    long("remote.log.manager.fetch.max.bytes.per.second").default("9223372036854775807")
        .min(1).cluster_wide().known("Most bytes a second fetched from the remote tier."),
    int("remote.log.manager.fetch.quota.window.num").default("11").min(1).known(
        "How many samples the remote fetch quota remembers."),
    int("remote.log.manager.fetch.quota.window.size.seconds").default("1").min(1).known(
        "Length of one sample of the remote fetch quota."),
    int("remote.log.manager.follower.thread.pool.size").default("2").min(1).cluster_wide().known(
        "Threads that follow remote log metadata."),
    long("remote.log.manager.task.interval.ms").default("30000").min(1).known(
        "How often remote log tasks run."),
    long("remote.log.manager.task.retry.backoff.max.ms").default("30000").min(1)
        .internal().known("Longest wait before a remote log task is tried again."),
    long("remote.log.manager.task.retry.backoff.ms").default("500").min(1).internal().known(
        "First wait before a remote log task is tried again."),
    double("remote.log.manager.task.retry.jitter").default("0.2")
        .valid(Valid::BetweenDoubles(0.0, 0.5)).internal().known(
        "Random part of the wait before a remote log task is tried again."),
    int("remote.log.manager.thread.pool.size").default("2").min(1).known(
        "Threads of remote log tasks."),
    int("remote.log.metadata.custom.metadata.max.bytes").default("128").min(0).known(
        "Largest custom metadata of one remote segment."),
    string("remote.log.metadata.manager.class.name")
        .default("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager")
        .valid(Valid::NonEmpty).known("The class that keeps the metadata of remote segments."),
    string("remote.log.metadata.manager.class.path").known("Where that class is found."),
    string("remote.log.metadata.manager.impl.prefix").default("rlmm.config.")
        .valid(Valid::NonEmpty).known("Prefix of the settings handed to the metadata manager."),
    string("remote.log.metadata.manager.listener.name").valid(Valid::NonEmpty).known(
        "The listener through which the metadata manager connects."),
    int("remote.log.reader.max.pending.tasks").default("100").min(1).known(
        "Most reads from the remote tier that may wait."),
    int("remote.log.reader.threads").default("10").min(1).cluster_wide().known(
        "Threads that read from the remote tier."),
    string("remote.log.storage.manager.class.name").valid(Valid::NonEmpty).known(
        "The class that stores segments in the remote tier."),
    string("remote.log.storage.manager.class.path").known("Where that class is found."),
    string("remote.log.storage.manager.impl.prefix").default("rsm.config.")
        .valid(Valid::NonEmpty).known("Prefix of the settings handed to the storage manager."),
    boolean("remote.log.storage.system.enable").default("false").known(
        "Whether tiered storage is on."),
];
