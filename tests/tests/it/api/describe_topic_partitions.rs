//! DescribeTopicPartitions: pages of partitions (KIP-966).

use crate::against::wire;
use protocol_codec::messages::describe_topic_partitions::{Cursor, Request, TopicRequest};

#[test]
fn pages_follow_each_other() {
    wire(|session| {
        let _ = session.topic("pages-a", 3);
        let _ = session.topic("pages-b", 2);
        let names = |names: &[&str]| {
            names.iter().map(|name| TopicRequest { name: (*name).into() }).collect::<Vec<_>>()
        };
        let cursor = |topic: &str, partition| {
            Some(Cursor { topic_name: topic.into(), partition_index: partition })
        };
        let both = ["pages-a", "pages-b"];
        let asked = [
            (names(&both), 2000, None),
            (names(&both), 2, None),
            (names(&both), 2, cursor("pages-a", 2)),
            (names(&both), 2, cursor("pages-b", 1)),
            (names(&["pages-missing", "pages-a", "not:legal"]), 2000, None),
            (names(&both), 0, None),
        ];
        for (topics, response_partition_limit, cursor) in asked {
            let _ = session.ask(0, &Request { topics, response_partition_limit, cursor });
        }
    });
}
