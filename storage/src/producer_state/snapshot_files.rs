//! The snapshot files of one partition: `<offset, 20 digits>.snapshot`.
//!
//! A snapshot at offset N holds the producer state after everything before N. A damaged snapshot
//! is dropped with a warning: an older one, or none, and the replay of more of the log give the
//! same state. So a snapshot needs no more care than its CRC, and never fails a log's opening.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::{PRODUCERS_MAX, ProducerStateManager, snapshot};
use crate::fs::{Fs, OpenMode, read_file, write_all_at};

const SUFFIX: &str = ".snapshot";
/// More than any snapshot that this crate or Kafka writes for [`PRODUCERS_MAX`] producers.
const FILE_BYTES_MAX: u64 = PRODUCERS_MAX as u64 * 64 * 4;

/// Name of the snapshot at `offset`.
pub fn file_name(offset: i64) -> String {
    format!("{offset:020}{SUFFIX}")
}

/// Offset of the snapshot file `name`; `None` when it is another file.
pub fn parse_file_name(name: &str) -> Option<i64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let is_offset = digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit());
    is_offset.then(|| digits.parse().ok()).flatten()
}

/// A partition's producer state with the offset up to which it holds.
#[derive(Debug)]
pub struct LoadedState {
    pub state: ProducerStateManager,
    /// Everything from here on is to be replayed.
    pub offset: i64,
}

/// Which snapshots a partition's directory holds.
#[derive(Debug)]
pub struct SnapshotFiles {
    dir: PathBuf,
    offsets: BTreeSet<i64>,
}

impl SnapshotFiles {
    /// For a directory that holds the files `names` (others than snapshots are passed over).
    pub fn new<'a>(dir: impl Into<PathBuf>, names: impl IntoIterator<Item = &'a str>) -> Self {
        let offsets = names.into_iter().filter_map(parse_file_name).collect();
        Self { dir: dir.into(), offsets }
    }

    /// The directory was renamed.
    pub fn set_dir(&mut self, dir: impl Into<PathBuf>) {
        self.dir = dir.into();
    }

    pub fn path(&self, offset: i64) -> PathBuf {
        self.dir.join(file_name(offset))
    }

    pub fn latest(&self) -> Option<i64> {
        self.offsets.last().copied()
    }

    pub fn oldest(&self) -> Option<i64> {
        self.offsets.first().copied()
    }

    pub fn contains(&self, offset: i64) -> bool {
        self.offsets.contains(&offset)
    }

    /// Writes the snapshot of `state` at `offset`, unless there is one. With `sync` its bytes are
    /// durable on return (its name is after a sync of the directory).
    pub fn take(
        &mut self,
        fs: &dyn Fs,
        state: &ProducerStateManager,
        offset: i64,
        sync: bool,
    ) -> io::Result<()> {
        if self.contains(offset) {
            return Ok(());
        }
        let path = self.path(offset);
        let written = write_file(fs, &path, &snapshot::encode(state), sync);
        if written.is_err() {
            // A half-written snapshot is harmless, but of no use either.
            let _ = fs.remove_file(&path);
        } else {
            self.offsets.insert(offset);
        }
        written
    }

    /// The state of the latest sound snapshot within the log. Snapshots outside of it (at or
    /// before `log_start_offset`, after `log_end_offset`) are deleted, as in Kafka, and damaged
    /// ones too. Without any, the state is empty and the replay begins at `log_start_offset`.
    pub fn load_latest(
        &mut self,
        fs: &dyn Fs,
        log_start_offset: i64,
        log_end_offset: i64,
        now_ms: i64,
        producer_id_expiration_ms: i64,
    ) -> io::Result<LoadedState> {
        self.delete_above(fs, log_end_offset)?;
        self.delete_below(fs, log_start_offset.saturating_add(1))?;
        while let Some(offset) = self.latest() {
            let path = self.path(offset);
            match read_entries(fs, &path) {
                Ok(entries) => {
                    let state = ProducerStateManager::from_entries(
                        entries,
                        now_ms,
                        producer_id_expiration_ms,
                    );
                    return Ok(LoadedState { state, offset });
                }
                Err(ReadError::Damaged(reason)) => {
                    tracing::warn!(
                        file = %path.display(),
                        reason,
                        "Dropping a damaged producer snapshot, its state is rebuilt from the log"
                    );
                    self.delete(fs, offset)?;
                }
                Err(ReadError::Io(error)) => return Err(error),
            }
        }
        Ok(LoadedState { state: ProducerStateManager::new(), offset: log_start_offset })
    }

    /// Deletes the snapshots before `offset`: their segments are gone.
    pub fn delete_below(&mut self, fs: &dyn Fs, offset: i64) -> io::Result<()> {
        self.delete_all_of(fs, |files| files.range(..offset).next().copied())
    }

    /// Deletes the snapshots after `offset`: the log was cut there.
    pub fn delete_above(&mut self, fs: &dyn Fs, offset: i64) -> io::Result<()> {
        let above = (Bound::Excluded(offset), Bound::Unbounded);
        self.delete_all_of(fs, |files| files.range(above).next().copied())
    }

    pub fn delete_all(&mut self, fs: &dyn Fs) -> io::Result<()> {
        self.delete_all_of(fs, |files| files.first().copied())
    }

    /// Deletes the snapshots that belong to no segment. The latest one is kept if it lies after
    /// all of `segment_base_offsets`: a clean stop took it.
    pub fn delete_strays(&mut self, fs: &dyn Fs, segment_base_offsets: &[i64]) -> io::Result<()> {
        let Some(last_base) = segment_base_offsets.iter().max().copied() else {
            return Ok(());
        };
        let latest = self.latest();
        let is_kept = |offset: i64| {
            segment_base_offsets.contains(&offset) || (offset > last_base && Some(offset) == latest)
        };
        let strays: Vec<i64> = self.offsets.iter().copied().filter(|o| !is_kept(*o)).collect();
        strays.into_iter().try_for_each(|offset| self.delete(fs, offset))
    }

    fn delete_all_of(
        &mut self,
        fs: &dyn Fs,
        next: impl Fn(&BTreeSet<i64>) -> Option<i64>,
    ) -> io::Result<()> {
        while let Some(offset) = next(&self.offsets) {
            self.delete(fs, offset)?;
        }
        Ok(())
    }

    fn delete(&mut self, fs: &dyn Fs, offset: i64) -> io::Result<()> {
        match fs.remove_file(&self.path(offset)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => {
                self.offsets.remove(&offset);
                Ok(())
            }
        }
    }
}

