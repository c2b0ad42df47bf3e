//! Tests of `verify` on the file system in memory: what is fine, and what every kind of damage is
//! called.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol_codec::Uuid;
use protocol_codec::records::control::EndTransactionMarker;
use protocol_codec::records::{BatchBuilder, ValidatedBatch};

use super::*;
use crate::data_dirs::{DataDirs, DataDirsConfig};
use crate::fs::{MemFs, OpenMode, read_file, replace_file};
use crate::log::append::RequiredAcks;
use crate::sealed_sums::{SealedSums, sum_segment};
use crate::{LogConfig, LogManager, LogManagerConfig, Placement};

const DIR: &str = "/logs";
const FOLDER: &str = "/logs/orders-0";

/// A directory with one partition of three segments and three leader epochs, stopped cleanly or
/// not at all, with the sums of its sealed files.
fn directory(clean: bool) -> MemFs {
    let fs = MemFs::new();
    fs.create_dir_all(Path::new("/logs/__cluster_metadata-1")).unwrap();
    let dirs = DataDirsConfig {
        log_dirs: vec![DIR.into()],
        metadata_dir: None,
        node_id: 1,
        cluster_id: None,
    };
    fs.remove_dir_all(Path::new("/logs/__cluster_metadata-1")).unwrap();
    let data_dirs = DataDirs::open(&dirs, &fs).unwrap();
    let seam = Arc::new(fs.clone());
    let config = LogManagerConfig::default();
    let (manager, _) = LogManager::open(config, data_dirs, seam, 0, &|_| {}).unwrap();
    let config = LogConfig { index_interval_bytes: 300, ..LogConfig::default() };
    let partition = TopicPartition::new("orders", 0);
    let log = manager.get_or_create(&partition, Uuid::ONE, config, Placement::Any).unwrap();
    for epoch in 0..3 {
        log.roll().unwrap();
        for number in 0..12 {
            let sequence = epoch * 24 + number * 2;
            let mut batch = BatchBuilder::new().producer(7, 0, sequence);
            for at in 0..2 {
                let time = i64::from(sequence * 10 + at);
                batch
                    .append(time, Some(b"some key"), Some(b"some value of a record"), &[])
                    .unwrap();
            }
            let batch = ValidatedBatch::internal(&batch.build().unwrap()).unwrap();
            log.append_as_leader(&batch, epoch, RequiredAcks::All, 0).unwrap();
        }
        log.flush().unwrap();
    }
    if clean {
        assert!(manager.close(1));
    }
    let mut sums = SealedSums::default();
    for base in [0, 24] {
        for (name, sum) in sum_segment(&fs, Path::new(FOLDER), base).unwrap() {
            sums.set(name, sum);
        }
    }
    sums.write(&fs, Path::new(FOLDER)).unwrap();
    fs
}

fn look(fs: &MemFs, dir: &str) -> Report {
    look_with(fs, dir, Options::default())
}

fn look_with(fs: &MemFs, dir: &str, options: Options) -> Report {
    let fs: Arc<dyn Fs> = Arc::new(fs.clone());
    verify(&fs, Path::new(dir), options, &mut |_| {}).unwrap()
}

/// The one damage that is found, as text.
fn damage(fs: &MemFs) -> String {
    let report = look(fs, DIR);
    assert_eq!(report.damages.len(), 1, "{:#?}", report.damages);
    report.damages[0].to_string()
}

fn file(name: &str) -> PathBuf {
    Path::new(FOLDER).join(name)
}

fn read(fs: &MemFs, path: &Path) -> Vec<u8> {
    read_file(fs, path, 1 << 20).unwrap()
}

fn cut(fs: &MemFs, path: &Path, by: u64) {
    let file = fs.open(path, OpenMode::ReadWrite).unwrap();
    file.set_len(file.len().unwrap() - by).unwrap();
}

