//! Our own keys. Only keys that work are here.

use super::row::{ConfigKey, Valid, list, long, string};

#[rustfmt::skip]
pub(super) const KEYS: &[ConfigKey] = &[
    string("barnabas.durability").default("power-loss").one_of(&["power-loss", "kafka"]).acted(
        "What an acks=all answer promises. power-loss: with a single in-sync replica the records \
         are on stable storage first. kafka: they are in the page cache, as Kafka has it."),
    list("barnabas.http.listeners").default("").acted(
        "Where to serve /metrics over HTTP, as http://host:port. Empty: nowhere."),
    string("barnabas.log.format").default("text").one_of(&["text", "json"]).acted(
        "How log lines are written to stderr."),
    string("barnabas.log.level").default("info").valid(Valid::NonEmpty).acted(
        "Which log lines are written: a level (error, warn, info, debug, trace), or levels by \
         module such as info,broker::group=debug."),
    long("barnabas.scrub.bytes.per.second").default("8388608").min(1).acted(
        "How fast the scrub reads sealed files, over all log directories."),
    long("barnabas.scrub.interval.ms").default("604800000").min(-1).acted(
        "How long after a scrub the next one begins: it compares every sealed file with the sum in \
         barnabas-sealed and logs what is damaged. The first one begins an hour after the start, or \
         after this time if it is less. -1: never."),
    string("barnabas.validate.compressed").default("full").one_of(&["full", "header"]).acted(
        "How far compressed batches are validated. full: every record, as Kafka does. header: \
         the batch header and its checksum only."),
];
