//! Kafka's records become ours; what cannot be taken over is named.

use protocol_codec::Uuid;
use protocol_codec::data::LeaderChangeMessage;
use protocol_codec::data::leader_change_message::Voter;
use protocol_codec::metadata_records as kafka;

use super::*;
use crate::image::brokers::BrokerRegistration;
use crate::image::configs::ConfigResource;
use crate::image::topics::{NO_LEADER, UNASSIGNED_DIRECTORY};

const TOPIC: Uuid = Uuid::from_bytes([7; 16]);
const DIRECTORY: Uuid = Uuid::from_bytes([8; 16]);

fn feature(name: &str, level: i16) -> KafkaMetadata {
    KafkaMetadata::FeatureLevel(kafka::FeatureLevelRecord {
        name: name.into(),
        feature_level: level,
    })
}

fn broker(broker_id: i32) -> KafkaMetadata {
    KafkaMetadata::RegisterBroker(kafka::RegisterBrokerRecord {
        broker_id,
        broker_epoch: 5,
        log_dirs: vec![DIRECTORY],
        ..Default::default()
    })
}

fn topic() -> KafkaMetadata {
    KafkaMetadata::Topic(kafka::TopicRecord { name: "t".into(), topic_id: TOPIC })
}

fn partition() -> kafka::PartitionRecord {
    kafka::PartitionRecord {
        partition_id: 0,
        topic_id: TOPIC,
        replicas: vec![1],
        isr: vec![1],
        leader: 1,
        leader_epoch: 3,
        partition_epoch: 4,
        directories: vec![DIRECTORY],
        ..Default::default()
    }
}

fn config(name: &str, value: Option<&str>) -> KafkaMetadata {
    KafkaMetadata::Config(kafka::ConfigRecord {
        resource_type: 2,
        resource_name: "t".into(),
        name: name.into(),
        value: value.map(Into::into),
    })
}

fn voters(ids: &[i32]) -> QuorumRecord {
    let voters = ids.iter().map(|id| Voter { voter_id: *id, ..Default::default() }).collect();
    QuorumRecord::LeaderChange(LeaderChangeMessage { voters, ..Default::default() })
}

/// One node that can be taken over, and what comes after.
fn node_and(more: Vec<KafkaMetadata>) -> Takeover {
    let mut takeover = Takeover::default();
    takeover.quorum(&voters(&[1]));
    let base = [
        feature("metadata.version", 33),
        broker(1),
        topic(),
        KafkaMetadata::Partition(partition()),
    ];
    for record in base.into_iter().chain(more) {
        takeover.replay(record).unwrap();
    }
    takeover
}

fn taken(more: Vec<KafkaMetadata>) -> TakenOver {
    node_and(more).finish(1, "c", 42, 9).unwrap()
}

fn refused(takeover: Takeover) -> Vec<Obstacle> {
    takeover.finish(1, "c", 42, 9).unwrap_err()
}

#[test]
fn facts_come_over_under_the_same_names() {
    let taken = taken(vec![
        config("retention.ms", Some("1")),
        config("segment.ms", Some("2")),
        config("segment.ms", None),
        KafkaMetadata::PartitionChange(kafka::PartitionChangeRecord {
            topic_id: TOPIC,
            partition_id: 0,
            leader: NO_LEADER,
            ..Default::default()
        }),
        KafkaMetadata::ProducerIds(kafka::ProducerIdsRecord {
            broker_id: 1,
            broker_epoch: 5,
            next_producer_id: 3000,
        }),
        KafkaMetadata::NoOp(kafka::NoOpRecord::default()),
    ]);
    let image = taken.image;
    assert_eq!(image.cluster_id.as_deref(), Some("c"));
    assert_eq!(image.last_applied, LogPosition { index: 42, term: 9 });
    assert_eq!(image.features.level("metadata.version"), 33);
    assert_eq!(image.producer_ids.next_producer_id, 3000 + (1 << 32));
    let topic = image.topics.by_name("t").unwrap();
    let partition = topic.partition(0).unwrap();
    assert_eq!((topic.id, partition.directory(1)), (TOPIC, Some(DIRECTORY)));
    let numbers = (partition.leader, partition.leader_epoch, partition.partition_epoch);
    assert_eq!(numbers, (NO_LEADER, 4, 5));
    let configs = image.configs.of(&ConfigResource::topic("t")).unwrap();
    assert_eq!(configs.keys().map(|name| &**name).collect::<Vec<_>>(), ["retention.ms"]);
}