#[test]
fn a_good_directory_is_fine_in_every_state() {
    for (clean, is_live) in [(true, false), (false, false), (false, true)] {
        let fs = directory(clean);
        for dir in [DIR, FOLDER] {
            let report = look_with(&fs, dir, Options { is_live });
            assert_eq!(report.damages, [], "{dir} {clean} {is_live}");
            let counts = (report.partitions, report.segments, report.batches, report.records);
            assert_eq!(counts, (1, 3, 36, 72));
            assert_eq!(report.sums_compared, 6);
        }
    }
}

#[test]
fn progress_ends_at_the_total() {
    let fs: Arc<dyn Fs> = Arc::new(directory(true));
    let mut last = (0, 0);
    verify(&fs, Path::new(DIR), Options::default(), &mut |progress| {
        assert!(progress.bytes_done >= last.0);
        last = (progress.bytes_done, progress.bytes_total);
    })
    .unwrap();
    assert!(last.0 > 0 && last.0 == last.1, "{last:?}");
}

/// One bit of every byte of every file of the partition. What is not found must be harmless: of
/// the id in `partition.metadata` only another partition of the topic, or the metadata, could tell.
#[test]
fn a_flipped_bit_in_any_file_is_found() {
    let fs = directory(true);
    let names: Vec<String> =
        fs.list(Path::new(FOLDER)).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names.len(), 9 + 3 + 3, "{names:?}");
    let mut missed = Vec::new();
    for name in &names {
        let good = read(&fs, &file(name));
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << (at % 8);
            replace_file(&fs, &file(name), &bytes).unwrap();
            if look(&fs, DIR).is_fine() {
                missed.push((name.clone(), at));
            }
        }
        replace_file(&fs, &file(name), &good).unwrap();
    }
    missed.retain(|(name, at)| !(name == "partition.metadata" && *at >= 20));
    assert_eq!(missed, []);
}

#[test]
fn what_is_cut_or_missing_is_found() {
    let names = ["00000000000000000000.log", "00000000000000000024.timeindex"];
    for name in names {
        let fs = directory(true);
        cut(&fs, &file(name), 1);
        assert!(!look(&fs, DIR).is_fine(), "{name}");
        fs.remove_file(&file(name)).unwrap();
        assert!(!look(&fs, DIR).is_fine(), "{name}");
    }
    let fs = directory(true);
    fs.remove_file(&file("00000000000000000024.log")).unwrap();
    let said = damage_of(&look(&fs, DIR), "00000000000000000024.log");
    assert!(said.contains("it is missing"), "{said}");
    // The last segment: the checkpoint knows how far the log went.
    let fs = directory(true);
    for name in ["00000000000000000048.log", "00000000000000000048.index"] {
        fs.remove_file(&file(name)).unwrap();
    }
    assert!(!look(&fs, DIR).is_fine());
}

fn damage_of(report: &Report, name: &str) -> String {
    let found = report.damages.iter().find(|damage| damage.file.ends_with(name));
    found.unwrap_or_else(|| panic!("{:#?}", report.damages)).to_string()
}

#[test]
fn a_torn_tail_is_named_as_what_it_is() {
    let last = file("00000000000000000048.log");
    // After a crash, beyond what was synced: recovery cuts it off.
    let fs = directory(false);
    let len = read(&fs, &last).len();
    let bytes = [read(&fs, &last), vec![0, 1, 2]].concat();
    replace_file(&fs, &last, &bytes).unwrap();
    let said = damage(&fs);
    assert!(said.contains(&format!("at position {len}")) && said.contains("next start"), "{said}");
    // A running broker is writing it.
    assert!(look_with(&fs, DIR, Options { is_live: true }).is_fine());
    // After a clean stop nothing may be unfinished.
    let fs = directory(true);
    replace_file(&fs, &last, &bytes).unwrap();
    let said = damage(&fs);
    assert!(said.contains("storage repair"), "{said}");
}

