//! The store on disk: what it brings back, what a power cut can take, what damage looks like.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::test_runner::{RngAlgorithm, TestRng};
use raft::eraftpb::{Entry, HardState};

use super::*;
use crate::image::MetadataImage;

fn entry(index: u64, term: u64, size: usize) -> Entry {
    let fill = u8::try_from(index % 251).unwrap();
    Entry { index, term, data: vec![fill; size].into(), ..Entry::default() }
}

/// `short` in `./test`, `long` when the variable `BARNABAS_LONG` is set.
fn rounds(short: u64, long: u64) -> u64 {
    if std::env::var_os("BARNABAS_LONG").is_some() { long } else { short }
}

fn vote(term: u64) -> HardState {
    HardState { term, vote: 2, commit: 0, ..HardState::default() }
}

fn all_entries(store: &SledStore) -> Vec<Entry> {
    let first = store.truncated().index + 1;
    store.entries(first, store.last().index + 1, u64::MAX).unwrap()
}

/// Opens a copy of the store as it lies on the disk: the process that wrote it may still run, as
/// after a kill nothing of it has been told to stop.
fn open_copy(dir: &Path) -> (tempfile::TempDir, Result<SledStore, StoreError>) {
    let copy = tempfile::tempdir().unwrap();
    copy_dir(dir, copy.path());
    let store = SledStore::open(copy.path());
    (copy, store)
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy_dir(&item.path(), &target);
        } else if item.file_name() != RESERVE_NAME {
            fs::copy(item.path(), target).unwrap();
        }
    }
}

const RESERVE_NAME: &str = "reserve";

#[test]
fn what_was_appended_is_there_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(dir.path()).unwrap();
    let entries = [entry(1, 1, 0), entry(2, 1, 300_000), entry(3, 2, 17)];
    store.append(&entries[..2], Some(&vote(1))).unwrap();
    store.append(&entries[2..], Some(&vote(2))).unwrap();

    let (_copy, again) = open_copy(dir.path());
    let again = again.unwrap();
    assert_eq!(all_entries(&again), entries);
    assert_eq!(again.hard_state(), vote(2));
    assert_eq!(again.last(), LogPosition { index: 3, term: 2 });
    assert_eq!((again.term(2), again.term(3), again.term(4)), (Some(1), Some(2), None));
}

#[test]
fn entries_of_a_new_leader_replace_those_of_the_old() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(dir.path()).unwrap();
    store.append(&[entry(1, 1, 5), entry(2, 1, 200_000), entry(3, 1, 5)], None).unwrap();
    store.append(&[entry(2, 2, 7)], None).unwrap();
    let (_copy, again) = open_copy(dir.path());
    assert_eq!(all_entries(&again.unwrap()), [entry(1, 1, 5), entry(2, 2, 7)]);
}

#[test]
fn reading_stops_at_the_size_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(dir.path()).unwrap();
    let entries: Vec<Entry> = (1..=4).map(|index| entry(index, 1, 100)).collect();
    store.append(&entries, None).unwrap();
    assert_eq!(store.entries(1, 5, 250).unwrap(), entries[..2]);
    assert_eq!(store.entries(2, 5, 1).unwrap(), entries[1..2], "at least one");
}

#[test]
fn a_gap_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(dir.path()).unwrap();
    store.append(&[entry(1, 1, 5)], None).unwrap();
    let error = store.append(&[entry(3, 1, 5)], None).unwrap_err();
    assert!(error.to_string().ends_with("entry 3 would leave a gap"), "{error}");
}

fn image_at(index: u64, term: u64) -> (LogPosition, Vec<u8>) {
    let at = LogPosition { index, term };
    let image = MetadataImage { last_applied: at, ..MetadataImage::default() };
    (at, snapshot::encode(&image))
}

#[test]
fn a_snapshot_lets_the_log_begin_after_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(dir.path()).unwrap();
    let entries: Vec<Entry> = (1..=10).map(|index| entry(index, 1, 100_000)).collect();
    store.append(&entries, Some(&vote(1))).unwrap();
    for index in [4, 8] {
        let (at, bytes) = image_at(index, 1);
        store.snapshot_writer().write(at, &bytes).unwrap();
        store.compact(at, 2).unwrap();
    }
    store.append(&[entry(11, 1, 1)], None).unwrap();

    let (copy, again) = open_copy(dir.path());
    let again = again.unwrap();
    assert_eq!(again.truncated(), LogPosition { index: 6, term: 1 });
    assert_eq!(all_entries(&again), [&entries[6..], &[entry(11, 1, 1)]].concat());
    assert_eq!(again.read_snapshot().unwrap(), Some(image_at(8, 1)));
    let files = fs::read_dir(copy.path().join(METADATA_DIR)).unwrap().flatten();
    let snapshots = files.filter(|file| file.path().extension().is_some_and(|e| e == "checkpoint"));
    assert_eq!(snapshots.count(), 1, "older snapshots are removed");
}

