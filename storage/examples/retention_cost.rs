//! What it costs to delete segments, with and without producers that are known from them, and what
//! appends notice of it: `cargo run --release -p storage --example retention_cost [DIR]`.
#![allow(clippy::print_stdout, clippy::expect_used)]

#[path = "support/log.rs"]
mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use protocol_codec::records::{BatchBuilder, ValidatedBatch};
use storage::fs::{Fs, RealFs};
use storage::{Log, LogConfig, RequiredAcks};
use support::log;

/// Segments that are deleted one after another.
const SEGMENTS: usize = 200;
/// Times that all segments of a log go beside appends.
const ROUNDS: usize = 50;
/// Records are from the beginning of time, or from its end.
const OLD_MS: i64 = 0;
const NOW_MS: i64 = 1 << 40;

fn main() {
    let dir = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let dir = dir.join(format!("retention-cost-{}", std::process::id()));
    RealFs.create_dir_all(&dir).expect("the directory can be made");
    let without = one_by_one(&dir, "without", None);
    let with = one_by_one(&dir, "with", Some(1));
    println!("a segment of a log without producers: {without:.0?}; with one: {with:.0?}");
    println!("ratio: {:.1}", with.as_secs_f64() / without.as_secs_f64());
    let alone = slowest_append(&dir, "alone", false);
    let beside = slowest_append(&dir, "beside", true);
    println!("slowest append of a log alone: {alone:.0?}; while all its segments go: {beside:.0?}");
    RealFs.remove_dir_all(&dir).expect("the directory can be removed");
}

fn config() -> LogConfig {
    LogConfig { retention_ms: 1_000, ..LogConfig::default() }
}

fn append(log: &Arc<Log>, producer: Option<i64>, sequence: usize, timestamp: i64) {
    let mut builder = BatchBuilder::new();
    if let Some(id) = producer {
        builder = builder.producer(id, 0, i32::try_from(sequence).expect("few"));
    }
    builder.append(timestamp, None, Some(&[b'x'; 100]), &[]).expect("it fits");
    let batch = ValidatedBatch::internal(&builder.build().expect("it fits")).expect("it is whole");
    log.append_as_leader(&batch, 0, RequiredAcks::Leader, NOW_MS).expect("it is appended");
}

/// The time for one segment, where there is always another behind it.
fn one_by_one(dir: &Path, name: &str, producer: Option<i64>) -> Duration {
    let log = log(dir, name, config());
    append(&log, producer, 0, OLD_MS);
    let mut spent = Duration::ZERO;
    for sequence in 1..=SEGMENTS {
        log.roll().expect("it can be written");
        append(&log, producer, sequence, OLD_MS);
        log.delete_records_before(sequence as i64).expect("it is visible");
        log.update_config(LogConfig { retention_ms: -1, ..LogConfig::default() });
        let start = Instant::now();
        assert_eq!(log.delete_old_segments(NOW_MS).expect("it is deleted"), 1);
        spent += start.elapsed();
    }
    spent / SEGMENTS as u32
}

/// The slowest of appends that go on while a thread deletes all segments again and again. Records
/// are old at once, so that the active one goes too.
fn slowest_append(dir: &Path, name: &str, delete: bool) -> Duration {
    let log = log(dir, name, config());
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let appends = scope.spawn(|| {
            let (mut slowest, mut sequence) = (Duration::ZERO, 0);
            while !over.load(Ordering::Relaxed) {
                let start = Instant::now();
                append(&log, Some(1), sequence, OLD_MS);
                slowest = slowest.max(start.elapsed());
                sequence += 1;
                // A gap, so that nothing comes between a judgement and what is done about it.
                thread::sleep(Duration::from_micros(500));
            }
            slowest
        });
        let mut deleted = 0;
        while deleted < ROUNDS {
            match delete {
                true => {
                    deleted += log.delete_old_segments(NOW_MS).expect("they are deleted").min(1)
                }
                false => {
                    thread::sleep(Duration::from_millis(2));
                    deleted += 1;
                }
            }
        }
        over.store(true, Ordering::Relaxed);
        appends.join().expect("it has not panicked")
    })
}
