//! Compaction by Barnabas and by Kafka's own cleaner, of the same logs, interleaved, in one table.
//!
//! `cargo run --profile dist -p tests --bin compaction -- [rounds] [thousands of keys]`, after
//! `tests/java/fetch-jars`. Files go to `TMPDIR`: 4 GB for a million keys. Each cleaner is a process
//! of its own that cleans one copy of a log after the other, alone, with a broker's defaults: one
//! thread, 128 MiB for the keys, buffers of 256 KiB. Time and CPU are those of the cleaning, without
//! the opening of the log; memory is the most that the process ever had.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints and may stop")]

use std::collections::BTreeMap;
use std::fs;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use protocol_codec::Uuid;
use protocol_codec::records::{BatchBuilder, ValidatedBatch};
use storage::{CleanupPolicy, LogConfig, Placement, RequiredAcks, TopicPartition};
use tests::cleaning::{At, kafkas_cleaner, open_logs};
use tests::load::measure::{median, peak_resident_mb};
use tests::process::Process;

const BEGIN_MS: i64 = 1_700_000_000_000;
const VALUE_BYTES: usize = 1024;
/// What fits into the default `batch.size` of a producer.
const BATCH_RECORDS: usize = 15;
const MAP_BYTES: u64 = 128 << 20;
const SETTINGS: [(&str, &str); 2] = [("cleanup.policy", "compact"), ("segment.bytes", "268435456")];
/// How long one cleaning may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// All numbers below the given one, each of them twice.
type Order = fn(u32) -> Vec<u32>;

/// In which order the keys come: each of them twice, so that half of the bytes go.
const ORDERS: [(&str, Order); 2] = [
    ("all keys, then all again", |keys| (0..keys).chain(0..keys).collect()),
    ("each key twice, shuffled", |keys| {
        let mut order: Vec<u32> = (0..keys).chain(0..keys).collect();
        let mut numbers = Numbers(1);
        for left in (1..order.len()).rev() {
            order.swap(left, (numbers.next() % (left as u64 + 1)) as usize);
        }
        order
    }),
];

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
}

fn config() -> LogConfig {
    LogConfig {
        cleanup_policy: CleanupPolicy { delete: false, compact: true },
        segment_bytes: 256 << 20,
        ..LogConfig::default()
    }
}

fn partition() -> TopicPartition {
    TopicPartition::new("compacted", 0)
}

/// Writes the log that both will clean, closed cleanly.
fn write_log(dir: &Path, keys: &[u32]) {
    fs::create_dir_all(dir).expect("a directory");
    let logs = open_logs(dir, config(), BEGIN_MS);
    let log = logs.get_or_create(&partition(), Uuid::ONE, config(), Placement::Any);
    let log = log.expect("a log");
    let mut numbers = Numbers(2);
    let mut value: Vec<u8> = (0..VALUE_BYTES).map(|_| numbers.next() as u8).collect();
    let append = |records: &mut dyn Iterator<Item = (u32, Vec<u8>)>| {
        let mut builder = BatchBuilder::new();
        for (key, value) in records {
            let key = format!("user-{key:011}");
            builder.append(BEGIN_MS, Some(key.as_bytes()), Some(&value), &[]).expect("a record");
        }
        let batch = ValidatedBatch::internal(&builder.build().expect("a batch")).expect("a batch");
        let _ = log.append_as_leader(&batch, 0, RequiredAcks::Leader, BEGIN_MS).expect("an append");
    };
    for keys in keys.chunks(BATCH_RECORDS) {
        append(&mut keys.iter().map(|key| {
            let at = numbers.next() as usize % VALUE_BYTES;
            value[at] = value[at].wrapping_add(1);
            (*key, value.clone())
        }));
    }
    log.roll().expect("a segment behind all of these");
    append(&mut [(u32::MAX, Vec::new())].into_iter());
    assert!(logs.close(1), "the log is closed cleanly");
}

/// What one cleaning took.
#[derive(Clone, Copy, Debug)]
struct Cost {
    wall_seconds: f64,
    cpu_seconds: f64,
}

/// A process that cleans the directories that it is told.
struct Cleaner {
    process: Process,
    cleaned: usize,
}

impl Cleaner {
    fn barnabas() -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        Self { process: Process::start("cleaner", command.arg(CLEAN)), cleaned: 0 }
    }

    /// With the heap of `kafka-server-start.sh`.
    fn kafka() -> Self {
        let jvm = ["-Xms1g", "-Xmx1g", "-XX:+UseG1GC"];
        let mut command = kafkas_cleaner(&jvm, &[], &SETTINGS);
        Self { process: Process::start("Kafka's cleaner", &mut command), cleaned: 0 }
    }

    /// Cleans a log and returns what it took.
    fn clean(&mut self, dir: &Path) -> Cost {
        rustix::fs::sync();
        self.process.tell(&format!("{} {BEGIN_MS} {MAP_BYTES} 0", dir.display()));
        let line = self.process.wait_for_nth_line("RANGE ", self.cleaned, PATIENCE);
        self.cleaned += 1;
        let micros: Vec<f64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
        let [.., wall, cpu] = micros[..] else { panic!("{line}") };
        Cost { wall_seconds: wall / 1e6, cpu_seconds: cpu / 1e6 }
    }
}

