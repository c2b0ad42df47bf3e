//! Stops of every kind: what was answered is there afterwards.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::command::{Command, CreateTopics, Outcome};
use crate::handle::{ControllerConfig, ControllerHandle, ControllerNode};
use crate::image::configs::ConfigResource;
use crate::raft::look::look;
use crate::raft::mem_store::MemStore;
use crate::raft::sled_store::{METADATA_DIR, SledStore};
use crate::raft::store::RaftStore;
use crate::testing::{AnyConfig, block_on, new_topic, register_and_unfence};

fn start(store: impl RaftStore + 'static, snapshot_bytes: u64) -> ControllerHandle {
    let config = ControllerConfig { snapshot_bytes, ..ControllerConfig::sole_voter(1, "c") };
    let listener = Box::new(|_: &_, _: &_| {});
    let handle =
        ControllerNode::start(config, Box::new(store), Arc::new(AnyConfig), listener).unwrap();
    block_on(handle.ready()).unwrap();
    handle
}

fn create(handle: &ControllerHandle, name: &str, partitions: i32) {
    let command = Command::CreateTopics(CreateTopics {
        topics: vec![new_topic(name, partitions, 1)],
        ..CreateTopics::default()
    });
    let Outcome::CreateTopics(results) = block_on(handle.submit(command)).unwrap() else {
        panic!("no topics")
    };
    assert!(results[0].result.is_ok(), "{results:?}");
}

/// What lies on the disk while the process still runs: what a kill leaves.
fn copy(from: &Path) -> tempfile::TempDir {
    fn copy_dir(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for item in std::fs::read_dir(from).unwrap() {
            let item = item.unwrap();
            let target = to.join(item.file_name());
            if item.file_type().unwrap().is_dir() {
                copy_dir(&item.path(), &target);
            } else if item.file_name() != "reserve" {
                std::fs::copy(item.path(), target).unwrap();
            }
        }
    }
    let to = tempfile::tempdir().unwrap();
    copy_dir(from, to.path());
    to
}

#[test]
fn a_kill_takes_nothing_that_was_answered() {
    let mut dir = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for life in 0..5 {
        let handle = start(SledStore::open(dir.path()).unwrap(), u64::MAX);
        let image = handle.image();
        let found: Vec<String> = image.topics.iter().map(|topic| topic.name.to_string()).collect();
        assert_eq!(found, expected, "life {life}");
        block_on(register_and_unfence(&handle, 1));
        for topic in 0..4 {
            let name = format!("t-{life}-{topic}");
            create(&handle, &name, 400);
            expected.push(name);
        }
        let before = handle.image();
        dir = copy(dir.path());
        let again = start(SledStore::open(dir.path()).unwrap(), u64::MAX);
        assert_eq!(again.image().topics, before.topics);
        assert_eq!(again.image().brokers, before.brokers);
        block_on(again.shutdown());
    }
}

/// With a tiny threshold every command brings a snapshot, and the log is cut behind it. Whether a
/// stop comes before or after the cut, the next start finds everything.
#[test]
fn snapshots_take_the_place_of_the_log() {
    let dir = tempfile::tempdir().unwrap();
    for life in 0..3 {
        let handle = start(SledStore::open(dir.path()).unwrap(), 1);
        block_on(register_and_unfence(&handle, 1));
        for topic in 0..30 {
            create(&handle, &format!("t-{life}-{topic}"), 20);
        }
        assert_eq!(handle.image().topics.len(), (life + 1) * 30);
        block_on(handle.shutdown());
    }
    let store = SledStore::open(dir.path()).unwrap();
    let (snapshot, _) = store.read_snapshot().unwrap().unwrap();
    assert!(store.truncated().index > 0 && store.truncated() <= snapshot);
    assert!(store.last().index - store.truncated().index < 90, "the log was cut");
}

/// The commit index is not written with every commit, so a snapshot can be ahead of it.
#[test]
fn a_snapshot_may_be_ahead_of_the_written_commit_index() {
    let store = MemStore::new();
    let handle = start(store.clone(), u64::MAX);
    block_on(register_and_unfence(&handle, 1));
    create(&handle, "t", 3);
    let image = handle.image();
    block_on(handle.shutdown());
    let bytes = crate::raft::snapshot::encode(&image);
    store.snapshot_writer().write(image.last_applied, &bytes).unwrap();
    assert!(store.hard_state().commit < image.last_applied.index);
    assert_eq!(start(store, u64::MAX).image().topics, image.topics);
}

