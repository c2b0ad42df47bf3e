//! A loss of power under load, on a real file system: what was acknowledged is there afterwards.
//!
//! More hostile orders of what reaches a disk than ext4's are tried in memory, below
//! `storage/src`; here everything is real: kernel, file system, broker and clients.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};

use protocol_codec::ErrorCode;
use protocol_codec::messages::{create_topics, delete_topics, metadata};
use tests::barnabas::{Barnabas, Node};
use tests::client::Client;
use tests::disk::LoopDisk;
use tests::environment::rounds;

use super::numbered::Numbered;

const NONE: i16 = ErrorCode::None.code();
/// Cuts on one disk; then begins a new one, lest reading everything again takes all the time.
const CUTS_A_DISK: usize = 25;
const DISK_MEBIBYTES: u64 = 1024;

/// A node on a disk of its own.
struct Machine {
    node: Node,
    disk: LoopDisk,
}

impl Machine {
    fn new(change: impl FnOnce(Node) -> Node) -> Option<Self> {
        let disk = LoopDisk::new(DISK_MEBIBYTES)?;
        Some(Self { node: change(Node::new().on(&disk.path())), disk })
    }

    /// Cuts the power under the broker and starts it again.
    fn cut_power(&self, broker: Barnabas) -> Barnabas {
        self.disk.cut_power();
        broker.kill();
        self.disk.restore_power();
        self.node.start()
    }
}

/// As evenly spread as the moments of a cut need to be.
fn up_to(limit: u64) -> usize {
    usize::try_from(RandomState::new().build_hasher().finish() % limit).expect("a small number")
}

/// Runs all cuts, on a few disks. `begin` makes what `cut` continues with after each cut.
fn cut<L>(
    change: impl Fn(Node) -> Node,
    begin: impl Fn(&Node) -> L,
    mut round: impl FnMut(&Machine, Barnabas, &mut L) -> Barnabas,
) {
    let mut left = rounds(10, 150);
    while left > 0 {
        let Some(machine) = Machine::new(&change) else { return };
        let mut broker = machine.node.start();
        let mut load = begin(&machine.node);
        for _ in 0..left.min(CUTS_A_DISK) {
            broker = round(&machine, broker, &mut load);
        }
        left -= left.min(CUTS_A_DISK);
        broker.stop();
    }
}

/// Segments and checkpoints come often, so that cuts meet rolls and checkpoints too.
fn busy(node: Node) -> Node {
    node.with("num.partitions", "3")
        .with("log.segment.bytes", "1048576")
        .with("log.flush.offset.checkpoint.interval.ms", "50")
        .with("log.flush.start.offset.checkpoint.interval.ms", "50")
}

#[test]
fn acknowledged_records_survive_power_cuts() {
    cut(
        busy,
        |node| Numbered::new(&node.bootstrap(), "power", 3),
        |machine, broker, load| {
            load.produce_until_acked(1 + up_to(2_000));
            let broker = machine.cut_power(broker);
            load.check(&machine.node.bootstrap());
            broker
        },
    );
}

/// Topics that are created and deleted: what the controller has acknowledged.
#[derive(Default)]
struct Topics {
    next: u32,
    there: BTreeSet<String>,
    gone: BTreeSet<String>,
}

impl Topics {
    /// Creates a topic, or deletes one, and waits for the answer.
    fn change(&mut self, client: &mut Client) {
        if up_to(3) == 0
            && let Some(name) = self.there.pop_first()
        {
            let names = vec![name.as_str().into()];
            let request = delete_topics::Request {
                topic_names: names,
                timeout_ms: 30_000,
                ..Default::default()
            };
            assert_eq!(client.call(5, &request).responses[0].error_code, NONE);
            self.gone.insert(name);
        } else {
            let request = self.create();
            assert_eq!(client.call(7, &request).topics[0].error_code, NONE);
            self.there.insert(request.topics[0].name.to_string());
        }
    }

    fn create(&mut self) -> create_topics::Request {
        self.next += 1;
        let topic = create_topics::CreatableTopic {
            name: format!("topic-{}", self.next).into(),
            num_partitions: 3,
            replication_factor: 1,
            ..Default::default()
        };
        create_topics::Request { topics: vec![topic], timeout_ms: 30_000, ..Default::default() }
    }

    fn check(&self, client: &mut Client) {
        let answer = client.call(12, &metadata::Request { topics: None, ..Default::default() });
        let found: BTreeSet<String> = answer
            .topics
            .iter()
            .filter_map(|topic| Some(topic.name.as_ref()?.to_string()))
            .collect();
        let lost: Vec<_> = self.there.difference(&found).collect();
        assert!(lost.is_empty(), "created and lost: {lost:?}");
        let back: Vec<_> = self.gone.intersection(&found).collect();
        assert!(back.is_empty(), "deleted and back: {back:?}");
    }
}

#[test]
fn acknowledged_metadata_survives_power_cuts() {
    cut(
        |node| node.with("metadata.log.max.record.bytes.between.snapshots", "2000"),
        |_| Topics::default(),
        |machine, broker, topics| {
            let mut client = Client::connect(&machine.node.bootstrap());
            for _ in 0..=up_to(40) {
                topics.change(&mut client);
            }
            // One more is under way when the power goes.
            client.send(7, &topics.create());
            let broker = machine.cut_power(broker);
            topics.check(&mut Client::connect(&machine.node.bootstrap()));
            broker
        },
    );
}

/// The cleaner is always at work, so that cuts meet it while it replaces segments.
#[test]
fn the_newest_of_each_key_survives_power_cuts() {
    cut(
        |node| {
            busy(node)
                .with("log.cleanup.policy", "compact")
                .with("log.roll.ms", "20")
                .with("log.cleaner.backoff.ms", "20")
                .with("log.cleaner.min.cleanable.ratio", "0.01")
        },
        |node| Numbered::new(&node.bootstrap(), "newest", 3).with_keys(99),
        |machine, broker, load| {
            load.produce_until_acked(1_000 + up_to(3_000));
            let broker = machine.cut_power(broker);
            load.check_newest_of_keys(&machine.node.bootstrap());
            broker
        },
    );
}