#[test]
fn the_leaders_snapshot_replaces_the_log_even_when_the_installation_was_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(dir.path()).unwrap();
    store.append(&[entry(1, 1, 5), entry(2, 1, 5)], None).unwrap();
    let (at, bytes) = image_at(9, 3);
    store.snapshot_writer().write(at, &bytes).unwrap();
    let (_copy, cut_off) = open_copy(dir.path());
    store.install_snapshot(at, &bytes).unwrap();
    let (_copy, whole) = open_copy(dir.path());
    for mut again in [cut_off.unwrap(), whole.unwrap()] {
        assert_eq!((again.truncated(), again.last()), (at, at));
        again.append(&[entry(10, 3, 5)], None).unwrap();
        assert_eq!(all_entries(&again), [entry(10, 3, 5)]);
    }
}

/// A power cut keeps what was synced; of what was written since, it keeps any pages and loses the
/// others. So the file after a cut is a mixture of the file at the last sync and the file at some
/// moment of the next append.
#[test]
fn a_power_cut_takes_nothing_that_was_synced() {
    let seed = *b"a fixed seed for the power cuts.";
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut below = |bound: u64| rand_below(&mut random, bound);
    for round in 0..rounds(10, 150) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(dir.path()).unwrap();
        let mut synced = files_of(dir.path());
        let mut entries = Vec::new();
        let appends = 1 + below(20);
        for _ in 0..appends {
            let index = entries.len() as u64 + 1;
            let added: Vec<Entry> = (index..=index + below(4))
                .map(|index| entry(index, 1, usize::try_from(below(40_000)).unwrap()))
                .collect();
            store.append(&added, Some(&vote(index))).unwrap();
            let after = files_of(dir.path());
            let cut = tempfile::tempdir().unwrap();
            write_mixture(cut.path(), &synced, &after, &mut below);
            let again = SledStore::open(cut.path())
                .unwrap_or_else(|error| panic!("round {round}, entry {index}: {error}"));
            let found = all_entries(&again);
            let added_too: Vec<Entry> = entries.iter().chain(&added).cloned().collect();
            assert!(
                found == entries || found == added_too,
                "round {round}: {} entries synced, {} found",
                entries.len(),
                found.len()
            );
            entries = added_too;
            synced = after;
        }
    }
}

#[test]
fn a_power_cut_while_the_store_is_made_leaves_one_that_can_be_made() {
    let seed = *b"a fixed seed for the first cuts.";
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    let made = files_of(dir.path());
    let mark = made.keys().find(|name| name.ends_with("durable")).unwrap();
    let mut before_mark = made.clone();
    before_mark.remove(mark);
    for _ in 0..rounds(40, 600) {
        let cut = tempfile::tempdir().unwrap();
        let mut kept = before_mark.clone();
        kept.retain(|_, _| rand_below(&mut random, 3) > 0);
        write_mixture(cut.path(), &Files::new(), &kept, &mut |n| rand_below(&mut random, n));
        let mut again = SledStore::open(cut.path()).unwrap();
        again.append(&[entry(1, 1, 5)], None).unwrap();
    }
    drop(store);
}

/// Who loses the mark loses nothing else.
#[test]
fn a_store_without_its_mark_is_still_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(dir.path()).unwrap();
    store.append(&[entry(1, 1, 5)], None).unwrap();
    let copy = tempfile::tempdir().unwrap();
    copy_dir(dir.path(), copy.path());
    fs::remove_file(copy.path().join(METADATA_DIR).join("durable")).unwrap();
    assert_eq!(all_entries(&SledStore::open(copy.path()).unwrap()), [entry(1, 1, 5)]);
}

fn rand_below(random: &mut TestRng, bound: u64) -> u64 {
    use proptest::prelude::Rng;
    random.next_u64() % bound
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn files_of(dir: &Path) -> Files {
    let mut files = Files::new();
    let mut dirs = vec![dir.to_owned()];
    while let Some(next) = dirs.pop() {
        for item in fs::read_dir(&next).unwrap().flatten() {
            let path = item.path();
            if item.file_type().unwrap().is_dir() {
                dirs.push(path);
            } else if item.file_name() != RESERVE_NAME {
                let name = path.strip_prefix(dir).unwrap().to_owned();
                // A file that sled removes meanwhile is as good as gone.
                files.extend(fs::read(&path).ok().map(|bytes| (name, bytes)));
            }
        }
    }
    files
}

fn write_mixture(dir: &Path, synced: &Files, after: &Files, below: &mut impl FnMut(u64) -> u64) {
    const PAGE: usize = 4096;
    for (name, new) in after {
        let old = synced.get(name).map_or(&[][..], Vec::as_slice);
        // The mark is written after the sync, so what the cut keeps of it is older.
        let new = if name.ends_with("durable") { old } else { new };
        let mut bytes = old.to_vec();
        if new.len() > bytes.len() && below(2) == 0 {
            bytes.resize(new.len(), 0);
        }
        for (page, mixed) in bytes.chunks_mut(PAGE).enumerate() {
            let start = page * PAGE;
            let end = (start + mixed.len()).min(new.len());
            if start < end && below(2) == 0 {
                mixed[..end - start].copy_from_slice(&new[start..end]);
            }
        }
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    fs::create_dir_all(dir.join(METADATA_DIR).join("raft").join("blobs")).unwrap();
}

#[test]
fn a_changed_value_is_an_error_that_names_the_entry() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(dir.path()).unwrap();
    store.append(&[entry(1, 1, 5), entry(2, 1, 5), entry(3, 1, 5)], None).unwrap();
    let key = Key::Entry { index: 2, part: 0 }.bytes();
    let mut value = store.tree.get(&key).unwrap().unwrap().to_vec();
    value[11] ^= 1;
    store.tree.insert(&key, value).unwrap();
    let error = store.entries(1, 4, u64::MAX).unwrap_err().to_string();
    assert!(error.contains("the checksum of entry 2 part 0 is"), "{error}");
    drop(store);
    let error = SledStore::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("is damaged: the checksum of entry 2 part 0 is"), "{error}");
}

