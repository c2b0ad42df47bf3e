//! What many written logs cost to open and to close, apart from everything else in a broker: each
//! word is one step, timed with the CPU that it took.
//! `cargo run --release -p storage --example many_logs DIR COUNT [open|write|durable|close|kill]...`
#![allow(clippy::print_stdout, clippy::expect_used)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use protocol_codec::Uuid;
use protocol_codec::records::{BatchBuilder, ValidatedBatch};
use storage::fs::RealFs;
use storage::{
    DataDirs, DataDirsConfig, LogConfig, LogManager, LogManagerConfig, Placement, RequiredAcks,
    TopicPartition,
};

fn main() {
    let mut words = std::env::args().skip(1);
    let dir = PathBuf::from(words.next().expect("a directory"));
    let count = words.next().and_then(|word| word.parse().ok()).expect("a number");
    let mut manager = None;
    for (epoch, step) in (0..).zip(words) {
        let (before, started) = (cpu(), Instant::now());
        match step.as_str() {
            "open" => manager = Some(open(&dir)),
            "write" => write(manager.as_ref().expect("open"), count, epoch, RequiredAcks::Leader),
            "durable" => write(manager.as_ref().expect("open"), count, epoch, RequiredAcks::All),
            "close" => assert!(manager.take().expect("open").close(1)),
            "kill" => std::process::abort(),
            _ => panic!("{step} is no step"),
        }
        let (elapsed, cpu) = (started.elapsed().as_secs_f64(), (cpu() - before).as_secs_f64());
        println!("{step}: {elapsed:.2} s, {cpu:.2} s of CPU");
    }
}

fn open(dir: &std::path::Path) -> Arc<LogManager> {
    let fs = Arc::new(RealFs);
    let config = DataDirsConfig {
        log_dirs: vec![dir.to_owned()],
        metadata_dir: None,
        node_id: 1,
        cluster_id: None,
    };
    let dirs = DataDirs::open(&config, &*fs).expect("a directory of ours, or an empty one");
    std::fs::create_dir_all(dir.join("__cluster_metadata-1")).expect("it can be written");
    let config = LogManagerConfig { open_files_max: 4096, ..LogManagerConfig::default() };
    let (manager, report) = LogManager::open(config, dirs, fs, now(), &|_| {}).expect("it opens");
    assert!(report.failed.is_empty());
    Arc::new(manager)
}

/// One record to each log, in a new leader epoch.
fn write(manager: &LogManager, count: i32, epoch: i32, acks: RequiredAcks) {
    let mut builder = BatchBuilder::new();
    builder.append(now(), None, Some(&[b'x'; 100]), &[]).expect("it fits");
    let batch = ValidatedBatch::internal(&builder.build().expect("it fits")).expect("it is whole");
    let (done, durable) = mpsc::channel();
    for number in 0..count {
        let partition = TopicPartition::new("many", number);
        let config = LogConfig::default();
        let log = manager.get_or_create(&partition, Uuid::ONE, config, Placement::Any);
        let log = log.expect("a log");
        log.begin_leader_epoch(epoch);
        let end = log.append_as_leader(&batch, epoch, acks, now()).expect("it has room");
        if acks == RequiredAcks::All {
            let done = done.clone();
            let told = Box::new(move |durable: Result<_, _>| {
                done.send(durable.is_ok()).expect("somebody waits");
            });
            log.when_durable(end.last_offset + 1, told);
        }
    }
    drop(done);
    assert!(durable.iter().all(|durable| durable));
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.as_millis()).expect("before the year 292278994")
}

/// The time that this process has had, in user and system mode.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields = stat.rsplit(')').next().expect("the name is in parentheses");
    let ticks = fields.split_ascii_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(|field| field.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}
