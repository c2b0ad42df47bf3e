//! Several log directories: one of them fails, the other serves, and nothing begins anew.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use protocol_codec::ErrorCode;
use protocol_codec::messages::{describe_log_dirs, fetch, list_offsets, metadata, produce};
use protocol_codec::records::BatchBuilder;
use protocol_codec::wire::Records;
use tests::barnabas::Node;
use tests::client::Client;
use tests::topics::create_topic;

const TOPIC: &str = "spread";
const PARTITIONS: i32 = 8;
const NONE: i16 = ErrorCode::None.code();
const STORAGE_ERROR: i16 = ErrorCode::KafkaStorageError.code();

/// A node with the log directories `a`, which holds the metadata too, and `b`.
fn node() -> Node {
    Node::new().with("log.dirs", "a,b")
}

/// Appends one record with acks=all.
fn append(client: &mut Client, topic: &str, partition: i32) -> (i16, i64) {
    let mut builder = BatchBuilder::new();
    builder.append(1_000, None, Some(b"value"), &[]).expect("a small batch");
    let records = Some(Records::Memory(builder.build().expect("a small batch")));
    let data = produce::PartitionProduceData { index: partition, records };
    let topic = produce::TopicProduceData {
        name: topic.into(),
        partition_data: vec![data],
        ..Default::default()
    };
    let request = produce::Request {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![topic],
        ..Default::default()
    };
    let answer = client.call(9, &request);
    let partition = &answer.responses[0].partition_responses[0];
    (partition.error_code, partition.base_offset)
}

/// The error of a fetch from offset 0, and whether there were records.
fn read(client: &mut Client, partition: i32) -> (i16, bool) {
    let partition =
        fetch::FetchPartition { partition, partition_max_bytes: 1024 * 1024, ..Default::default() };
    let topic = fetch::FetchTopic {
        topic: TOPIC.into(),
        partitions: vec![partition],
        ..Default::default()
    };
    let answer = client.call(4, &fetch::Request { topics: vec![topic], ..Default::default() });
    let partition = &answer.responses[0].partitions[0];
    let has_records = partition.records.as_ref().is_some_and(|records| !records.is_empty());
    (partition.error_code, has_records)
}

/// The error of asking for the end, and the end.
fn end(client: &mut Client, partition: i32) -> (i16, i64) {
    let partition = list_offsets::ListOffsetsPartition {
        partition_index: partition,
        timestamp: -1,
        ..Default::default()
    };
    let topic = list_offsets::ListOffsetsTopic { name: TOPIC.into(), partitions: vec![partition] };
    let request =
        list_offsets::Request { replica_id: -1, topics: vec![topic], ..Default::default() };
    let answer = client.call(5, &request);
    let partition = &answer.topics[0].partitions[0];
    (partition.error_code, partition.offset)
}

/// The partitions of the topic that have a folder in this directory.
fn folders(dir: &Path) -> BTreeSet<i32> {
    let number = |entry: fs::DirEntry| {
        entry.file_name().to_str()?.strip_prefix("spread-")?.parse::<i32>().ok()
    };
    fs::read_dir(dir).expect("a directory").filter_map(|entry| number(entry.ok()?)).collect()
}

/// A stopped node whose partitions have one record each, and the partitions that lie in `b`.
fn filled() -> (Node, BTreeSet<i32>) {
    let node = node();
    let broker = node.start();
    let mut client = Client::connect(&node.bootstrap());
    create_topic(&mut client, TOPIC, PARTITIONS, &[]);
    for partition in 0..PARTITIONS {
        assert_eq!(append(&mut client, TOPIC, partition), (NONE, 0), "{partition}");
    }
    broker.stop();
    let [in_a, in_b] = ["a", "b"].map(|dir| folders(&node.scratch().join(dir)));
    assert_eq!((in_a.len(), in_b.len()), (4, 4), "{in_a:?} {in_b:?}");
    assert!(in_a.is_disjoint(&in_b));
    (node, in_b)
}

/// Partitions in `lost` answer an error, the others have `records` records and take one more.
fn serves_all_but(node: &Node, lost: &BTreeSet<i32>, records: i64) {
    let mut client = Client::connect(&node.bootstrap());
    for partition in 0..PARTITIONS {
        if lost.contains(&partition) {
            assert_eq!(append(&mut client, TOPIC, partition).0, STORAGE_ERROR, "{partition}");
            assert_eq!(read(&mut client, partition), (STORAGE_ERROR, false), "{partition}");
            assert_eq!(end(&mut client, partition).0, STORAGE_ERROR, "{partition}");
            let nobody = (ErrorCode::LeaderNotAvailable.code(), -1, vec![1]);
            assert_eq!(leader(&mut client, partition), nobody, "{partition}");
        } else {
            assert_eq!(leader(&mut client, partition), (NONE, 1, vec![]), "{partition}");
            assert_eq!(end(&mut client, partition), (NONE, records), "{partition}");
            assert_eq!(read(&mut client, partition), (NONE, true), "{partition}");
            assert_eq!(append(&mut client, TOPIC, partition), (NONE, records), "{partition}");
        }
    }
}