#[test]
fn a_missing_entry_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(dir.path()).unwrap();
    store.append(&[entry(1, 1, 5), entry(2, 1, 200_000), entry(3, 1, 5)], None).unwrap();
    store.tree.remove(Key::Entry { index: 2, part: 1 }.bytes()).unwrap();
    drop(store);
    let error = SledStore::open(dir.path()).unwrap_err().to_string();
    assert!(error.ends_with("entry 2 part 2 follows where entry 2 part 1 should be"), "{error}");
}

#[test]
fn a_flipped_bit_is_harmless_or_refused_but_takes_no_entry() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SledStore::open(dir.path()).unwrap();
    let entries: Vec<Entry> = (1..=40).map(|index| entry(index, 1, 3000)).collect();
    for entry in &entries {
        store.append(std::slice::from_ref(entry), None).unwrap();
    }
    let files = files_of(dir.path());
    let db = Path::new(METADATA_DIR).join("raft").join("db");
    let seed = *b"a fixed seed for the bits to flip";
    let mut random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed[..32]);
    let mut refused = 0;
    for _ in 0..rounds(40, 1_000) {
        let mut damaged = files.clone();
        let bytes = damaged.get_mut(&db).unwrap();
        let at = usize::try_from(rand_below(&mut random, bytes.len() as u64)).unwrap();
        bytes[at] ^= 1 << rand_below(&mut random, 8);
        let copy = tempfile::tempdir().unwrap();
        write_mixture(copy.path(), &damaged, &damaged, &mut |_| 0);
        match SledStore::open(copy.path()) {
            Ok(store) => assert_eq!(all_entries(&store), entries),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0, "no flipped bit was noticed");
}

#[test]
fn a_newer_format_is_refused_in_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    let mut batch = sled::Batch::default();
    values::put(&mut batch, &Key::Format, &2_u32.to_le_bytes());
    store.write(batch).unwrap();
    drop(store);
    let error = SledStore::open(dir.path()).unwrap_err().to_string();
    let path = dir.path().join(METADATA_DIR);
    assert_eq!(
        error,
        format!(
            "the metadata in {} has format 2, written by a newer release; this one reads up to \
             format 1",
            path.display()
        )
    );
}

#[test]
fn a_damaged_snapshot_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    let (at, mut bytes) = image_at(1, 1);
    store.snapshot_writer().write(at, &bytes).unwrap();
    bytes[9] ^= 4;
    fs::write(
        dir.path().join(METADATA_DIR).join("00000000000000000001-0000000001.checkpoint"),
        &bytes,
    )
    .unwrap();
    let error = store.read_snapshot().unwrap_err().to_string();
    assert!(error.contains("00000000000000000001-0000000001.checkpoint is damaged: its checksum"));
}

#[test]
fn a_file_that_an_interrupted_snapshot_left_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    drop(SledStore::open(dir.path()).unwrap());
    let left = dir.path().join(METADATA_DIR).join("00000000000000000001-0000000001.checkpoint.tmp");
    fs::write(&left, b"half").unwrap();
    let store = SledStore::open(dir.path()).unwrap();
    assert!(!left.exists());
    assert_eq!(store.read_snapshot().unwrap(), None);
}

#[test]
fn the_reserve_is_given_up_on_a_full_disk_and_made_again() {
    let dir = tempfile::tempdir().unwrap();
    drop(SledStore::open(dir.path()).unwrap());
    let metadata = dir.path().join(METADATA_DIR);
    let reserve = metadata.join(RESERVE_NAME);
    let size = || fs::metadata(&reserve).map(|file| file.len()).ok();
    assert_eq!(size(), Some(4 * 1024 * 1024));
    files::make_room(&metadata, 0);
    assert_eq!(size(), Some(4 * 1024 * 1024), "there is room");
    files::make_room(&metadata, u64::MAX);
    assert_eq!(size(), None);
    files::fill_reserve(&metadata);
    assert_eq!(size(), Some(4 * 1024 * 1024));
}
