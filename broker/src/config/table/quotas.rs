//! Windows over which quotas are measured.

use super::row::{ConfigKey, int};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    int("alter.log.dirs.replication.quota.window.num").default("11").min(1).known(
        "How many samples the quota on moving replicas between log directories remembers."),
    int("alter.log.dirs.replication.quota.window.size.seconds").default("1").min(1).known(
        "Length of one sample of the quota on moving replicas between log directories."),
    int("controller.quota.window.num").default("11").min(1).known(
        "How many samples the quota on topic changes remembers."),
    int("controller.quota.window.size.seconds").default("1").min(1).known(
        "Length of one sample of the quota on topic changes."),
    int("quota.window.num").default("11").min(1).known("How many samples client quotas remember."),
    int("quota.window.size.seconds").default("1").min(1).known(
        "Length of one sample of client quotas."),
    int("replication.quota.window.num").default("11").min(1).known(
        "How many samples replication quotas remember."),
    int("replication.quota.window.size.seconds").default("1").min(1).known(
        "Length of one sample of replication quotas."),
];
