//! One voter: what clients of the handle see.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;
use protocol_codec::ErrorCode;
use raft::eraftpb::Entry;

use crate::command::{Command, CreateTopics, Outcome};
use crate::handle::{ControllerConfig, ControllerError, ControllerHandle, ControllerNode};
use crate::image::MetadataImage;
use crate::raft::mem_store::MemStore;
use crate::raft::sled_store::SledStore;
use crate::raft::store::RaftStore;
use crate::record::MetadataRecord;
use crate::record::encoding::encode_entry;
use crate::testing::{AnyConfig, block_on, new_topic, register_and_unfence};

fn start(store: impl RaftStore + 'static) -> ControllerHandle {
    let config = ControllerConfig::sole_voter(1, "cluster");
    ControllerNode::start(config, Box::new(store), Arc::new(AnyConfig), Box::new(|_, _| {}))
        .unwrap()
}

fn create(name: &str, partitions: i32) -> Command {
    Command::CreateTopics(CreateTopics {
        topics: vec![new_topic(name, partitions, 1)],
        default_num_partitions: 1,
        default_replication_factor: 1,
        ..CreateTopics::default()
    })
}

fn created(outcome: &Outcome) -> Result<(), ErrorCode> {
    let Outcome::CreateTopics(results) = outcome else { panic!("not about topics: {outcome:?}") };
    results[0].result.clone().map(|_| ()).map_err(|error| error.code)
}

#[test]
fn a_new_cluster_gets_its_id_and_features_and_keeps_them() {
    let store = MemStore::new();
    let first = start(store.clone());
    let image = block_on(first.ready()).unwrap();
    assert_eq!(image.cluster_id.as_deref(), Some("cluster"));
    assert_eq!(image.features.level("metadata.version"), 33);
    block_on(first.shutdown());

    let again = start(store);
    let after = block_on(again.ready()).unwrap();
    assert_eq!(after.cluster_id, image.cluster_id);
    assert_eq!(after.last_applied.term, image.last_applied.term + 1, "each start is a new term");
}

/// Starts on this store and says why it stops.
fn reason_to_stop(store: MemStore, cluster_id: &str) -> String {
    let config = ControllerConfig::sole_voter(1, cluster_id);
    let listener = Box::new(|_: &_, _: &_| {});
    let handle =
        ControllerNode::start(config, Box::new(store), Arc::new(AnyConfig), listener).unwrap();
    match block_on(handle.ready()) {
        Err(ControllerError::Stopped(reason)) => reason.to_string(),
        other => panic!("it did not stop: {other:?}"),
    }
}

#[test]
fn a_directory_of_another_cluster_is_refused() {
    let store = MemStore::new();
    let first = start(store.clone());
    block_on(first.ready()).unwrap();
    block_on(first.shutdown());
    assert_eq!(
        reason_to_stop(store, "other"),
        "the metadata belongs to the cluster cluster, but this node is configured for other"
    );
}

fn store_with_entry(data: Vec<u8>) -> MemStore {
    let mut store = MemStore::new();
    let entry = Entry { index: 1, term: 1, data: data.into(), ..Entry::default() };
    store.append(&[entry], None).unwrap();
    store
}

#[test]
fn metadata_of_a_newer_release_is_refused() {
    let level = MetadataRecord::FeatureLevel { name: "metadata.version".into(), level: 34 };
    assert_eq!(
        reason_to_stop(store_with_entry(encode_entry(&[level])), "cluster"),
        "the cluster has finalized metadata.version at level 34, but this release supports it up \
         to level 33"
    );
    assert_eq!(
        reason_to_stop(store_with_entry(vec![7]), "cluster"),
        "entry 1 of the metadata log cannot be read: the entry has format 7, a newer release \
         wrote it; this one reads format 1"
    );
}

#[test]
fn a_log_that_contradicts_itself_is_refused() {
    let gone = MetadataRecord::UnregisterBroker { broker_id: 3, broker_epoch: 4 };
    assert_eq!(
        reason_to_stop(store_with_entry(encode_entry(&[gone])), "cluster"),
        "entry 1 of the metadata log contradicts what came before it: no broker 3 with epoch 4 is \
         registered"
    );
}

