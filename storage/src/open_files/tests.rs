//! Tests of the budget, on files that remember what was synced when they were closed.

use std::sync::Barrier;
use std::sync::atomic::AtomicU32;

use super::*;

/// What lies on the disk under one name.
#[derive(Debug, Default)]
struct Inode {
    written: AtomicU64,
    synced: AtomicU64,
    opened: AtomicU32,
    /// Closed with bytes that were not synced.
    lost: AtomicU32,
    sync_fails: AtomicBool,
}

impl Inode {
    fn sync(&self) {
        let written = self.written.load(Ordering::SeqCst);
        self.synced.fetch_max(written, Ordering::SeqCst);
    }
}

#[derive(Debug)]
struct Descriptor {
    inode: Arc<Inode>,
    /// The number of the last write that went through it.
    last_write: AtomicU64,
}

impl Descriptor {
    fn open(inode: &Arc<Inode>) -> io::Result<Arc<dyn File>> {
        inode.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Arc::new(Self { inode: Arc::clone(inode), last_write: AtomicU64::new(0) }))
    }
}

impl File for Descriptor {
    fn write_at(&self, parts: &[IoSlice<'_>], _position: u64) -> io::Result<usize> {
        let number = self.inode.written.fetch_add(1, Ordering::SeqCst) + 1;
        self.last_write.fetch_max(number, Ordering::SeqCst);
        Ok(parts.iter().map(|part| part.len()).sum())
    }

    fn read_at(&self, buf: &mut [u8], _position: u64) -> io::Result<usize> {
        Ok(buf.len())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.inode.sync_fails.load(Ordering::SeqCst) {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.inode.sync();
        Ok(())
    }

    fn set_len(&self, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        let synced = self.inode.synced.load(Ordering::SeqCst);
        if self.last_write.load(Ordering::SeqCst) > synced {
            self.inode.lost.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// A directory of files with their handles.
struct Dir {
    files: OpenFiles,
    log_dir: Arc<LogDir>,
    inodes: Vec<Arc<Inode>>,
    handles: Vec<Handle>,
}

impl Dir {
    fn new(budget: usize, count: usize) -> Self {
        let mut inodes = Vec::new();
        inodes.resize_with(count, Arc::default);
        let mut handles = Vec::new();
        handles.resize_with(count, Handle::default);
        let (files, log_dir) = (OpenFiles::new(budget), Arc::new(LogDir::new("/logs")));
        Self { files, log_dir, inodes, handles }
    }

    fn open(&self, at: usize) -> Arc<OpenFile> {
        let open = || Descriptor::open(&self.inodes[at]);
        self.handles[at].get_or_open(&self.files, &self.log_dir, &open).unwrap()
    }

    fn write(&self, at: usize) {
        self.open(at).write_at(&[IoSlice::new(b"bytes")], 0).unwrap();
    }

    fn opened(&self, at: usize) -> u32 {
        self.inodes[at].opened.load(Ordering::SeqCst)
    }

    fn lost(&self) -> u32 {
        self.inodes.iter().map(|inode| inode.lost.load(Ordering::SeqCst)).sum()
    }
}

#[test]
fn two_descriptors_are_enough_for_fifty_files() {
    let dir = Dir::new(2, 50);
    for round in 0..3 {
        for at in 0..50 {
            drop(dir.open(at));
            assert!(dir.files.count() <= 2, "{} in round {round}", dir.files.count());
        }
    }
    assert_eq!(dir.opened(7), 3);
}

#[test]
fn what_is_used_stays_open() {
    let dir = Dir::new(3, 10);
    for at in 1..10 {
        drop(dir.open(at));
        drop(dir.open(0));
    }
    assert_eq!(dir.opened(0), 1);
}

#[test]
fn a_file_is_synced_before_it_is_closed() {
    let dir = Dir::new(2, 20);
    for at in 0..20 {
        dir.write(at);
        assert!(dir.files.count() <= 2);
    }
    assert_eq!(dir.lost(), 0);
    // Those that are still open are the only ones that were not synced.
    let unsynced = |inode: &&Arc<Inode>| inode.synced.load(Ordering::SeqCst) == 0;
    assert_eq!(dir.inodes.iter().filter(unsynced).count(), dir.files.count());
}

#[test]
fn a_file_that_cannot_be_synced_is_kept_and_its_directory_goes_offline() {
    let dir = Dir::new(1, 2);
    dir.inodes[0].sync_fails.store(true, Ordering::SeqCst);
    dir.write(0);
    drop(dir.open(1));
    assert!(dir.log_dir.is_offline());
    assert_eq!((dir.lost(), dir.files.count(), dir.opened(0)), (0, 2, 1));
    assert!(dir.handles[0].sync().is_err());
}

#[test]
fn a_file_that_somebody_has_is_not_closed() {
    let dir = Dir::new(1, 3);
    let held = dir.open(0);
    drop(dir.open(1));
    held.read_at(&mut [0; 4], 0).unwrap();
    assert_eq!((dir.files.count(), dir.opened(0)), (2, 1));
    drop(held);
    drop(dir.open(2));
    assert_eq!(dir.files.count(), 1);
}

#[test]
fn a_process_without_descriptors_closes_some_and_tries_again() {
    let dir = Dir::new(100, 11);
    for at in 0..10 {
        drop(dir.open(at));
    }
    let open = || {
        if dir.files.count() >= 10 {
            return Err(rustix::io::Errno::MFILE.into());
        }
        Descriptor::open(&dir.inodes[10])
    };
    dir.handles[10].get_or_open(&dir.files, &dir.log_dir, &open).unwrap();
}

#[test]
fn a_handle_that_is_closed_or_dropped_gives_its_descriptor_back() {
    let mut dir = Dir::new(100, 10);
    for at in 0..10 {
        dir.write(at);
    }
    dir.handles[3].close();
    assert_eq!(dir.files.count(), 9);
    dir.handles.truncate(2);
    assert_eq!(dir.files.count(), 2);
    drop(dir.open(0));
    dir.handles.clear();
    assert_eq!(dir.files.count(), 0);
}

#[test]
fn room_is_made_ahead_of_need() {
    let dir = Dir::new(16, 30);
    for at in 0..14 {
        dir.write(at);
    }
    let told = Mutex::new(Vec::new());
    dir.files.make_room_ahead(&|log_dir, count| {
        told.lock().push((log_dir.path().to_owned(), count));
        false
    });
    assert_eq!((dir.files.count(), dir.lost()), (12, 0));
    assert_eq!(*told.lock(), [("/logs".into(), 2)]);
    // There is enough now.
    dir.files.make_room_ahead(&|_, _| unreachable!("nothing is to be synced"));
}

#[test]
fn what_was_synced_together_is_not_synced_again() {
    let dir = Dir::new(16, 30);
    for at in 0..16 {
        dir.write(at);
        dir.inodes[at].sync_fails.store(true, Ordering::SeqCst);
    }
    dir.files.make_room_ahead(&|_, _| {
        dir.inodes.iter().for_each(|inode| inode.sync());
        // Appended meanwhile: not covered.
        dir.write(0);
        true
    });
    assert!(!dir.log_dir.is_offline() || dir.handles[0].get().is_some());
    assert_eq!((dir.lost(), dir.inodes.len()), (0, 30));
    assert!(dir.files.count() < 14, "{}", dir.files.count());
}

/// Several threads write, read and sync, each file written by one at a time as a log's lock has it.
#[test]
fn whatever_a_sync_has_covered_is_synced_and_nothing_is_lost() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 20_000;
    let dir = Dir::new(3, 8);
    let locks: Vec<Mutex<u64>> = (0..8).map(|_| Mutex::new(0)).collect();
    let start = Barrier::new(THREADS);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (dir, locks, start) = (&dir, &locks, &start);
            scope.spawn(move || {
                start.wait();
                let mut random = thread as u64 + 1;
                for _ in 0..ROUNDS {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let (at, action) = ((random >> 33) as usize % 8, (random >> 40) % 4);
                    match action {
                        0 => drop(dir.open(at)),
                        1 | 2 => {
                            let mut writes = locks[at].lock();
                            dir.write(at);
                            *writes += 1;
                        }
                        _ => {
                            let writes = *locks[at].lock();
                            dir.handles[at].sync().unwrap();
                            let synced = dir.inodes[at].synced.load(Ordering::SeqCst);
                            assert!(synced >= writes, "{synced} of {writes}");
                        }
                    }
                }
            });
        }
    });
    assert_eq!(dir.lost(), 0);
    assert!(dir.inodes.iter().all(|inode| inode.opened.load(Ordering::SeqCst) > 1));
    assert!(dir.files.count() <= 3 + THREADS);
}
