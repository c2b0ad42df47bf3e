//! Images: replay, snapshots of them, and what a delta says, against plain maps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use protocol_codec::Uuid;

use super::*;
use crate::delta::MetadataDelta;
use crate::image::configs::ConfigResourceType;
use crate::image::security::{AccessControlEntry, ScramCredential};
use crate::image::topics::PartitionRegistration;
use crate::testing::arbitrary::related_record;

/// Replays what can be replayed and checks that what cannot leaves an error, not a panic.
fn replay_all(image: &MetadataImage, records: &[MetadataRecord]) -> MetadataImage {
    let mut image = image.clone();
    for record in records {
        let index = image.last_applied.index + 1;
        let position = LogPosition { index, term: 1 };
        if let Ok(next) = apply(&image, position, std::slice::from_ref(record)) {
            image = next;
        }
    }
    image
}

type Partitions = BTreeMap<(Uuid, i32), PartitionRegistration>;

fn partitions(image: &MetadataImage) -> Partitions {
    let mut all = Partitions::new();
    for topic in image.topics.iter() {
        for (id, partition) in topic.numbered_partitions() {
            all.insert((topic.id, id), (**partition).clone());
        }
    }
    all
}

fn topics(image: &MetadataImage) -> BTreeSet<Uuid> {
    image.topics.iter().map(|topic| topic.id).collect()
}

fn configs(image: &MetadataImage) -> BTreeMap<(ConfigResource, Arc<str>), Arc<str>> {
    let mut all = BTreeMap::new();
    for (resource, configs) in image.configs.iter() {
        for (name, value) in configs {
            all.insert((resource.clone(), name.clone()), value.clone());
        }
    }
    all
}

/// The keys whose values differ.
fn changed<K: Ord + Clone, V: PartialEq>(
    old: &BTreeMap<K, V>,
    new: &BTreeMap<K, V>,
) -> BTreeSet<K> {
    old.keys().chain(new.keys()).filter(|key| old.get(key) != new.get(key)).cloned().collect()
}

proptest! {
    #[test]
    fn a_delta_says_exactly_what_differs(
        before in vec(related_record(), 0..60), between in vec(related_record(), 0..30)
    ) {
        let old = Arc::new(replay_all(&MetadataImage::default(), &before));
        let new = replay_all(&old, &between);
        let delta = MetadataDelta::between(&old, &new);

        let (old_topics, new_topics) = (topics(&old), topics(&new));
        prop_assert_eq!(&delta.topics_created, &(&new_topics - &old_topics));
        let deleted: BTreeSet<Uuid> = delta.topics_deleted.keys().copied().collect();
        prop_assert_eq!(deleted, &old_topics - &new_topics);

        let told: BTreeSet<(Uuid, i32)> = delta
            .partitions_changed
            .iter()
            .flat_map(|(topic, ids)| ids.iter().map(|id| (*topic, *id)))
            .collect();
        // A topic never loses partitions but with all of them: its id is not used again.
        let after = partitions(&new);
        let mut changed_partitions = changed(&partitions(&old), &after);
        changed_partitions.retain(|key| after.contains_key(key));
        prop_assert_eq!(told, changed_partitions);

        let told: BTreeSet<(ConfigResource, Arc<str>)> = delta
            .configs_changed
            .iter()
            .flat_map(|(resource, names)| names.iter().map(|name| (resource.clone(), name.clone())))
            .collect();
        prop_assert_eq!(told, changed(&configs(&old), &configs(&new)));

        let brokers = |image: &MetadataImage| -> BTreeMap<i32, _> {
            image.brokers.iter().map(|broker| (broker.id, broker.clone())).collect()
        };
        prop_assert_eq!(&delta.brokers_changed, &changed(&brokers(&old), &brokers(&new)));
        let same = MetadataImage { last_applied: old.last_applied, ..new } == *old;
        prop_assert_eq!(delta.is_empty(), same);
    }

    #[test]
    fn an_image_is_made_again_from_its_own_records(records in vec(related_record(), 0..80)) {
        let image = replay_all(&MetadataImage::default(), &records);
        let mut written = Vec::new();
        image.to_records(|record| written.push(record));
        let mut again = MetadataImage::default();
        for record in &written {
            again.replay(record).unwrap();
        }
        again.last_applied = image.last_applied;
        prop_assert_eq!(again, image);
    }

    #[test]
    fn names_ids_and_counts_agree(records in vec(related_record(), 0..80)) {
        let image = replay_all(&MetadataImage::default(), &records);
        let mut count = 0;
        for topic in image.topics.iter() {
            prop_assert_eq!(image.topics.by_id(&topic.id), Some(topic));
            prop_assert_eq!(image.topics.by_name(&topic.name), Some(topic));
            count += topic.partitions().len();
            let colliding = image.topics.colliding(&topic.name);
            let unified = topic.name.replace('.', "_");
            match colliding {
                Some(other) => prop_assert_eq!(other.replace('.', "_"), unified),
                None => prop_assert!(!topic.name.contains(['.', '_'])),
            }
        }
        prop_assert_eq!(image.topics.iter().count(), image.topics.len());
        prop_assert_eq!(count, image.topics.partition_count());
        for name in ["a.b", "a_b", "c.", "c_"] {
            if let Some(colliding) = image.topics.colliding(name) {
                prop_assert!(image.topics.by_name(colliding).is_some());
            }
        }
    }
}

