//! Tests of one segment on its own, on the file system in memory.

use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

use protocol_codec::records::{BatchBuilder, BatchHeader};

use super::files::{self, LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX};
use super::*;
use crate::fs::{MemFs, read_file};
use crate::log::LogContext;
use crate::{LogDir, OpenFiles, SyncQueue};

const INTERVAL: u64 = 200;

fn batch(base_offset: i64, records: usize, timestamp: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new().base_offset(base_offset).leader_epoch(0);
    for at in 0..records {
        builder.append(timestamp + at as i64, None, Some(b"some value"), &[]).unwrap();
    }
    builder.build().unwrap().to_vec()
}

fn dir(fs: &MemFs) -> Arc<SegmentDir> {
    let context = LogContext {
        fs: Arc::new(fs.clone()),
        dir: Arc::new(LogDir::new("/")),
        open_files: OpenFiles::default(),
        sync_queue: SyncQueue::new(),
        producer_id_expiration_ms: 0,
    };
    SegmentDir::new(&context, &Arc::from(Path::new("/")))
}

fn append(fs: &MemFs, segment: &Segment, bytes: &[u8]) {
    let header = BatchHeader::read(bytes).unwrap();
    let mut parts = [IoSlice::new(&bytes[..16]), IoSlice::new(&bytes[16..])];
    segment.append(fs, &mut parts, &BatchFacts::from(&header), INTERVAL).unwrap();
}

/// 20 batches of 3 records from offset 100 on, timestamps rising by 10.
fn filled() -> (MemFs, Segment) {
    let fs = MemFs::new();
    let segment = Segment::new(dir(&fs), 100);
    assert!(segment.create_file(&fs).unwrap());
    assert!(!segment.create_file(&fs).unwrap());
    for at in 0..20 {
        append(&fs, &segment, &batch(100 + at * 3, 3, at * 10));
    }
    (fs, segment)
}

fn reopened(fs: &MemFs) -> Segment {
    Segment::existing(fs, dir(fs), 100).unwrap()
}

fn check_offsets(fs: &MemFs, segment: &Segment) {
    for offset in 100..160 {
        let found = segment.find_offset(fs, offset, segment.size()).unwrap().unwrap();
        assert!(found.header.base_offset <= offset && offset <= found.header.last_offset());
    }
    assert!(segment.find_offset(fs, 160, segment.size()).unwrap().is_none());
    assert_eq!(segment.max_timestamp(fs).unwrap(), TimestampOffset { timestamp: 192, offset: 159 });
}

#[test]
fn every_offset_is_found_while_written_when_sealed_and_when_reopened() {
    let (fs, segment) = filled();
    check_offsets(&fs, &segment);
    assert!(segment.seal(&fs).unwrap().is_some());
    assert!(segment.seal(&fs).unwrap().is_none());
    check_offsets(&fs, &segment);
    check_offsets(&fs, &reopened(&fs));

    let active = reopened(&fs);
    assert_eq!(active.activate(&fs).unwrap(), 160);
    assert_eq!(active.first_timestamp(), Some(2));
    append(&fs, &active, &batch(160, 1, 500));
    assert!(active.find_offset(&fs, 160, active.size()).unwrap().is_some());
}

#[test]
fn a_limit_hides_what_lies_behind_it() {
    let (fs, segment) = filled();
    let second = segment.find_offset(&fs, 103, segment.size()).unwrap().unwrap();
    assert!(segment.find_offset(&fs, 103, second.position).unwrap().is_none());
    assert!(segment.find_offset(&fs, 103, second.end()).unwrap().is_some());
}

#[test]
fn indexes_point_to_batches_by_their_last_offset() {
    let (fs, segment) = filled();
    segment.seal(&fs).unwrap();
    let index = read_file(&fs, &segment.path(OFFSET_INDEX_SUFFIX), 10_000).unwrap();
    let times = read_file(&fs, &segment.path(TIME_INDEX_SUFFIX), 10_000).unwrap();
    assert!(!index.is_empty() && index.len().is_multiple_of(8) && times.len().is_multiple_of(12));
    for (entry, time) in index.chunks(8).zip(times.chunks(12)) {
        let relative = u32::from_be_bytes(entry[..4].try_into().unwrap());
        let position = u32::from_be_bytes(entry[4..].try_into().unwrap());
        let found = segment.find_offset(&fs, 100 + i64::from(relative), segment.size());
        let found = found.unwrap().unwrap();
        assert_eq!(found.position, u64::from(position));
        assert_eq!(found.header.last_offset(), 100 + i64::from(relative));
        assert_eq!(time[8..], entry[..4]);
        assert_eq!(i64::from_be_bytes(time[..8].try_into().unwrap()), found.header.max_timestamp);
    }
}

