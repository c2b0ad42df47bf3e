//! What the next start would write back, seen without writing anything: a file system that shows
//! the segments of a log directory as they will be then. For the commands that look at files of a
//! directory which nobody uses.
//!
//! Promise: what is read here is what a start reads after its replay. Invariant: nothing is written;
//! every change is refused.

use std::collections::HashMap;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::format::Header;
use super::replay::{self, Piece, Replay};
use super::{JOURNAL_FILE, JournalError};
use crate::TopicPartition;
use crate::clean_shutdown;
use crate::fs::{DirEntry, DiskSpace, File, Fs, Metadata, OpenMode, read_at_most, read_exact_at};

/// A log directory as it will be when its journal has been replayed.
#[derive(Debug)]
pub struct Pending {
    /// The files, with what the journal writes back.
    pub fs: Arc<dyn Fs>,
    /// How far the journal knows partitions to be durable.
    pub(crate) durable_ends: HashMap<TopicPartition, i64>,
    /// Segments that lack something.
    pub(crate) lacking: Vec<PathBuf>,
    /// The same as `fs`, if the journal writes anything back.
    restored: Option<Arc<Restored>>,
}

impl Pending {
    /// The files as they are. So they are beside a running broker too: all that is in the journal is
    /// in the partitions' own files then.
    pub fn nothing(fs: &Arc<dyn Fs>) -> Self {
        let fs = Arc::clone(fs);
        Self { fs, durable_ends: HashMap::new(), lacking: Vec::new(), restored: None }
    }

    /// A segment that the journal holds bytes of.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn segment(&self, path: &Path) -> io::Result<Option<RestoredFile>> {
        self.restored.as_ref().map_or(Ok(None), |restored| restored.segment(path))
    }

    /// What the journal of `dir` holds. After a clean stop, and without a journal, that is nothing.
    ///
    /// # Errors
    /// The journal cannot be read, or is damaged.
    pub fn look(fs: &Arc<dyn Fs>, dir: &Path) -> Result<Self, JournalError> {
        let path = dir.join(JOURNAL_FILE);
        let failed = |source| JournalError::Io { path: path.clone(), source };
        if clean_shutdown::read(&**fs, dir).map_err(failed)?.is_some() {
            return Ok(Self::nothing(fs));
        }
        match replay::read_header(&**fs, &path)? {
            Some(header) if header.is_open => Self::read(fs, dir, &path, header),
            _ => Ok(Self::nothing(fs)),
        }
    }

    fn read(
        fs: &Arc<dyn Fs>,
        dir: &Path,
        path: &Path,
        header: Header,
    ) -> Result<Self, JournalError> {
        let replay = Replay::open(&**fs, dir, path)?;
        let frames = replay.find(header.generation)?;
        let (segments, ends) = replay.lacking(&frames, header.bytes_from)?;
        let durable_ends = ends.into_iter().map(|(_, note)| {
            (TopicPartition::new(note.topic, note.key.partition), note.durable_end)
        });
        let restored = Restored {
            inner: Arc::clone(fs),
            journal: Arc::clone(replay.file()),
            segments: segments.into_iter().map(|(path, pieces)| (path, pieces.into())).collect(),
        };
        let mut lacking = Vec::new();
        for segment in restored.segments.keys() {
            let failed = |source| JournalError::Io { path: segment.clone(), source };
            if restored.lacks(segment).map_err(failed)? {
                lacking.push(segment.clone());
            }
        }
        lacking.sort_unstable();
        let restored = Arc::new(restored);
        let fs = Arc::clone(&restored) as Arc<dyn Fs>;
        let durable_ends = durable_ends.collect();
        Ok(Self { fs, durable_ends, lacking, restored: Some(restored) })
    }
}

/// The files below, with what the journal holds of them.
#[derive(Debug)]
struct Restored {
    inner: Arc<dyn Fs>,
    journal: Arc<dyn File>,
    segments: HashMap<PathBuf, Arc<[Piece]>>,
}