fn topic(name: &str, id: u8) -> MetadataRecord {
    MetadataRecord::Topic { name: name.into(), topic_id: Uuid::from_bytes([id; 16]) }
}

#[test]
fn records_that_contradict_the_image_are_refused() {
    let image = replay_all(
        &MetadataImage { cluster_id: Some("c".into()), ..MetadataImage::default() },
        &[topic("a", 1)],
    );
    let topic_id = Uuid::from_bytes([9; 16]);
    let known = Uuid::from_bytes([1; 16]);
    let registration = PartitionRegistration::default();
    let wrong = [
        topic("a", 2),
        topic("b", 1),
        MetadataRecord::RemoveTopic { topic_id },
        MetadataRecord::Partition { topic_id, partition_id: 0, registration: registration.clone() },
        MetadataRecord::Partition { topic_id: known, partition_id: 1, registration },
        MetadataRecord::UnregisterBroker { broker_id: 1, broker_epoch: 1 },
        MetadataRecord::ClusterId { cluster_id: "d".into() },
    ];
    for record in wrong {
        let position = LogPosition { index: 9, term: 1 };
        assert!(apply(&image, position, std::slice::from_ref(&record)).is_err(), "{record:?}");
    }
}

#[test]
fn topics_are_listed_by_name_from_any_name_on() {
    let records = [topic("b", 1), topic("a", 2), topic("d", 3)];
    let image = replay_all(&MetadataImage::default(), &records);
    let from = |name: &str| -> Vec<&str> {
        image.topics.from_name(name).map(|topic| &*topic.name).collect()
    };
    assert_eq!(from(""), ["a", "b", "d"]);
    assert_eq!(from("b"), ["b", "d"]);
    assert_eq!(from("c"), ["d"]);
    assert_eq!(from("e"), [""; 0]);
}

#[test]
fn the_numbers_of_config_resources_are_kafkas() {
    for code in i8::MIN..=i8::MAX {
        let known = ConfigResourceType::from_code(code);
        assert_eq!(
            known.map(ConfigResourceType::code),
            [2, 4, 16, 32].contains(&code).then_some(code)
        );
    }
}

#[test]
fn access_and_quotas_can_be_taken_back() {
    let id = Uuid::from_bytes([5; 16]);
    let acl = AccessControlEntry {
        id,
        resource_type: 2,
        resource_name: "t".into(),
        pattern_type: 3,
        principal: "User:a".into(),
        host: "*".into(),
        operation: 3,
        permission_type: 3,
    };
    let credential = ScramCredential {
        user: "a".into(),
        mechanism: 1,
        salt: vec![1],
        stored_key: vec![2],
        server_key: vec![3],
        iterations: 4096,
    };
    let quota = |key: &str, value| MetadataRecord::ClientQuota {
        entity: vec![("user".into(), None)],
        key: key.into(),
        value,
    };
    let given = replay_all(
        &MetadataImage::default(),
        &[
            MetadataRecord::AccessControlEntry(acl),
            MetadataRecord::UserScramCredential(credential.clone()),
            quota("a", Some(1.0)),
            quota("b", Some(2.0)),
        ],
    );
    let counts = |image: &MetadataImage| {
        (image.acls.iter().count(), image.scram.iter().count(), image.client_quotas.iter().count())
    };
    assert_eq!(counts(&given), (1, 1, 1));
    let shown = format!("{credential:?}");
    assert!(!shown.contains("key") && !shown.contains("salt"), "{shown}");

    let remove_acl = MetadataRecord::RemoveAccessControlEntry { id };
    let taken = [
        remove_acl.clone(),
        MetadataRecord::RemoveUserScramCredential { user: "a".into(), mechanism: 1 },
        quota("a", None),
        quota("b", None),
    ];
    let taken = replay_all(&given, &taken);
    assert_eq!(counts(&taken), (0, 0, 0));
    let again = apply(&taken, LogPosition::default(), &[remove_acl]);
    assert_eq!(again, Err(ApplyError::UnknownAcl(id)));
}
