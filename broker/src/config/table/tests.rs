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