#[test]
fn the_file_that_is_wrong_is_named() {
    let fs = directory(true);
    replace_file(&fs, &file("leader-epoch-checkpoint"), b"0\n3\n0 0\n1 24\n2 47\n").unwrap();
    let said = damage(&fs);
    assert!(said.starts_with("/logs/orders-0/leader-epoch-checkpoint: the batch"), "{said}");

    // The leader epoch of a sealed batch: the sum tells that the log is wrong.
    let fs = directory(true);
    let log = file("00000000000000000000.log");
    let mut bytes = read(&fs, &log);
    bytes[15] ^= 1;
    replace_file(&fs, &log, &bytes).unwrap();
    let said = damage_of(&look(&fs, DIR), "00000000000000000000.log");
    assert!(said.contains("at position 0: the batch is of leader epoch 1"), "{said}");
}

#[test]
fn offsets_may_be_missing_only_where_the_log_was_compacted() {
    let fs = directory(true);
    let log = file("00000000000000000048.log");
    let mut bytes = read(&fs, &log);
    // The last batch gets offset 78 instead of 70.
    let position = bytes.len() - bytes.len() / 12;
    assert_eq!(bytes[position + 7], 70);
    bytes[position + 7] = 78;
    replace_file(&fs, &log, &bytes).unwrap();
    for index in ["00000000000000000048.index", "00000000000000000048.timeindex"] {
        fs.remove_file(&file(index)).unwrap();
    }
    let said = damage(&fs);
    assert!(said.contains("the batch has offset 78, where 70 is due"), "{said}");
    // After a crash the checkpoint may be older than the last compaction.
    let marker = Path::new("/logs/.kafka_cleanshutdown");
    fs.remove_file(marker).unwrap();
    let report = look(&fs, DIR);
    assert!(report.is_fine() && report.notes[1].contains("offset 78"), "{:?}", report.notes);
    replace_file(&fs, marker, b"").unwrap();
    let cleaned = Path::new("/logs/cleaner-offset-checkpoint");
    replace_file(&fs, cleaned, b"0\n1\norders 0 72\n").unwrap();
    assert!(look(&fs, DIR).is_fine());
}

#[test]
fn an_interrupted_compaction_is_a_note() {
    let fs = directory(true);
    for ending in ["log", "index", "timeindex"] {
        let name = format!("00000000000000000024.{ending}");
        fs.rename(&file(&name), &file(&format!("{name}.swap"))).unwrap();
    }
    fs.remove_file(&file("barnabas-sealed")).unwrap();
    let report = look(&fs, DIR);
    assert_eq!(report.damages, []);
    assert!(report.notes[0].contains("a compaction was interrupted"), "{:?}", report.notes);
}

#[test]
fn checkpoints_beyond_the_log_are_found() {
    for name in [
        "recovery-point-offset-checkpoint",
        "log-start-offset-checkpoint",
        "replication-offset-checkpoint",
        "cleaner-offset-checkpoint",
    ] {
        let fs = directory(true);
        let path = Path::new(DIR).join(name);
        replace_file(&fs, &path, b"0\n1\norders 0 73\n").unwrap();
        let said = damage(&fs);
        let wanted = format!("/logs/{name}: it says 73 for orders-0, which ends at offset 72");
        assert!(said.starts_with(&wanted), "{said}");
        replace_file(&fs, &path, b"0\n1\norders 0 x\n").unwrap();
        assert!(damage(&fs).contains("malformed line 3"));
        replace_file(&fs, &path, b"0\n1\norders 0 72\n").unwrap();
        assert!(look(&fs, DIR).is_fine());
    }
}

#[test]
fn a_topic_has_one_id() {
    let fs = directory(true);
    for partition in ["orders-1", "orders-2"] {
        let folder = Path::new(DIR).join(partition);
        fs.create_dir_all(&folder).unwrap();
        crate::partition_metadata::write(&fs, &folder, Uuid::ONE).unwrap();
    }
    assert!(look(&fs, DIR).is_fine());
    let other = Uuid::from_bytes([9; 16]);
    crate::partition_metadata::write(&fs, Path::new("/logs/orders-1"), other).unwrap();
    let said = damage(&fs);
    assert!(said.starts_with("/logs/orders-1/partition.metadata: topic id"), "{said}");
}

