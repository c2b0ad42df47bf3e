//! Barnabas and Apache Kafka on this machine, interleaved, in one table.
//!
//! `cargo run --profile dist -p tests --bin compare -- [rounds] [barnabas|kafka] [scenario]`, after
//! `cargo build --profile dist -p broker` and `tests/java/fetch-jars`. Each scenario runs on one
//! broker, then at once on the other, so that both see the same machine; the table shows medians
//! with the spread. CPU is the broker's own, per GB of batches or request. With the name of a
//! broker only that one runs; `scenario` is a part of a scenario's name: only those run.

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints and may stop")]

use std::io::Write;
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
/// Kafka manages two thousand of these a second: this takes it ten seconds, and Barnabas long enough
/// for its first requests not to count.
const UNBATCHED_SYNCED: produce::Load = produce::Load { requests: 500, ..UNBATCHED_ALL };

/// More than one scenario writes.
const TOUCHED_MIB: usize = 1200;

type Run = fn(&Broker<'_>, &'static str, &mut Figures);

/// What is measured, in this order. Each works on the topic [`Broker::topic`] of its name, which is
/// deleted after it, so that one scenario's data does not weigh on the next.
const SCENARIOS: [(&str, Run); 6] = [
    ("produce 16 KiB batches of 100 B, acks=1", |broker, name, figures| {
        produce_bytes(broker, name, BATCHES_16K, figures);
    }),
    ("produce 64 KiB batches of 1 KiB, acks=1", |broker, name, figures| {
        produce_bytes(broker, name, BATCHES_64K, figures);
        let topic = broker.topic(name);
        catch_up(broker, "catch-up fetch, 64 KiB a partition", &topic, 64 << 10, figures);
        catch_up(broker, "catch-up fetch, 1 MiB a partition", &topic, 1 << 20, figures);
    }),
    ("unbatched 100 B, acks=1", |broker, name, figures| {
        produce_requests(broker, name, UNBATCHED, figures);
    }),
    ("unbatched 100 B, acks=all", |broker, name, figures| {
        produce_requests(broker, name, UNBATCHED_ALL, figures);
    }),
    ("unbatched 100 B, acks=all, Kafka with flush.messages=1", |broker, name, figures| {
        let configs: &[_] = if broker.is_kafka { &[("flush.messages", "1")] } else { &[] };
        let load = UNBATCHED_SYNCED;
        let (topic, partitions) = (broker.topic(name), load.partitions as i32);
        wire::create_topic_with(broker.bootstrap, &topic, partitions, configs);
        measure_requests(broker, name, &topic, load, figures);
    }),
    ("create 1,000 partitions", |broker, name, figures| {
        let topic = broker.topic(name);
        let ((), wall, cpu) = broker.timed(|| wire::create_topic(broker.bootstrap, &topic, 1000));
        figures.add(name, "s", wall);
        figures.add(name, "cpu-s", cpu);
    }),
];

/// A broker under measurement.
#[derive(Clone, Copy)]
struct Broker<'a> {
    bootstrap: &'a str,
    pid: u32,
    round: usize,
    is_kafka: bool,
}

impl Broker<'_> {
    /// A topic of this round alone, named like the scenario.
    fn topic(&self, scenario: &str) -> String {
        let legal = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        format!("{}-{}", scenario.chars().map(legal).collect::<String>(), self.round)
    }

    /// Seconds of wall time and CPU seconds of the broker while `work` ran.
    fn timed<T>(&self, work: impl FnOnce() -> T) -> (T, f64, f64) {
        let (cpu, start) = (cpu_seconds(self.pid), Instant::now());
        let result = work();
        (result, start.elapsed().as_secs_f64(), cpu_seconds(self.pid) - cpu)
    }
}

fn produce_bytes(
    broker: &Broker<'_>,
    name: &'static str,
    load: produce::Load,
    figures: &mut Figures,
) {
    let topic = broker.topic(name);
    wire::create_topic(broker.bootstrap, &topic, load.partitions as i32);
    let (done, wall, cpu) = broker.timed(|| produce::run(broker.bootstrap, &topic, load));
    figures.add(name, "MB/s", gigabytes(done.bytes) * 1000.0 / wall);
    figures.add(name, "cpu-s/GB", cpu / gigabytes(done.bytes));
}

fn produce_requests(
    broker: &Broker<'_>,
    name: &'static str,
    load: produce::Load,
    figures: &mut Figures,
) {
    let topic = broker.topic(name);
    wire::create_topic(broker.bootstrap, &topic, load.partitions as i32);
    measure_requests(broker, name, &topic, load, figures);
}