enum ReadError {
    Damaged(String),
    Io(io::Error),
}

fn read_entries(fs: &dyn Fs, path: &Path) -> Result<Vec<super::ProducerStateEntry>, ReadError> {
    let bytes = read_file(fs, path, FILE_BYTES_MAX).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound => {
            ReadError::Damaged(error.to_string())
        }
        _ => ReadError::Io(error),
    })?;
    snapshot::decode(&bytes).map_err(|error| ReadError::Damaged(error.to_string()))
}

fn write_file(fs: &dyn Fs, path: &Path, bytes: &[u8], sync: bool) -> io::Result<()> {
    let file = fs.open(path, OpenMode::Create)?;
    file.set_len(0)?;
    write_all_at(&*file, &mut [IoSlice::new(bytes)], 0)?;
    if sync { file.sync_data() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::super::ProducerBatch;
    use super::*;
    use crate::fs::MemFs;

    const DIR: &str = "/logs/t-0";

    fn state(producers: i64) -> ProducerStateManager {
        let mut state = ProducerStateManager::new();
        for producer_id in 0..producers {
            let batch = ProducerBatch {
                producer_id,
                producer_epoch: 0,
                base_sequence: 0,
                last_offset_delta: 0,
                max_timestamp: 100,
                is_transactional: false,
            };
            state.update(&batch, producer_id);
        }
        state
    }

    fn snapshots_at(offsets: &[i64]) -> (MemFs, SnapshotFiles) {
        let fs = MemFs::new();
        fs.create_dir_all(Path::new(DIR)).unwrap();
        let mut files = SnapshotFiles::new(DIR, []);
        for &offset in offsets {
            files.take(&fs, &state(offset), offset, true).unwrap();
        }
        (fs, files)
    }

    fn names(fs: &MemFs) -> Vec<i64> {
        let entries = fs.list(Path::new(DIR)).unwrap();
        entries.iter().map(|entry| parse_file_name(&entry.name).unwrap()).collect()
    }

    #[test]
    fn names_are_kafkas() {
        assert_eq!(file_name(42), "00000000000000000042.snapshot");
        assert_eq!(parse_file_name(&file_name(i64::MAX)), Some(i64::MAX));
        for other in ["42.snapshot", "00000000000000000042.log", "-0000000000000000042.snapshot"] {
            assert_eq!(parse_file_name(other), None, "{other}");
        }
        let found = SnapshotFiles::new(DIR, ["00000000000000000042.snapshot", "x.log"]);
        assert_eq!((found.oldest(), found.latest()), (Some(42), Some(42)));
    }

    #[test]
    fn the_latest_sound_snapshot_within_the_log_is_loaded() {
        let (fs, mut files) = snapshots_at(&[2, 5, 7, 9]);
        let damaged = fs.open(&files.path(7), OpenMode::ReadWrite).unwrap();
        damaged.set_len(20).unwrap();
        let loaded = files.load_latest(&fs, 2, 8, 100, 1_000).unwrap();
        assert_eq!((loaded.offset, loaded.state.len()), (5, 5));
        assert_eq!(names(&fs), [5]);
        assert_eq!(files.latest(), Some(5));
    }

    #[test]
    fn without_a_snapshot_everything_is_replayed() {
        let (fs, mut files) = snapshots_at(&[]);
        let loaded = files.load_latest(&fs, 3, 8, 100, 1_000).unwrap();
        assert_eq!((loaded.offset, loaded.state.len()), (3, 0));
    }

    #[test]
    fn snapshots_go_with_their_segments() {
        let (fs, mut files) = snapshots_at(&[1, 2, 3, 4, 5]);
        files.delete_below(&fs, 2).unwrap();
        assert_eq!(names(&fs), [2, 3, 4, 5]);
        files.delete_above(&fs, 4).unwrap();
        assert_eq!(names(&fs), [2, 3, 4]);
        files.delete_all(&fs).unwrap();
        assert_eq!(names(&fs), []);
        assert_eq!(files.latest(), None);
    }

    #[test]
    fn strays_go_but_the_one_of_a_clean_stop_stays() {
        let (fs, mut files) = snapshots_at(&[1, 2, 3, 4, 5]);
        files.delete_strays(&fs, &[1, 3]).unwrap();
        assert_eq!(names(&fs), [1, 3, 5]);
        files.delete_strays(&fs, &[1, 3, 6]).unwrap();
        assert_eq!(names(&fs), [1, 3]);
    }

    #[test]
    fn a_snapshot_of_the_same_offset_is_not_written_again() {
        let (fs, mut files) = snapshots_at(&[4]);
        files.take(&fs, &state(1), 4, true).unwrap();
        assert_eq!(files.load_latest(&fs, 0, 4, 100, 1_000).unwrap().state.len(), 4);
    }
}
