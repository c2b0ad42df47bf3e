//! Three voters in one thread, with the driver's own node code: they elect, replicate, lose each
//! other and come back. Time is ticks; messages are delivered or dropped by the test.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::command::{Command, CreateTopics, Outcome, RegisterBroker};
use crate::handle::{ControllerConfig, ControllerError};
use crate::image::MetadataImage;
use crate::raft::mem_store::MemStore;
use crate::raft::node::Node;
use crate::raft::store::RaftStore;
use crate::testing::{AnyConfig, broker_registration, new_topic};

const IDS: [i32; 3] = [1, 2, 3];

/// No test needs more ticks than this for anything; an election takes about 20.
const TICKS_MAX: usize = 2000;

type Answer = Arc<Mutex<Option<Result<Outcome, ControllerError>>>>;

struct Cluster {
    nodes: Vec<Option<Node>>,
    stores: Vec<MemStore>,
    /// Nodes whose messages are dropped, both ways.
    cut_off: BTreeSet<i32>,
    published: Vec<Arc<MetadataImage>>,
    seeds: u128,
}

fn config(node_id: i32, snapshot_bytes: u64) -> ControllerConfig {
    ControllerConfig {
        node_id,
        voters: IDS.to_vec(),
        cluster_id: Some("cluster".into()),
        snapshot_bytes,
    }
}

fn index(id: i32) -> usize {
    usize::try_from(id - 1).unwrap()
}

impl Cluster {
    fn new() -> Self {
        let stores: Vec<MemStore> = IDS.iter().map(|_| MemStore::new()).collect();
        let mut cluster = Cluster {
            nodes: vec![None, None, None],
            stores,
            cut_off: BTreeSet::new(),
            published: vec![Arc::default(); 3],
            seeds: 0,
        };
        for id in IDS {
            cluster.start(id);
        }
        cluster
    }

    fn start(&mut self, id: i32) {
        let store = Box::new(self.stores[index(id)].clone());
        let node = Node::new(config(id, u64::MAX), store, Arc::new(AnyConfig)).unwrap();
        self.nodes[index(id)] = Some(node);
        self.published[index(id)] = Arc::default();
    }

    fn kill(&mut self, id: i32) {
        self.nodes[index(id)] = None;
    }

    fn node(&mut self, id: i32) -> &mut Node {
        self.nodes[index(id)].as_mut().unwrap()
    }

    /// Processes and delivers until nobody has anything more to say.
    fn settle(&mut self) {
        loop {
            let mut messages = Vec::new();
            for id in IDS {
                let Some(node) = &mut self.nodes[index(id)] else { continue };
                let published = &mut self.published[index(id)];
                node.process(0, &mut |_, _| {}, &mut |image| {
                    assert!(image.last_applied > published.last_applied, "images go forward");
                    *published = image.clone();
                })
                .unwrap();
                let sent = node.take_messages();
                if !self.cut_off.contains(&id) {
                    messages.extend(sent);
                }
            }
            if messages.is_empty() {
                break;
            }
            for message in messages {
                let to = i32::try_from(message.to).unwrap() - 1;
                if let Some(node) = &mut self.nodes[index(to)]
                    && !self.cut_off.contains(&to)
                {
                    node.step(message);
                }
            }
        }
        self.check_leaders();
    }

    fn check_leaders(&self) {
        let mut terms = BTreeSet::new();
        for node in self.nodes.iter().flatten().filter(|node| node.is_ready()) {
            assert!(terms.insert(node.quorum_status().leader_epoch), "two leaders in one term");
        }
    }

    fn tick_until(&mut self, what: &str, mut done: impl FnMut(&Cluster) -> bool) {
        for _ in 0..TICKS_MAX {
            self.settle();
            if done(self) {
                return;
            }
            for node in self.nodes.iter_mut().flatten() {
                node.tick();
            }
        }
        panic!("{what}: not after {TICKS_MAX} ticks");
    }

    /// A ready leader that is not cut off.
    fn find_leader(&self) -> Option<i32> {
        let leads = |id: &i32| {
            let node = self.nodes[index(*id)].as_ref();
            !self.cut_off.contains(id) && node.is_some_and(Node::is_ready)
        };
        IDS.into_iter().find(leads)
    }

    fn leader(&mut self) -> i32 {
        self.tick_until("a leader", |cluster| cluster.find_leader().is_some());
        self.find_leader().unwrap()
    }

    fn submit(&mut self, id: i32, command: Command) -> Answer {
        self.seeds += 1;
        let seed = self.seeds;
        let answer = Answer::default();
        let reply = answer.clone();
        let reply = Box::new(move |result| *reply.lock() = Some(result));
        self.node(id).submit(0, seed, command, reply);
        answer
    }

    /// Submits to the leader and waits for the answer.
    fn run(&mut self, command: Command) -> Outcome {
        let leader = self.leader();
        let answer = self.submit(leader, command);
        self.tick_until("an answer", |_| answer.lock().is_some());
        answer.lock().take().unwrap().unwrap()
    }

    fn with_broker() -> Self {
        let mut cluster = Cluster::new();
        let register = RegisterBroker { broker_id: 1, ..broker_registration(1) };
        let Outcome::RegisterBroker(Ok(broker_epoch)) =
            cluster.run(Command::RegisterBroker(register))
        else {
            panic!("not registered");
        };
        cluster.run(Command::UnfenceBroker { broker_id: 1, broker_epoch });
        cluster
    }

