//! The raft store on disk: entries and hard state in sled, snapshots as files beside it.
//!
//! ```text
//! <metadata log dir>/__cluster_metadata-1/
//!     raft/                                sled: conf, db, blobs
//!     00000000000000000042-0000000003.checkpoint    snapshot of index 42, term 3
//!     durable                              the last entry that is known to be durable
//!     reserve                              space given back when the disk is full at a start
//! ```
//!
//! Keys of the sled tree (numbers big-endian, so that keys sort as numbers do):
//!
//! ```text
//! F                       format of this store u32
//! H                       term u64, vote u64, commit u64
//! T                       index u64, term u64 of the last entry dropped from the front
//! E index u64 part u16    parts u16 of the entry, term u64, piece of the entry's data
//! ```
//!
//! Every value ends in the CRC-32C of key and value. Integers in values are little-endian.
//!
//! sled 0.34 does not fsync on Linux and writes values over about 128 KiB to files that it never
//! syncs. So the store syncs sled's `db` itself after every flush, the directories once after
//! creation, and cuts entries into pieces far below that size.

use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use raft::eraftpb::{Entry, HardState};

use super::snapshot;
use super::store::{RaftStore, SnapshotWriter, StoreError};
use crate::image::LogPosition;

pub(crate) mod files;
mod values;

use self::files::{DurableMark, SnapshotFiles, sync_dir};
use self::values::{Key, PIECE_SIZE_MAX};

/// The name of the directory. Kafka 4.x passes over a partition directory of its metadata topic, so
/// it can start on the log directory with this in it.
pub const METADATA_DIR: &str = "__cluster_metadata-1";

const SLED_DIR: &str = "raft";

/// The layout described above.
const FORMAT: u32 = 1;

/// Appending stops while the disk has less than this left, so that a store can always be opened and
/// what is under way can be finished.
const SPARE_BYTES: u64 = 2 * 1024 * 1024;

/// How many entries are dropped from the front at a time: sled holds a whole batch in memory, many
/// times over.
const ENTRIES_PER_COMPACTION: u64 = 128;

/// sled's own cache: everything that is read again is in the image.
const CACHE_BYTES: u64 = 1024 * 1024;

/// Entries and hard state in sled.
#[derive(Debug)]
pub struct SledStore {
    tree: sled::Db,
    /// A second descriptor of sled's file, to sync it with.
    db_file: File,
    path: PathBuf,
    hard_state: HardState,
    truncated: LogPosition,
    /// The terms of the entries after the truncated one.
    terms: Vec<u64>,
    /// How many pieces each of these entries has.
    pieces: Vec<u16>,
    snapshots: Arc<SnapshotFiles>,
    durable: DurableMark,
}

impl SledStore {
    /// Opens the store in a metadata log directory, or makes a new one.
    ///
    /// On a full disk the reserve is given up, since opening needs some room.
    pub fn open(metadata_log_dir: &Path) -> Result<SledStore, StoreError> {
        Self::open_folder(metadata_log_dir, METADATA_DIR)
    }

    /// The same in a folder of another name.
    pub(crate) fn open_folder(
        metadata_log_dir: &Path,
        folder: &str,
    ) -> Result<SledStore, StoreError> {
        let path = metadata_log_dir.join(folder);
        fs::create_dir_all(&path).map_err(files::io("create", &path))?;
        files::make_room(&path, SPARE_BYTES);
        let durable = DurableMark::open(&path)?;
        let snapshots = Arc::new(SnapshotFiles::open(&path)?);
        let unfinished = !durable.exists() && snapshots.newest().is_none();
        let tree = match open_sled(&path) {
            Err(StoreError::Corrupt { .. } | StoreError::Sled { .. }) if unfinished => {
                files::set_aside(&path, SLED_DIR)?;
                open_sled(&path)?
            }
            opened => opened?,
        };
        let db_path = path.join(SLED_DIR).join("db");
        let db_file = File::options()
            .read(true)
            .write(true)
            .open(&db_path)
            .map_err(files::io("open", &db_path))?;
        let mut store = SledStore {
            tree,
            db_file,
            path,
            hard_state: HardState::default(),
            truncated: LogPosition::default(),
            terms: Vec::new(),
            pieces: Vec::new(),
            snapshots,
            durable,
        };
        let nothing_yet = store.durable.at().index == 0
            && store.snapshots.newest().is_none()
            && store.tree.is_empty();
        if nothing_yet {
            store.format(metadata_log_dir)?;
        } else {
            store.load()?;
        }
        files::fill_reserve(&store.path);
        Ok(store)
    }