/// What Metadata says: error, leader, replicas that are offline.
fn leader(client: &mut Client, partition: i32) -> (i16, i32, Vec<i32>) {
    let topic = metadata::MetadataRequestTopic { name: Some(TOPIC.into()), ..Default::default() };
    let request = metadata::Request { topics: Some(vec![topic]), ..Default::default() };
    let mut answer = client.call(9, &request);
    let partitions = &mut answer.topics[0].partitions;
    let found = partitions.iter_mut().find(|found| found.partition_index == partition);
    let found = found.expect("the topic has it");
    (found.error_code, found.leader_id, std::mem::take(&mut found.offline_replicas))
}

/// Starts twice without the directory `b` as `spoil` leaves it, then with it again.
fn survives(spoil: impl Fn(&Path)) {
    let (node, in_b) = filled();
    let (b, away) = (node.scratch().join("b"), node.scratch().join("away"));
    fs::rename(&b, &away).expect("the node has stopped");
    spoil(&b);
    for start in 1..=2 {
        let mut broker = node.start();
        let _ = broker.process().wait_for_line("Partitions are offline");
        serves_all_but(&node, &in_b, start);
        let mut client = Client::connect(&node.bootstrap());
        let topic = format!("new-{start}");
        create_topic(&mut client, &topic, 3, &[]);
        for partition in 0..3 {
            assert_eq!(append(&mut client, &topic, partition), (NONE, 0), "{topic}-{partition}");
        }
        if start == 1 {
            broker.kill()
        } else {
            broker.stop()
        }
        assert!(!b.is_dir() || folders(&b).is_empty(), "nothing of the topic is made anew");
    }
    fs::rename(&b, node.scratch().join("spoiled")).expect("the node has stopped");
    fs::rename(&away, &b).expect("the node has stopped");

    let broker = node.start();
    let mut client = Client::connect(&node.bootstrap());
    for partition in 0..PARTITIONS {
        let records = if in_b.contains(&partition) { 1 } else { 3 };
        assert_eq!(end(&mut client, partition), (NONE, records), "{partition}");
        assert_eq!(read(&mut client, partition), (NONE, true), "{partition}");
        assert_eq!(append(&mut client, TOPIC, partition), (NONE, records), "{partition}");
    }
    broker.stop();
}

#[test]
fn a_directory_replaced_by_an_empty_one_is_not_begun_anew() {
    survives(|dir| fs::create_dir(dir).expect("nothing is there"));
}

#[test]
fn a_directory_that_became_a_file_is_offline() {
    survives(|dir| fs::write(dir, "").expect("nothing is there"));
}

/// Even root cannot read a link to itself.
#[test]
fn a_directory_that_cannot_be_read_is_offline() {
    survives(|dir| symlink(dir, dir).expect("nothing is there"));
}

#[test]
fn a_directory_taken_out_of_the_configuration_is_offline() {
    let (node, in_b) = filled();
    let node = node.with("log.dirs", "a");
    let broker = node.start();
    serves_all_but(&node, &in_b, 1);
    broker.stop();
    assert_eq!(folders(&node.scratch().join("b")), in_b);
    let node = node.with("log.dirs", "a,b");
    let broker = node.start();
    let mut client = Client::connect(&node.bootstrap());
    for partition in in_b {
        assert_eq!(end(&mut client, partition), (NONE, 1), "{partition}");
        assert_eq!(append(&mut client, TOPIC, partition), (NONE, 1), "{partition}");
    }
    broker.stop();
}

type Described = Vec<(PathBuf, i16, BTreeSet<i32>)>;

/// What DescribeLogDirs says of the topic: each directory, its error, the partitions in it.
fn described(node: &Node) -> Described {
    let mut client = Client::connect(&node.bootstrap());
    let answer = client.call(4, &describe_log_dirs::Request { topics: None });
    assert_eq!(answer.error_code, NONE);
    let result = |result: &describe_log_dirs::DescribeLogDirsResult| {
        let partitions = result.topics.iter().flat_map(|topic| &topic.partitions);
        assert!(partitions.clone().all(|partition| partition.partition_size > 0));
        assert_eq!(result.total_bytes > 0, result.error_code == NONE);
        assert!(result.usable_bytes <= result.total_bytes);
        let numbers = partitions.map(|partition| partition.partition_index).collect();
        (PathBuf::from(&*result.log_dir), result.error_code, numbers)
    };
    answer.results.iter().map(result).collect()
}

#[test]
fn directories_are_described() {
    let (node, in_b) = filled();
    let in_a: BTreeSet<i32> = (0..PARTITIONS).filter(|number| !in_b.contains(number)).collect();
    let broker = node.start();
    let said = described(&node);
    let names: Vec<_> = said.iter().map(|(dir, ..)| dir.file_name().expect("a name")).collect();
    assert_eq!(names, ["a", "b"]);
    let rest: Vec<_> = said.into_iter().map(|(_, error, partitions)| (error, partitions)).collect();
    assert_eq!(rest, [(NONE, in_a.clone()), (NONE, in_b)]);
    broker.stop();

    let b = node.scratch().join("b");
    fs::remove_dir_all(&b).expect("the node has stopped");
    fs::write(&b, "").expect("nothing is there");
    let broker = node.start();
    let rest: Vec<_> =
        described(&node).into_iter().map(|(_, error, partitions)| (error, partitions)).collect();
    assert_eq!(rest, [(NONE, in_a), (STORAGE_ERROR, BTreeSet::new())]);
    broker.stop();
}
