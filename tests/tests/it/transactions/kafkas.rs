//! Transactions on a real Kafka, by its wire protocol.

use bytes::Bytes;
use protocol_codec::messages::{
    add_partitions_to_txn, end_txn, find_coordinator, init_producer_id, list_offsets, produce,
};
use protocol_codec::records::BatchBuilder;
use protocol_codec::wire::Records;
use protocol_codec::{ErrorCode, Uuid};
use tests::client::Client;
use tests::topics::create_topic;

use crate::against::eventually;

/// Times that are asked for; every record has one of those between them.
pub(super) const TIMES: [i64; 5] =
    [0, 1_000_000_000_000, 1_000_000_000_004, 1_000_000_000_030, i64::MAX];
const FIRST_TIME: i64 = 1_000_000_000_000;
const NONE: i16 = ErrorCode::None.code();
/// Four of these fill a segment.
const LARGE: usize = 300_000;

/// How a client takes part in transactions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begin {
    /// Adds partitions itself; one epoch for all transactions.
    Classic,
    /// The partition's leader adds them; an epoch for each transaction (KIP-890).
    Bumping,
}

/// One transactional producer.
pub(super) struct Producer {
    id: &'static str,
    begin: Begin,
    producer_id: i64,
    epoch: i16,
    sequence: i32,
}

/// A connection to Kafka and the topic that is written to.
pub(super) struct Transactions {
    client: Client,
    topic: &'static str,
    topic_id: Uuid,
    time: i64,
}

/// Appends a record that belongs to no transaction.
pub(super) fn plain(client: &mut Client, topic: &str) {
    append(client, topic, None, 11, BatchBuilder::new(), FIRST_TIME, &[5]);
}

fn append(
    client: &mut Client,
    topic: &str,
    transactional_id: Option<&str>,
    version: i16,
    mut builder: BatchBuilder,
    time: i64,
    sizes: &[usize],
) {
    for (at, size) in sizes.iter().enumerate() {
        // Not in the order of their offsets.
        let time = time + if at == 0 { 2 } else { 0 };
        builder.append(time, None, Some(&vec![b'v'; *size]), &[]).expect("a batch");
    }
    let records: Bytes = builder.build().expect("a batch");
    let data = produce::PartitionProduceData { index: 0, records: Some(Records::Memory(records)) };
    let topic = produce::TopicProduceData {
        name: topic.into(),
        partition_data: vec![data],
        ..Default::default()
    };
    let request = produce::Request {
        transactional_id: transactional_id.map(Into::into),
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![topic],
    };
    let done = eventually(|| {
        let answer = client.call(version, &request);
        let code = answer.responses[0].partition_responses[0].error_code;
        // The transaction before this one has not ended everywhere yet.
        (code != ErrorCode::ConcurrentTransactions.code()).then_some(code)
    });
    assert_eq!(done, Some(NONE));
}

impl Transactions {
    pub(super) fn new(bootstrap: &str, topic: &'static str) -> Self {
        let mut client = Client::connect(bootstrap);
        let topic_id = create_topic(&mut client, topic, 1, &[]).topic_id;
        let mut transactions = Self { client, topic, topic_id, time: FIRST_TIME };
        let served = eventually(|| transactions.end());
        assert_eq!(served, Some(0));
        transactions
    }

    pub(super) fn topic_id(&self) -> Uuid {
        self.topic_id
    }

    /// The log's end, once the partition is served.
    fn end(&mut self) -> Option<i64> {
        let answer = self.client.call(5, &super::list_offsets(-1, 0));
        let partition: &list_offsets::ListOffsetsPartitionResponse =
            &answer.topics[0].partitions[0];
        (partition.error_code == NONE).then_some(partition.offset)
    }

    fn producer(&mut self, id: &'static str, begin: Begin) -> Producer {
        let find = find_coordinator::Request {
            key_type: 1,
            coordinator_keys: vec![id.into()],
            ..Default::default()
        };
        let found = eventually(|| {
            (self.client.call(4, &find).coordinators[0].error_code == NONE).then_some(())
        });
        assert!(found.is_some(), "no coordinator for {id}");
        let init = init_producer_id::Request {
            transactional_id: Some(id.into()),
            transaction_timeout_ms: 600_000,
            ..Default::default()
        };
        let made = eventually(|| {
            let answer = self.client.call(5, &init);
            (answer.error_code == NONE).then_some(answer)
        });
        let made = made.expect("the coordinator gives out producer ids");
        let (producer_id, epoch) = (made.producer_id, made.producer_epoch);
        Producer { id, begin, producer_id, epoch, sequence: 0 }
    }

