//! What lies in a log directory that no log manager has open, told without changing anything.

use std::io;
use std::path::{Path, PathBuf};

use protocol_codec::Uuid;

use crate::TopicPartition;
use crate::fs::{Fs, read_file};
use crate::log_manager::folders::{Folder, classify};
use crate::partition_metadata::{self, PartitionMetadataError};
use crate::producer_state::snapshot;
use crate::segment::files::base_offset;

const PRODUCER_SNAPSHOT_SUFFIX: &str = ".snapshot";
const PRODUCER_SNAPSHOT_BYTES_MAX: u64 = 256 << 20;

/// The folders of one log directory.
#[derive(Debug, Default)]
pub struct Survey {
    pub partitions: Vec<FoundPartition>,
    /// Copies of partitions that are on their way to another directory.
    pub moving: Vec<PathBuf>,
    /// Folders that are no partition's. Deleted partitions and the metadata are not among them.
    pub unknown: Vec<PathBuf>,
}

/// The folder of a partition.
#[derive(Debug)]
pub struct FoundPartition {
    pub partition: TopicPartition,
    pub path: PathBuf,
    /// As `partition.metadata` tells it.
    pub topic_id: Result<Option<Uuid>, PartitionMetadataError>,
}

/// A transaction that has begun in a partition and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenTransaction {
    pub producer_id: i64,
    pub first_offset: i64,
}

/// Looks at the folders in `dir`.
pub fn survey(fs: &dyn Fs, dir: &Path) -> io::Result<Survey> {
    let mut survey = Survey::default();
    for entry in fs.list(dir)?.into_iter().filter(|entry| entry.is_dir) {
        let path = dir.join(&entry.name);
        match classify(&entry.name) {
            Folder::Partition(partition) => {
                let topic_id = partition_metadata::read(fs, &path);
                survey.partitions.push(FoundPartition { partition, path, topic_id });
            }
            Folder::LeftAlone if entry.name.ends_with("-future") => survey.moving.push(path),
            Folder::Unknown => survey.unknown.push(path),
            Folder::LeftAlone | Folder::Deleted | Folder::NotOurs => {}
        }
    }
    Ok(survey)
}

/// The open transactions in a partition's folder, from the newest producer snapshot there: after a
/// clean stop that is one of the log's end.
pub fn open_transactions(fs: &dyn Fs, dir: &Path) -> io::Result<Vec<OpenTransaction>> {
    let names = fs.list(dir)?;
    let offsets = names.iter().filter(|entry| !entry.is_dir);
    let offsets = offsets.filter_map(|entry| base_offset(&entry.name, PRODUCER_SNAPSHOT_SUFFIX));
    let Some(newest) = offsets.max() else { return Ok(Vec::new()) };
    let path = dir.join(format!("{newest:020}{PRODUCER_SNAPSHOT_SUFFIX}"));
    let bytes = read_file(fs, &path, PRODUCER_SNAPSHOT_BYTES_MAX)?;
    let entries = snapshot::decode(&bytes).map_err(|error| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))
    })?;
    let open = entries.iter().filter_map(|entry| {
        let first_offset = entry.current_txn_first_offset()?;
        Some(OpenTransaction { producer_id: entry.producer_id(), first_offset })
    });
    Ok(open.collect())
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use super::*;
    use crate::fs::{MemFs, OpenMode, write_all_at};

    fn write(fs: &MemFs, path: &str, bytes: &[u8]) {
        let path = Path::new(path);
        fs.create_dir_all(path.parent().unwrap()).unwrap();
        let file = fs.open(path, OpenMode::Create).unwrap();
        write_all_at(&*file, &mut [IoSlice::new(bytes)], 0).unwrap();
    }

    #[test]
    fn folders_are_told_apart() {
        let fs = MemFs::new();
        let id = "version: 0\ntopic_id: f9rIx6RvQ4WlvTczMyPI7A";
        write(&fs, "/d/t-0/partition.metadata", id.as_bytes());
        write(&fs, "/d/u-1/00000000000000000000.log", b"");
        for name in [
            "__cluster_metadata-0",
            "__cluster_metadata-2",
            "v-0.00ff-delete",
            "w-0.00ff-future",
            "something",
        ] {
            fs.create_dir_all(&Path::new("/d").join(name)).unwrap();
        }
        let survey = survey(&fs, Path::new("/d")).unwrap();
        let found: Vec<_> = survey
            .partitions
            .iter()
            .map(|found| (found.partition.to_string(), found.topic_id.as_ref().unwrap().is_some()))
            .collect();
        assert_eq!(found, [("t-0".to_owned(), true), ("u-1".to_owned(), false)]);
        assert_eq!(survey.moving, [Path::new("/d/w-0.00ff-future")]);
        assert_eq!(survey.unknown, [Path::new("/d/something")]);
    }

    /// One producer, 7, of Kafka's file version 1, with a transaction from this offset on.
    fn snapshot_with(first_offset: i64) -> Vec<u8> {
        let mut body = 1_i32.to_be_bytes().to_vec();
        body.extend(7_i64.to_be_bytes());
        body.extend([0; 2 + 4 + 8 + 4 + 8 + 4]);
        body.extend(first_offset.to_be_bytes());
        let crc = protocol_codec::records::crc32c(&body);
        [&1_i16.to_be_bytes()[..], &crc.to_be_bytes(), &body].concat()
    }

    #[test]
    fn the_newest_snapshot_tells_of_open_transactions() {
        let (fs, dir) = (MemFs::new(), Path::new("/d/t-0"));
        fs.create_dir_all(dir).unwrap();
        assert_eq!(open_transactions(&fs, dir).unwrap(), []);
        write(&fs, "/d/t-0/00000000000000000009.snapshot", &snapshot_with(5));
        let open = OpenTransaction { producer_id: 7, first_offset: 5 };
        assert_eq!(open_transactions(&fs, dir).unwrap(), [open]);
        write(&fs, "/d/t-0/00000000000000000012.snapshot", &snapshot_with(-1));
        assert_eq!(open_transactions(&fs, dir).unwrap(), []);
        write(&fs, "/d/t-0/00000000000000000013.snapshot", b"damaged");
        let said = open_transactions(&fs, dir).unwrap_err().to_string();
        assert!(said.contains("00000000000000000013.snapshot"), "{said}");
    }
}
