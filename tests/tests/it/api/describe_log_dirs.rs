//! DescribeLogDirs: which partition lies where, and how large it is.

use crate::against::wire;
use protocol_codec::messages::describe_log_dirs::{DescribableLogDirTopic, Request, Response};

/// Paths and disk sizes differ; the sizes of the partitions must not.
fn comparable(mut answer: Response) -> Response {
    for result in &mut answer.results {
        result.log_dir = "DIR".into();
        if result.total_bytes > 0 {
            assert!(result.usable_bytes <= result.total_bytes);
            (result.total_bytes, result.usable_bytes) = (1, 1);
        }
    }
    answer
}

#[test]
fn every_version() {
    wire(|session| {
        let _ = session.topic("log-dirs", 2);
        session.produce("log-dirs", 0, &["a", "b"]);
        for version in 1..=5 {
            for (topic, partitions) in [("log-dirs", vec![0, 1, 7]), ("log-dirs-missing", vec![0])]
            {
                let topics = vec![DescribableLogDirTopic { topic: topic.into(), partitions }];
                let mut answer = session.client.call(version, &Request { topics: Some(topics) });
                for topic in answer.results.iter_mut().flat_map(|result| &mut result.topics) {
                    topic.partitions.sort_by_key(|partition| partition.partition_index);
                }
                session.note(&format!("DescribeLogDirs version {version}"), &comparable(answer));
            }
            let all = session.client.call(version, &Request { topics: None });
            let listed = all
                .results
                .iter()
                .flat_map(|result| &result.topics)
                .any(|topic| topic.name == *"log-dirs");
            session.note(
                &format!("DescribeLogDirs version {version} of all lists the topic"),
                &listed,
            );
        }
    });
}
