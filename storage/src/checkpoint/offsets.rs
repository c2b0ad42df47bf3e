//! Offset checkpoints: one file a log directory, one line `topic partition offset` a partition.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;

use thiserror::Error;

use super::{CheckpointError, CheckpointReader, CheckpointWriter};
use crate::fs::{Fs, read_file, replace_file};
use crate::topic_partition::{TopicPartition, is_legal_topic_name};

/// Up to where each log is known to be on the disk.
pub const RECOVERY_POINT_CHECKPOINT: &str = "recovery-point-offset-checkpoint";
/// High watermarks; the broker's replication writes it.
pub const REPLICATION_CHECKPOINT: &str = "replication-offset-checkpoint";
/// Start of the logs whose start lies inside of their first segment.
pub const LOG_START_CHECKPOINT: &str = "log-start-offset-checkpoint";
/// Up to where each compacted log has been cleaned.
pub const CLEANER_CHECKPOINT: &str = "cleaner-offset-checkpoint";

/// Half a million lines with the longest topic names. A larger file is not a checkpoint.
const FILE_BYTES_MAX: u64 = 128 << 20;

/// Why a checkpoint file could not be read.
#[derive(Debug, Error)]
pub enum ReadCheckpointError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Damaged(#[from] CheckpointError),
}

/// Content of the file for `offsets`.
pub fn encode(offsets: &BTreeMap<TopicPartition, i64>) -> Vec<u8> {
    let mut writer = CheckpointWriter::new(offsets.len());
    for (partition, offset) in offsets {
        writer.line(format_args!("{} {} {offset}", partition.topic, partition.partition));
    }
    writer.finish()
}

/// Reads what [`encode`] or Kafka wrote. The last line of a partition counts.
pub fn decode(file: &[u8]) -> Result<HashMap<TopicPartition, i64>, CheckpointError> {
    let mut reader = CheckpointReader::new(file)?;
    let mut offsets = HashMap::new();
    while let Some(line) = reader.line()? {
        let (partition, offset) = parse(line.text).ok_or_else(|| line.malformed())?;
        offsets.insert(partition, offset);
    }
    Ok(offsets)
}

fn parse(line: &str) -> Option<(TopicPartition, i64)> {
    let mut words = line.split_ascii_whitespace();
    let topic = words.next().filter(|topic| is_legal_topic_name(topic))?;
    let partition: i32 = words.next()?.parse().ok().filter(|partition| *partition >= 0)?;
    let offset: i64 = words.next()?.parse().ok().filter(|offset| *offset >= 0)?;
    words.next().is_none().then(|| (TopicPartition::new(topic, partition), offset))
}

/// The offsets in the checkpoint file `name` of the log directory `dir`; none if it is not there.
pub fn read(
    fs: &dyn Fs,
    dir: &Path,
    name: &str,
) -> Result<HashMap<TopicPartition, i64>, ReadCheckpointError> {
    match read_file(fs, &dir.join(name), FILE_BYTES_MAX) {
        Ok(bytes) => Ok(decode(&bytes)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(HashMap::new()),
        Err(error) => Err(error.into()),
    }
}

/// Replaces the checkpoint file `name` of the log directory `dir`: after a power cut it has its
/// old content or this one.
pub fn write(
    fs: &dyn Fs,
    dir: &Path,
    name: &str,
    offsets: &BTreeMap<TopicPartition, i64>,
) -> io::Result<()> {
    replace_file(fs, &dir.join(name), &encode(offsets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::MemFs;

    fn offsets(pairs: &[(&str, i32, i64)]) -> BTreeMap<TopicPartition, i64> {
        pairs.iter().map(|&(t, p, offset)| (TopicPartition::new(t, p), offset)).collect()
    }

    #[test]
    fn file_has_kafkas_format() {
        let some = offsets(&[("orders", 0, 42), ("__consumer_offsets", 49, i64::MAX)]);
        let text = format!("0\n2\n__consumer_offsets 49 {}\norders 0 42\n", i64::MAX);
        assert_eq!(encode(&some), text.as_bytes());
        assert_eq!(decode(text.as_bytes()).unwrap(), some.into_iter().collect());
        assert_eq!(encode(&BTreeMap::new()), b"0\n0\n");
        assert_eq!(decode(b"").unwrap(), HashMap::new(), "as Kafka makes it");
    }

    #[test]
    fn hostile_files_are_refused_without_believing_their_count() {
        for bad in [
            "0\n",
            "1\n1\nt 0 0\n",
            "0\n18446744073709551615\nt 0 0\n",
            "0\n99999999999999999999999\n",
            "0\n-1\n",
            "0\n0\nt 0 0\n",
            "0\n1\nt 0\n",
            "0\n1\nt 0 0 0\n",
            "0\n1\nt -1 0\n",
            "0\n1\nt 0 -1\n",
            "0\n1\nt 0 9223372036854775808\n",
            "0\n1\n../t 0 0\n",
            "0\n1\n\n",
        ] {
            assert!(decode(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert_eq!(decode(b"0\n1\n\xff 0 0\n"), Err(CheckpointError::NotText));
        let long = format!("0\n1\n{}\n", "x".repeat(100_000));
        let error = decode(long.as_bytes()).unwrap_err().to_string();
        assert!(error.len() < 200, "{error}");
    }

    #[test]
    fn a_missing_file_has_no_offsets() {
        let fs = MemFs::new();
        let dir = Path::new("/logs");
        fs.create_dir_all(dir).unwrap();
        fs.sync_dir(Path::new("/")).unwrap();
        assert!(read(&fs, dir, LOG_START_CHECKPOINT).unwrap().is_empty());
        let some = offsets(&[("t", 0, 1)]);
        write(&fs, dir, LOG_START_CHECKPOINT, &some).unwrap();
        fs.crash();
        assert_eq!(
            read(&fs, dir, LOG_START_CHECKPOINT).unwrap().into_iter().collect::<BTreeMap<_, _>>(),
            some
        );
    }
}
