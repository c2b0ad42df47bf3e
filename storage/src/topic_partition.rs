//! The name of a partition, and how it is written as the name of its directory.
//!
//! Kafka names the directory of partition 3 of topic `orders` `orders-3`. Names with a further
//! suffix after a dot (`orders-3.<uuid>-delete`) are directories in a transition and are not
//! parsed here.

use std::fmt;
use std::sync::Arc;

/// Kafka's longest topic name, in bytes.
pub const TOPIC_NAME_BYTES_MAX: usize = 249;

/// One partition of one topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    pub topic: Arc<str>,
    pub partition: i32,
}

impl TopicPartition {
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }

    /// Reads a partition's name from the name of its directory. `None` when it is not one:
    /// no number after the last dash, an illegal topic name, or a number written otherwise than
    /// Kafka writes it (`orders-03`).
    pub fn from_dir_name(name: &str) -> Option<Self> {
        let (topic, number) = name.rsplit_once('-')?;
        let partition: i32 = number.parse().ok()?;
        let canonical = partition >= 0 && partition.to_string() == number;
        (canonical && is_legal_topic_name(topic)).then(|| Self::new(topic, partition))
    }

    /// The name of this partition's directory: the same text as `Display`.
    pub fn dir_name(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// Kafka's rule for topic names: 1 to 249 of `[a-zA-Z0-9._-]`, and neither `.` nor `..`. What
/// passes is safe as a part of a path.
pub fn is_legal_topic_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= TOPIC_NAME_BYTES_MAX
        && name != "."
        && name != ".."
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directory_names_round_trip() {
        for (topic, partition) in [("orders", 0), ("a-b-1", 12), ("__consumer_offsets", 49)] {
            let name = TopicPartition::new(topic, partition);
            assert_eq!(TopicPartition::from_dir_name(&name.dir_name()), Some(name));
        }
    }

    #[test]
    fn other_names_are_refused() {
        let refused =
            ["orders", "orders-", "-0", "orders-03", "orders-+1", "orders-1x", "a/b-1", "..-1x"];
        for name in refused {
            assert_eq!(TopicPartition::from_dir_name(name), None, "{name}");
        }
        assert_eq!(TopicPartition::from_dir_name("t-0.abc-delete"), None);
        assert!(!is_legal_topic_name(&"x".repeat(250)));
        assert!(is_legal_topic_name(&"x".repeat(249)));
    }
}
