//! OffsetForLeaderEpoch: where each epoch ends (KIP-320).

use crate::against::wire;
use protocol_codec::messages::offset_for_leader_epoch::{
    OffsetForLeaderPartition, OffsetForLeaderTopic, Request,
};

#[test]
fn epochs_end_where_kafka_says() {
    wire(|session| {
        let _ = session.topic("epochs", 1);
        session.produce("epochs", 0, &["a", "b"]);
        for version in 2..=4 {
            for (topic, partition) in [("epochs", 0), ("epochs", 5), ("epochs-missing", 0)] {
                for (current_leader_epoch, leader_epoch) in
                    [(-1, 0), (0, 0), (0, 1), (0, -1), (7, 0)]
                {
                    let asked =
                        OffsetForLeaderPartition { partition, current_leader_epoch, leader_epoch };
                    let topics =
                        vec![OffsetForLeaderTopic { topic: topic.into(), partitions: vec![asked] }];
                    let _ = session.ask(
                        version,
                        &Request { replica_id: if version >= 3 { -1 } else { -2 }, topics },
                    );
                }
            }
        }
    });
}
