//! What a start after an unclean stop does with the journal, before any log is opened.
//!
//! All frames that count are found and compared with their checksums; then each segment that they
//! hold bytes of gets what it lacks, and is synced. Nothing is deleted or made shorter, so a replay
//! that is cut off is simply done again; the caller closes the journal after it.
//!
//! Bytes are passed over where the segment, or the partition's directory, is not there any more
//! (their names were durable before, so they were deleted since), where the directory belongs to
//! another topic id, and where a later frame says that they are to be forgotten. After a `kill -9`
//! that deletion may be in the page cache only: it is synced before the bytes count no more, or the
//! next power cut would bring back a file that lacks them.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use parking_lot::Mutex;

use super::JournalError;
use super::format::{
    self, BLOCK_BYTES, BadHeader, Entry, FRAME_HEAD_BYTES, FrameHead, Header, Kind, in_blocks,
};
use super::ledger::{Note, PartitionKey};
use super::ring::Placed;
use crate::fs::{File, Fs, OpenMode, read_at_most, read_exact_at, write_all_at};
use crate::partition_metadata::{self, PartitionMetadataError};
use crate::segment::files::{self, LOG_SUFFIX};
use crate::topic_partition::{TopicPartition, is_legal_topic_name};

/// From how many segments on one pass over the disk takes the place of their syncs.
const SYNC_TOGETHER_SEGMENTS_MIN: usize = 32;
/// Segments for which another thread is worth its while, and the most threads.
const SEGMENTS_A_THREAD: usize = 16;
const THREADS_MAX: usize = 8;

/// What a replay has found and done.
#[derive(Debug, Default)]
pub(super) struct Replayed {
    /// The last that was said of each partition that is still there, and by which frame.
    pub(super) ends: Vec<(u64, Note)>,
    /// The frames that count.
    pub(super) frames: Vec<Placed>,
    /// After the newest frame.
    pub(super) next_sequence: u64,
    pub(super) segments: usize,
    pub(super) bytes_written: u64,
}

impl Replayed {
    pub(super) fn durable_ends(&self) -> HashMap<PartitionKey, i64> {
        self.ends.iter().map(|(_, end)| (end.key, end.durable_end)).collect()
    }
}

/// A frame's place in the file.
pub(super) struct Found {
    pub(super) position: u64,
    pub(super) head: FrameHead,
}

/// Bytes of a segment, and where the journal has them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    pub(super) at: u64,
    pub(super) position: u64,
    pub(super) bytes: usize,
}

/// A segment's file, and what it may lack.
pub(super) type Lacking = (PathBuf, Vec<Piece>);

/// The last that was said of each partition that is still there, and by which frame.
pub(super) type LastEnds = Vec<(u64, Note)>;

/// What is said last of each partition, and by which frame.
type Ends = BTreeMap<PartitionKey, (u64, Note)>;

/// The segments that frames hold bytes of, with their pieces in the order they were written.
type Segments = BTreeMap<(PartitionKey, i64), Vec<Piece>>;

pub(super) struct Replay<'a> {
    fs: &'a dyn Fs,
    dir: &'a Path,
    path: &'a Path,
    file: Arc<dyn File>,
}

/// The header; `None` if there is no journal, or one whose first write was cut off.
pub(super) fn read_header(fs: &dyn Fs, path: &Path) -> Result<Option<Header>, JournalError> {
    let failed = |source| JournalError::Io { path: path.to_owned(), source };
    let file = match fs.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut block = vec![0; BLOCK_BYTES as usize];
    let read = read_at_most(&*file, &mut block, 0).map_err(failed)?;
    block.truncate(read);
    match Header::decode(&block) {
        Ok(header) => Ok(Some(header)),
        Err(BadHeader::Blank) => Ok(None),
        Err(BadHeader::Damaged) => {
            Err(JournalError::Damaged { path: path.to_owned(), position: 0 })
        }
        Err(BadHeader::Newer(version)) => {
            Err(JournalError::Newer { path: path.to_owned(), version })
        }
    }
}

/// Whole blocks that are in the file behind the header.
pub(super) fn filled_bytes(fs: &dyn Fs, path: &Path) -> u64 {
    let bytes = fs.metadata(path).map_or(0, |metadata| metadata.len).saturating_sub(BLOCK_BYTES);
    bytes - bytes % BLOCK_BYTES
}

/// Writes back what the partitions in `dir` lack of the frames of this generation.
pub(super) fn replay(
    fs: &dyn Fs,
    dir: &Path,
    path: &Path,
    header: Header,
) -> Result<Replayed, JournalError> {
    let replay = Replay::open(fs, dir, path)?;
    let frames = replay.find(header.generation)?;
    let (segments, ends) = replay.lacking(&frames, header.bytes_from)?;
    // Folders that are gone, or another topic's by now.
    fs.sync_dir(dir).map_err(|error| replay.io_error(error))?;
    let bytes_written = replay.write_back(&segments)?;
    let placed = |found: &Found| Placed {
        sequence: found.head.sequence,
        position: found.position - BLOCK_BYTES,
        bytes: in_blocks(found.head.bytes),
    };
    Ok(Replayed {
        ends,
        frames: frames.iter().map(placed).collect(),
        next_sequence: frames
            .last()
            .map_or(header.bytes_from, |last| last.head.sequence + 1)
            .max(1),
        segments: segments.len(),
        bytes_written,
    })
}