#[test]
fn the_listener_hears_of_a_topic_before_the_answer_and_the_image_are_seen() {
    let seen: Arc<Mutex<Vec<Arc<MetadataImage>>>> = Arc::default();
    let listener_seen = seen.clone();
    let handle = ControllerNode::start(
        ControllerConfig::sole_voter(1, "cluster"),
        Box::new(MemStore::new()),
        Arc::new(AnyConfig),
        Box::new(move |delta, image| {
            assert!(!delta.is_empty());
            listener_seen.lock().push(image.clone());
        }),
    )
    .unwrap();
    block_on(handle.ready()).unwrap();
    block_on(register_and_unfence(&handle, 1));
    let outcome = block_on(handle.submit(create("orders", 3))).unwrap();
    assert_eq!(created(&outcome), Ok(()));
    let last = seen.lock().last().cloned().unwrap();
    assert_eq!(last.topics.by_name("orders").unwrap().partition_count(), 3);
    assert_eq!(handle.image(), last);
}

#[test]
fn commands_at_the_same_time_see_each_other() {
    let handle = start(MemStore::new());
    block_on(handle.ready()).unwrap();
    block_on(register_and_unfence(&handle, 1));
    let outcomes = block_on(async {
        let (first, second) =
            tokio::join!(handle.submit(create("a", 1)), handle.submit(create("a", 1)));
        [first.unwrap(), second.unwrap()]
    });
    let mut results = outcomes.map(|outcome| created(&outcome));
    results.sort_by_key(Result::is_err);
    assert_eq!(results, [Ok(()), Err(ErrorCode::TopicAlreadyExists)]);
}

#[test]
fn commands_that_queue_up_share_writes() {
    let store = MemStore::new();
    let handle = start(store.clone());
    block_on(handle.ready()).unwrap();
    block_on(register_and_unfence(&handle, 1));
    let before = store.appends();
    block_on(async {
        let commands = (0..200).map(|n| handle.submit(create(&format!("t{n}"), 1)));
        for outcome in crate::testing::join_all(commands).await {
            assert_eq!(created(&outcome.unwrap()), Ok(()));
        }
    });
    let writes = store.appends() - before;
    assert!(writes < 200, "200 commands took {writes} writes");
    assert_eq!(handle.image().topics.len(), 200);
}

#[test]
fn a_full_disk_refuses_changes_until_it_has_room() {
    let store = MemStore::new();
    let handle = start(store.clone());
    block_on(handle.ready()).unwrap();
    block_on(register_and_unfence(&handle, 1));
    store.set_full(true);
    assert_eq!(block_on(handle.submit(create("a", 1))), Err(ControllerError::NoSpace));
    store.set_full(false);
    assert_eq!(created(&block_on(handle.submit(create("a", 1))).unwrap()), Ok(()));
}

#[test]
fn after_a_shutdown_commands_are_refused() {
    let handle = start(MemStore::new());
    block_on(handle.ready()).unwrap();
    block_on(handle.shutdown());
    let refused = block_on(handle.submit(create("a", 1)));
    assert_eq!(refused, Err(ControllerError::Stopped("it was shut down".into())));
}

#[test]
fn an_idle_node_writes_nothing() {
    let store = MemStore::new();
    let handle = start(store.clone());
    block_on(handle.ready()).unwrap();
    block_on(register_and_unfence(&handle, 1));
    let (appends, applied) = (store.appends(), handle.image().last_applied);
    // A command that changes nothing wakes the node and is no reason to write either.
    let unknown = Command::DeleteTopics { topics: Vec::new() };
    block_on(handle.submit(unknown)).unwrap();
    assert_eq!((store.appends(), handle.image().last_applied), (appends, applied));
}

#[test]
fn the_quorum_status_names_the_leader_and_the_end_of_its_log() {
    let handle = start(MemStore::new());
    let image = block_on(handle.ready()).unwrap();
    let status = handle.quorum_status();
    let end = i64::try_from(image.last_applied.index).unwrap() + 1;
    assert_eq!(status.leader, Some(1));
    assert_eq!((status.high_watermark, status.voters[0].log_end_offset), (end, Some(end)));
}

#[test]
fn the_disk_store_brings_everything_back() {
    let dir = tempfile::tempdir().unwrap();
    let open = || SledStore::open(dir.path()).unwrap();
    let started = Instant::now();
    let first = start(open());
    block_on(first.ready()).unwrap();
    println!("fresh: {:?}", started.elapsed());
    block_on(register_and_unfence(&first, 1));
    let started = Instant::now();
    let outcome = block_on(first.submit(create("wide", 1000))).unwrap();
    println!("1,000 partitions: {:?}", started.elapsed());
    assert_eq!(created(&outcome), Ok(()));
    let before = first.image();
    block_on(first.shutdown());

    let started = Instant::now();
    let again = start(open());
    let after = block_on(again.ready()).unwrap();
    println!("again: {:?}", started.elapsed());
    assert_eq!(after.topics, before.topics);
    assert_eq!(after.brokers, before.brokers);
}
