//! Writing frames: gather, write, sync; then the ledger is told.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use parking_lot::MutexGuard;
use thiserror::Error;

use super::format::{
    BLOCK_BYTES, EntryHead, FRAME_HEAD_BYTES, Header, Kind, finish_frame, in_blocks,
};
use super::ledger::{Draft, Note, PartitionKey};
use super::ring::Place;
use super::{Journal, new_generation};
use crate::fs::{File, Fs, OpenMode, write_all_at};
use crate::log_dir::{is_out_of_descriptors, is_out_of_space, is_passing};

/// A buffer that one large frame has blown up is not kept.
const BUFFER_KEPT_BYTES: usize = 2 << 20;
/// This part of the journal is kept free to say, in the end, what is said in all of the others.
const ROOM_KEPT_PART: u64 = 16;
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Why a frame was not written.
#[derive(Debug, Error)]
pub(crate) enum CommitError {
    /// There is no room, in the journal or on the disk. Nothing is lost: the logs sync their files.
    #[error("the journal is full")]
    Full,
    /// Final for the log directory.
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
}

/// The file, and the frame that is being put together.
#[derive(Debug)]
pub(super) struct JournalFile {
    file: Option<Arc<dyn File>>,
    generation: u64,
    /// The header on the disk says that this generation counts.
    is_open: bool,
    /// Closed by a clean stop, or a write or sync has failed: nothing is written any more.
    is_closed: bool,
    filled: u64,
    buffer: Vec<u8>,
}

impl JournalFile {
    pub(super) fn new(generation: u64, is_open: bool) -> Self {
        let (file, buffer) = (None, Vec::new());
        Self { file, generation, is_open, is_closed: false, filled: 0, buffer }
    }
}

/// New bytes of one segment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dirty<'a> {
    pub(crate) key: PartitionKey,
    pub(crate) topic: &'a Arc<str>,
    pub(crate) leader_epoch: i32,
    pub(crate) segment_base: i64,
    pub(crate) position: u64,
    pub(crate) bytes: usize,
    /// Offsets of the bytes: from, and up to.
    pub(crate) base_offset: i64,
    pub(crate) end_offset: i64,
}

/// A frame on its way. Dropped without a commit it was never there.
pub(crate) struct Frame<'a> {
    journal: &'a Journal,
    file: MutexGuard<'a, JournalFile>,
    entries: u32,
    owing: Vec<(PartitionKey, Arc<str>, i64)>,
    forgotten: Option<Forgotten>,
    /// It may have the room that is kept for this.
    makes_room: bool,
}

#[derive(Clone, Copy)]
struct ForgetBelow {
    segment_base: i64,
    /// `None`: as it is.
    durable_end: Option<i64>,
}

#[derive(Clone, Copy)]
struct Forgotten {
    key: PartitionKey,
    durable_end: i64,
    /// Nothing is needed any more.
    settles: bool,
}

