//! Sparse indexes of a segment: fixed-size entries in rising order, in Kafka's bytes.
//!
//! The index of the active segment is kept in memory and written out when the segment is rolled or
//! the log is closed. That of a sealed segment stays in its file and is searched with `pread`: no
//! mmap, so neither its limits nor its SIGBUS.
//!
//! Invariant: entries rise strictly; whoever pushes sees to it, and `open` checks the last one.

pub(crate) mod offset;
pub(crate) mod time;
pub(crate) mod txn;

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::fs::{File, Fs, OpenMode, read_exact_at, write_whole};

/// One entry: fixed size, big-endian.
pub(crate) trait IndexEntry: Copy {
    const BYTES: usize;

    /// `bytes` has exactly `BYTES` bytes; shorter input gives zeros.
    fn decode(bytes: &[u8]) -> Self;
    fn encode(&self, out: &mut Vec<u8>);
}

/// The largest entry in bytes, for buffers on the stack.
const ENTRY_BYTES_MAX: usize = 34;

/// The entries of one index.
#[derive(Debug)]
pub(crate) enum Index<E> {
    /// Of the active segment.
    Memory(Vec<E>),
    /// Of a sealed one.
    Disk { file: Arc<dyn File>, entries: usize },
}

impl<E: IndexEntry> Index<E> {
    pub(crate) const EMPTY: Self = Self::Memory(Vec::new());

    /// The index of a sealed segment. `InvalidData` when the size of its file is not a multiple of
    /// the entry size.
    pub(crate) fn open(file: Arc<dyn File>, path: &Path) -> io::Result<Self> {
        let len = file.len()?;
        if len % E::BYTES as u64 != 0 {
            let text = format!(
                "{} has {len} bytes, which is not a multiple of {}",
                path.display(),
                E::BYTES
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let entries = usize::try_from(len / E::BYTES as u64).unwrap_or(usize::MAX);
        Ok(Self::Disk { file, entries })
    }

    /// A copy in memory: the segment becomes active.
    pub(crate) fn to_memory(&self) -> io::Result<Self> {
        match self {
            Self::Memory(entries) => Ok(Self::Memory(entries.clone())),
            Self::Disk { file, entries } => {
                let mut bytes = vec![0; entries * E::BYTES];
                read_exact_at(&**file, &mut bytes, 0)?;
                Ok(Self::Memory(bytes.chunks_exact(E::BYTES).map(E::decode).collect()))
            }
        }
    }

    /// Writes the entries to their file, replacing what it had, and goes on from there. The file
    /// is not synced.
    pub(crate) fn write_out(&self, fs: &dyn Fs, path: &Path) -> io::Result<Option<Arc<dyn File>>> {
        let Self::Memory(entries) = self else { return Ok(None) };
        let mut bytes = Vec::with_capacity(entries.len() * E::BYTES);
        for entry in entries {
            entry.encode(&mut bytes);
        }
        let file = fs.open(path, OpenMode::Create)?;
        write_whole(&*file, &bytes)?;
        Ok(Some(file))
    }

    /// Gives up the copy in memory after [`Index::write_out`] has put it into its file, which
    /// `file` reads.
    pub(crate) fn seal(&mut self, file: Arc<dyn File>) {
        if let Self::Memory(entries) = self {
            let entries = entries.len();
            *self = Self::Disk { file, entries };
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Memory(entries) => entries.len(),
            Self::Disk { entries, .. } => *entries,
        }
    }

    /// Appends an entry. Only the index of an active segment grows.
    pub(crate) fn push(&mut self, entry: E) {
        debug_assert!(matches!(self, Self::Memory(_)), "a sealed index does not grow");
        if let Self::Memory(entries) = self {
            entries.push(entry);
        }
    }

    pub(crate) fn get(&self, at: usize) -> io::Result<Option<E>> {
        match self {
            Self::Memory(entries) => Ok(entries.get(at).copied()),
            Self::Disk { entries, .. } if at >= *entries => Ok(None),
            Self::Disk { file, .. } => {
                let mut buffer = [0; ENTRY_BYTES_MAX];
                let bytes = buffer.get_mut(..E::BYTES).unwrap_or_default();
                read_exact_at(&**file, bytes, (at * E::BYTES) as u64)?;
                Ok(Some(E::decode(bytes)))
            }
        }
    }

    pub(crate) fn last(&self) -> io::Result<Option<E>> {
        match self.len().checked_sub(1) {
            Some(at) => self.get(at),
            None => Ok(None),
        }
    }

    /// The number of entries at the front that `holds` is true for. It must be true for all
    /// entries up to some place and false after it.
    pub(crate) fn partition_point(&self, holds: impl Fn(&E) -> bool) -> io::Result<usize> {
        if let Self::Memory(entries) = self {
            return Ok(entries.partition_point(holds));
        }
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.get(middle)? {
                Some(entry) if holds(&entry) => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(low)
    }

    /// The last entry that `holds` is true for, under the condition of [`Index::partition_point`].
    pub(crate) fn last_where(&self, holds: impl Fn(&E) -> bool) -> io::Result<Option<E>> {
        match self.partition_point(holds)?.checked_sub(1) {
            Some(at) => self.get(at),
            None => Ok(None),
        }
    }

    /// Keeps the entries at the front that `holds` is true for. Only in memory.
    pub(crate) fn retain_front(&mut self, holds: impl Fn(&E) -> bool) {
        debug_assert!(matches!(self, Self::Memory(_)), "a sealed index is not cut");
        if let Self::Memory(entries) = self {
            let kept = entries.partition_point(holds);
            entries.truncate(kept);
        }
    }
}
