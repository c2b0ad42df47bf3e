//! The bytes of records: kept for ever, read with distrust.

use proptest::collection::vec;
use proptest::prelude::*;
use protocol_codec::Uuid;

use super::*;
use crate::image::security::{AccessControlEntry, DelegationToken, ScramCredential};
use crate::testing::arbitrary;

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(records in vec(arbitrary::record(), 0..20)) {
        let bytes = encode_entry(&records);
        prop_assert_eq!(decode_entry(&bytes), Ok(records));
    }

    #[test]
    fn a_cut_entry_is_an_error_or_ends_between_records(
        records in vec(arbitrary::record(), 1..5), cut in any::<prop::sample::Index>()
    ) {
        let bytes = encode_entry(&records);
        let cut = cut.index(bytes.len());
        if let Ok(read) = decode_entry(&bytes[..cut]) {
            prop_assert_eq!(&read[..], &records[..read.len()]);
            prop_assert_eq!(encode_entry(&read).len(), cut);
        }
    }

    #[test]
    fn changed_bytes_do_not_panic(
        records in vec(arbitrary::record(), 1..5),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = encode_entry(&records);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let _read = decode_entry(&bytes);
    }

    #[test]
    fn random_bytes_do_not_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _read = decode_entry(&bytes);
    }
}

/// A record with this header and body, in an entry.
fn entry_of(kind: u8, version: u8, readable_from: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![ENTRY_FORMAT, kind, version, readable_from];
    bytes.extend_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
    bytes.extend_from_slice(body);
    bytes
}

const ID_BODY: [u8; 4] = [2, 0, 0, 0];

fn cluster_id_body() -> Vec<u8> {
    [&ID_BODY[..], b"me"].concat()
}

fn cluster_id() -> MetadataRecord {
    MetadataRecord::ClusterId { cluster_id: "me".into() }
}

/// One record of each kind, with every field at a value of its own.
fn one_of_each() -> Vec<MetadataRecord> {
    let topic_id = Uuid::from_bytes([0xAB; 16]);
    vec![
        cluster_id(),
        MetadataRecord::FeatureLevel { name: "f".into(), level: 33 },
        MetadataRecord::RegisterBroker(BrokerRegistration {
            id: 1,
            epoch: 2,
            incarnation_id: topic_id,
            endpoints: vec![BrokerEndpoint {
                name: "P".into(),
                host: "h".into(),
                port: 9092,
                security_protocol: 0,
            }],
            features: vec![BrokerFeature { name: "f".into(), min_supported: 1, max_supported: 3 }],
            rack: Some("r".into()),
            fenced: true,
            in_controlled_shutdown: false,
            log_dirs: vec![topic_id],
        }),
        MetadataRecord::UnregisterBroker { broker_id: 1, broker_epoch: 2 },
        MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
            broker_id: 1,
            broker_epoch: 2,
            fenced: Some(false),
            in_controlled_shutdown: None,
            log_dirs: Some(vec![]),
        }),
        MetadataRecord::Topic { name: "t".into(), topic_id },
        MetadataRecord::RemoveTopic { topic_id },
        MetadataRecord::Partition {
            topic_id,
            partition_id: 7,
            registration: PartitionRegistration {
                replicas: vec![1],
                directories: vec![topic_id],
                isr: vec![1],
                removing_replicas: vec![],
                adding_replicas: vec![2],
                eligible_leader_replicas: vec![3],
                last_known_elr: vec![4],
                leader: -1,
                leader_recovery_state: 1,
                leader_epoch: 5,
                partition_epoch: 6,
            },
        },
        MetadataRecord::PartitionChange(PartitionChange {
            topic_id,
            partition_id: 7,
            isr: Some(vec![1]),
            leader: Some(1),
            leader_recovery_state: Some(0),
            ..PartitionChange::default()
        }),
        MetadataRecord::Config {
            resource: ConfigResource::broker(1),
            name: "k".into(),
            value: Some("v".into()),
        },
        MetadataRecord::ProducerIds { broker_id: 1, broker_epoch: 2, next_producer_id: 1000 },
    ]
}

