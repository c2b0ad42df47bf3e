//! CreatePartitions: more partitions, and every refusal.

use crate::against::wire;
use protocol_codec::messages::create_partitions::{
    CreatePartitionsAssignment, CreatePartitionsTopic, Request,
};

fn request(name: &str, count: i32, assignments: Option<&[&[i32]]>, validate_only: bool) -> Request {
    let assignment = |brokers: &&[i32]| CreatePartitionsAssignment { broker_ids: brokers.to_vec() };
    let assignments = assignments.map(|rows| rows.iter().map(assignment).collect());
    let topics = vec![CreatePartitionsTopic { name: name.into(), count, assignments }];
    Request { topics, timeout_ms: 30_000, validate_only }
}

#[test]
fn growth_and_refusals() {
    wire(|session| {
        let _ = session.topic("grow", 2);
        for version in 0..=3 {
            let count = 3 + i32::from(version);
            let _ = session.ask(version, &request("grow", count, None, true));
            let _ = session.ask(version, &request("grow", count, None, false));
            let _ = session.ask(version, &request("grow", count, None, false));
        }
        let _ = session.ask(3, &request("grow", 1, None, false));
        let _ = session.ask(3, &request("grow", 0, None, false));
        let _ = session.ask(3, &request("grow", -1, None, false));
        let _ = session.ask(3, &request("grow-missing", 3, None, false));
        let _ = session.ask(3, &request("grow", 8, Some(&[&[1]]), false));
        let _ = session.ask(3, &request("grow", 7, Some(&[&[1], &[1]]), false));
        let _ = session.ask(3, &request("grow", 7, Some(&[&[9]]), false));
        let _ = session.ask(3, &request("grow", 7, Some(&[&[]]), false));
        let _ = session.ask(3, &request("grow", 7, Some(&[&[1]]), false));
    });
}
