//! Power cuts: what of the unsynced changes a disk has done when its power goes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::MemFs;

/// What a power cut asks about. Its changes since the last sync come with it, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced<'a> {
    /// 512 bytes of a file: a disk writes them in one piece, and each such piece when it likes.
    Sector { file: &'a Path, position: u64 },
    /// The length of a file. It may get to the disk before the bytes do: they are zeros then.
    Length { file: &'a Path },
    /// Names of a directory that were made, removed or replaced. All file systems with a journal
    /// do this in order.
    Names { dir: &'a Path },
}

/// Says how many of the changes the disk has done, the oldest first. The numbers are when they
/// were asked for, in the order of all changes of this file system.
pub type Survivors<'a> = dyn FnMut(Unsynced<'_>, &[u64]) -> usize + 'a;

/// A disk's way with what it was not told to sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerCut {
    /// Nothing of it was done: what a cleared page cache leaves.
    NothingUnsynced,
    /// It was done in order up to some moment; the write at that moment is torn.
    InOrder,
    /// Each sector and each length for itself, in any order; the names of each directory in their
    /// order, but independent of all else.
    AnyOrder,
}

impl PowerCut {
    pub const ALL: [Self; 3] = [Self::NothingUnsynced, Self::InOrder, Self::AnyOrder];
}

/// Numbers that look random and are the same for the same seed (SplitMix64).
#[derive(Clone, Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `max`.
    fn up_to(&mut self, max: u64) -> u64 {
        self.next() % (max + 1)
    }
}

impl MemFs {
    /// Cuts the power of a disk of this kind; the same seed leaves the same.
    pub fn cut_power(&self, kind: PowerCut, seed: u64) {
        let mut dice = Dice(seed);
        match kind {
            PowerCut::NothingUnsynced => self.cut_power_keeping(&mut |_, _| 0),
            PowerCut::InOrder => {
                // Near the end mostly: what is older has been synced.
                let now = self.clock.now();
                let reach = 1 << dice.up_to(8);
                let until = now - dice.up_to(now.min(reach));
                self.cut_power_keeping(&mut |_, times| in_order(times, until, &mut dice));
            }
            PowerCut::AnyOrder => {
                let mut shares = HashMap::new();
                self.cut_power_keeping(&mut |what, times| {
                    any_order(what, times, &mut shares, &mut dice)
                });
            }
        }
    }
}

fn in_order(times: &[u64], until: u64, dice: &mut Dice) -> usize {
    let done = times.partition_point(|time| *time < until);
    let is_torn = times.get(done) == Some(&until);
    done + usize::from(is_torn && dice.up_to(1) == 1)
}

/// Some files are written back at once and some late, so each has its own share.
fn any_order(
    what: Unsynced<'_>,
    times: &[u64],
    shares: &mut HashMap<PathBuf, u64>,
    dice: &mut Dice,
) -> usize {
    let owner = match what {
        Unsynced::Sector { file: owner, .. }
        | Unsynced::Length { file: owner }
        | Unsynced::Names { dir: owner } => owner,
    };
    let share = *shares.entry(owner.to_owned()).or_insert_with(|| dice.up_to(4));
    if dice.up_to(3) < share {
        return times.len();
    }
    dice.up_to(times.len() as u64 - 1) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::io::IoSlice;

    use super::*;
    use crate::fs::{Fs, OpenMode, read_file, write_all_at};

    /// Three sectors of ones, synced, and over them twos and threes that are not.
    fn overwritten() -> MemFs {
        let fs = MemFs::new();
        let file = fs.open(Path::new("/f"), OpenMode::Create).unwrap();
        write_all_at(&*file, &mut [IoSlice::new(&[1; 1536])], 0).unwrap();
        file.sync_data().unwrap();
        fs.sync_dir(Path::new("/")).unwrap();
        write_all_at(&*file, &mut [IoSlice::new(&[2; 1024])], 256).unwrap();
        write_all_at(&*file, &mut [IoSlice::new(&[3; 1024])], 1024).unwrap();
        fs
    }

    fn left_by(kind: PowerCut) -> BTreeSet<Vec<u8>> {
        let left = |seed| {
            let fs = overwritten();
            fs.cut_power(kind, seed);
            read_file(&fs, Path::new("/f"), 4096).unwrap()
        };
        (0..2000).map(left).collect()
    }

    #[test]
    fn a_disk_that_writes_nothing_back_leaves_what_was_synced() {
        assert_eq!(left_by(PowerCut::NothingUnsynced), BTreeSet::from([vec![1; 1536]]));
    }

    #[test]
    fn a_disk_that_writes_in_order_tears_one_write_at_most() {
        let left = left_by(PowerCut::InOrder);
        for bytes in &left {
            // Either nothing of the second write is there, or all of the first.
            let second = bytes.get(1024..).unwrap().contains(&3) || bytes.len() > 1536;
            assert!(!second || bytes[256] == 2 && bytes[512] == 2, "{bytes:?}");
        }
        assert!(left.len() > 4, "{}", left.len());
    }

    #[test]
    fn a_disk_that_writes_in_any_order_leaves_every_mixture_of_sectors() {
        let left = left_by(PowerCut::AnyOrder);
        // Sector 0 has two versions, 1 has two, 2 has three, then two lengths with or without
        // bytes behind the old end: (2 * 2 * 3) * (1 + 2).
        assert_eq!(left.len(), 36);
        assert!(left.iter().any(|bytes| bytes.len() == 2048 && bytes[1536..] == [0; 512]));
    }

    #[test]
    fn names_survive_in_order_and_a_rename_in_one_step() {
        let mut seen = BTreeSet::new();
        for seed in 0..200 {
            let fs = MemFs::new();
            fs.open(Path::new("/a"), OpenMode::Create).unwrap();
            fs.sync_dir(Path::new("/")).unwrap();
            fs.rename(Path::new("/a"), Path::new("/b")).unwrap();
            fs.open(Path::new("/c"), OpenMode::Create).unwrap();
            fs.cut_power(PowerCut::AnyOrder, seed);
            let names = fs.list(Path::new("/")).unwrap().into_iter().map(|entry| entry.name);
            seen.insert(names.collect::<String>());
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["a", "b", "bc"]);
    }

    #[test]
    fn the_same_seed_leaves_the_same() {
        for kind in PowerCut::ALL {
            let left = |seed| {
                let fs = overwritten();
                fs.cut_power(kind, seed);
                read_file(&fs, Path::new("/f"), 4096).unwrap()
            };
            assert!((0..20).all(|seed| left(seed) == left(seed)));
        }
    }
}
