//! What many partitions cost one node: until they serve, when nothing happens, and when all of
//! them have been written to; to stop it, and to start it after that and after a `kill -9`.
//!
//!     cargo run --release -p tests --bin partitions [COUNT [SECONDS IDLE]]

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program that prints figures")]

use std::fs;
use std::time::{Duration, Instant};

use tests::barnabas::{Barnabas, Node};
use tests::load::produce::{self, Load};
use tests::load::wire;

/// How long the idle node is watched, unless it is said.
const IDLE_SECONDS: usize = 20;

const TOPIC: &str = "many";

fn main() {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse().expect("a number"));
    let count: usize = numbers.next().unwrap_or(10_000);
    let idle = Duration::from_secs(numbers.next().unwrap_or(IDLE_SECONDS) as u64);
    let node = Node::new();
    let mut broker = node.start();
    report("empty", &mut broker, &node, idle);

    let started = Instant::now();
    wire::create_topic(&node.bootstrap(), TOPIC, i32::try_from(count).expect("not that many"));
    println!("{count} partitions created, all serve: {:.2} s", started.elapsed().as_secs_f64());
    report("never written", &mut broker, &node, idle);

    for (name, acks) in [("acks=1", 1), ("acks=all", -1)] {
        write_all(name, acks, count, &node);
        report(name, &mut broker, &node, idle);
    }
    stop(broker);
    let mut broker = start("start", &node);
    report("started again", &mut broker, &node, idle);
    write_all("acks=1", 1, count, &node);
    broker.kill();
    stop(start("start after kill -9", &node));
}

/// Has four records written to each partition.
fn write_all(name: &str, acks: i16, count: usize, node: &Node) {
    let load = Load {
        connections: 4,
        in_flight: 5,
        partitions: count,
        record_size: 100,
        records: 1,
        acks,
        requests: count,
    };
    let started = Instant::now();
    let done = produce::run(&node.bootstrap(), TOPIC, load);
    println!("{} records, {name}: {:.2} s", done.requests, started.elapsed().as_secs_f64());
}

fn stop(mut broker: Barnabas) {
    let (before, ended_before) = (cpu(broker.process().pid()), cpu_of_ended());
    let started = Instant::now();
    broker.stop();
    let (elapsed, cpu) = (started.elapsed(), cpu_of_ended() - ended_before - before);
    println!("clean stop: {:.2} s, {:.2} s of CPU", elapsed.as_secs_f64(), cpu.as_secs_f64());
}

fn start(what: &str, node: &Node) -> Barnabas {
    let started = Instant::now();
    let mut broker = node.start();
    let (elapsed, cpu) = (started.elapsed(), cpu(broker.process().pid()));
    println!("{what}: {:.2} s, {:.2} s of CPU", elapsed.as_secs_f64(), cpu.as_secs_f64());
    broker
}

/// Prints memory, descriptors, and the part of a core that the node takes while it is idle.
fn report(state: &str, broker: &mut Barnabas, node: &Node, idle: Duration) {
    let pid = broker.process().pid();
    let before = cpu(pid);
    std::thread::sleep(idle);
    let used = (cpu(pid) - before).as_secs_f64() / idle.as_secs_f64();
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count();
    println!(
        "{state}: {:.2} % of a core idle, RSS {} MB, {descriptors} descriptors, {} folders",
        used * 100.0,
        resident(pid) >> 20,
        fs::read_dir(node.data()).expect("it has data").count()
    );
}

/// The time that a process has had, in user and system mode.
fn cpu(pid: u32) -> Duration {
    // utime and stime are fields 14 and 15; the first after the name is field 3.
    ticks(&format!("/proc/{pid}/stat"), 11)
}

/// The same of all processes that this one has started and seen end.
fn cpu_of_ended() -> Duration {
    ticks("/proc/self/stat", 13)
}

fn ticks(path: &str, skipped: usize) -> Duration {
    let stat = fs::read_to_string(path).expect("it runs");
    let fields = stat.rsplit(')').next().expect("the name is in parentheses");
    let ticks: u64 = fields
        .split_ascii_whitespace()
        .skip(skipped)
        .take(2)
        .map(|field| field.parse::<u64>().expect("a number"))
        .sum();
    Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second())
}

fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux");
    let kib: u64 =
        line.split_ascii_whitespace().nth(1).expect("a number").parse().expect("a number");
    kib * 1024
}
