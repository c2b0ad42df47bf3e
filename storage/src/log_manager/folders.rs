//! What the names of the folders in a log directory mean.

use protocol_codec::Uuid;

use crate::TopicPartition;

const METADATA_TOPIC: &str = "__cluster_metadata";
const DELETE_SUFFIX: &str = "-delete";
const STRAY_SUFFIX: &str = "-stray";
const FUTURE_SUFFIX: &str = "-future";
/// Longest name of a file or folder on Linux, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// A folder in a log directory, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Folder {
    Partition(TopicPartition),
    /// A deleted partition whose files are not removed yet.
    Deleted,
    /// A partition set aside because no topic knows of it, or Kafka's copy of a partition on its
    /// way to another directory: left alone.
    LeftAlone,
    /// The metadata, hidden folders, the root of a disk.
    NotOurs,
    /// Nothing that a log directory should hold.
    Unknown,
}

pub(crate) fn classify(name: &str) -> Folder {
    // Kafka's metadata, ours, and what an import that was cut off left of ours.
    let is_metadata = |partition: TopicPartition| &*partition.topic == METADATA_TOPIC;
    if TopicPartition::from_dir_name(name).is_some_and(is_metadata)
        || name == "lost+found"
        || name.starts_with('.')
    {
        return Folder::NotOurs;
    }
    // A topic's name may contain dots, so the suffixes come first: no partition's folder ends so.
    if let Some((_, suffix)) = name.rsplit_once('.') {
        if suffix.ends_with(DELETE_SUFFIX) {
            return Folder::Deleted;
        }
        if suffix.ends_with(STRAY_SUFFIX) || suffix.ends_with(FUTURE_SUFFIX) {
            return Folder::LeftAlone;
        }
    }
    TopicPartition::from_dir_name(name).map_or(Folder::Unknown, Folder::Partition)
}

/// The name that the folder of a deleted partition gets: `<topic>-<partition>.<id>-delete`.
pub(super) fn deleted_name(partition: &TopicPartition, id: Uuid) -> String {
    renamed(partition, id, DELETE_SUFFIX)
}

/// The name that the folder of a partition without a topic gets.
pub(super) fn stray_name(partition: &TopicPartition, id: Uuid) -> String {
    renamed(partition, id, STRAY_SUFFIX)
}

/// As Kafka does it: the id in hex, and the topic cut so that the name is not too long.
fn renamed(partition: &TopicPartition, id: Uuid, suffix: &str) -> String {
    let id = u128::from_be_bytes(*id.as_bytes());
    let end = format!("-{}.{id:032x}{suffix}", partition.partition);
    // Topic names are ASCII, so any place is a good one to cut.
    let topic = partition.topic.get(..NAME_BYTES_MAX - end.len()).unwrap_or(&partition.topic);
    format!("{topic}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: Uuid = Uuid::ONE;

    #[test]
    fn names_are_told_apart() {
        let partition = TopicPartition::new("a.b", 3);
        assert_eq!(classify("a.b-3"), Folder::Partition(partition.clone()));
        assert_eq!(classify(&deleted_name(&partition, ID)), Folder::Deleted);
        assert_eq!(classify(&stray_name(&partition, ID)), Folder::LeftAlone);
        assert_eq!(classify("a-0.0123-future"), Folder::LeftAlone);
        for name in [
            "__cluster_metadata-0",
            "__cluster_metadata-1",
            "__cluster_metadata-2",
            "lost+found",
            ".snapshot",
        ] {
            assert_eq!(classify(name), Folder::NotOurs, "{name}");
        }
        for name in ["orders", "orders-x", "orders-0.delete"] {
            assert_eq!(classify(name), Folder::Unknown, "{name}");
        }
        // A topic may be called like this, its folder ends with the partition's number.
        let odd = TopicPartition::new("x.y-delete", 0);
        assert_eq!(classify(&odd.dir_name()), Folder::Partition(odd));
    }

    #[test]
    fn names_have_kafkas_form_and_length() {
        assert_eq!(
            deleted_name(&TopicPartition::new("t", 12), ID),
            "t-12.00000000000000000000000000000001-delete"
        );
        let long = TopicPartition::new("x".repeat(249), 2_000_000_000);
        for name in [deleted_name(&long, ID), stray_name(&long, ID)] {
            assert_eq!(name.len(), NAME_BYTES_MAX);
        }
    }
}
