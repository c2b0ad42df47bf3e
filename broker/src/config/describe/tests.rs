//! Entries as a Kafka 4.4.0 broker with the same settings describes them.

use super::*;
use crate::config::{LiveConfig, Sources};

fn live(overrides: &[&str]) -> LiveConfig {
    let overrides = overrides.iter().map(|o| (*o).to_owned()).collect();
    let sources = Sources { overrides, ..Sources::default() };
    LiveConfig::new(BrokerConfig::load(&sources).unwrap().config)
}

/// `name=value SOURCE ro s TYPE [synonym=value:SOURCE, ...]`, the flags only when set.
fn line(entries: &[ConfigEntry], name: &str) -> String {
    let entry = entries.iter().find(|entry| entry.name == name).unwrap();
    let text = |value: &Option<String>| value.clone().unwrap_or("null".to_owned());
    let synonyms: Vec<String> = entry
        .synonyms
        .iter()
        .map(|s| format!("{}={}:{:?}", s.name, text(&s.value), s.source))
        .collect();
    let flag = |set: bool, word: &str| if set { format!(" {word}") } else { String::new() };
    format!(
        "{name}={} {:?}{}{} {} [{}]",
        text(&entry.value),
        entry.source,
        flag(entry.is_read_only, "ro"),
        flag(entry.is_sensitive, "secret"),
        entry.kind.map_or("UNKNOWN", Kind::name),
        synonyms.join(", ")
    )
}

#[test]
fn broker_entries() {
    let live =
        live(&["log.retention.hours=100", "num.partitions=2", "my.own=1", "ssl.key.password=x"]);
    let entries = broker(&live.load());
    for expected in [
        "advertised.listeners=null Default ro LIST []",
        "background.threads=10 Default INT [background.threads=10:Default]",
        "broker.id=1 StaticBroker ro INT [broker.id=1:StaticBroker, broker.id=-1:Default]",
        "config.providers= Default LIST [config.providers=:Default]",
        "delegation.token.secret.key=null Default ro secret PASSWORD []",
        "log.cleaner.io.max.bytes.per.second=1.7976931348623157E308 Default DOUBLE \
         [log.cleaner.io.max.bytes.per.second=1.7976931348623157E308:Default]",
        "log.flush.interval.ms=null Default LONG []",
        "log.retention.hours=100 StaticBroker ro INT \
         [log.retention.hours=100:StaticBroker, log.retention.hours=168:Default]",
        "log.retention.ms=null Default LONG []",
        "my.own=null StaticBroker ro secret UNKNOWN [my.own=null:StaticBroker]",
        "node.id=1 StaticBroker ro INT [node.id=1:StaticBroker]",
        "num.partitions=2 StaticBroker ro INT [num.partitions=2:StaticBroker, num.partitions=1:Default]",
        "ssl.key.password=null StaticBroker secret PASSWORD [ssl.key.password=null:StaticBroker]",
        "inter.broker.protocol.version=4.4-IV0 Default ro STRING []",
    ] {
        let name = expected.split('=').next().unwrap();
        assert_eq!(line(&entries, name), expected);
    }
    let internal = |entry: &ConfigEntry| broker_key(&entry.name).is_some_and(|key| key.internal);
    assert!(!entries.iter().any(internal));
    assert!(entries.iter().all(|entry| entry.documentation.is_some() || entry.kind.is_none()));
}

#[test]
fn topic_entries() {
    let live = live(&["log.retention.hours=100"]);
    let before = topic(&live.load(), &Overrides::new());
    assert_eq!(before.len(), 37, "every topic key of Kafka 4.4 that is not internal");
    for expected in [
        "cleanup.policy=delete Default LIST [log.cleanup.policy=delete:Default]",
        "errors.deadletterqueue.group.enable=false Default BOOLEAN []",
        "flush.ms=9223372036854775807 Default LONG []",
        "leader.replication.throttled.replicas= Default LIST []",
        "min.cleanable.dirty.ratio=0.5 Default DOUBLE [log.cleaner.min.cleanable.ratio=0.5:Default]",
        "retention.ms=360000000 Default LONG []",
        "segment.ms=604800000 Default LONG []",
    ] {
        let name = expected.split('=').next().unwrap();
        assert_eq!(line(&before, name), expected);
    }

    let all = [("message.max.bytes", "2000000"), ("log.cleanup.policy", "compact")];
    live.apply(all, [("log.retention.ms", "5000"), ("compression.type", "lz4")]).unwrap();
    let overrides = [("retention.ms", "1000"), ("cleanup.policy", "delete, compact")].into();
    let after = topic(&live.load(), &overrides);
    for expected in [
        "cleanup.policy=delete,compact Topic LIST [cleanup.policy=delete,compact:Topic, \
         log.cleanup.policy=compact:DynamicDefaultBroker, log.cleanup.policy=delete:Default]",
        "compression.type=lz4 DynamicBroker STRING \
         [compression.type=lz4:DynamicBroker, compression.type=producer:Default]",
        "max.message.bytes=2000000 DynamicDefaultBroker INT \
         [message.max.bytes=2000000:DynamicDefaultBroker, message.max.bytes=1048588:Default]",
        "retention.ms=1000 Topic LONG [retention.ms=1000:Topic, \
         log.retention.ms=5000:DynamicBroker, log.retention.hours=100:StaticBroker, \
         log.retention.hours=168:Default]",
    ] {
        let name = expected.split('=').next().unwrap();
        assert_eq!(line(&after, name), expected);
    }
    let shared = default_broker(&live.load());
    assert_eq!(shared.len(), 2);
    assert_eq!(
        line(&shared, "message.max.bytes"),
        "message.max.bytes=2000000 DynamicDefaultBroker INT \
         [message.max.bytes=2000000:DynamicDefaultBroker]"
    );
}

#[test]
fn an_internal_topic_key_shows_only_when_it_is_set() {
    let live = live(&[]);
    let set = [("internal.segment.bytes", "100")].into();
    assert_eq!(
        line(&topic(&live.load(), &set), "internal.segment.bytes"),
        "internal.segment.bytes=100 Topic INT [internal.segment.bytes=100:Topic]"
    );
}

#[test]
fn group_entries() {
    let overrides = [("consumer.session.timeout.ms", "50000")].into();
    let entries = group(&live(&[]).load(), &overrides);
    assert_eq!(entries.len(), 21);
    for expected in [
        "consumer.session.timeout.ms=50000 Group INT [consumer.session.timeout.ms=50000:Group, \
         group.consumer.session.timeout.ms=45000:Default]",
        "consumer.heartbeat.interval.ms=5000 Default INT \
         [group.consumer.heartbeat.interval.ms=5000:Default]",
        "share.auto.offset.reset=latest Default STRING [share.auto.offset.reset=latest:Default]",
        "streams.assignor.name=sticky Default STRING [group.streams.assignors=sticky:Default]",
    ] {
        let name = expected.split('=').next().unwrap();
        assert_eq!(line(&entries, name), expected);
    }
}

#[test]
fn client_metrics_entries() {
    let entries = client_metrics(&[("metrics", "a,b")].into());
    assert_eq!(
        line(&entries, "metrics"),
        "metrics=a,b ClientMetrics LIST [metrics=a,b:ClientMetrics]"
    );
    assert_eq!(line(&entries, "interval.ms"), "interval.ms=300000 Default INT []");
}
