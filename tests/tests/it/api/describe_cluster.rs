//! DescribeCluster: brokers and the controller.

use crate::against::wire;
use protocol_codec::messages::describe_cluster::Request;

#[test]
fn every_version() {
    wire(|session| {
        for version in 0..=2 {
            for operations in [false, true] {
                let request = Request {
                    include_cluster_authorized_operations: operations,
                    ..Default::default()
                };
                let mut answer = session.client.call(version, &request);
                assert!(!answer.cluster_id.is_empty());
                answer.cluster_id = "".into();
                session.note(&format!("DescribeCluster version {version}"), &answer);
            }
        }
        for endpoint_type in [0, 2, 9] {
            let _ = session.ask(1, &Request { endpoint_type, ..Default::default() });
        }
    });
}
