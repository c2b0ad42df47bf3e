//! Steps that many scenarios share: topics, records, coordinators.

use super::Session;
use bytes::Bytes;
use protocol_codec::messages::{find_coordinator, heartbeat, join_group, list_offsets, produce};
use protocol_codec::records::BatchBuilder;
use protocol_codec::wire::Records;
use protocol_codec::{ErrorCode, Uuid};
use std::time::{Duration, Instant};
use tests::client::Client;
use tests::topics::create_topic;

/// How long a condition is asked for before a scenario fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until there is an answer. A broker has no event to wait for here, only the next answer.
pub(crate) fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        let answer = ask();
        if answer.is_some() {
            return answer;
        }
    }
    None
}

/// So many group names that every partition of the internal topic gets some.
const NAMES_ON_ALL_PARTITIONS: usize = 400;

/// The time of every record, long ago for every test run.
const TIMESTAMP: i64 = 1_700_000_000_000;

impl Session {
    /// Another connection to the same broker.
    pub(crate) fn connect(&self) -> Client {
        Client::connect(&self.bootstrap)
    }

    /// A topic of its own for the scenario; returns its id.
    pub(crate) fn topic(&mut self, name: &str, partitions: i32) -> Uuid {
        let topic = create_topic(&mut self.client, name, partitions, &[]);
        self.mask(topic.topic_id, &format!("ID OF {name}"));
        self.wait_until_served(name, partitions);
        topic.topic_id
    }

    /// Waits until everything decided so far is to be seen. Kafka's brokers follow the metadata log at
    /// their own pace, in its order: once a new topic is served, all that came before it is too.
    pub(crate) fn settle(&mut self) {
        self.settled += 1;
        let name = format!("settled-{}-{}", self.name, self.settled);
        let _ = self.topic(&name, 1);
    }

    /// Kafka answers CreateTopics before it serves the partitions, and shows them before that too.
    fn wait_until_served(&mut self, name: &str, partitions: i32) {
        let latest = |partition| list_offsets::ListOffsetsPartition {
            partition_index: partition,
            timestamp: -1,
            ..Default::default()
        };
        let topic = list_offsets::ListOffsetsTopic {
            name: name.into(),
            partitions: (0..partitions).map(latest).collect(),
        };
        let request =
            list_offsets::Request { replica_id: -1, topics: vec![topic], ..Default::default() };
        let served = eventually(|| {
            let answer = self.client.call(5, &request);
            let partitions = &answer.topics[0].partitions;
            partitions.iter().all(|partition| partition.error_code == 0).then_some(())
        });
        assert!(served.is_some(), "{name} was created but is never served");
    }

    /// Appends one batch.
    pub(crate) fn produce(&mut self, topic: &str, partition: i32, values: &[&str]) {
        self.append(topic, partition, BatchBuilder::new(), values);
    }

    /// Appends one batch of an idempotent producer to partition 0.
    pub(crate) fn produce_with_sequence(
        &mut self,
        topic: &str,
        producer_id: i64,
        sequence: i32,
        values: &[&str],
    ) {
        self.append(topic, 0, BatchBuilder::new().producer(producer_id, 0, sequence), values);
    }

    fn append(&mut self, topic: &str, partition: i32, mut builder: BatchBuilder, values: &[&str]) {
        for value in values {
            builder.append(TIMESTAMP, None, Some(value.as_bytes()), &[]).expect("a small batch");
        }
        let records: Bytes = builder.build().expect("a small batch");
        let data = produce::PartitionProduceData {
            index: partition,
            records: Some(Records::Memory(records)),
        };
        let topic_data = vec![produce::TopicProduceData {
            name: topic.into(),
            partition_data: vec![data],
            ..Default::default()
        }];
        let request =
            produce::Request { transactional_id: None, acks: -1, timeout_ms: 30_000, topic_data };
        let answer = self.client.call(9, &request);
        let partition = &answer.responses[0].partition_responses[0];
        assert_eq!(partition.error_code, ErrorCode::None.code(), "{partition:?}");
    }

    /// Asks for the group's coordinator until there is one: the first question makes the internal
    /// topic, and the coordinator has to load it.
    pub(crate) fn wait_for_coordinator(&mut self, group: &str) {
        let find = find_coordinator::Request {
            coordinator_keys: vec![group.into()],
            ..Default::default()
        };
        let found = eventually(|| {
            (self.client.call(4, &find).coordinators[0].error_code == 0).then_some(())
        });
        assert!(found.is_some(), "no coordinator for {group}");
        // Each partition of the topic is loaded by itself; these names fall on all of them.
        for number in 0..NAMES_ON_ALL_PARTITIONS {
            let stranger = heartbeat::Request {
                group_id: format!("{group}-{number}").as_str().into(),
                member_id: "stranger".into(),
                ..Default::default()
            };
            let busy = [ErrorCode::CoordinatorLoadInProgress, ErrorCode::NotCoordinator];
            let loaded = eventually(|| {
                let code = self.client.call(4, &stranger).error_code;
                (!busy.iter().any(|one| one.code() == code)).then_some(())
            });
            assert!(loaded.is_some(), "the coordinator never loads");
        }
    }

    /// Beats as a member until the group rebalances, then joins again.
    pub(crate) fn await_rebalance(
        &mut self,
        group: &str,
        joined: &join_group::Response,
        again: &join_group::Request,
    ) -> join_group::Response {
        let beat = heartbeat::Request {
            group_id: group.into(),
            generation_id: joined.generation_id,
            member_id: joined.member_id.clone(),
            group_instance_id: None,
        };
        let rebalances = eventually(|| {
            let code = self.client.call(3, &beat).error_code;
            (code == ErrorCode::RebalanceInProgress.code()).then_some(())
        });
        assert!(rebalances.is_some(), "{group} does not rebalance");
        self.client.call(3, again)
    }
}