    /// Makes an empty store one that can be relied on. The mark comes last: a start that finds none
    /// knows that nothing was promised yet, and that what it finds may be half made.
    fn format(&mut self, metadata_log_dir: &Path) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        values::put(&mut batch, &Key::Format, &FORMAT.to_le_bytes());
        // Synced with the first entry.
        self.tree.apply_batch(batch).map_err(|source| self.sled_error(source))?;
        if self.durable.exists() {
            return Ok(());
        }
        let sled_dir = self.path.join(SLED_DIR);
        let conf = sled_dir.join("conf");
        File::open(&conf).and_then(|file| file.sync_all()).map_err(files::io("sync", &conf))?;
        for dir in [&sled_dir, &self.path, metadata_log_dir] {
            sync_dir(dir)?;
        }
        self.durable.create()
    }

    /// Reads everything there is and checks it.
    fn load(&mut self) -> Result<(), StoreError> {
        let format = self.get(&Key::Format)?.and_then(|value| value.try_into().ok());
        match format.map(u32::from_le_bytes) {
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => {
                let path = self.path.clone();
                return Err(StoreError::NewerFormat { path, found, known: FORMAT });
            }
            Some(_) | None => return Err(self.corrupt("the format is missing".to_owned())),
        }
        if let Some(value) = self.get(&Key::HardState)? {
            let fields = values::numbers::<3>(&value);
            let [term, vote, commit] =
                fields.ok_or_else(|| self.corrupt("the vote has a wrong size".to_owned()))?;
            self.hard_state = HardState { term, vote, commit, ..HardState::default() };
        }
        if let Some(value) = self.get(&Key::Truncated)? {
            let fields = values::numbers::<2>(&value);
            let [index, term] =
                fields.ok_or_else(|| self.corrupt("the start has a wrong size".to_owned()))?;
            self.truncated = LogPosition { index, term };
        }
        self.load_entries()?;
        self.meet_snapshot()?;
        let (durable, last) = (self.durable.at(), self.last());
        if durable.index > last.index {
            return Err(self.corrupt(format!(
                "the log ends at entry {} but went to entry {} before",
                last.index, durable.index
            )));
        }
        Ok(())
    }

    /// Notes term and piece count of every entry; none may be missing or incomplete.
    fn load_entries(&mut self) -> Result<(), StoreError> {
        let mut next = (self.truncated.index + 1, 0);
        let mut parts = 0;
        for item in self.tree.scan_prefix([values::ENTRY_PREFIX]) {
            let (key, value) = item.map_err(|source| self.sled_error(source))?;
            let value = values::checked(&key, &value).map_err(|what| self.corrupt(what))?;
            let (index, part) = values::entry_key(&key)
                .ok_or_else(|| self.corrupt("an entry has a wrong key".to_owned()))?;
            let (entry_parts, term, _) = values::piece(value)
                .ok_or_else(|| self.corrupt(format!("entry {index} is too short")))?;
            if (index, part) != next || part > 0 && entry_parts != parts || entry_parts == 0 {
                return Err(self.corrupt(format!(
                    "entry {index} part {part} follows where entry {} part {} should be",
                    next.0, next.1
                )));
            }
            parts = entry_parts;
            if part == 0 {
                self.terms.push(term);
                self.pieces.push(parts);
            }
            next = if part + 1 == parts { (index + 1, 0) } else { (index, part + 1) };
        }
        if next.1 != 0 {
            return Err(self.corrupt(format!("entry {} ends after {} parts", next.0, next.1)));
        }
        Ok(())
    }

    /// Log and snapshot must join up. A snapshot ahead of the log is one from the leader whose
    /// installation was cut off: it is finished.
    fn meet_snapshot(&mut self) -> Result<(), StoreError> {
        let newest = self.snapshots.newest();
        let snapshot = newest.unwrap_or_default();
        if snapshot.index < self.truncated.index {
            return Err(self.corrupt(format!(
                "the log begins after entry {} but the newest snapshot is of entry {}",
                self.truncated.index, snapshot.index
            )));
        }
        if newest.is_some() && self.term(snapshot.index) != Some(snapshot.term) {
            self.replace_log_by(snapshot)?;
        }
        Ok(())
    }

    fn replace_log_by(&mut self, snapshot: LogPosition) -> Result<(), StoreError> {
        self.durable.lower(snapshot)?;
        let mut batch = sled::Batch::default();
        for (index, pieces) in (self.truncated.index + 1..).zip(&self.pieces) {
            values::remove_entry(&mut batch, index, *pieces);
        }
        values::put(&mut batch, &Key::Truncated, &values::position(snapshot));
        self.write(batch)?;
        self.truncated = snapshot;
        self.terms.clear();
        self.pieces.clear();
        self.durable.set(snapshot)
    }

    /// Drops the entries up to this index, which is one of them. Not synced: if it is lost, the
    /// entries are there again and a snapshot covers them.
    fn drop_front(&mut self, index: u64) -> Result<(), StoreError> {
        let dropped = usize::try_from(index - self.truncated.index).unwrap_or(usize::MAX);
        let term = self.term(index).unwrap_or_default();
        let truncated = LogPosition { index, term };
        let mut batch = sled::Batch::default();
        for (index, pieces) in (self.truncated.index + 1..).zip(&self.pieces[..dropped]) {
            values::remove_entry(&mut batch, index, *pieces);
        }
        values::put(&mut batch, &Key::Truncated, &values::position(truncated));
        self.tree.apply_batch(batch).map_err(|source| self.sled_error(source))?;
        self.terms.drain(..dropped);
        self.pieces.drain(..dropped);
        self.truncated = truncated;
        Ok(())
    }

    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        let key = key.bytes();
        let value = self.tree.get(&key).map_err(|source| self.sled_error(source))?;
        let Some(value) = value else { return Ok(None) };
        let value = values::checked(&key, &value).map_err(|what| self.corrupt(what))?;
        Ok(Some(value.to_vec()))
    }

    /// Makes a batch durable.
    fn write(&self, batch: sled::Batch) -> Result<(), StoreError> {
        self.tree
            .apply_batch(batch)
            .and_then(|()| self.tree.flush())
            .map_err(|source| self.sled_error(source))?;
        self.db_file.sync_data().map_err(files::io("sync", &self.path))
    }

    /// Where an entry's term and piece count stand.
    fn offset(&self, index: u64) -> Option<usize> {
        usize::try_from(index.checked_sub(self.truncated.index + 1)?).ok()
    }

    fn read_entry(&self, index: u64, pieces: u16) -> Result<Entry, StoreError> {
        let mut entry = Entry { index, ..Entry::default() };
        let mut data = Vec::new();
        for part in 0..pieces {
            let missing = || self.corrupt(format!("entry {index} has no part {part}"));
            let value = self.get(&Key::Entry { index, part })?.ok_or_else(missing)?;
            let (_, term, piece) = values::piece(&value).ok_or_else(missing)?;
            entry.term = term;
            data.extend_from_slice(piece);
        }
        entry.data = data.into();
        Ok(entry)
    }

    fn sled_error(&self, source: sled::Error) -> StoreError {
        sled_error(&self.path, source)
    }

    fn corrupt(&self, what: String) -> StoreError {
        StoreError::Corrupt { path: self.path.clone(), what }
    }
}