    fn create(&mut self, name: &str) {
        let Outcome::CreateTopics(results) = self.run(create(name)) else { panic!("no topics") };
        assert!(results[0].result.is_ok(), "{results:?}");
    }

    fn wait_until_equal(&mut self) {
        self.tick_until("equal images", |cluster| {
            let alive = IDS.into_iter().filter(|id| cluster.nodes[index(*id)].is_some());
            let images: Vec<_> = alive.map(|id| &cluster.published[index(id)]).collect();
            images.iter().all(|image| image.last_applied == images[0].last_applied)
        });
        let alive: Vec<i32> =
            IDS.into_iter().filter(|id| self.nodes[index(*id)].is_some()).collect();
        for id in &alive {
            assert_eq!(self.published[index(*id)], self.published[index(alive[0])]);
        }
    }

    fn topics(&self, id: i32) -> Vec<String> {
        self.published[index(id)].topics.iter().map(|topic| topic.name.to_string()).collect()
    }
}

fn create(name: &str) -> Command {
    Command::CreateTopics(CreateTopics {
        topics: vec![new_topic(name, 3, 1)],
        default_num_partitions: 1,
        default_replication_factor: 1,
        ..CreateTopics::default()
    })
}

#[test]
fn three_nodes_elect_one_and_replay_the_same() {
    let mut cluster = Cluster::with_broker();
    cluster.create("a");
    cluster.create("b");
    cluster.wait_until_equal();
    for id in IDS {
        assert_eq!(cluster.topics(id), ["a", "b"]);
        assert_eq!(cluster.published[index(id)].cluster_id.as_deref(), Some("cluster"));
    }
}

#[test]
fn a_follower_names_the_leader() {
    let mut cluster = Cluster::with_broker();
    let leader = cluster.leader();
    let follower = IDS.into_iter().find(|id| *id != leader).unwrap();
    let answer = cluster.submit(follower, create("a"));
    let refused = ControllerError::NotController { leader: Some(leader) };
    assert_eq!(answer.lock().take(), Some(Err(refused)));
    let status = cluster.node(follower).quorum_status();
    assert_eq!(status.leader, Some(leader));
    assert_eq!(status.voters.len(), 3);
}

/// The leader is cut off with a proposal that nobody else has: the others go on, and the proposal
/// is gone with its speculative image when the old leader comes back.
#[test]
fn what_only_a_lost_leader_knew_is_dropped() {
    let mut cluster = Cluster::with_broker();
    cluster.create("before");
    cluster.wait_until_equal();
    let old = cluster.leader();
    cluster.cut_off.insert(old);
    let lost = cluster.submit(old, create("lost"));
    let after_lost = cluster.submit(old, create("lost"));
    cluster.settle();
    assert_eq!(*lost.lock(), None, "no majority has it");
    assert_eq!(*after_lost.lock(), None, "it was decided on what is not committed");

    let new = cluster.leader();
    assert_ne!(new, old);
    cluster.create("after");
    cluster.cut_off.clear();
    cluster.wait_until_equal();
    assert_eq!(cluster.topics(old), ["after", "before"]);
    assert_eq!(lost.lock().take(), Some(Err(ControllerError::OutcomeUnknown)));
    assert_eq!(after_lost.lock().take(), Some(Err(ControllerError::OutcomeUnknown)));
    cluster.create("lost");
    cluster.wait_until_equal();
}

#[test]
fn each_node_can_die_and_come_back() {
    let mut cluster = Cluster::with_broker();
    for round in 0..6 {
        let victim = IDS[round % 3];
        cluster.kill(victim);
        cluster.create(&format!("without-{round}"));
        cluster.start(victim);
        cluster.create(&format!("with-{round}"));
        cluster.wait_until_equal();
    }
    assert_eq!(cluster.topics(1).len(), 12);
}

#[test]
fn without_a_majority_nothing_is_answered() {
    let mut cluster = Cluster::with_broker();
    let leader = cluster.leader();
    for id in IDS {
        if id != leader {
            cluster.kill(id);
        }
    }
    let answer = cluster.submit(leader, create("a"));
    for _ in 0..5 {
        cluster.node(leader).tick();
        cluster.settle();
    }
    assert_eq!(*answer.lock(), None);
}

#[test]
fn a_node_that_missed_what_the_log_no_longer_has_gets_the_whole_state() {
    let mut cluster = Cluster::with_broker();
    cluster.create("a");
    cluster.wait_until_equal();
    let leader = cluster.leader();
    let behind = IDS.into_iter().find(|id| *id != leader).unwrap();
    cluster.kill(behind);
    cluster.create("b");
    for id in IDS.into_iter().filter(|id| *id != behind) {
        let image = cluster.node(id).image().clone();
        let mut store = cluster.stores[index(id)].clone();
        let bytes = crate::raft::snapshot::encode(&image);
        store.snapshot_writer().write(image.last_applied, &bytes).unwrap();
        store.compact(image.last_applied, 0).unwrap();
    }
    cluster.start(behind);
    cluster.create("c");
    cluster.wait_until_equal();
    assert_eq!(cluster.topics(behind), ["a", "b", "c"]);
    let from_snapshot = cluster.stores[index(behind)].read_snapshot().unwrap();
    assert!(from_snapshot.is_some(), "it came by entries");
}