/// The same of the kinds about access and quotas.
fn one_of_each_about_access() -> Vec<MetadataRecord> {
    let id = Uuid::from_bytes([0xAB; 16]);
    vec![
        MetadataRecord::AccessControlEntry(AccessControlEntry {
            id,
            resource_type: 2,
            resource_name: "t".into(),
            pattern_type: 3,
            principal: "User:a".into(),
            host: "*".into(),
            operation: 4,
            permission_type: 5,
        }),
        MetadataRecord::RemoveAccessControlEntry { id },
        MetadataRecord::UserScramCredential(ScramCredential {
            user: "a".into(),
            mechanism: 1,
            salt: vec![2],
            stored_key: vec![3, 3],
            server_key: vec![4],
            iterations: 4096,
        }),
        MetadataRecord::RemoveUserScramCredential { user: "a".into(), mechanism: 1 },
        MetadataRecord::ClientQuota {
            entity: vec![("client-id".into(), None), ("user".into(), Some("a".into()))],
            key: "request_percentage".into(),
            value: Some(12.5),
        },
        MetadataRecord::DelegationToken(DelegationToken {
            token_id: "i".into(),
            owner: "User:a".into(),
            requester: "User:b".into(),
            renewers: vec!["User:c".into()],
            issue_timestamp_ms: 1,
            max_timestamp_ms: 2,
            expiration_timestamp_ms: 3,
        }),
        MetadataRecord::RemoveDelegationToken { token_id: "i".into() },
    ]
}

#[test]
fn the_bytes_of_each_kind_stay_as_they_are() {
    let records = [one_of_each(), one_of_each_about_access()].concat();
    let mut actual = String::new();
    for record in &records {
        let mut bytes = Vec::new();
        encode_record(record, &mut bytes);
        for byte in bytes {
            actual.push_str(&format!("{byte:02x}"));
        }
        actual.push('\n');
    }
    assert_eq!(actual, include_str!("golden.txt"));
    let golden = include_str!("golden.txt").lines().flat_map(|line| {
        (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap())
    });
    let bytes: Vec<u8> = std::iter::once(ENTRY_FORMAT).chain(golden).collect();
    assert_eq!(decode_entry(&bytes), Ok(records));
}

#[test]
fn a_newer_version_is_read_if_its_writer_allows_it() {
    let body = [cluster_id_body(), b"and more".to_vec()].concat();
    assert_eq!(decode_entry(&entry_of(CLUSTER_ID, 9, 1, &body)), Ok(vec![cluster_id()]));
    assert_eq!(
        decode_entry(&entry_of(CLUSTER_ID, 9, 2, &body)),
        Err(RecordError::NewerRecord { kind: CLUSTER_ID, version: 9, known: 1 })
    );
}

#[test]
fn an_unknown_kind_is_left_out_if_its_writer_allows_it() {
    let mut bytes = entry_of(200, 1, 0, b"whatever");
    bytes.extend_from_slice(&entry_of(CLUSTER_ID, 1, 1, &cluster_id_body())[1..]);
    assert_eq!(decode_entry(&bytes), Ok(vec![cluster_id()]));
    assert_eq!(
        decode_entry(&entry_of(200, 3, 1, b"whatever")).unwrap_err().to_string(),
        "a record of kind 200, version 3, was written by a newer release and cannot be left out; \
         this release reads that kind up to version 0"
    );
}

#[test]
fn bytes_after_the_fields_of_a_known_version_are_refused() {
    let body = [cluster_id_body(), vec![0]].concat();
    assert_eq!(
        decode_entry(&entry_of(CLUSTER_ID, 1, 1, &body)),
        Err(RecordError::TrailingBytes { kind: CLUSTER_ID, left: 1 })
    );
}

#[test]
fn a_newer_format_and_an_unknown_resource_are_refused() {
    assert_eq!(decode_entry(&[2]), Err(RecordError::NewerEntry(2)));
    let body = [&[99][..], &[0; 9]].concat();
    assert_eq!(
        decode_entry(&entry_of(CONFIG, 1, 1, &body)),
        Err(RecordError::UnknownResourceType(99))
    );
}

/// A count is compared with the bytes that are left before anything is allocated for it.
#[test]
fn a_count_of_four_billion_costs_nothing() {
    let mut body = vec![0; 16 + 4];
    body.extend_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(
        decode_entry(&entry_of(PARTITION, 1, 1, &body)),
        Err(RecordError::Damaged(WireError::Truncated { needed, .. })) if needed > 1 << 33
    ));
}
