//! What one append costs on the real file system, apart from network and validation:
//! `cargo run --release -p storage --example append_cost [DIR]`.
#![allow(clippy::print_stdout, clippy::expect_used)]

#[path = "support/log.rs"]
mod support;

use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Instant;

use protocol_codec::records::{BatchBuilder, ValidatedBatch};
use storage::fs::{Fs, OpenMode, RealFs, write_all_at};
use storage::{LogConfig, RequiredAcks, SyncThreads};
use support::log;

fn main() {
    let dir = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = dir.join(format!("append-cost-{}", std::process::id()));
    RealFs.create_dir_all(&dir).expect("the directory can be made");
    for (records, count) in [(1, 1_000_000), (10, 400_000), (145, 100_000), (580, 25_000)] {
        append(&dir, records, count);
    }
    read_at_the_end(&dir);
    durable(&dir);
    RealFs.remove_dir_all(&dir).expect("the directory can be removed");
}

/// A batch of records of 100 bytes, of an idempotent producer.
fn batch(records: usize, sequence: i32) -> ValidatedBatch {
    let mut builder = BatchBuilder::new().producer(1, 0, sequence);
    for _ in 0..records {
        builder.append(1_700_000_000_000, None, Some(&[b'x'; 100]), &[]).expect("it fits");
    }
    ValidatedBatch::internal(&builder.build().expect("it fits")).expect("it is whole")
}

fn plain(records: usize) -> ValidatedBatch {
    let mut builder = BatchBuilder::new();
    for _ in 0..records {
        builder.append(1_700_000_000_000, None, Some(&[b'x'; 100]), &[]).expect("it fits");
    }
    ValidatedBatch::internal(&builder.build().expect("it fits")).expect("it is whole")
}

fn append(dir: &std::path::Path, records: usize, count: usize) {
    let log = log(dir, &format!("append-{records}"), LogConfig::default());
    let batch = plain(records);
    let start = Instant::now();
    for _ in 0..count {
        log.append_as_leader(&batch, 0, RequiredAcks::Leader, 0).expect("it is appended");
    }
    let nanos = start.elapsed().as_nanos() as f64;
    let per_append = nanos / count as f64;
    let rate = (count * batch.size()) as f64 / nanos;
    RealFs.remove_dir_all(log.path()).expect("it can be removed");
    let bare = bare_writes(dir, &batch, count);
    println!(
        "append {:6} B: {per_append:7.0} ns, {rate:.2} GB/s; a bare pwritev: {bare:.0} ns",
        batch.size()
    );
}

/// The same writes without a log, in ns each: the rest is ours.
fn bare_writes(dir: &std::path::Path, batch: &ValidatedBatch, count: usize) -> f64 {
    let path = dir.join("bare");
    let file = RealFs.open(&path, OpenMode::Create).expect("it can be made");
    let head = batch.head(0, 0);
    let start = Instant::now();
    for number in 0..count {
        let mut parts = [IoSlice::new(&head), IoSlice::new(batch.payload())];
        write_all_at(&*file, &mut parts, (number * batch.size()) as u64).expect("it is written");
    }
    let nanos = start.elapsed().as_nanos() as f64 / count as f64;
    RealFs.remove_file(&path).expect("it can be removed");
    nanos
}

/// A reader who follows the writer batch by batch, and one who reads far behind it.
fn read_at_the_end(dir: &std::path::Path) {
    const COUNT: i64 = 200_000;
    let log = log(dir, "read", LogConfig::default());
    let batch = plain(1);
    let mut spent = 0;
    for offset in 0..COUNT {
        log.append_as_leader(&batch, 0, RequiredAcks::Leader, 0).expect("it is appended");
        let start = Instant::now();
        let slices = log.read(offset, 1 << 20, i64::MAX, true).expect("it is read");
        spent += start.elapsed().as_nanos();
        assert_eq!(slices.len(), batch.size());
    }
    println!("read at the end: {} ns", spent / COUNT as u128);
    let start = Instant::now();
    for offset in 0..COUNT {
        let offset = offset * 7919 % COUNT;
        assert!(!log.read(offset, 1 << 20, i64::MAX, true).expect("it is read").is_empty());
    }
    println!("read anywhere: {} ns", start.elapsed().as_nanos() / COUNT as u128);
}

/// Appends in flight at the same time, each waiting for its sync.
fn durable(dir: &std::path::Path) {
    const ROUNDS: usize = 200;
    const IN_FLIGHT: usize = 50;
    let log = log(dir, "durable", LogConfig::default());
    let context_queue = log.sync_queue().clone();
    let threads = SyncThreads::start(&context_queue, 2).expect("threads can be started");
    let (sender, receiver) = mpsc::channel();
    let start = Instant::now();
    for round in 0..ROUNDS * IN_FLIGHT {
        let batch = batch(1, round as i32);
        let appended =
            log.append_as_leader(&batch, 0, RequiredAcks::All, 0).expect("it is appended");
        let sender = sender.clone();
        let done = move |answer: Result<storage::Durable, storage::NotDurable>| {
            sender.send(answer.is_ok()).expect("somebody waits");
        };
        log.when_durable(appended.last_offset + 1, Box::new(done));
        if round >= IN_FLIGHT {
            assert!(receiver.recv().expect("an answer comes"));
        }
    }
    let rate = (ROUNDS * IN_FLIGHT) as f64 / start.elapsed().as_secs_f64();
    println!("durable, {IN_FLIGHT} in flight: {rate:.0} appends/s");
    drop(threads);
}