#[test]
fn access_and_quotas_are_kept() {
    let quota = |value, remove| {
        let pair = |entity_type: &str, name: Option<&str>| kafka::client_quota::EntityData {
            entity_type: entity_type.into(),
            entity_name: name.map(Into::into),
        };
        KafkaMetadata::ClientQuota(kafka::ClientQuotaRecord {
            entity: vec![pair("user", Some("a")), pair("client-id", None)],
            key: "producer_byte_rate".into(),
            value,
            remove,
        })
    };
    let acl = |id| kafka::AccessControlEntryRecord {
        id: Uuid::from_bytes([id; 16]),
        principal: "User:a".into(),
        operation: 3,
        ..Default::default()
    };
    let scram = kafka::UserScramCredentialRecord {
        name: "a".into(),
        mechanism: 2,
        salt: vec![1].into(),
        stored_key: vec![2].into(),
        server_key: vec![3].into(),
        iterations: 4096,
    };
    let token = kafka::DelegationTokenRecord {
        token_id: "i".into(),
        owner: "User:a".into(),
        ..Default::default()
    };
    let removed = kafka::RemoveAccessControlEntryRecord { id: Uuid::from_bytes([2; 16]) };
    let image = taken(vec![
        quota(10.0, false),
        quota(20.5, false),
        KafkaMetadata::AccessControlEntry(acl(1)),
        KafkaMetadata::AccessControlEntry(acl(2)),
        KafkaMetadata::RemoveAccessControlEntry(removed),
        KafkaMetadata::UserScramCredential(scram),
        KafkaMetadata::DelegationToken(token),
    ])
    .image;
    let (entity, quotas) = image.client_quotas.iter().next().unwrap();
    assert_eq!(entity[..], [("client-id".into(), None), ("user".into(), Some("a".into()))]);
    assert_eq!(quotas.get("producer_byte_rate"), Some(&20.5));
    let acls: Vec<_> = image.acls.iter().map(|acl| (&*acl.principal, acl.operation)).collect();
    assert_eq!(acls, [("User:a", 3)]);
    let credential = image.scram.iter().next().unwrap();
    assert_eq!((&*credential.user, credential.mechanism), ("a", 2));
    assert_eq!((&credential.salt[..], &credential.stored_key[..]), (&[1][..], &[2][..]));
    assert_eq!(&*image.delegation_tokens.iter().next().unwrap().token_id, "i");
    assert_eq!(node_and(vec![quota(0.0, true)]).image.client_quotas.iter().count(), 0);
}

#[test]
fn a_change_counts_as_a_whole_or_not_at_all() {
    let begin = || KafkaMetadata::BeginTransaction(kafka::BeginTransactionRecord::default());
    let end = || KafkaMetadata::EndTransaction(kafka::EndTransactionRecord::default());
    let abort = || KafkaMetadata::AbortTransaction(kafka::AbortTransactionRecord::default());
    let set = || config("retention.ms", Some("1"));
    for (records, counts) in [
        (vec![begin(), set(), end()], true),
        (vec![begin(), set(), abort()], false),
        (vec![begin(), set()], false),
    ] {
        let image = taken(records).image;
        assert_eq!(image.configs.of(&ConfigResource::topic("t")).is_some(), counts);
    }
}

#[test]
fn features_that_are_not_known_are_left_out_by_name() {
    let taken = taken(vec![feature("group.version", 1)]);
    assert_eq!(taken.features_left_out, [("group.version".into(), 1)]);
    assert_eq!(taken.image.features.level("group.version"), 0);
}

#[test]
fn what_older_kafkas_wrote_is_understood() {
    let fence = kafka::UnfenceBrokerRecord { id: 1, epoch: 5 };
    let old = kafka::PartitionRecord { partition_id: 1, directories: Vec::new(), ..partition() };
    let cleared = ClearElrRecord::default();
    let elr = kafka::PartitionRecord { eligible_leader_replicas: Some(vec![1]), ..partition() };
    let image = taken(vec![
        KafkaMetadata::UnfenceBroker(fence),
        KafkaMetadata::Partition(old),
        KafkaMetadata::Partition(elr),
        KafkaMetadata::ClearElr(cleared),
    ])
    .image;
    let own: &BrokerRegistration = image.brokers.get(1).unwrap();
    assert!(!own.fenced);
    let topic = image.topics.by_name("t").unwrap();
    assert_eq!(topic.partition(1).unwrap().directories, [UNASSIGNED_DIRECTORY]);
    assert!(topic.partition(0).unwrap().eligible_leader_replicas.is_empty());
}

/// As a clean stop of Kafka 4 leaves every partition of a single node.
#[test]
fn the_only_eligible_leader_is_in_sync() {
    let record = |elr: &[i32], last_known: &[i32]| {
        KafkaMetadata::Partition(kafka::PartitionRecord {
            leader: NO_LEADER,
            isr: Vec::new(),
            eligible_leader_replicas: Some(elr.to_vec()),
            last_known_elr: Some(last_known.to_vec()),
            ..partition()
        })
    };
    let image = taken(vec![record(&[1], &[])]).image;
    let partition = image.topics.by_name("t").unwrap().partition(0).unwrap().clone();
    assert_eq!(partition.isr, [1]);
    assert!(partition.eligible_leader_replicas.is_empty());
    // The last known leader may lack something: that is for Kafka to decide.
    let lost = Obstacle::NotInSync { topic: "t".into(), partition: 0 };
    assert_eq!(refused(node_and(vec![record(&[], &[1])])), [lost]);
}