impl<'a> Replay<'a> {
    pub(super) fn open(
        fs: &'a dyn Fs,
        dir: &'a Path,
        path: &'a Path,
    ) -> Result<Self, JournalError> {
        let failed = |source| JournalError::Io { path: path.to_owned(), source };
        let file = fs.open(path, OpenMode::Read).map_err(failed)?;
        Ok(Self { fs, dir, path, file })
    }

    pub(super) fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// What the segments that are still there may lack, and how far their partitions are durable.
    pub(super) fn lacking(
        &self,
        frames: &[Found],
        bytes_from: u64,
    ) -> Result<(Vec<Lacking>, LastEnds), JournalError> {
        let (segments, ends) = self.gather(frames, bytes_from)?;
        let mut ends = ends.into_values().collect();
        let segments = self.still_there(segments, &mut ends)?;
        Ok((segments, ends))
    }

    fn io_error(&self, source: io::Error) -> JournalError {
        JournalError::Io { path: self.path.to_owned(), source }
    }

    pub(super) fn damaged(&self, position: u64) -> JournalError {
        JournalError::Damaged { path: self.path.to_owned(), position }
    }

    /// All frames that count, in their order. Of these only the newest may have been torn, and it
    /// is as if it had never been; any other that is missing was durable once.
    pub(super) fn find(&self, generation: u64) -> Result<Vec<Found>, JournalError> {
        let mut found = self.scan(generation)?;
        let Some(tail) = found.values().next_back().map(|newest| newest.head.tail) else {
            return Ok(Vec::new());
        };
        let counting: Vec<Found> = found.split_off(&tail).into_values().collect();
        let mut last_end = BLOCK_BYTES;
        for (expected, frame) in (tail..).zip(&counting) {
            if frame.head.sequence != expected {
                return Err(self.damaged(last_end));
            }
            last_end = frame.position + in_blocks(frame.head.bytes);
        }
        Ok(counting)
    }

    /// All whole frames of this generation, by their number.
    pub(super) fn scan(&self, generation: u64) -> Result<BTreeMap<u64, Found>, JournalError> {
        let end = self.file.len().map_err(|error| self.io_error(error))?;
        let mut found = BTreeMap::new();
        let mut frame = Vec::new();
        let mut position = BLOCK_BYTES;
        while position < end {
            let Some(head) = self.read_frame(position, end, generation, &mut frame)? else {
                position += BLOCK_BYTES;
                continue;
            };
            found.insert(head.sequence, Found { position, head });
            position += in_blocks(head.bytes);
        }
        Ok(found)
    }

    /// The bytes of a frame that was found.
    pub(super) fn read(&self, found: &Found, frame: &mut Vec<u8>) -> Result<(), JournalError> {
        frame.resize(found.head.bytes, 0);
        read_exact_at(&*self.file, frame, found.position).map_err(|error| self.io_error(error))
    }

    /// Reads the frame at `position` if a whole one of this generation is there.
    fn read_frame(
        &self,
        position: u64,
        end: u64,
        generation: u64,
        frame: &mut Vec<u8>,
    ) -> Result<Option<FrameHead>, JournalError> {
        let mut bytes = [0; FRAME_HEAD_BYTES];
        let read = read_at_most(&*self.file, &mut bytes, position);
        if read.map_err(|error| self.io_error(error))? < FRAME_HEAD_BYTES {
            return Ok(None);
        }
        let head = FrameHead::decode(&bytes).filter(|head| head.generation == generation);
        let Some(head) = head.filter(|head| position + head.bytes as u64 <= end) else {
            return Ok(None);
        };
        frame.resize(head.bytes, 0);
        read_exact_at(&*self.file, frame, position).map_err(|error| self.io_error(error))?;
        Ok(head.is_whole(frame).then_some(head))
    }

    /// What the frames hold, by segment, and what they say last of each partition.
    fn gather(&self, frames: &[Found], bytes_from: u64) -> Result<(Segments, Ends), JournalError> {
        let mut segments = Segments::new();
        let mut ends = Ends::new();
        let mut bytes = Vec::new();
        for found in frames {
            self.read(found, &mut bytes)?;
            let Found { position, head } = found;
            let entries = format::entries(head, &bytes).map_err(|_| self.damaged(*position))?;
            let mut at = position + FRAME_HEAD_BYTES as u64;
            for (entry, bytes) in &entries {
                let size = entry.size(bytes.len());
                at += (size - bytes.len()) as u64;
                let note = take(&(*entry, bytes), at, &mut segments);
                let note = note.ok_or_else(|| self.damaged(*position))?;
                ends.insert(note.key, (head.sequence, note));
                at += bytes.len() as u64;
            }
            if head.sequence < bytes_from {
                segments.clear();
            }
        }
        Ok((segments, ends))
    }