#[test]
fn a_damaged_store_stops_the_start_with_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let handle = start(SledStore::open(dir.path()).unwrap(), 1);
    block_on(register_and_unfence(&handle, 1));
    for topic in 0..20 {
        create(&handle, &format!("t-{topic}"), 20);
    }
    block_on(handle.shutdown());
    let metadata = dir.path().join(METADATA_DIR);
    let is_snapshot = |path: &PathBuf| path.extension().is_some_and(|e| e == "checkpoint");
    let files = std::fs::read_dir(&metadata).unwrap().map(|file| file.unwrap().path());
    let mut snapshots: Vec<_> = files.filter(is_snapshot).collect();
    snapshots.sort();
    let newest = snapshots.pop().unwrap();
    let mut bytes = std::fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&newest, bytes).unwrap();

    let store = SledStore::open(dir.path()).unwrap();
    let config = ControllerConfig::sole_voter(1, "c");
    let listener = Box::new(|_: &_, _: &_| {});
    let error = ControllerNode::start(config, Box::new(store), Arc::new(AnyConfig), listener)
        .unwrap_err()
        .to_string();
    let start = format!("the metadata in {} is damaged: its checksum is", newest.display());
    assert!(error.starts_with(&start), "{error}");
}

/// Names, bytes and times of all that is in a folder.
fn state_of(folder: &Path) -> Vec<(PathBuf, SystemTime, Vec<u8>)> {
    let mut all = Vec::new();
    let mut paths = vec![folder.to_owned()];
    while let Some(path) = paths.pop() {
        let modified = path.metadata().unwrap().modified().unwrap();
        if path.is_dir() {
            paths.extend(std::fs::read_dir(&path).unwrap().map(|item| item.unwrap().path()));
            all.push((path, modified, Vec::new()));
        } else {
            let bytes = std::fs::read(&path).unwrap();
            all.push((path, modified, bytes));
        }
    }
    all.sort();
    all
}

/// After a kill, with snapshots and without; and what is damaged is named where it lies.
#[test]
fn a_stopped_node_is_looked_at_without_a_change() {
    for snapshot_bytes in [1, u64::MAX] {
        let dir = tempfile::tempdir().unwrap();
        let handle = start(SledStore::open(dir.path()).unwrap(), snapshot_bytes);
        block_on(register_and_unfence(&handle, 1));
        for topic in 0..10 {
            create(&handle, &format!("t-{topic}"), 20);
        }
        let killed = copy(dir.path());
        let before = state_of(killed.path());
        assert_eq!(look(killed.path()).unwrap(), *handle.image());
        assert!(state_of(killed.path()) == before, "nothing was changed");
        block_on(handle.shutdown());

        let durable = killed.path().join(METADATA_DIR).join("durable");
        let mut mark = 1000_u64.to_le_bytes().to_vec();
        mark.extend(1_u64.to_le_bytes());
        let crc = crc_fast::crc32_iscsi(&mark);
        mark.extend(crc.to_le_bytes());
        std::fs::write(durable, mark).unwrap();
        let said = look(killed.path()).unwrap_err().to_string();
        let name = killed.path().join(METADATA_DIR).display().to_string();
        assert!(said.starts_with(&format!("the metadata in {name} is damaged: ")), "{said}");
    }
}

#[test]
fn a_store_that_is_too_large_is_not_copied() {
    let dir = tempfile::tempdir().unwrap();
    let raft = dir.path().join(METADATA_DIR).join("raft");
    std::fs::create_dir_all(&raft).unwrap();
    let db = std::fs::File::create(raft.join("db")).unwrap();
    db.set_len(1 << 30).unwrap();
    let said = look(dir.path()).unwrap_err().to_string();
    assert!(said.contains("raft/db has 1073741824 bytes"), "{said}");
}

/// A directory that the first release wrote: a snapshot, and entries after it in sled.
#[test]
fn a_directory_of_format_1_opens() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/raft/tests/fixtures/format-1");
    let dir = copy(&fixture);
    let config = ControllerConfig::sole_voter(1, "c3VwZXItc2VjcmV0LWlk");
    let store = Box::new(SledStore::open(dir.path()).unwrap());
    let listener = Box::new(|_: &_, _: &_| {});
    let handle = ControllerNode::start(config, store, Arc::new(AnyConfig), listener).unwrap();
    let image = block_on(handle.ready()).unwrap();
    let topics: Vec<(&str, i32)> =
        image.topics.iter().map(|topic| (&*topic.name, topic.partition_count())).collect();
    assert_eq!(topics, [("a.b", 2), ("orders", 2), ("payments", 2)]);
    let retention = image.configs.value(&ConfigResource::topic("orders"), "retention.ms");
    assert_eq!(retention.map(|value| &**value), Some("1000"));
    assert_eq!(image.producer_ids.next_producer_id, 1000);
    assert_eq!(image.features.level("metadata.version"), 33);
    assert!(image.brokers.is_active(1));
}
