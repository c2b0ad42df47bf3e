//! Our messages against those of crate `kafka-protocol`, a second implementation.
//!
//! Messages with random values are made from the schemas alone, without either codec. Both must
//! read each of them to its end and write it again as the same bytes.
//!
//! `kafka-protocol` 0.18 knows Kafka 4.1, so versions that came later are left out. What it does
//! differently from Kafka stands in `DEFECTS`; there the golden messages, made by Kafka itself, are on
//! our side. Other defects of it, which valid messages do not show: it allocates what an array
//! announces (a Metadata request of 4 bytes asks for 155 GB), decompresses without a limit, and
//! loses record headers with equal keys. So it is never near a socket.

mod generate;
#[allow(dead_code, unreachable_pub, reason = "the generator of protocol-codec needs more of it")]
#[path = "../../../protocol-codec/build/model.rs"]
mod model;
#[allow(unreachable_pub, reason = "it is a part of a build script")]
#[path = "../../../protocol-codec/build/parse.rs"]
mod parse;

use std::collections::BTreeSet;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey as TheirKey, RequestKind, ResponseKind};
use protocol_codec::ApiKey;
use protocol_codec::messages::{AnyRequest, AnyResponse};
use protocol_codec::wire::{Reader, Writer};
use tests::environment::workspace;

/// Random messages for each API, version and direction.
const ROUNDS: u64 = 40;

/// What `kafka-protocol` 0.18 does differently from Kafka 4.4: API, direction and version. Both are
/// versions that were drafts in Kafka 4.0: it lists them, but its structs end one version earlier.
const DEFECTS: [(ApiKey, &str, i16); 2] =
    [(ApiKey::OffsetCommit, "request", 10), (ApiKey::OffsetFetch, "request", 10)];

#[test]
fn both_codecs_read_and_write_the_same_bytes() {
    let mut compared = 0;
    let mut differences = BTreeSet::new();
    for key in ApiKey::ALL {
        let Ok(their_key) = TheirKey::try_from(key.code()) else { continue };
        if key.versions().is_empty() {
            continue;
        }
        let schema = schema(*key);
        let theirs = their_key.valid_versions();
        for version in key.versions().filter(|v| (theirs.min..=theirs.max).contains(v)) {
            for (direction, message) in ["request", "response"].into_iter().zip(&schema.messages) {
                for seed in 0..ROUNDS {
                    let bytes = generate::message(&schema, message, version, seed);
                    let ours = ours(direction, *key, version, bytes.clone());
                    assert_eq!(ours, bytes, "{key} {direction} version {version}, seed {seed}");
                    if theirs_again(direction, their_key, version, bytes.clone()) != Ok(bytes) {
                        differences.insert((*key, direction, version));
                    }
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(differences, DEFECTS.into());
    assert!(compared > 18_000, "only {compared} messages were compared");
}

fn schema(key: ApiKey) -> model::Schema {
    let directory = workspace().join("protocol-codec/schema/api");
    let head = format!("api {} {}\n", key.code(), key.name());
    for entry in std::fs::read_dir(directory).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        if text.contains(&head) {
            return parse::schema(key.name(), &text).unwrap();
        }
    }
    panic!("no schema of {key}")
}

fn ours(direction: &str, key: ApiKey, version: i16, bytes: Bytes) -> Bytes {
    let mut r = Reader::new(bytes);
    let mut w = Writer::new(BytesMut::new());
    if direction == "request" {
        let message = AnyRequest::decode(key, &mut r, version).unwrap();
        message.encode(&mut w, version).unwrap();
    } else {
        let message = AnyResponse::decode(key, &mut r, version).unwrap();
        message.encode(&mut w, version).unwrap();
    }
    assert_eq!(r.finish(), Ok(()), "{key} {direction} version {version}");
    w.finish().buf.freeze()
}

fn theirs_again(
    direction: &str,
    key: TheirKey,
    version: i16,
    mut bytes: Bytes,
) -> Result<Bytes, String> {
    let mut again = BytesMut::new();
    let result = if direction == "request" {
        RequestKind::decode(key, &mut bytes, version)
            .and_then(|message| message.encode(&mut again, version))
    } else {
        ResponseKind::decode(key, &mut bytes, version)
            .and_then(|message| message.encode(&mut again, version))
    };
    match result {
        Ok(()) if bytes.is_empty() => Ok(again.freeze()),
        Ok(()) => Err(format!("{} bytes are left", bytes.len())),
        Err(e) => Err(e.to_string()),
    }
}
