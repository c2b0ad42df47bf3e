//! One bit of one file is flipped. The next start refuses it, or a reader's checksum tells, or
//! `barnabas log verify` does; otherwise it does no harm. A reader never gets a record that was
//! not written, or at another offset, without one of these.

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use parking_lot::Mutex;
use proptest::prelude::*;
use protocol_codec::records::split_batches;

use super::compaction::compacted;
use super::machine::Machine;
use super::power::Power;
use super::prover::{Cases, example, is_long, prove, report, seed};
use super::steps::{Kind, Step, Weights, steps};
use super::truth::Truth;
use super::world::{Partition, World};
use crate::checkpoint::offsets::LOG_START_CHECKPOINT;
use crate::fs::{Fs, MemFs, OpenMode, read_file};
use crate::sealed_sums::{SealedSums, sum_segment};
use crate::verify::verify;
use crate::{Log, TopicPartition};

const DIR: &str = "/a";

/// What became of a flip, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// All is as before.
    Harmless,
    /// The start refused the log or its directory.
    Refused,
    /// A reader got an error, or a batch with a wrong checksum.
    SeenByReaders,
    SeenByVerify,
    /// Records were hidden or shown again: Kafka's file of log starts has no checksum.
    StartMoved,
    /// A batch behind the recovery point has another leader epoch, which Kafka's CRC leaves out.
    EpochOfTail,
    /// The last batch behind the recovery point has another, higher offset, which that leaves out
    /// too: no batch follows that would tell.
    OffsetOfLast,
}

/// A log directory, and what it must show.
struct Image {
    mem: MemFs,
    truths: Vec<(TopicPartition, Truth)>,
    files: Vec<PathBuf>,
    /// Files that the next start walks.
    tails: Vec<PathBuf>,
}

/// Directories that were stopped cleanly and not, without compaction and with it.
static IMAGES: LazyLock<[Image; 4]> = LazyLock::new(|| {
    let weights = Weights { restart: 0, ..Weights::EVEN };
    let world = |is_clean| image(World::new(), weights, is_clean);
    let compacted_world = |is_clean| {
        let world = compacted(&[DIR], &|fs| fs, Power::default());
        image(world, Weights { cut_log: 0, compact: 4, ..weights }, is_clean)
    };
    [world(true), world(false), compacted_world(true), compacted_world(false)]
});

fn image(mut world: World, weights: Weights, is_clean: bool) -> Image {
    let history =
        example(&prop::collection::vec(steps(weights, 60), 4), seed().wrapping_add(1)).concat();
    let keeps_all = |step: &&Step| !matches!(step, Step::Delete(_));
    history.iter().filter(keeps_all).for_each(|step| world.run(step));
    abort_one(&mut world);
    world.must_go_on();
    if world.machine.is_compacted() {
        world.must_compact();
        compact_an_aborted_transaction(&mut world);
    }
    world.run(&Step::DeleteRecords(0, 60));
    world.run(&Step::Checkpoint);
    if is_clean {
        world.stop();
    } else {
        world.must_append(0);
    }
    let mem = world.machine.mem.copy();
    write_sums(&mem, &world);
    let truths = world.partitions.iter().map(|p| (p.name.clone(), p.truth.clone())).collect();
    let files = files(&mem, Path::new(DIR));
    let last_segment = |partition: &Partition| {
        let base = partition.log.segment_offsets().last().copied().unwrap();
        partition.log.path().join(format!("{base:020}.log"))
    };
    let tails = world.partitions.iter().map(last_segment).filter(|_| !is_clean).collect();
    Image { mem, truths, files, tails }
}

/// A cleaned segment has a transaction index then.
fn compact_an_aborted_transaction(world: &mut World) {
    let (partition, kind, all) = (0, Kind::Transactional, true);
    world.run(&Step::Append { partition, kind, records: 3, all, timestamp: 0 });
    world.run(&Step::EndTransaction { partition, committed: false, all });
    world.run(&Step::Roll(partition));
    world.must_append(partition);
    world.run(&Step::Sync);
    world.run(&Step::Compact(10_000));
    let names = world.machine.mem.list(world.partitions[0].log.path()).unwrap();
    assert!(names.iter().any(|entry| entry.name.ends_with(".txnindex")));
}

/// There is a transaction index then, whatever the history.
fn abort_one(world: &mut World) {
    let (partition, all) = (1, true);
    let kind = Kind::Transactional;
    world.run(&Step::Append { partition, kind, records: 2, all, timestamp: 500 });
    world.run(&Step::EndTransaction { partition, committed: false, all });
    world.run(&Step::Roll(partition));
    world.run(&Step::Sync);
}

/// As the broker does it after a segment was sealed.
fn write_sums(mem: &MemFs, world: &World) {
    for partition in &world.partitions {
        let (dir, bases) = (partition.log.path(), partition.log.segment_offsets());
        let mut sums = SealedSums::default();
        for base in &bases[..bases.len() - 1] {
            for (name, sum) in sum_segment(mem, dir, *base).unwrap() {
                sums.set(name, sum);
            }
        }
        sums.write(mem, dir).unwrap();
    }
}

fn files(mem: &MemFs, dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in mem.list(dir).unwrap() {
        let path = dir.join(&entry.name);
        if entry.is_dir {
            found.extend(files(mem, &path));
        } else if mem.metadata(&path).unwrap().len > 0 {
            found.push(path);
        }
    }
    found
}

