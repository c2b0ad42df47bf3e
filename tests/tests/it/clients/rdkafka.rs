//! rust-rdkafka: librdkafka as a library, with the idempotent producer and the admin client.

use crate::against::both;
use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn config(bootstrap: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap);
    config
}

/// The next record. A poll also ends, empty, when the group's assignment changes.
fn next(consumer: &BaseConsumer) -> BorrowedMessage<'_> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        if let Some(message) = consumer.poll(PATIENCE) {
            return message.unwrap();
        }
    }
    panic!("no record came");
}

#[test]
fn an_idempotent_producer_and_a_group_consumer() {
    both(|bootstrap| {
        let producer: BaseProducer = config(bootstrap)
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .create()
            .unwrap();
        for number in 0..1000 {
            let (key, value) = (format!("k{number}"), format!("v{number}"));
            producer.send(BaseRecord::to("rdkafka-idempotent").key(&key).payload(&value)).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        let consumer: BaseConsumer = config(bootstrap)
            .set("group.id", "rdkafka-g")
            .set("auto.offset.reset", "earliest")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        consumer.subscribe(&["rdkafka-idempotent"]).unwrap();
        let mut said = String::new();
        for _ in 0..1000 {
            let message = next(&consumer);
            let value = message.payload_view::<str>().unwrap().unwrap();
            said += &format!("{}={value} ", message.offset());
        }
        consumer.commit_consumer_state(CommitMode::Sync).unwrap();
        let committed = consumer.committed(PATIENCE).unwrap();
        said + &format!("{:?}", committed.elements().first().map(|element| element.offset()))
    });
}

#[test]
fn the_admin_client_creates_grows_describes_and_deletes() {
    both(|bootstrap| {
        let admin: AdminClient<DefaultClientContext> = config(bootstrap).create().unwrap();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        let topic = NewTopic::new("rdkafka-admin", 2, TopicReplication::Fixed(1))
            .set("retention.ms", "5000");
        runtime().block_on(async {
            let mut said =
                format!("{:?}\n", admin.create_topics([&topic], &options).await.unwrap());
            said += &format!("{:?}\n", admin.create_topics([&topic], &options).await.unwrap());
            let more = NewPartitions::new("rdkafka-admin", 4);
            said += &format!("{:?}\n", admin.create_partitions([&more], &options).await.unwrap());
            let resource = ResourceSpecifier::Topic("rdkafka-admin");
            let described = admin.describe_configs([&resource], &options).await.unwrap();
            let described = described.into_iter().next().unwrap().unwrap();
            let retention = described.get("retention.ms").unwrap();
            said += &format!("{:?} {:?}\n", retention.value, retention.source);
            said += &format!(
                "{:?}\n",
                admin.delete_topics(&["rdkafka-admin"], &options).await.unwrap()
            );
            said + &format!(
                "{:?}\n",
                admin.delete_topics(&["rdkafka-admin"], &options).await.unwrap()
            )
        })
    });
}