fn measure_requests(
    broker: &Broker<'_>,
    name: &'static str,
    topic: &str,
    load: produce::Load,
    figures: &mut Figures,
) {
    let (done, wall, cpu) = broker.timed(|| produce::run(broker.bootstrap, topic, load));
    figures.add(name, "requests/s", done.requests as f64 / wall);
    figures.add(name, "cpu-us/request", cpu * 1e6 / done.requests as f64);
}

fn catch_up(
    broker: &Broker<'_>,
    name: &'static str,
    topic: &str,
    partition_max_bytes: i32,
    figures: &mut Figures,
) {
    let read = || fetch::run(broker.bootstrap, topic, 4, partition_max_bytes);
    let (bytes, wall, cpu) = broker.timed(read);
    figures.add(name, "MB/s", gigabytes(bytes) * 1000.0 / wall);
    figures.add(name, "cpu-s/GB", cpu / gigabytes(bytes));
}

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

    fn find(&self, name: &str, unit: &str) -> Option<&Figure> {
        self.0.iter().find(|figure| figure.name == name && figure.unit == unit)
    }
}

fn gigabytes(bytes: usize) -> f64 {
    bytes as f64 / 1e9
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

/// Fills and frees the page cache that a scenario will need. A virtual machine's host takes free
/// memory back, and the first touch of such a page costs the writer several times what writing it
/// does: whoever comes first would pay for all.
fn touch_free_memory(directory: &std::path::Path) {
    let path = directory.join("touched");
    let mut file = std::fs::File::create(&path).expect("a directory that can be written");
    let block = vec![1; 1 << 20];
    for _ in 0..TOUCHED_MIB {
        file.write_all(&block).expect("space for a file");
    }
    std::fs::remove_file(&path).expect("the file is there");
}

/// What the command line asks for.
struct Asked {
    rounds: usize,
    barnabas: bool,
    kafka: bool,
    /// A part of the names of the scenarios to run.
    scenario: String,
}

fn asked() -> Asked {
    let mut asked = Asked { rounds: 3, barnabas: true, kafka: true, scenario: String::new() };
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "barnabas" => asked.kafka = false,
            "kafka" => asked.barnabas = false,
            text => match text.parse() {
                Ok(rounds) => asked.rounds = rounds,
                Err(_) => asked.scenario = argument,
            },
        }
    }
    asked
}

fn main() {
    let asked = asked();
    let (mut ours, mut theirs) = (Figures::default(), Figures::default());
    let node = Node::new();
    let barnabas = asked.barnabas.then(|| start_barnabas(&node, &mut ours));
    let kafka = asked.kafka.then(|| start_kafka(&mut theirs));
    // Round 0 warms the just-in-time compiler and the page cache, and does not count.
    for round in 0..=asked.rounds {
        for (name, run) in SCENARIOS.iter().filter(|(name, _)| name.contains(&asked.scenario)) {
            let measure = |bootstrap: &str, pid: u32, is_kafka: bool, figures: &mut Figures| {
                let broker = Broker { bootstrap, pid, round, is_kafka };
                let mut warm_up = Figures::default();
                touch_free_memory(node.scratch());
                run(&broker, name, if round == 0 { &mut warm_up } else { figures });
                wire::delete_topic(bootstrap, &broker.topic(name));
            };
            if let Some((broker, pid)) = &barnabas {
                measure(&broker.bootstrap(), *pid, false, &mut ours);
            }
            if let Some((broker, pid)) = &kafka {
                measure(&broker.bootstrap(), *pid, true, &mut theirs);
            }
        }
    }
    if let Some((broker, pid)) = barnabas {
        ours.add("memory after the load", "MB", resident_mb(pid));
        broker.stop();
    }
    if let Some((_broker, pid)) = &kafka {
        theirs.add("memory after the load", "MB", resident_mb(*pid));
    }
    print_table(&ours, &theirs);
}

/// One row a figure, in the order in which they were measured first.
fn print_table(ours: &Figures, theirs: &Figures) {
    println!("| what | unit | Barnabas | Kafka 4.4.0 | ratio |\n|---|---|---|---|---|");
    let rows = if ours.0.is_empty() { theirs } else { ours };
    for row in &rows.0 {
        let (our, their) = (ours.find(row.name, row.unit), theirs.find(row.name, row.unit));
        let ratio = our.zip(their).map_or_else(String::new, |(our, their)| {
            format!("{:.2}", median(&our.values) / median(&their.values))
        });
        let (our, their) = (spread(our), spread(their));
        println!("| {} | {} | {our} | {their} | {ratio} |", row.name, row.unit);
    }
}

/// `median (min-max)`
fn spread(figure: Option<&Figure>) -> String {
    let Some(Figure { values, .. }) = figure else { return String::new() };
    let digits = if median(values) < 10.0 { 3 } else { 0 };
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(0.0, f64::max);
    format!("{:.digits$} ({low:.digits$}-{high:.digits$})", median(values))
}