impl RaftStore for SledStore {
    fn hard_state(&self) -> HardState {
        self.hard_state.clone()
    }

    fn truncated(&self) -> LogPosition {
        self.truncated
    }

    fn last(&self) -> LogPosition {
        match self.terms.last() {
            Some(term) => {
                LogPosition { index: self.truncated.index + self.terms.len() as u64, term: *term }
            }
            None => self.truncated,
        }
    }

    fn term(&self, index: u64) -> Option<u64> {
        if index == self.truncated.index {
            return Some(self.truncated.term);
        }
        self.terms.get(self.offset(index)?).copied()
    }

    fn entries(&self, low: u64, high: u64, bytes_max: u64) -> Result<Vec<Entry>, StoreError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut bytes = 0;
        for index in low..high {
            let pieces = self.offset(index).and_then(|offset| self.pieces.get(offset));
            let pieces = pieces.ok_or_else(|| self.corrupt(format!("entry {index} is missing")))?;
            let entry = self.read_entry(index, *pieces)?;
            bytes += entry.data.len() as u64;
            if !entries.is_empty() && bytes > bytes_max {
                break;
            }
            entries.push(entry);
        }
        Ok(entries)
    }

    fn append(
        &mut self,
        entries: &[Entry],
        hard_state: Option<&HardState>,
    ) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        let mut kept = self.terms.len();
        if let Some(first) = entries.first() {
            kept = self
                .offset(first.index)
                .filter(|offset| *offset <= kept)
                .ok_or_else(|| self.corrupt(format!("entry {} would leave a gap", first.index)))?;
            for (index, pieces) in (first.index..).zip(&self.pieces[kept..]) {
                values::remove_entry(&mut batch, index, *pieces);
            }
            let index = first.index - 1;
            let term = self.term(index).unwrap_or_default();
            self.durable.lower(LogPosition { index, term })?;
        }
        let mut added = Vec::with_capacity(entries.len());
        for entry in entries {
            let pieces = values::put_entry(&mut batch, entry).ok_or_else(|| {
                self.corrupt(format!(
                    "entry {} with {} bytes has more than {} pieces of {PIECE_SIZE_MAX} bytes",
                    entry.index,
                    entry.data.len(),
                    u16::MAX
                ))
            })?;
            added.push((entry.term, pieces));
        }
        if let Some(hard_state) = hard_state {
            let HardState { term, vote, commit, .. } = hard_state;
            values::put(&mut batch, &Key::HardState, &values::bytes_of([*term, *vote, *commit]));
        }
        self.write(batch)?;
        self.terms.truncate(kept);
        self.pieces.truncate(kept);
        for (term, pieces) in added {
            self.terms.push(term);
            self.pieces.push(pieces);
        }
        if let Some(hard_state) = hard_state {
            self.hard_state = hard_state.clone();
        }
        self.durable.set(self.last())
    }

    fn read_snapshot(&self) -> Result<Option<(LogPosition, Vec<u8>)>, StoreError> {
        self.snapshots.read_newest()
    }

    fn snapshot_writer(&self) -> Arc<dyn SnapshotWriter> {
        self.snapshots.clone()
    }

    fn compact(&mut self, at: LogPosition, keep: u64) -> Result<(), StoreError> {
        let index = at.index.saturating_sub(keep);
        if self.term(index).is_none() {
            return Ok(());
        }
        while self.truncated.index < index {
            let end = index.min(self.truncated.index + ENTRIES_PER_COMPACTION);
            self.drop_front(end)?;
        }
        self.snapshots.remove_older()
    }

    fn install_snapshot(&mut self, at: LogPosition, bytes: &[u8]) -> Result<(), StoreError> {
        self.snapshots.write(at, bytes)?;
        self.replace_log_by(at)?;
        self.snapshots.remove_older()
    }

    fn has_room(&self, bytes: usize) -> bool {
        files::free_bytes(&self.path).is_none_or(|free| free >= SPARE_BYTES + bytes as u64)
    }
}