/// What a file is for, by its name.
fn kind(path: &Path) -> String {
    let name = path.file_name().unwrap().to_string_lossy();
    let is_segments = name.starts_with(|first: char| first.is_ascii_digit());
    name.split_once('.').filter(|_| is_segments).map_or_else(|| name.to_string(), |n| n.1.into())
}

fn flip(mem: &MemFs, path: &Path, place: u64) {
    let mut bytes = read_file(mem, path, u64::MAX).unwrap();
    let bit = place % (bytes.len() as u64 * 8);
    let at = bit / 8;
    bytes[at as usize] ^= 1 << (bit % 8);
    let file = mem.open(path, OpenMode::ReadWrite).unwrap();
    file.write_at(&[IoSlice::new(&bytes[at as usize..=at as usize])], at).unwrap();
}

/// Whether the bit lies in the offset of the last batch.
fn is_offset_of_last(bytes: &[u8], place: u64) -> bool {
    let at = (place % (bytes.len() as u64 * 8) / 8) as usize;
    let mut last = 0;
    let size = |start: usize| {
        let length = bytes.get(start + 8..start + 12)?;
        Some(12 + u32::from_be_bytes(length.try_into().unwrap()) as usize)
    };
    while let Some(next) = size(last).map(|size| last + size).filter(|next| *next < bytes.len()) {
        last = next;
    }
    (last..last + 8).contains(&at)
}

/// Flips the bit, starts, reads everything.
fn outcome(image: &Image, path: &Path, place: u64) -> Outcome {
    let mem = image.mem.copy();
    flip(&mem, path, place);
    let fs: Arc<dyn Fs> = Arc::new(mem.clone());
    let is_seen = verify(&fs, Path::new(DIR), Default::default(), &mut |_| {})
        .is_ok_and(|report| !report.is_fine());
    let machine = Machine::of(mem, &[DIR], &|fs| fs);
    let Ok((process, report)) = machine.start(Power::default(), 0) else {
        return Outcome::Refused;
    };
    if !report.failed.is_empty() || !report.offline.is_empty() {
        return Outcome::Refused;
    }
    let known = if path.ends_with(LOG_START_CHECKPOINT) {
        Some(Outcome::StartMoved)
    } else {
        image.tails.contains(&path.to_owned()).then_some(Outcome::EpochOfTail)
    };
    let mut worst = Outcome::Harmless;
    for (name, truth) in &image.truths {
        let log = process.manager.get(name);
        let found = log.map_or(Outcome::SeenByVerify, |log| look(&log, truth, known));
        worst = worst.max(found);
    }
    if worst == Outcome::SeenByVerify && !is_seen {
        let bytes = read_file(&image.mem, path, u64::MAX).unwrap();
        let is_known = image.tails.contains(&path.to_owned()) && is_offset_of_last(&bytes, place);
        assert!(is_known, "nobody notices");
        return Outcome::OffsetOfLast;
    }
    worst
}

/// `known` is the harm that nobody can notice in a file.
fn look(log: &Log, truth: &Truth, known: Option<Outcome>) -> Outcome {
    if !reads_with_good_checksums(log) {
        return Outcome::SeenByReaders;
    }
    let shows = |truth: &Truth| catch_unwind(AssertUnwindSafe(|| truth.check(log))).is_ok();
    if shows(truth) {
        return Outcome::Harmless;
    }
    let is_known = log.log_end_offset() == truth.end
        && match known {
            Some(Outcome::StartMoved) => truth.is_what_readers_get(log),
            Some(Outcome::EpochOfTail) => truth.is_right_but_for_epochs(log),
            _ => false,
        };
    known.filter(|_| is_known).unwrap_or(Outcome::SeenByVerify)
}

fn reads_with_good_checksums(log: &Log) -> bool {
    let Ok(read) = log.read(log.log_start_offset(), usize::MAX, log.visible_end(), true) else {
        return false;
    };
    let Ok(bytes) = read.to_bytes() else { return false };
    split_batches(bytes)
        .all(|batch| batch.is_ok_and(|batch| batch.view().verify_checksum().is_ok()))
}

#[test]
fn a_flipped_bit_never_gives_a_reader_a_wrong_record() {
    let cases = Cases { short: 10_000, long: 100_000 };
    let counts: Mutex<BTreeMap<(String, Outcome), u32>> = Mutex::default();
    let strategy = || (0..IMAGES.len(), any::<prop::sample::Index>(), any::<u64>());
    prove("bit flips", cases, strategy, |(image, file, place)| {
        let image = &IMAGES[image];
        let path = file.get(&image.files);
        let outcome = catch_unwind(AssertUnwindSafe(|| outcome(image, path, place)));
        let outcome = outcome.unwrap_or_else(|_| panic!("bit {place} of {}", path.display()));
        *counts.lock().entry((kind(path), outcome)).or_default() += 1;
    });
    let counts = counts.into_inner();
    for wanted in [
        "log",
        "index",
        "timeindex",
        "txnindex",
        "snapshot",
        "leader-epoch-checkpoint",
        "partition.metadata",
        "meta.properties",
        "recovery-point-offset-checkpoint",
        "log-start-offset-checkpoint",
        "replication-offset-checkpoint",
        "cleaner-offset-checkpoint",
        ".kafka_cleanshutdown",
        "barnabas-sealed",
    ] {
        assert!(counts.keys().any(|(kind, _)| kind == wanted), "no {wanted} was flipped");
    }
    if is_long() {
        counts.iter().for_each(|((kind, outcome), n)| report(&format!("{kind}: {outcome:?} {n}")));
    }
}
