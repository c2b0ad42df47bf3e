//! Reading the files of a log directory without trusting them: for `barnabas log` and the scrub.
//!
//! Everything is read in windows, front to back, however large a file is. Nothing is written and
//! nothing is locked, so a running broker does not notice. Damage is an answer, never a panic.
//!
//! | module | reads |
//! |---|---|
//! | [`batches`] | `.log` files and metadata snapshots, batch by batch |
//! | [`rows`] | `.index`, `.timeindex`, `.txnindex`, entry by entry |

pub mod batches;
pub mod rows;

use std::io;
use std::path::Path;
use std::sync::Arc;

use protocol_codec::records::header::CRC_START;

use crate::checkpoint::offsets::{
    LOG_START_CHECKPOINT, RECOVERY_POINT_CHECKPOINT, REPLICATION_CHECKPOINT,
};
use crate::clean_shutdown::CLEAN_SHUTDOWN_FILE;
use crate::fs::{File, Fs, OpenMode, read_at_most};
use crate::journal::JOURNAL_FILE;
use crate::leader_epoch_cache::LEADER_EPOCH_CHECKPOINT;
use crate::meta_properties::META_PROPERTIES_FILE;
use crate::partition_metadata::PARTITION_METADATA_FILE;
use crate::sealed_sums::SEALED_SUMS_FILE;
use crate::segment::files::{
    LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TXN_INDEX_SUFFIX, base_offset,
};

/// Kafka's file of how far each log has been compacted.
pub const CLEANER_CHECKPOINT: &str = "cleaner-offset-checkpoint";
const SNAPSHOT_SUFFIX: &str = ".snapshot";

/// The checkpoint files of a log directory: one offset a partition.
pub const OFFSET_CHECKPOINTS: [&str; 4] =
    [RECOVERY_POINT_CHECKPOINT, REPLICATION_CHECKPOINT, LOG_START_CHECKPOINT, CLEANER_CHECKPOINT];

/// A file of a log directory or of a partition's, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// Record batches; the base offset is in the name.
    Log(i64),
    OffsetIndex(i64),
    TimeIndex(i64),
    TxnIndex(i64),
    /// The producers as they were at this offset.
    ProducerSnapshot(i64),
    /// A snapshot of Kafka's metadata: record batches as in a log.
    MetadataSnapshot,
    LeaderEpochs,
    OffsetCheckpoint,
    PartitionMetadata,
    MetaProperties,
    CleanShutdown,
    SealedSums,
    Journal,
}

impl FileKind {
    /// What a file of this name holds; `None` for names that mean nothing here.
    pub fn of(name: &str) -> Option<Self> {
        let with = |suffix: &str, kind: fn(i64) -> Self| base_offset(name, suffix).map(kind);
        let by_suffix = with(LOG_SUFFIX, Self::Log)
            .or_else(|| with(OFFSET_INDEX_SUFFIX, Self::OffsetIndex))
            .or_else(|| with(TIME_INDEX_SUFFIX, Self::TimeIndex))
            .or_else(|| with(TXN_INDEX_SUFFIX, Self::TxnIndex))
            .or_else(|| with(SNAPSHOT_SUFFIX, Self::ProducerSnapshot));
        let by_name = || match name {
            LEADER_EPOCH_CHECKPOINT => Some(Self::LeaderEpochs),
            PARTITION_METADATA_FILE => Some(Self::PartitionMetadata),
            META_PROPERTIES_FILE => Some(Self::MetaProperties),
            CLEAN_SHUTDOWN_FILE => Some(Self::CleanShutdown),
            SEALED_SUMS_FILE => Some(Self::SealedSums),
            JOURNAL_FILE => Some(Self::Journal),
            name if OFFSET_CHECKPOINTS.contains(&name) => Some(Self::OffsetCheckpoint),
            name if is_metadata_snapshot(name) => Some(Self::MetadataSnapshot),
            _ => None,
        };
        by_suffix.or_else(by_name)
    }
}

/// Kafka's name for one: `<offset in 20 digits>-<epoch in 10>.checkpoint`.
fn is_metadata_snapshot(name: &str) -> bool {
    let digits = |text: &str, len| text.len() == len && text.bytes().all(|b| b.is_ascii_digit());
    name.strip_suffix(".checkpoint")
        .and_then(|name| name.split_once('-'))
        .is_some_and(|(offset, epoch)| digits(offset, 20) && digits(epoch, 10))
}

/// Reads a file front to back through one window, and may sum it up on the way.
///
/// Positions that are asked for may go back only within the window.
#[derive(Debug)]
pub(crate) struct WindowReader {
    file: Arc<dyn File>,
    /// Where reading ends, though the file may grow meanwhile.
    end: u64,
    window: Vec<u8>,
    window_start: u64,
    sum: Option<Crc>,
}

/// Bytes that are read at once.
const WINDOW_BYTES: usize = 256 << 10;

impl WindowReader {
    pub(crate) fn open(fs: &dyn Fs, path: &Path) -> io::Result<Self> {
        let file = fs.open(path, OpenMode::Read)?;
        let end = file.len()?;
        Ok(Self { file, end, window: Vec::new(), window_start: 0, sum: None })
    }