#[test]
fn each_obstacle_is_found() {
    let with = |record| refused(node_and(vec![record]));
    let version = |level| with(feature("metadata.version", level));
    assert_eq!(version(34), [Obstacle::NewerMetadataVersion { level: 34 }]);
    assert_eq!(version(6), [Obstacle::OlderMetadataVersion { level: 6 }]);
    let zk = kafka::ZkMigrationStateRecord { zk_migration_state: 2 };
    assert_eq!(with(KafkaMetadata::ZkMigrationState(zk)), [Obstacle::ZkMigration]);
    assert_eq!(with(broker(2)), [Obstacle::OtherBroker { node_id: 1, broker_id: 2 }]);
    let tiered = Obstacle::Tiered { topic: "t".into() };
    assert_eq!(with(config("remote.storage.enable", Some("true"))), [tiered]);

    let (topic, partition_id) = (Arc::<str>::from("t"), 0);
    let partition_with = |change: fn(&mut kafka::PartitionRecord)| {
        let mut record = partition();
        change(&mut record);
        with(KafkaMetadata::Partition(record))
    };
    let other = Obstacle::OtherReplicas {
        topic: topic.clone(),
        partition: partition_id,
        replicas: vec![1, 2],
        node_id: 1,
    };
    assert_eq!(partition_with(|p| p.replicas = vec![1, 2]), [other]);
    let moving = Obstacle::Reassignment { topic: topic.clone(), partition: partition_id };
    assert_eq!(partition_with(|p| p.adding_replicas = vec![2]), [moving]);
    let lost = Obstacle::NotInSync { topic, partition: partition_id };
    assert_eq!(partition_with(|p| p.isr = vec![]), [lost]);
}

#[test]
fn only_the_sole_voter_knows_what_is_committed() {
    let with_voters = |ids: &[i32]| {
        let mut takeover = node_and(Vec::new());
        takeover.quorum(&voters(ids));
        takeover
    };
    let others = Obstacle::OtherVoters { node_id: 1, voters: vec![1, 2] };
    assert_eq!(refused(with_voters(&[2, 1])), [others]);
    assert_eq!(refused(with_voters(&[])), [Obstacle::UnknownVoters]);
    let mut by_registration = with_voters(&[]);
    let controller = kafka::RegisterControllerRecord { controller_id: 1, ..Default::default() };
    by_registration.replay(KafkaMetadata::RegisterController(controller)).unwrap();
    assert!(by_registration.finish(1, "c", 1, 1).is_ok());
    let not_a_broker = node_and(Vec::new()).finish(3, "c", 1, 1).unwrap_err();
    assert!(not_a_broker.contains(&Obstacle::NotABroker(3)), "{not_a_broker:?}");
}

#[test]
fn a_contradiction_names_the_record() {
    let mut takeover = node_and(Vec::new());
    let said = takeover.replay(topic()).unwrap_err().to_string();
    assert!(said.starts_with("a TopicRecord contradicts what came before it"), "{said}");
    let odd = kafka::ConfigRecord { resource_type: 9, ..Default::default() };
    let error = takeover.replay(KafkaMetadata::Config(odd));
    assert_eq!(error, Err(TakeoverError::UnknownResourceType(9)));
}

mod written {
    use super::*;
    use crate::handle::{ControllerConfig, ControllerNode};
    use crate::raft::sled_store::{METADATA_DIR, SledStore};
    use crate::testing::{AnyConfig, block_on, register_and_unfence};

    /// What a node finds that starts on what was written.
    #[test]
    fn a_node_goes_on_with_the_image() {
        let dir = tempfile::tempdir().unwrap();
        // A crash of an earlier attempt left this.
        std::fs::create_dir(dir.path().join("__cluster_metadata-2")).unwrap();
        std::fs::write(dir.path().join("__cluster_metadata-2/rest"), "x").unwrap();
        let taken = taken(vec![config("retention.ms", Some("1"))]);
        write(dir.path(), &taken.image, ("beside", b"x")).unwrap();
        assert_eq!(std::fs::read(dir.path().join(METADATA_DIR).join("beside")).unwrap(), b"x");
        let names: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, [METADATA_DIR]);

        for start in 1..=2 {
            let store = Box::new(SledStore::open(dir.path()).unwrap());
            let config = ControllerConfig::sole_voter(1, "c");
            let listener = Box::new(|_: &_, _: &_| {});
            let handle =
                ControllerNode::start(config, store, Arc::new(AnyConfig), listener).unwrap();
            let image = block_on(handle.ready()).unwrap();
            assert_eq!(image.configs, taken.image.configs);
            assert!(image.last_applied.index >= 42 && image.last_applied.term > 9);
            let epoch = block_on(register_and_unfence(&handle, 1));
            assert!(epoch > 42, "start {start}: {epoch}");
            assert!(handle.image().brokers.is_active(1));
            assert_eq!(handle.image().topics.by_name("t").unwrap().partition(0).unwrap().leader, 1);
            block_on(handle.shutdown());
        }
    }
}
