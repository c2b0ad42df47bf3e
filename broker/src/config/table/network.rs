//! Listeners, connections and request limits.

use super::row::{ConfigKey, int, list, long, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    list("advertised.listeners").acted("advertised.listeners."),
    int("connection.failed.authentication.delay.ms").default("100").min(0).known(
        "connection.failed.authentication.delay.ms."),
    long("connections.max.idle.ms").default("600000").acted("connections.max.idle.ms."),
    long("connections.max.reauth.ms").default("0").known("connections.max.reauth.ms."),
    list("early.start.listeners").known("early.start.listeners."),
    string("inter.broker.listener.name").acted("inter.broker.listener.name."),
    string("listener.security.protocol.map")
        .default("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT")
        .per_broker().acted("listener.security.protocol.map."),
    list("listeners").default("PLAINTEXT://:9092").per_broker().acted("listeners."),
    int("max.connection.creation.rate").default("2147483647").min(0).cluster_wide().acted(
        "max.connection.creation.rate."),
    int("max.connections").default("2147483647").min(0).cluster_wide().acted("max.connections."),
    int("max.connections.per.ip").default("2147483647").min(0).cluster_wide().acted(
        "max.connections.per.ip."),
    string("max.connections.per.ip.overrides").default("").cluster_wide().acted(
        "max.connections.per.ip.overrides."),
    int("max.incremental.fetch.session.cache.slots").default("1000").min(0).acted(
        "max.incremental.fetch.session.cache.slots."),
    int("max.request.partition.size.limit").default("2000").min(1).acted(
        "max.request.partition.size.limit."),
    int("num.io.threads").default("8").min(1).cluster_wide().known("num.io.threads."),
    int("num.network.threads").default("3").min(1).cluster_wide().known("num.network.threads."),
    long("queued.max.request.bytes").default("-1").acted("queued.max.request.bytes."),
    int("queued.max.requests").default("500").min(1).known("queued.max.requests."),
    int("request.timeout.ms").default("30000").known("request.timeout.ms."),
    long("socket.connection.setup.timeout.max.ms").default("30000").known(
        "socket.connection.setup.timeout.max.ms."),
    long("socket.connection.setup.timeout.ms").default("10000").known(
        "socket.connection.setup.timeout.ms."),
    int("socket.listen.backlog.size").default("50").min(1).acted("socket.listen.backlog.size."),
    int("socket.receive.buffer.bytes").default("102400").acted("socket.receive.buffer.bytes."),
    int("socket.request.max.bytes").default("104857600").min(1).acted("socket.request.max.bytes."),
    int("socket.send.buffer.bytes").default("102400").acted("socket.send.buffer.bytes."),
];
