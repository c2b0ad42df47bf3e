//! DeleteRecords: the log start moves, never back, never past the end (KIP-107).

use crate::against::wire;
use protocol_codec::messages::delete_records::{
    DeleteRecordsPartition, DeleteRecordsTopic, Request,
};

#[test]
fn the_low_watermark_moves() {
    wire(|session| {
        let _ = session.topic("delete-records", 1);
        session.produce("delete-records", 0, &["a", "b", "c", "d", "e"]);
        for version in 0..=2 {
            for (topic, partition, offset) in [
                ("delete-records", 0, 2),
                ("delete-records", 0, 1),
                ("delete-records", 0, 99),
                ("delete-records", 0, -1),
                ("delete-records", 0, -2),
                ("delete-records", 3, 0),
                ("delete-records-missing", 0, 0),
            ] {
                let partitions =
                    vec![DeleteRecordsPartition { partition_index: partition, offset }];
                let topics = vec![DeleteRecordsTopic { name: topic.into(), partitions }];
                let _ = session.ask(version, &Request { topics, timeout_ms: 10_000 });
            }
        }
    });
}