/// Opens sled. It asserts where it meets damage, so a panic is taken for damage too. Its own
/// snapshot of the page table is only a shortcut: when it cannot be read, sled does without.
fn open_sled(path: &Path) -> Result<sled::Db, StoreError> {
    let sled_dir = path.join(SLED_DIR);
    let first = match try_open_sled(&sled_dir) {
        Ok(tree) => return Ok(tree),
        Err(error @ sled::Error::Io(_)) => return Err(sled_error(path, error)),
        Err(error) => error,
    };
    if files::remove_sled_snapshots(&sled_dir) == 0 {
        return Err(sled_error(path, first));
    }
    tracing::warn!(error = %first, "Opening the metadata store without its shortcut file");
    try_open_sled(&sled_dir).map_err(|source| sled_error(path, source))
}

/// sled locks its file, and a store that was dropped in this process holds the lock until sled's
/// own threads have noticed. Other processes are kept out by the log directory's lock.
fn try_open_sled(sled_dir: &Path) -> sled::Result<sled::Db> {
    const ATTEMPTS: u32 = 100;
    const PAUSE: Duration = Duration::from_millis(20);
    let mut attempt = 1;
    loop {
        let config =
            sled::Config::new().path(sled_dir).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let opened = catch_unwind(AssertUnwindSafe(|| config.open())).unwrap_or_else(|_| {
            Err(sled::Error::ReportableBug("it panics while it is opened".to_owned()))
        });
        match opened {
            Err(sled::Error::Io(error))
                if attempt < ATTEMPTS && error.to_string().contains("could not acquire lock") =>
            {
                std::thread::sleep(PAUSE);
                attempt += 1;
            }
            opened => return opened,
        }
    }
}

fn sled_error(path: &Path, source: sled::Error) -> StoreError {
    let path = path.to_owned();
    match source {
        sled::Error::Io(source) => StoreError::Io { action: "use", path, source },
        sled::Error::Corruption { .. } | sled::Error::ReportableBug(_) => {
            StoreError::Corrupt { path, what: source.to_string() }
        }
        source => StoreError::Sled { path, source },
    }
}

#[cfg(test)]
mod tests;
