//! The file `partition.metadata` in a partition's directory: the id of its topic.
//!
//! A topic that is deleted and made again has another id, so what the directory holds can be told
//! from what it should hold. Kafka's version 0: two lines, the last one without an end.
//!
//! The file is written when the directory is made, and synced before anything in the directory is
//! acknowledged as durable. So after an unclean stop a directory without it, or with a blank one, and
//! without a recovery point holds nothing that was promised, and may be that of any topic there ever
//! was of this name.

use std::io;
use std::path::Path;

use protocol_codec::Uuid;
use thiserror::Error;

use crate::fs::{Fs, OpenMode, read_file, replace_file, write_whole};

pub const PARTITION_METADATA_FILE: &str = "partition.metadata";
const FILE_BYTES_MAX: u64 = 4096;

/// Why a `partition.metadata` cannot be read.
#[derive(Debug, Error)]
pub enum PartitionMetadataError {
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Nothing, or zeros: its bytes were never written, or went with the power.
    #[error("blank")]
    Blank,
    #[error("malformed: '{text}'")]
    Malformed { text: String },
    #[error("its version is {version}, and 0 is the only one that is understood")]
    UnknownVersion { version: i32 },
}

/// Content of the file for a topic.
pub fn encode(topic_id: Uuid) -> String {
    format!("version: 0\ntopic_id: {topic_id}")
}

/// The topic id in the content of the file.
pub fn decode(file: &[u8]) -> Result<Uuid, PartitionMetadataError> {
    if file.iter().all(|byte| *byte == 0) {
        return Err(PartitionMetadataError::Blank);
    }
    let text = String::from_utf8_lossy(file);
    let malformed = || PartitionMetadataError::Malformed { text: text.chars().take(80).collect() };
    let mut lines = text.lines();
    let version = lines.next().and_then(|line| line.strip_prefix("version:"));
    let version = version.and_then(|value| value.trim().parse().ok()).ok_or_else(malformed)?;
    if version != 0 {
        return Err(PartitionMetadataError::UnknownVersion { version });
    }
    let topic_id = lines.next().and_then(|line| line.strip_prefix("topic_id:"));
    topic_id
        .and_then(|value| value.trim().parse().ok())
        .filter(|id: &Uuid| !id.is_zero())
        .ok_or_else(malformed)
}

/// The topic id in the partition directory `dir`; `None` without the file.
pub fn read(fs: &dyn Fs, dir: &Path) -> Result<Option<Uuid>, PartitionMetadataError> {
    match read_file(fs, &dir.join(PARTITION_METADATA_FILE), FILE_BYTES_MAX) {
        Ok(bytes) => decode(&bytes).map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Writes the file. It is not synced: a new partition costs no sync before its first durable
/// append, which calls [`sync`].
pub fn write(fs: &dyn Fs, dir: &Path, topic_id: Uuid) -> io::Result<()> {
    let file = fs.open(&dir.join(PARTITION_METADATA_FILE), OpenMode::Create)?;
    write_whole(&*file, encode(topic_id).as_bytes())
}

/// Writes the file, durably, for a directory that may hold what is durable already.
pub fn adopt(fs: &dyn Fs, dir: &Path, topic_id: Uuid) -> io::Result<()> {
    replace_file(fs, &dir.join(PARTITION_METADATA_FILE), encode(topic_id).as_bytes())
}

/// Makes the bytes of the file durable, if it is there.
pub fn sync(fs: &dyn Fs, dir: &Path) -> io::Result<()> {
    match fs.open(&dir.join(PARTITION_METADATA_FILE), OpenMode::ReadWrite) {
        Ok(file) => file.sync_data(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::MemFs;

    const KAFKAS: &str = "version: 0\ntopic_id: f9rIx6RvQ4WlvTczMyPI7A";

    #[test]
    fn file_has_kafkas_format() {
        let (fs, dir) = (MemFs::new(), Path::new("/logs/t-0"));
        fs.create_dir_all(dir).unwrap();
        assert!(read(&fs, dir).unwrap().is_none());
        let id = decode(KAFKAS.as_bytes()).unwrap();
        assert_eq!(encode(id), KAFKAS);
        sync(&fs, dir).unwrap();
        write(&fs, dir, id).unwrap();
        assert_eq!(read(&fs, dir).unwrap(), Some(id));
    }

    #[test]
    fn damage_is_said() {
        for blank in ["", "\u{0}\u{0}"] {
            assert!(matches!(decode(blank.as_bytes()), Err(PartitionMetadataError::Blank)));
        }
        for bad in [
            "version: 0",
            "version: 0\ntopic_id: x",
            "topic_id: f9rIx6RvQ4WlvTczMyPI7A",
            "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAA",
            "\u{0}version: 0",
        ] {
            assert!(
                matches!(decode(bad.as_bytes()), Err(PartitionMetadataError::Malformed { .. })),
                "{bad:?}"
            );
        }
        assert!(matches!(
            decode(b"version: 1\ntopic_id: f9rIx6RvQ4WlvTczMyPI7A"),
            Err(PartitionMetadataError::UnknownVersion { version: 1 })
        ));
    }
}