    /// Adds the partition, for those who do it themselves.
    fn begin(&mut self, producer: &Producer) {
        if producer.begin == Begin::Bumping {
            return;
        }
        let topics = vec![add_partitions_to_txn::AddPartitionsToTxnTopic {
            name: self.topic.into(),
            partitions: vec![0],
        }];
        let add = add_partitions_to_txn::Request {
            v3_and_below_transactional_id: producer.id.into(),
            v3_and_below_producer_id: producer.producer_id,
            v3_and_below_producer_epoch: producer.epoch,
            v3_and_below_topics: topics,
            ..Default::default()
        };
        let done = eventually(|| {
            let answer = self.client.call(3, &add);
            let result = &answer.results_by_topic_v3_and_below[0].results_by_partition[0];
            let code = result.partition_error_code;
            (code != ErrorCode::ConcurrentTransactions.code()).then_some(code)
        });
        assert_eq!(done, Some(NONE));
    }

    /// Appends one batch of the producer's transaction.
    fn write(&mut self, producer: &mut Producer, sizes: &[usize]) {
        let Producer { id, begin, producer_id, epoch, sequence } = *producer;
        let builder =
            BatchBuilder::new().producer(producer_id, epoch, sequence).transactional(true);
        let version = if begin == Begin::Bumping { 12 } else { 11 };
        append(&mut self.client, self.topic, Some(id), version, builder, self.time, sizes);
        self.time += 4;
        producer.sequence += i32::try_from(sizes.len()).expect("few records");
    }

    /// Ends the transaction and waits for its marker.
    fn end_transaction(&mut self, producer: &mut Producer, committed: bool) {
        let before = self.end();
        let request = end_txn::Request {
            transactional_id: producer.id.into(),
            producer_id: producer.producer_id,
            producer_epoch: producer.epoch,
            committed,
        };
        let version = if producer.begin == Begin::Bumping { 5 } else { 3 };
        let answer = self.client.call(version, &request);
        assert_eq!(answer.error_code, NONE);
        if producer.begin == Begin::Bumping {
            (producer.producer_id, producer.epoch) = (answer.producer_id, answer.producer_epoch);
            producer.sequence = 0;
        }
        let ended = eventually(|| (self.end() > before).then_some(()));
        assert!(ended.is_some(), "no marker comes");
    }
}

/// Writes transactions of every fate over several segments.
pub(super) fn write(transactions: &mut Transactions) {
    let topic = transactions.topic;
    plain(&mut transactions.client, topic);
    let mut one = transactions.producer("one", Begin::Classic);
    let mut two = transactions.producer("two", Begin::Bumping);
    let mut three = transactions.producer("three", Begin::Classic);
    let mut four = transactions.producer("four", Begin::Bumping);

    // Overlapping ones; the later one ends first.
    transactions.begin(&one);
    transactions.write(&mut one, &[10, 20]);
    transactions.write(&mut two, &[LARGE, 10]);
    plain(&mut transactions.client, topic);
    transactions.write(&mut one, &[LARGE]);
    transactions.end_transaction(&mut two, false);
    transactions.end_transaction(&mut one, true);
    // One that is aborted segments after it began.
    transactions.begin(&three);
    transactions.write(&mut three, &[LARGE]);
    for committed in [true, false, true, false] {
        transactions.begin(&one);
        transactions.write(&mut one, &[LARGE, 30]);
        transactions.write(&mut two, &[LARGE]);
        transactions.end_transaction(&mut one, committed);
        transactions.end_transaction(&mut two, !committed);
    }
    transactions.end_transaction(&mut three, false);
    plain(&mut transactions.client, topic);
    // One that stays open, with others behind it.
    transactions.write(&mut four, &[10, 10]);
    transactions.begin(&three);
    transactions.write(&mut three, &[LARGE]);
    transactions.end_transaction(&mut three, false);
    transactions.begin(&one);
    transactions.write(&mut one, &[10]);
    transactions.end_transaction(&mut one, true);
    plain(&mut transactions.client, topic);
}
