//! Barnabas and Apache Kafka on this machine, interleaved, in one table.
//!
//! `cargo run --profile dist -p tests --bin compare [rounds]`, after `cargo build --profile dist`
//! and `tests/java/fetch-jars`. Each round runs every scenario on one broker, then on the other;
//! the table shows medians with the spread. CPU is the broker's own, per GB of batches or request.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints and may stop")]

use std::time::Instant;
use tests::barnabas::{Barnabas, Node};
use tests::kafka::Kafka;
use tests::load::measure::{child_of, cpu_seconds, median, resident_mb};
use tests::load::{fetch, produce, wire};

const BATCHES_16K: produce::Load = produce::Load {
    connections: 4,
    in_flight: 5,
    partitions: 4,
    record_size: 100,
    records: 149,
    acks: 1,
    requests: 16_000,
};
const BATCHES_64K: produce::Load = produce::Load {
    partitions: 12,
    record_size: 1024,
    records: 62,
    requests: 4_000,
    ..BATCHES_16K
};
const UNBATCHED: produce::Load = produce::Load {
    connections: 50,
    in_flight: 5,
    partitions: 12,
    record_size: 100,
    records: 1,
    acks: 1,
    requests: 4_000,
};
const UNBATCHED_ALL: produce::Load = produce::Load { acks: -1, ..UNBATCHED };

/// One measured figure of one broker.
struct Figure {
    name: &'static str,
    unit: &'static str,
    values: Vec<f64>,
}

/// The figures of one broker, in the order they were first measured.
#[derive(Default)]
struct Figures(Vec<Figure>);

impl Figures {
    fn add(&mut self, name: &'static str, unit: &'static str, value: f64) {
        match self.0.iter_mut().find(|figure| figure.name == name && figure.unit == unit) {
            Some(figure) => figure.values.push(value),
            None => self.0.push(Figure { name, unit, values: vec![value] }),
        }
    }
}

/// Seconds of wall time and CPU seconds of the process while `work` ran.
fn timed<T>(pid: u32, work: impl FnOnce() -> T) -> (T, f64, f64) {
    let (cpu, start) = (cpu_seconds(pid), Instant::now());
    let result = work();
    (result, start.elapsed().as_secs_f64(), cpu_seconds(pid) - cpu)
}

fn gigabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e9
}

fn round(number: usize, bootstrap: &str, pid: u32, figures: &mut Figures) {
    let topic = |name: &str| format!("{name}-{number}");
    for (name, load) in [
        ("produce 16 KiB batches, acks=1", BATCHES_16K),
        ("produce 64 KiB batches, acks=1", BATCHES_64K),
    ] {
        let topic = topic("bytes");
        wire::create_topic(bootstrap, &topic, 12);
        let (done, wall, cpu) = timed(pid, || produce::run(bootstrap, &topic, load));
        figures.add(name, "MB/s", gigabytes(done.bytes) * 1000.0 / wall);
        figures.add(name, "cpu-s/GB", cpu / gigabytes(done.bytes));
        if load.records == BATCHES_64K.records {
            for (name, size) in
                [("catch-up fetch 64 KiB", 64 * 1024), ("catch-up fetch 1 MiB", 1024 * 1024)]
            {
                let (bytes, wall, cpu) = timed(pid, || fetch::run(bootstrap, &topic, 4, size));
                figures.add(name, "MB/s", gigabytes(bytes) * 1000.0 / wall);
                figures.add(name, "cpu-s/GB", cpu / gigabytes(bytes));
            }
        }
        wire::delete_topic(bootstrap, &topic);
    }
    for (name, load) in
        [("unbatched 100 B, acks=1", UNBATCHED), ("unbatched 100 B, acks=all", UNBATCHED_ALL)]
    {
        let topic = topic(if load.acks == 1 { "one" } else { "all" });
        wire::create_topic(bootstrap, &topic, 12);
        let (done, wall, cpu) = timed(pid, || produce::run(bootstrap, &topic, load));
        figures.add(name, "requests/s", done.requests as f64 / wall);
        figures.add(name, "cpu-us/request", cpu * 1e6 / done.requests as f64);
        wire::delete_topic(bootstrap, &topic);
    }
    let many = topic("many");
    let (_, wall, cpu) = timed(pid, || wire::create_topic(bootstrap, &many, 1000));
    figures.add("create 1,000 partitions", "s", wall);
    figures.add("create 1,000 partitions", "cpu-s", cpu);
    wire::delete_topic(bootstrap, &many);
}

fn start_barnabas(node: &Node, figures: &mut Figures) -> (Barnabas, u32) {
    let begun = Instant::now();
    let mut broker = node.start();
    figures.add("start to ready, fresh directory", "s", begun.elapsed().as_secs_f64());
    let pid = broker.process().pid();
    figures.add("memory idle", "MB", resident_mb(pid));
    (broker, pid)
}

fn start_kafka(figures: &mut Figures) -> (Kafka, u32) {
    let kafka = Kafka::start_like_production(|seconds| {
        figures.add("start to ready, fresh directory", "s", seconds)
    });
    let pid = child_of(kafka.pid());
    figures.add("memory idle", "MB", resident_mb(pid));
    (kafka, pid)
}

fn main() {
    let rounds: usize =
        std::env::args().nth(1).map_or(3, |text| text.parse().expect("a number of rounds"));
    let (mut ours, mut theirs) = (Figures::default(), Figures::default());
    let node = Node::new();
    let (broker, our_pid) = start_barnabas(&node, &mut ours);
    let (kafka, their_pid) = start_kafka(&mut theirs);
    // One round that does not count warms Kafka's just-in-time compiler.
    round(0, &kafka.bootstrap(), their_pid, &mut Figures::default());
    for number in 1..=rounds {
        round(number, &broker.bootstrap(), our_pid, &mut ours);
        round(number, &kafka.bootstrap(), their_pid, &mut theirs);
    }
    ours.add("memory after the load", "MB", resident_mb(our_pid));
    theirs.add("memory after the load", "MB", resident_mb(their_pid));
    print_table(&ours, &theirs);
    broker.stop();
}

fn print_table(ours: &Figures, theirs: &Figures) {
    println!("| what | unit | Barnabas | Kafka 4.4.0 | ratio |\n|---|---|---|---|---|");
    for figure in &ours.0 {
        let other =
            theirs.0.iter().find(|other| other.name == figure.name && other.unit == figure.unit);
        let Some(other) = other else { continue };
        let ratio = median(&figure.values) / median(&other.values);
        println!(
            "| {} | {} | {} | {} | {ratio:.2} |",
            figure.name,
            figure.unit,
            spread(figure),
            spread(other)
        );
    }
}

/// `median (min-max)`
fn spread(figure: &Figure) -> String {
    let digits = if median(&figure.values) < 10.0 { 3 } else { 0 };
    let low = figure.values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = figure.values.iter().copied().fold(0.0, f64::max);
    format!("{:.digits$} ({low:.digits$}-{high:.digits$})", median(&figure.values))
}