#[test]
fn kafkas_room_at_the_end_of_an_active_index_is_no_damage() {
    let fs = directory(false);
    for name in ["00000000000000000048.index", "00000000000000000048.timeindex"] {
        replace_file(&fs, &file(name), &[0; 4096]).unwrap();
        assert!(look(&fs, DIR).is_fine(), "{name}");
        let mut bytes = [0; 4096];
        bytes[2000] = 1;
        replace_file(&fs, &file(name), &bytes).unwrap();
        assert!(!look(&fs, DIR).is_fine(), "{name}");
        fs.remove_file(&file(name)).unwrap();
    }
}

/// Two producers, one of whose transactions is aborted while the other's is open.
fn transactions() -> (MemFs, Vec<u8>) {
    let fs = MemFs::new();
    fs.create_dir_all(Path::new(FOLDER)).unwrap();
    let data = |producer| {
        let mut batch = BatchBuilder::new().producer(producer, 0, 0).transactional(true);
        batch.append(0, None, Some(b"v"), &[]).unwrap();
        batch.build().unwrap()
    };
    let marker = |producer, committed| {
        let marker = EndTransactionMarker { committed, coordinator_epoch: 0 };
        marker.to_batch(0, producer, 0).unwrap()
    };
    let batches = [data(1), data(2), data(1), marker(1, false), marker(2, true), marker(3, false)];
    let mut log = Vec::new();
    for (offset, batch) in batches.iter().enumerate() {
        let start = log.len();
        log.extend_from_slice(batch);
        log[start..start + 8].copy_from_slice(&(offset as u64).to_be_bytes());
    }
    replace_file(&fs, &file("00000000000000000000.log"), &log).unwrap();
    replace_file(&fs, Path::new("/logs/.kafka_cleanshutdown"), b"").unwrap();
    let mut entry = vec![0, 0];
    // Producer, first offset, last offset, last stable offset: that of the open transaction.
    for field in [1_i64, 0, 3, 1] {
        entry.extend_from_slice(&field.to_be_bytes());
    }
    (fs, entry)
}

#[test]
fn the_transaction_index_names_what_was_aborted() {
    let (fs, good) = transactions();
    let index = file("00000000000000000000.txnindex");
    replace_file(&fs, &index, &good).unwrap();
    assert_eq!(look(&fs, DIR).damages, []);
    for at in 0..good.len() {
        let mut bytes = good.clone();
        bytes[at] ^= 1 << (at % 8);
        replace_file(&fs, &index, &bytes).unwrap();
        assert!(!look(&fs, DIR).is_fine(), "byte {at}");
    }
    replace_file(&fs, &index, &[good.clone(), good].concat()).unwrap();
    assert!(!look(&fs, DIR).is_fine(), "one entry too many");
    fs.remove_file(&index).unwrap();
    let said = damage(&fs);
    assert!(said.contains("aborted at offset 3 has no entry"), "{said}");
}

#[test]
fn what_vanishes_beside_a_running_broker_is_no_damage() {
    let fs = directory(false);
    // Rolled and not sealed yet: a crash here has a recovery make the index.
    fs.remove_file(&file("barnabas-sealed")).unwrap();
    fs.remove_file(&file("00000000000000000000.index")).unwrap();
    assert!(look(&fs, DIR).is_fine());
    let checkpoint = Path::new("/logs/recovery-point-offset-checkpoint");
    replace_file(&fs, checkpoint, b"0\n1\norders 0 24\n").unwrap();
    assert!(!look(&fs, DIR).is_fine());
    // As if the segment was deleted between the listing and the look at it.
    for suffix in ["log", "timeindex"] {
        fs.remove_file(&file(&format!("00000000000000000000.{suffix}"))).unwrap();
    }
    assert!(look_with(&fs, DIR, Options { is_live: true }).is_fine());
}
