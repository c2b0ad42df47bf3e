//! Do the proofs fail when a promise is broken? Each mutant is a file system that lies in one way;
//! for whoever looks at the product from below this is the same as a product that forgets the
//! operation, or does it too late. Each must be caught.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::power::{Cut, Power};
use super::power_cuts::{Outage, outage, survive};
use super::prover::{Cases, try_to_prove};
use super::steps::Weights;
use super::world::World;
use crate::fs::{DirEntry, DiskSpace, File, Fs, Metadata, OpenMode};

/// What is not done as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lie {
    /// Of files whose names have this in them.
    SyncsNothing(&'static str),
    SyncsNoNames,
    /// While segments there are replaced, and until the old ones are removed.
    SyncsNoNamesOfSwaps,
    DropsTheEndOfWrites(&'static str),
    WritesAtWrongPlaces,
    CutsNothingOff,
    RemovesNothing(&'static str),
    RenamesNothing(&'static str),
    RenamesBeforeItWrites,
    ForgetsOnOpen,
    FlipsABitOfReads,
    HidesTheLastFile,
    /// What has this name now, instead of what was opened.
    ReadsByName,
}

#[derive(Clone, Debug)]
pub(super) struct LyingFs {
    pub(super) inner: Arc<dyn Fs>,
    pub(super) lie: Lie,
}

fn concerns(path: &Path, part: &str) -> bool {
    path.to_string_lossy().contains(part)
}

impl Fs for LyingFs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let inner = self.inner.open(path, mode)?;
        if self.lie == Lie::ForgetsOnOpen && mode == OpenMode::ReadWrite {
            inner.set_len(0)?;
        }
        let fs = Arc::clone(&self.inner);
        Ok(Arc::new(LyingFile { inner, fs, path: path.to_owned(), lie: self.lie }))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.inner.create_dir_all(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        match self.lie {
            Lie::RenamesNothing(part) if concerns(to, part) => Ok(()),
            _ => self.inner.rename(from, to),
        }
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        match self.lie {
            Lie::RemovesNothing(part) if concerns(path, part) => Ok(()),
            _ => self.inner.remove_file(path),
        }
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = self.inner.list(path)?;
        if self.lie == Lie::HidesTheLastFile
            && let Some(at) = entries.iter().rposition(|entry| entry.name.ends_with(".log"))
        {
            entries.remove(at);
        }
        Ok(entries)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.inner.exists(path)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.inner.metadata(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let is_swap = |entry: &DirEntry| {
            [".swap", ".deleted"].iter().any(|suffix| entry.name.ends_with(suffix))
        };
        match self.lie {
            Lie::SyncsNoNames => Ok(()),
            Lie::SyncsNoNamesOfSwaps if self.inner.list(path)?.iter().any(is_swap) => Ok(()),
            _ => self.inner.sync_dir(path),
        }
    }

    fn space(&self, path: &Path) -> io::Result<DiskSpace> {
        self.inner.space(path)
    }
}

#[derive(Debug)]
struct LyingFile {
    inner: Arc<dyn File>,
    fs: Arc<dyn Fs>,
    path: PathBuf,
    lie: Lie,
}

impl File for LyingFile {
    fn write_at(&self, parts: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        let mut bytes: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        let (said, mut position) = (bytes.len(), position);
        match self.lie {
            Lie::DropsTheEndOfWrites(part) if concerns(&self.path, part) => {
                bytes.pop();
            }
            Lie::WritesAtWrongPlaces if concerns(&self.path, ".log") => position ^= 1,
            _ => {}
        }
        self.inner.write_at(&[IoSlice::new(&bytes)], position)?;
        Ok(said)
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        if self.lie == Lie::ReadsByName {
            return self.fs.open(&self.path, OpenMode::Read)?.read_at(buf, position);
        }
        let read = self.inner.read_at(buf, position)?;
        if self.lie == Lie::FlipsABitOfReads && read > 70 && concerns(&self.path, ".log") {
            buf[70] ^= 1;
        }
        Ok(read)
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.lie {
            Lie::SyncsNothing(part) if concerns(&self.path, part) => Ok(()),
            // What is written under this name is renamed next.
            Lie::RenamesBeforeItWrites if concerns(&self.path, ".tmp") => Ok(()),
            _ => self.inner.sync_data(),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        match self.lie {
            Lie::CutsNothingOff if concerns(&self.path, ".log") => Ok(()),
            _ => self.inner.set_len(len),
        }
    }

    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// Power cuts, beneath which the disk lies.
fn must_be_caught(lie: Lie) {
    let property = move |outage: Outage| {
        let layer = move |inner: Arc<dyn Fs>| Arc::new(LyingFs { inner, lie }) as Arc<dyn Fs>;
        let power = Power::until(Cut { at: outage.at, paths: &[], is_done: outage.is_done });
        survive(&mut World::with(&["/a"], &layer, power), &outage);
    };
    let cases = Cases { short: 20_000, long: 20_000 };
    let proven = try_to_prove(&format!("{lie:?}"), cases, || outage(Weights::EVEN, 300), property);
    assert!(proven.is_err(), "{lie:?} is not noticed");
}

#[test]
fn an_ack_before_the_sync_is_caught() {
    must_be_caught(Lie::SyncsNothing(""));
}

#[test]
fn a_segment_that_is_not_synced_is_caught() {
    must_be_caught(Lie::SyncsNothing(".log"));
}

#[test]
fn names_that_are_not_synced_are_caught() {
    must_be_caught(Lie::SyncsNoNames);
}

#[test]
fn a_rename_before_the_sync_of_what_is_renamed_is_caught() {
    must_be_caught(Lie::RenamesBeforeItWrites);
}

#[test]
fn writes_without_their_ends_are_caught() {
    must_be_caught(Lie::DropsTheEndOfWrites(".log"));
}

#[test]
fn writes_at_wrong_places_are_caught() {
    must_be_caught(Lie::WritesAtWrongPlaces);
}

#[test]
fn a_torn_end_that_is_not_cut_off_is_caught() {
    must_be_caught(Lie::CutsNothingOff);
}

#[test]
fn segments_that_are_not_removed_are_caught() {
    must_be_caught(Lie::RemovesNothing(".log"));
}

#[test]
fn a_clean_shutdown_marker_that_stays_is_caught() {
    must_be_caught(Lie::RemovesNothing("cleanshutdown"));
}

#[test]
fn deleted_partitions_that_keep_their_names_are_caught() {
    must_be_caught(Lie::RenamesNothing("-delete"));
}

#[test]
fn files_that_are_emptied_when_opened_are_caught() {
    must_be_caught(Lie::ForgetsOnOpen);
}

#[test]
fn flipped_bits_of_reads_are_caught() {
    must_be_caught(Lie::FlipsABitOfReads);
}

#[test]
fn a_segment_that_is_overlooked_is_caught() {
    must_be_caught(Lie::HidesTheLastFile);
}