#[test]
fn lost_or_damaged_indexes_are_rebuilt() {
    let (fs, segment) = filled();
    segment.seal(&fs).unwrap();
    fs.remove_file(&segment.path(OFFSET_INDEX_SUFFIX)).unwrap();
    check_offsets(&fs, &reopened(&fs));

    crate::fs::replace_file(&fs, &segment.path(OFFSET_INDEX_SUFFIX), &[0xff; 16]).unwrap();
    check_offsets(&fs, &reopened(&fs));
    let active = reopened(&fs);
    assert_eq!(active.activate(&fs).unwrap(), 160);
    check_offsets(&fs, &active);
}

#[test]
fn a_torn_end_is_told_from_a_hole() {
    let (fs, segment) = filled();
    let torn_at = segment.find_offset(&fs, 157, segment.size()).unwrap().unwrap().position;
    let file = segment.file(&fs).unwrap();
    file.set_len(torn_at + 70).unwrap();
    let torn = reopened(&fs);
    let recovered = torn.recover(&fs, 0, INTERVAL, None, &mut |_| {}).unwrap();
    assert_eq!((recovered.valid_bytes, recovered.next_offset), (torn_at, 157));
    assert!(recovered.damage.is_some());
    assert_eq!(torn.find_good_batch(&fs, torn_at, 157).unwrap(), None);

    // One bit of a record in the middle.
    let hole = torn.find_offset(&fs, 130, torn_at).unwrap().unwrap();
    let byte = hole.position + 65;
    file.write_at(&[IoSlice::new(b"!")], byte).unwrap();
    let mut seen = 0;
    let recovered = torn.recover(&fs, 0, INTERVAL, None, &mut |_| seen += 1).unwrap();
    assert_eq!((recovered.valid_bytes, seen), (hole.position, 10));
    let text = recovered.damage.unwrap().to_string();
    assert!(text.contains("00000000000000000100.log is damaged at position"), "{text}");
    let after = torn.find_good_batch(&fs, hole.position, recovered.next_offset).unwrap();
    assert_eq!(after, Some(hole.end()));
    // Below the recovery point only headers are looked at.
    let recovered = torn.recover(&fs, 157, INTERVAL, None, &mut |_| {}).unwrap();
    assert_eq!(recovered.valid_bytes, torn_at);
}

#[test]
fn a_wrong_length_is_damage_wherever_it_points() {
    let (fs, segment) = filled();
    let at = segment.find_offset(&fs, 130, segment.size()).unwrap().unwrap();
    let file = segment.file(&fs).unwrap();
    file.write_at(&[IoSlice::new(&i32::MAX.to_be_bytes())], at.position + 8).unwrap();
    let recovered = segment.recover(&fs, 0, INTERVAL, None, &mut |_| {}).unwrap();
    assert_eq!(recovered.valid_bytes, at.position);
    assert_eq!(segment.find_good_batch(&fs, at.position, 130).unwrap(), Some(at.end()));
}

#[test]
fn recovery_gives_the_same_indexes_as_writing() {
    let (fs, segment) = filled();
    segment.seal(&fs).unwrap();
    let index = read_file(&fs, &segment.path(OFFSET_INDEX_SUFFIX), 10_000).unwrap();
    let again = reopened(&fs);
    again.recover(&fs, 0, INTERVAL, None, &mut |_| {}).unwrap();
    again.seal(&fs).unwrap();
    assert_eq!(read_file(&fs, &segment.path(OFFSET_INDEX_SUFFIX), 10_000).unwrap(), index);
}

#[test]
fn a_new_segment_has_no_file() {
    let fs = MemFs::new();
    let segment = Segment::new(dir(&fs), 0);
    assert!(segment.seal(&fs).unwrap().is_none());
    assert!(fs.list(Path::new("/")).unwrap().is_empty());
    assert_eq!(segment.path(LOG_SUFFIX), files::path(Path::new("/"), 0, LOG_SUFFIX));
    assert_eq!(relative(0, i64::from(i32::MAX) + 1), None);
    assert_eq!(relative(5, 4), None);
}
