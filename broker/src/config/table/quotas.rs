//! Windows over which quotas are measured.

use super::row::{ConfigKey, int};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    int("alter.log.dirs.replication.quota.window.num").default("11").min(1).known(
        "alter.log.dirs.replication.quota.window.num."),
    int("alter.log.dirs.replication.quota.window.size.seconds").default("1").min(1).known(
        "alter.log.dirs.replication.quota.window.size.seconds."),
    int("controller.quota.window.num").default("11").min(1).known("controller.quota.window.num."),
    int("controller.quota.window.size.seconds").default("1").min(1).known(
        "controller.quota.window.size.seconds."),
    int("quota.window.num").default("11").min(1).known("quota.window.num."),
    int("quota.window.size.seconds").default("1").min(1).known("quota.window.size.seconds."),
    int("replication.quota.window.num").default("11").min(1).known("replication.quota.window.num."),
    int("replication.quota.window.size.seconds").default("1").min(1).known(
        "replication.quota.window.size.seconds."),
];