    pub(crate) fn with_sum(mut self) -> Self {
        self.sum = Some(Crc::new());
        self
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    fn window_end(&self) -> u64 {
        self.window_start + self.window.len() as u64
    }

    /// The `len` bytes at `position`, fewer only at the end of the file.
    pub(crate) fn bytes_at(&mut self, position: u64, len: usize) -> io::Result<&[u8]> {
        let wanted_end = position.saturating_add(len as u64).min(self.end);
        if self.sum.is_none() && position > self.window_end() {
            // Nothing in between is asked for.
            self.window.clear();
            self.window_start = position;
        }
        while self.window_end() < wanted_end {
            if !self.slide(position, len)? {
                break;
            }
        }
        let start = usize::try_from(position.saturating_sub(self.window_start)).unwrap_or(0);
        let rest = self.window.get(start..).unwrap_or_default();
        Ok(rest.get(..len).unwrap_or(rest))
    }

    /// Drops what lies before `keep_from` and reads on. Returns false at the end.
    fn slide(&mut self, keep_from: u64, len: usize) -> io::Result<bool> {
        let window_end = self.window_end();
        let dropped = keep_from.min(window_end).saturating_sub(self.window_start) as usize;
        self.window.drain(..dropped);
        self.window_start += dropped as u64;
        let kept = self.window.len();
        let room = len.saturating_sub(kept).max(WINDOW_BYTES) as u64;
        let more = room.min(self.end.saturating_sub(window_end)) as usize;
        self.window.resize(kept + more, 0);
        let fresh = self.window.get_mut(kept..).unwrap_or_default();
        let read = read_at_most(&*self.file, fresh, window_end);
        self.window.truncate(kept + read.as_ref().copied().unwrap_or(0));
        let read = read?;
        if let (Some(sum), Some(fresh)) = (&mut self.sum, self.window.get(kept..)) {
            sum.update(fresh);
        }
        if read < more {
            // The file was cut since: what is there is all there is.
            self.end = self.window_end();
        }
        Ok(read > 0)
    }

    /// Reads what is left and returns the bytes and the CRC-32C of the whole file.
    pub(crate) fn finish_sum(mut self) -> io::Result<(u64, u32)> {
        loop {
            let at = self.window_end();
            if !self.slide(at, 0)? {
                break;
            }
        }
        Ok((self.end, self.sum.map_or(0, |sum| sum.value())))
    }
}

/// A CRC-32C that is computed piece by piece.
#[derive(Clone)]
pub(crate) struct Crc(crc_fast::Digest);

impl Crc {
    pub(crate) fn new() -> Self {
        Self(crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn value(&self) -> u32 {
        // A CRC of 32 bits, in 64.
        self.0.finalize() as u32
    }
}

impl std::fmt::Debug for Crc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Crc({:08x})", self.value())
    }
}

/// The CRC-32C of the bytes of a batch that it covers, read in pieces: for batches that are too
/// large to be held.
fn batch_crc(reader: &mut WindowReader, position: u64, end: u64) -> io::Result<u32> {
    let mut crc = Crc::new();
    let mut at = position + CRC_START as u64;
    while at < end {
        let len = (end - at).min(WINDOW_BYTES as u64) as usize;
        let bytes = reader.bytes_at(at, len)?;
        if bytes.is_empty() {
            break;
        }
        crc.update(bytes);
        at += bytes.len() as u64;
    }
    Ok(crc.value())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{MemFs, replace_file};

    #[test]
    fn names_are_told_apart() {
        let kind = FileKind::of;
        assert_eq!(kind("00000000000000000042.log"), Some(FileKind::Log(42)));
        assert_eq!(kind("00000000000000000042.snapshot"), Some(FileKind::ProducerSnapshot(42)));
        assert_eq!(
            kind("00000000000000000030-0000000001.checkpoint"),
            Some(FileKind::MetadataSnapshot)
        );
        assert_eq!(kind("replication-offset-checkpoint"), Some(FileKind::OffsetCheckpoint));
        assert_eq!(kind("barnabas-sealed"), Some(FileKind::SealedSums));
        for other in ["42.log", "00000000000000000042.log.deleted", "30-1.checkpoint", ".lock"] {
            assert_eq!(kind(other), None, "{other}");
        }
    }

    #[test]
    fn a_file_is_read_through_a_window_and_summed_once() {
        let fs = MemFs::new();
        let path = Path::new("/file");
        let bytes: Vec<u8> = (0..WINDOW_BYTES * 2 + 100).map(|at| (at % 251) as u8).collect();
        replace_file(&fs, path, &bytes).unwrap();
        let mut reader = WindowReader::open(&fs, path).unwrap().with_sum();
        let mut at = 0;
        while at < bytes.len() {
            // Overlapping pieces, some larger than the window.
            let len = if at == 3_000 { WINDOW_BYTES + 10 } else { 700 };
            let got = reader.bytes_at(at as u64, len).unwrap();
            assert_eq!(got, &bytes[at..bytes.len().min(at + len)], "{at}");
            at += 500;
        }
        let sum = reader.finish_sum().unwrap();
        let whole = WindowReader::open(&fs, path).unwrap().with_sum().finish_sum().unwrap();
        assert_eq!(sum, whole);
        assert_eq!(sum, (bytes.len() as u64, protocol_codec::records::crc32c(&bytes)));
    }
}