impl Journal {
    /// Begins a frame. Waits for the one that is being written.
    pub(crate) fn begin(&self) -> Frame<'_> {
        let mut file = self.file.lock();
        file.buffer.clear();
        file.buffer.resize(FRAME_HEAD_BYTES, 0);
        Frame {
            journal: self,
            file,
            entries: 0,
            owing: Vec::new(),
            forgotten: None,
            makes_room: false,
        }
    }

    /// Before a partition is cut: nothing that the frames so far hold of it is ever applied, and it
    /// is durable up to `durable_end` from now on. What is to be kept is synced in its files.
    pub(crate) fn forget_all(
        &self,
        key: PartitionKey,
        topic: &Arc<str>,
        durable_end: i64,
    ) -> Result<(), CommitError> {
        self.forget(
            key,
            topic,
            ForgetBelow { segment_base: i64::MAX, durable_end: Some(durable_end) },
        )
    }

    /// Before segments are replaced: nothing that the frames so far hold of segments of `key` with
    /// a base offset below `segment_base` is ever applied. They are synced in their files.
    pub(crate) fn forget_segments(
        &self,
        key: PartitionKey,
        topic: &Arc<str>,
        segment_base: i64,
    ) -> Result<(), CommitError> {
        self.forget(key, topic, ForgetBelow { segment_base, durable_end: None })
    }

    fn forget(
        &self,
        key: PartitionKey,
        topic: &Arc<str>,
        below: ForgetBelow,
    ) -> Result<(), CommitError> {
        let mut frame = self.begin();
        let Some(durable_end) = self.ledger.lock().must_forget(key, below.durable_end) else {
            return Ok(());
        };
        let forget = EntryHead {
            kind: Kind::Forget,
            topic,
            partition: key.partition,
            topic_id: key.topic_id,
            leader_epoch: -1,
            segment_base: below.segment_base,
            position: 0,
            base_offset: 0,
            end_offset: durable_end,
        };
        forget.encode(0, &mut frame.file.buffer);
        frame.entries += 1;
        let settles = below.segment_base == i64::MAX;
        frame.forgotten = Some(Forgotten { key, durable_end, settles });
        frame.commit()
    }

    /// Writes the notes that wait.
    pub(crate) fn write_notes(&self) -> Result<(), CommitError> {
        while self.has_notes() {
            self.begin().commit()?;
        }
        Ok(())
    }

    /// Frees the room of frames that nobody needs any more. There is always room left for it.
    pub(crate) fn make_room(&self) -> Result<(), CommitError> {
        loop {
            let mut frame = self.begin();
            if !self.ledger.lock().can_move_tail() {
                return Ok(());
            }
            frame.makes_room = true;
            match frame.commit() {
                Ok(()) => {}
                // Of very many partitions more has to be said than there is room for.
                Err(CommitError::Full) => return self.restart(),
                Err(error) => return Err(error),
            }
        }
    }

    /// Begins anew at the beginning of the file, if nobody is in debt. How far partitions are durable
    /// is said again by the next frame; a power cut before it leaves the recovery points only.
    fn restart(&self) -> Result<(), CommitError> {
        let mut state = self.file.lock();
        if state.is_closed || !self.debtors().is_empty() {
            return Ok(());
        }
        let file = match &state.file {
            Some(file) => Arc::clone(file),
            None => match self.fs.open(&self.path, OpenMode::ReadWrite) {
                Ok(file) => file,
                Err(error) if is_passing(&error) => return Err(CommitError::Full),
                Err(source) => return Err(self.io_error("open", source)),
            },
        };
        if let Err(source) = begin_anew(&mut state, &*file) {
            state.is_closed = true;
            return Err(self.io_error("write the header of", source));
        }
        self.ledger.lock().restart();
        Ok(())
    }

    /// Marks the journal as one that holds nothing: all files of the directory are durable. Nothing
    /// is written any more.
    pub(crate) fn close(&self) -> Result<(), CommitError> {
        let mut file = self.file.lock();
        let was_failed = std::mem::replace(&mut file.is_closed, true);
        if was_failed || !file.is_open {
            return Ok(());
        }
        let header = Header { is_open: false, generation: file.generation, bytes_from: 0 };
        let closed = rewrite_header(&*self.fs, &self.path, header);
        closed.map_err(|source| self.io_error("write the header of", source))
    }

    fn io_error(&self, what: &str, source: io::Error) -> CommitError {
        CommitError::Io { what: format!("cannot {what} {}", self.path.display()), source }
    }
}