    /// Leaves out what belongs to partitions that are not there any more.
    fn still_there(
        &self,
        segments: Segments,
        ends: &mut Vec<(u64, Note)>,
    ) -> Result<Vec<Lacking>, JournalError> {
        let mut dirs = HashMap::new();
        for (_, note) in &*ends {
            let partition = TopicPartition::new(Arc::clone(&note.topic), note.key.partition);
            let dir = self.dir.join(partition.dir_name());
            if self.belongs_to(&dir, note.key)? {
                dirs.insert(note.key, dir);
            } else {
                tracing::debug!(%partition, "The journal speaks of a partition that is not there any more");
            }
        }
        ends.retain(|(_, note)| dirs.contains_key(&note.key));
        let there = segments.into_iter().filter_map(|((key, base), pieces)| {
            Some((files::path(dirs.get(&key)?, base, LOG_SUFFIX), pieces))
        });
        Ok(there.collect())
    }

    /// Whether `dir` is that of this partition of this topic id.
    fn belongs_to(&self, dir: &Path, key: PartitionKey) -> Result<bool, JournalError> {
        match partition_metadata::read(self.fs, dir) {
            Ok(found) => Ok(found == Some(key.topic_id)),
            Err(PartitionMetadataError::Io(error))
                if error.kind() != io::ErrorKind::InvalidData =>
            {
                Err(JournalError::Io { path: dir.to_owned(), source: error })
            }
            Err(_) => Ok(false),
        }
    }

    /// Brings the segments up to date and syncs them. Returns how many bytes they had lacked.
    fn write_back(&self, segments: &[Lacking]) -> Result<u64, JournalError> {
        let together = segments.len() >= SYNC_TOGETHER_SEGMENTS_MIN && self.fs.can_sync_all();
        let written = self.write_segments(segments, !together)?;
        if together {
            self.fs.sync_all(self.dir).map_err(|error| self.io_error(error))?;
        }
        Ok(written)
    }

    fn write_segments(&self, segments: &[Lacking], sync: bool) -> Result<u64, JournalError> {
        let queue = Mutex::new(segments.iter());
        let work = || {
            let mut written = 0;
            loop {
                // Taken out in a statement of its own: the lock is free during the work.
                let Some((path, pieces)) = queue.lock().next() else { return Ok(written) };
                let failed = |source| JournalError::Io { path: path.clone(), source };
                written += self.write_segment(path, pieces, sync).map_err(failed)?;
            }
        };
        let threads = (segments.len() / SEGMENTS_A_THREAD).clamp(1, THREADS_MAX);
        if threads == 1 {
            return work();
        }
        thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_fold(0, |sum, thread| {
                let panicked = |_| Err(self.io_error(io::Error::other("a thread has panicked")));
                Ok(sum + thread.join().unwrap_or_else(panicked)?)
            })
        })
    }

    /// Synced even if it lacks nothing: after a `kill -9` that may be true of the page cache only.
    fn write_segment(&self, path: &Path, pieces: &[Piece], sync: bool) -> io::Result<u64> {
        let file = match self.fs.open(path, OpenMode::ReadWrite) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.stay_gone(path, sync).map(|()| 0);
            }
            Err(error) => return Err(error),
        };
        let (mut wanted, mut there) = (Vec::new(), Vec::new());
        let mut written = 0;
        for piece in pieces {
            wanted.resize(piece.bytes, 0);
            there.resize(piece.bytes, 0);
            read_exact_at(&*self.file, &mut wanted, piece.at)?;
            let read = read_at_most(&*file, &mut there, piece.position)?;
            if read < piece.bytes || wanted != there {
                write_all_at(&*file, &mut [IoSlice::new(&wanted)], piece.position)?;
                written += piece.bytes as u64;
            }
        }
        if sync {
            file.sync_data()?;
        }
        Ok(written)
    }

    /// A deleted segment must not come back without these bytes, which count no more after this.
    fn stay_gone(&self, path: &Path, sync: bool) -> io::Result<()> {
        path.parent().filter(|_| sync).map_or(Ok(()), |dir| self.fs.sync_dir(dir))
    }
}

/// Takes over the bytes of one entry, which are at `at`. Returns how far its partition is durable;
/// `None` if the entry makes no sense.
fn take((entry, bytes): &Entry<'_>, at: u64, segments: &mut Segments) -> Option<Note> {
    let is_sane = is_legal_topic_name(entry.topic)
        && entry.partition >= 0
        && entry.segment_base >= 0
        && entry.end_offset >= 0;
    if !is_sane {
        return None;
    }
    let key = PartitionKey { topic_id: entry.topic_id, partition: entry.partition };
    match entry.kind {
        Kind::Bytes => segments.entry((key, entry.segment_base)).or_default().push(Piece {
            at,
            position: entry.position,
            bytes: bytes.len(),
        }),
        Kind::Note => {}
        Kind::Forget => {
            segments.retain(|(of, base), _| *of != key || *base >= entry.segment_base);
        }
    }
    Some(Note { key, topic: Arc::from(entry.topic), durable_end: entry.end_offset })
}