impl Restored {
    /// Whether the segment's file, if it is there, is not what the journal makes of it.
    fn lacks(&self, segment: &Path) -> io::Result<bool> {
        match self.segment(segment) {
            Ok(Some(file)) => file.lacks(0..u64::MAX),
            Ok(None) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn segment(&self, path: &Path) -> io::Result<Option<RestoredFile>> {
        let Some(pieces) = self.segments.get(path) else { return Ok(None) };
        let inner = self.inner.open(path, OpenMode::Read)?;
        let (journal, pieces) = (Arc::clone(&self.journal), Arc::clone(pieces));
        Ok(Some(RestoredFile { inner, journal, pieces }))
    }

    fn pieces(&self, path: &Path) -> &[Piece] {
        self.segments.get(path).map(|pieces| &**pieces).unwrap_or_default()
    }
}

/// Where the last of the pieces ends.
fn end_of(pieces: &[Piece]) -> u64 {
    pieces.iter().map(Piece::end).max().unwrap_or(0)
}

fn refused<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Fs for Restored {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        if mode != OpenMode::Read {
            return refused();
        }
        match self.segment(path)? {
            Some(file) => Ok(Arc::new(file)),
            None => self.inner.open(path, mode),
        }
    }

    fn create_dir_all(&self, _path: &Path) -> io::Result<()> {
        refused()
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        refused()
    }

    fn remove_file(&self, _path: &Path) -> io::Result<()> {
        refused()
    }

    fn remove_dir_all(&self, _path: &Path) -> io::Result<()> {
        refused()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.inner.list(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.inner.exists(path)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let metadata = self.inner.metadata(path)?;
        Ok(Metadata { len: metadata.len.max(end_of(self.pieces(path))), ..metadata })
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        refused()
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        self.inner.space(path)
    }
}

/// A segment as it will be.
#[derive(Debug)]
pub struct RestoredFile {
    inner: Arc<dyn File>,
    journal: Arc<dyn File>,
    pieces: Arc<[Piece]>,
}

impl RestoredFile {
    /// Whether the file has not got some of these bytes yet, which the journal puts there.
    ///
    /// # Errors
    /// One of the two files cannot be read.
    pub fn lacks(&self, bytes: Range<u64>) -> io::Result<bool> {
        let (mut wanted, mut there) = (Vec::new(), Vec::new());
        for piece in self.pieces.iter() {
            let Some((from, size)) = piece.within(&bytes) else { continue };
            wanted.resize(size, 0);
            there.resize(size, 0);
            read_exact_at(&*self.journal, &mut wanted, piece.at + (from - piece.position))?;
            let read = read_at_most(&*self.inner, &mut there, from)?;
            if read < size || wanted != there {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Piece {
    fn end(&self) -> u64 {
        self.position + self.bytes as u64
    }

    /// Where the part of it begins that lies in this range of the segment, and its size.
    fn within(&self, range: &Range<u64>) -> Option<(u64, usize)> {
        let (from, to) = (self.position.max(range.start), self.end().min(range.end));
        (from < to).then(|| (from, (to - from) as usize))
    }
}

impl File for RestoredFile {
    fn write_at(&self, _parts: &[IoSlice<'_>], _position: u64) -> io::Result<usize> {
        refused()
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let left = usize::try_from(self.len()?.saturating_sub(position)).unwrap_or(usize::MAX);
        let wanted = buf.len().min(left);
        let buf = buf.get_mut(..wanted).unwrap_or_default();
        let read = read_at_most(&*self.inner, buf, position)?;
        // What lies between the file's end and a piece is a hole then.
        buf.get_mut(read..).unwrap_or_default().fill(0);
        let range = position..position + wanted as u64;
        for piece in self.pieces.iter() {
            let Some((from, size)) = piece.within(&range) else { continue };
            let at = (from - position) as usize;
            let into = buf.get_mut(at..at + size).unwrap_or_default();
            read_exact_at(&*self.journal, into, piece.at + (from - piece.position))?;
        }
        Ok(wanted)
    }

    fn sync_data(&self) -> io::Result<()> {
        refused()
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        refused()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.inner.len()?.max(end_of(&self.pieces)))
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
