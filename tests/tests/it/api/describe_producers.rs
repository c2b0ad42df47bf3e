//! DescribeProducers: who writes to a partition with which sequence (KIP-664).

use crate::against::wire;
use protocol_codec::messages::describe_producers::{Request, TopicRequest};

#[test]
fn an_idempotent_producer_is_shown() {
    wire(|session| {
        let _ = session.topic("describe-producers", 1);
        session.produce_with_sequence("describe-producers", 5_000_000, 0, &["a", "b"]);
        session.produce_with_sequence("describe-producers", 5_000_000, 2, &["c"]);
        for (topic, partition) in [
            ("describe-producers", 0),
            ("describe-producers", 3),
            ("describe-producers-missing", 0),
        ] {
            let topics =
                vec![TopicRequest { name: topic.into(), partition_indexes: vec![partition] }];
            let _ = session.ask(0, &Request { topics });
        }
    });
}
