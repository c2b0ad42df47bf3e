//! The table holds what Kafka 4.4 has, and every row is sound.

use std::collections::HashSet;

use super::*;
use crate::config::value;

#[test]
fn every_default_is_accepted_by_its_own_rule() {
    for scope in SCOPES {
        for key in keys(scope) {
            if let Some(default) = key.default {
                let parsed = value::parse(key, key.name, default);
                assert!(parsed.is_ok(), "{}: {parsed:?}", key.name);
                let shown = parsed.unwrap().to_string();
                assert_eq!(shown, default, "{} is shown as it is in the table", key.name);
            }
        }
    }
}

#[test]
fn names_are_unique_and_sorted_within_their_file() {
    for scope in SCOPES {
        let mut seen = HashSet::new();
        for group in scope.groups() {
            let names: Vec<&str> = group.iter().map(|key| key.name).collect();
            assert!(names.is_sorted(), "{names:?}");
            assert!(names.iter().all(|name| seen.insert(*name)));
        }
    }
}

/// One row as Kafka's own listing has it.
fn row_text(scope: Scope, key: &ConfigKey) -> String {
    let words = |list: &[&str]| format!("[{}]", list.join(", "));
    let valid = match key.valid {
        Valid::Any | Valid::NonEmptyList => String::new(),
        Valid::AtLeast(least) => format!("[{least},...]"),
        Valid::Between(least, most) => format!("[{least},...,{most}]"),
        Valid::BetweenDoubles(least, most) => format!("[{least},...,{most}]"),
        Valid::OneOf(list) => words(list),
        Valid::OneOfIgnoreCase(list) => format!("(case insensitive) {}", words(list)),
        Valid::GzipLevel => "[1,...,9] or -1".to_owned(),
        Valid::NonEmpty => "non-empty string".to_owned(),
        Valid::ThrottledReplicas => {
            "[partitionId]:[brokerId],[partitionId]:[brokerId],...".to_owned()
        }
        Valid::OffsetReset => "[latest, earliest, by_duration:PnDTnHnMn.nS]".to_owned(),
    };
    let default = if key.required { "(required)" } else { key.default.unwrap_or("null") };
    let update = if scope == Scope::Broker { key.update.name() } else { "" };
    let synonyms = match scope {
        Scope::Topic => key.broker_defaults.join(","),
        _ => String::new(),
    };
    let internal = if key.internal { "internal" } else { "" };
    let (scope, kind) = (scope.noun(), key.kind.name());
    format!("{scope}\t{}\t{kind}\t{default}\t{valid}\t{update}\t{synonyms}\t{internal}", key.name)
}

/// FNV-1a, which gives the same number everywhere and always.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// The rows were compared one by one with what Kafka 4.4.0's classes list; the hash says that none
/// has changed since. Whoever changes a row on purpose compares again and puts the new hash here.
#[test]
fn the_table_is_kafkas() {
    let kafkas = |scope| keys(scope).filter(|key| !key.name.starts_with(OWN_PREFIX));
    let counts = SCOPES.map(|scope| kafkas(scope).count());
    assert_eq!(counts, [379, 38, 27, 3], "broker, topic, group, client metrics");
    let mut rows: Vec<String> = [Scope::Broker, Scope::Topic, Scope::Group]
        .into_iter()
        .flat_map(|scope| kafkas(scope).map(move |key| row_text(scope, key)))
        .collect();
    rows.sort();
    assert_eq!(hash(&rows.join("\n")), 3_899_013_856_331_823_711);
}

#[test]
fn every_key_says_what_it_does_and_falls_back_to_keys_there_are() {
    for scope in SCOPES {
        for key in keys(scope) {
            assert!(key.doc.ends_with('.') && key.doc.len() > 10, "{}: {}", key.name, key.doc);
            for name in key.broker_defaults {
                assert!(find(Scope::Broker, name).is_some(), "{} falls back to {name}", key.name);
            }
        }
    }
}

#[test]
fn synonyms_count_in_order() {
    let retention = ["log.retention.ms", "log.retention.minutes", "log.retention.hours"];
    for name in retention {
        assert_eq!(broker_synonyms(name), retention);
    }
    let flush = ["log.flush.interval.ms", "log.flush.scheduler.interval.ms"];
    assert_eq!(broker_synonyms(flush[0]), flush);
    assert_eq!(broker_synonyms(flush[1]), [flush[1]]);
    assert_eq!(broker_synonyms("node.id"), ["node.id"]);
}

#[test]
fn listener_prefixes() {
    let strip = strip_listener_prefix;
    assert_eq!(strip("listener.name.a-b.ssl.client.auth"), Some("ssl.client.auth"));
    assert_eq!(strip("listener.name.a.plain.sasl.jaas.config"), Some("sasl.jaas.config"));
    assert_eq!(strip("ssl.client.auth"), None);
    assert_eq!(strip("listener.name.a"), None);
}
