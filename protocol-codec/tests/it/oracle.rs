//! What Kafka's own classes write, we read to the last byte, and write again as the same bytes.

use std::collections::BTreeSet;

use protocol_codec::ApiKey;

use crate::golden;

#[test]
fn every_message_comes_back_byte_by_byte() {
    let mut compared = 0;
    for line in golden::messages() {
        for version in &line.versions {
            let title = line.title(*version);
            let decoded = line.decode(*version, line.bytes.clone());
            let decoded = decoded.unwrap_or_else(|e| panic!("{title}: {e}"));
            let again = decoded.encoded(*version);
            assert_eq!(again, line.bytes, "{title}: {decoded:?}");
            compared += 1;
        }
    }
    assert!(compared > 2_000, "only {compared} messages were compared");
}

#[test]
fn every_version_of_the_table_is_compared() {
    let mut seen = BTreeSet::new();
    for line in golden::messages() {
        for version in line.versions {
            seen.insert((line.kind, line.number, version, line.filling));
        }
    }
    for key in ApiKey::ALL {
        for version in key.versions() {
            for kind in ["request", "response"] {
                for filling in ["default", "filled", "null"] {
                    let found = seen.contains(&(kind, key.code(), version, filling));
                    assert!(found, "{key} {kind} version {version}, {filling}");
                }
            }
        }
    }
}

#[test]
fn headers_have_kafkas_versions() {
    let mut compared = 0;
    for line in golden::headers() {
        for version in line.versions {
            assert_eq!(line.key.request_header_version(version), line.request, "{}", line.key);
            assert_eq!(line.key.response_header_version(version), line.response, "{}", line.key);
            assert!(line.key.versions().contains(&version), "{} version {version}", line.key);
            compared += 1;
        }
    }
    assert_eq!(compared, ApiKey::ALL.iter().map(|key| key.versions().count()).sum::<usize>());
}