/// The argument with which this program is the cleaner of Barnabas.
const CLEAN: &str = "clean";

/// Says the same as `Clean.java`.
fn clean_what_is_asked_for() {
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("words");
        let partition_dir = Path::new(line.split(' ').next().expect("a directory"));
        let logs = open_logs(partition_dir.parent().expect("a log directory"), config(), BEGIN_MS);
        let log = logs.get_or_create(&partition(), Uuid::ONE, config(), Placement::Any);
        log.expect("a log").set_clean_point(0);
        let (cpu, begun) = (own_cpu(), Instant::now());
        let done = logs.clean_now(&partition(), &At(BEGIN_MS)).expect("a log to clean");
        let (took, cpu) = (begun.elapsed(), own_cpu() - cpu);
        let end = done.end_offset;
        println!("RANGE 0 {end} {end} {} {}", took.as_micros(), cpu.as_micros());
        assert!(logs.close(1), "the log is closed cleanly");
    }
}

fn own_cpu() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(spent).expect("a time since the start")
}

/// The same log once more. What a cleaning only reads is shared, so that neither cleaner finds more
/// of it in the page cache.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let (path, copy) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            self::copy(&path, &copy);
        } else if path.extension().is_some_and(|end| end == "log") {
            fs::hard_link(&path, &copy).expect("a second name");
        } else {
            fs::copy(&path, &copy).expect("a copy");
        }
    }
}

/// The segments in a directory, and how many bytes they have.
fn segments(dir: &Path) -> BTreeMap<PathBuf, u64> {
    let files = fs::read_dir(dir).expect("a directory").flatten();
    let segments = files.filter(|file| file.path().extension().is_some_and(|end| end == "log"));
    segments
        .map(|file| (PathBuf::from(file.file_name()), file.metadata().expect("a file").len()))
        .collect()
}

/// Both must have made the same of it.
fn assert_same(ours: &Path, kafkas: &Path) {
    let (of_ours, of_kafkas) = (segments(ours), segments(kafkas));
    assert_eq!(of_ours, of_kafkas, "the same segments");
    for name in of_ours.keys() {
        let read = |dir: &Path| fs::read(dir.join(name)).expect("a segment");
        assert!(read(ours) == read(kafkas), "{} differs", name.display());
    }
}

fn main() {
    let mut words = std::env::args().skip(1);
    let first = words.next();
    if first.as_deref() == Some(CLEAN) {
        clean_what_is_asked_for();
        return;
    }
    let rounds = first.map_or(3, |word| word.parse::<usize>().expect("a number of rounds"));
    let thousands = words.next().map_or(1000, |word| word.parse::<u32>().expect("a number"));
    let directory = tempfile::tempdir().expect("a temporary directory");
    println!("| log | unit | Barnabas | Kafka 4.4.0 | ratio |\n|---|---|---|---|---|");
    for (name, order) in ORDERS {
        let source = directory.path().join("source");
        write_log(&source, &order(thousands * 1000));
        measure(name, &source, rounds);
        fs::remove_dir_all(source).expect("no longer needed");
    }
}

/// Round 0 warms Kafka's compiler and compares what the two have left of the log.
fn measure(name: &str, source: &Path, rounds: usize) {
    let (mut ours, mut theirs) = (Cleaner::barnabas(), Cleaner::kafka());
    let (mut our_costs, mut their_costs) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let place = |who: &str| source.with_file_name(who);
        for who in ["barnabas", "kafka"] {
            copy(source, &place(who));
        }
        let dirs = ["barnabas", "kafka"].map(|who| place(who).join(partition().dir_name()));
        let costs = (ours.clean(&dirs[0]), theirs.clean(&dirs[1]));
        if round == 0 {
            assert_same(&dirs[0], &dirs[1]);
        } else {
            our_costs.push(costs.0);
            their_costs.push(costs.1);
        }
        for who in ["barnabas", "kafka"] {
            fs::remove_dir_all(place(who)).expect("no longer needed");
        }
    }
    let seconds = |costs: &[Cost], of: fn(&Cost) -> f64| costs.iter().map(of).collect::<Vec<_>>();
    for (unit, of) in
        [("s", (|cost| cost.wall_seconds) as fn(&Cost) -> f64), ("CPU s", |cost| cost.cpu_seconds)]
    {
        let (our, their) = (seconds(&our_costs, of), seconds(&their_costs, of));
        let ratio = median(&their) / median(&our);
        println!("| {name} | {unit} | {} | {} | {ratio:.2} |", spread(&our), spread(&their));
    }
    let (our, their) =
        (peak_resident_mb(ours.process.pid()), peak_resident_mb(theirs.process.pid()));
    println!("| | MB at most | {our:.0} | {their:.0} | {:.2} |", their / our);
}

/// `median (min-max)`
fn spread(values: &[f64]) -> String {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(0.0, f64::max);
    format!("{:.2} ({low:.2}-{high:.2})", median(values))
}