impl Frame<'_> {
    /// Adds bytes of a segment; `read` fills them in. On an error nothing was added.
    pub(crate) fn add(
        &mut self,
        dirty: &Dirty<'_>,
        read: impl FnOnce(&mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let head = EntryHead {
            kind: Kind::Bytes,
            topic: dirty.topic,
            partition: dirty.key.partition,
            topic_id: dirty.key.topic_id,
            leader_epoch: dirty.leader_epoch,
            segment_base: dirty.segment_base,
            position: dirty.position,
            base_offset: dirty.base_offset,
            end_offset: dirty.end_offset,
        };
        let buffer = &mut self.file.buffer;
        let before = buffer.len();
        head.encode(dirty.bytes, buffer);
        let start = buffer.len();
        buffer.resize(start + dirty.bytes, 0);
        if let Err(error) = read(buffer.get_mut(start..).unwrap_or_default()) {
            buffer.truncate(before);
            return Err(error);
        }
        self.entries += 1;
        self.owing.push((dirty.key, Arc::clone(dirty.topic), dirty.end_offset));
        Ok(())
    }

    /// Writes the frame and syncs it. When this returns `Ok` it is durable.
    pub(crate) fn commit(mut self) -> Result<(), CommitError> {
        if self.file.is_closed {
            return Err(CommitError::Full);
        }
        let draft = self.draft();
        for note in &draft.notes {
            self.add_note(note);
        }
        let (entries, generation) = (self.entries, self.file.generation);
        finish_frame(&mut self.file.buffer, entries, generation, draft.sequence, draft.tail);
        let bytes = self.file.buffer.len() as u64;
        let place = self.place(bytes).ok_or(CommitError::Full)?;
        match self.write(place) {
            Ok(()) => {}
            Err(Failed::Write(error)) if is_passing(&error) => {
                tracing::warn!(
                    path = %self.journal.path.display(), %error,
                    "The journal cannot grow: partition files are synced instead"
                );
                return Err(CommitError::Full);
            }
            Err(Failed::Write(source)) => {
                self.file.is_closed = true;
                return Err(self.journal.io_error("write", source));
            }
            Err(Failed::Sync(source)) => {
                self.file.is_closed = true;
                return Err(self.journal.io_error("sync", source));
            }
        }
        self.take_over(&draft, place, bytes);
        Ok(())
    }

    fn place(&self, bytes: u64) -> Option<Place> {
        let ledger = self.journal.ledger.lock();
        let kept = (ledger.ring.capacity() / ROOM_KEPT_PART).next_multiple_of(BLOCK_BYTES);
        ledger.ring.place(bytes, if self.makes_room { 0 } else { kept })
    }

    /// What the ledger wants to be said, beside what the frame says already.
    fn draft(&self) -> Draft {
        let mut draft = self.journal.ledger.lock().draft();
        let said = |key: PartitionKey| {
            self.forgotten.is_some_and(|forgotten| forgotten.key == key)
                || self.owing.iter().any(|(owing, ..)| *owing == key)
        };
        draft.notes.retain(|note| !said(note.key));
        draft
    }

    fn add_note(&mut self, note: &Note) {
        let head = EntryHead {
            kind: Kind::Note,
            topic: &note.topic,
            partition: note.key.partition,
            topic_id: note.key.topic_id,
            leader_epoch: -1,
            segment_base: 0,
            position: 0,
            base_offset: 0,
            end_offset: note.durable_end,
        };
        head.encode(0, &mut self.file.buffer);
        self.entries += 1;
    }

    fn write(&mut self, place: Place) -> Result<(), Failed> {
        let journal = self.journal;
        let state = &mut *self.file;
        let (file, is_new) = match &state.file {
            Some(file) => (Arc::clone(file), false),
            None => journal.open_file(state).map_err(Failed::Write)?,
        };
        if !state.is_open {
            let header = Header { is_open: true, generation: state.generation, bytes_from: 0 };
            if let Err(error) = write_at(&*file, &header.encode(), 0) {
                // Nothing in the file counts. The beginning of a header would pass for damage.
                let _ = file.set_len(0);
                return Err(Failed::Write(error));
            }
        }
        while state.filled < place.filled {
            let bytes = (place.filled - state.filled).min(ZEROS.len() as u64);
            let zeros = ZEROS.get(..bytes as usize).unwrap_or_default();
            write_at(&*file, zeros, BLOCK_BYTES + state.filled).map_err(Failed::Write)?;
            state.filled += bytes;
        }
        let position = BLOCK_BYTES + place.position;
        write_at(&*file, &state.buffer, position).map_err(Failed::Write)?;
        file.sync_data().map_err(Failed::Sync)?;
        if is_new {
            journal.fs.sync_dir(journal.dir.path()).map_err(Failed::of_names)?;
        }
        state.is_open = true;
        state.file = Some(file);
        Ok(())
    }

    fn take_over(mut self, draft: &Draft, place: Place, bytes: u64) {
        {
            let mut ledger = self.journal.ledger.lock();
            ledger.wrote(draft, place, bytes);
            for (key, topic, end) in &self.owing {
                ledger.owes(*key, topic, *end, draft.sequence);
            }
            if let Some(Forgotten { key, durable_end, settles }) = self.forgotten {
                ledger.forgot(key, durable_end, settles, draft.sequence);
            }
        }
        if self.file.buffer.capacity() > BUFFER_KEPT_BYTES {
            self.file.buffer = Vec::new();
        }
    }
}

impl std::fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frame").field("entries", &self.entries).finish_non_exhaustive()
    }
}

enum Failed {
    Write(io::Error),
    Sync(io::Error),
}

impl Failed {
    /// Without a descriptor for the directory no sync was tried.
    fn of_names(error: io::Error) -> Self {
        if is_out_of_descriptors(&error) { Self::Write(error) } else { Self::Sync(error) }
    }
}

impl Journal {
    /// The file, made if it is not there. Whether its name has to be synced: it may have been made
    /// by an attempt that met a full disk.
    fn open_file(&self, state: &mut JournalFile) -> io::Result<(Arc<dyn File>, bool)> {
        let file = self.fs.open(&self.path, OpenMode::Create)?;
        let bytes = file.len()?.saturating_sub(BLOCK_BYTES);
        state.filled = bytes - bytes % BLOCK_BYTES;
        Ok((file, true))
    }
}

/// Lets no frame of the file count any more.
fn begin_anew(state: &mut JournalFile, file: &dyn File) -> io::Result<()> {
    let generation = new_generation()?;
    let header = Header { is_open: true, generation, bytes_from: 0 };
    match write_at(file, &header.encode(), 0) {
        Ok(()) => state.generation = generation,
        // Not even for what is written over is there room everywhere. An empty file says the same,
        // and no part of a header.
        Err(error) if is_out_of_space(&error) => {
            file.set_len(0)?;
            *state = JournalFile::new(generation, false);
        }
        Err(error) => return Err(error),
    }
    file.sync_data()
}

/// Replaces the header of a journal that is there, durably.
pub(super) fn rewrite_header(fs: &dyn Fs, path: &Path, header: Header) -> io::Result<()> {
    let file = fs.open(path, OpenMode::ReadWrite)?;
    write_at(&*file, &header.encode(), 0)?;
    file.sync_data()
}

fn write_at(file: &dyn File, bytes: &[u8], position: u64) -> io::Result<()> {
    debug_assert_eq!(position % BLOCK_BYTES, 0);
    debug_assert_eq!(in_blocks(bytes.len()), bytes.len() as u64);
    write_all_at(file, &mut [IoSlice::new(bytes)], position)
}
