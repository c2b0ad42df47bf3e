//! What many partitions cost one node: until they serve, when nothing happens, and when all of
//! them have been written to. `cargo run --release -p tests --bin partitions [COUNT]`

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program that prints figures")]

use std::fs;
use std::time::{Duration, Instant};

use tests::barnabas::{Barnabas, Node};
use tests::load::produce::{self, Load};
use tests::load::wire;

/// How long the idle node is watched.
const IDLE: Duration = Duration::from_secs(20);

const TOPIC: &str = "many";

fn main() {
    let count = std::env::args().nth(1).map_or(10_000, |word| word.parse().expect("a number"));
    let node = Node::new();
    let mut broker = node.start();
    report("empty", &mut broker, &node);

    let started = Instant::now();
    wire::create_topic(&node.bootstrap(), TOPIC, i32::try_from(count).expect("not that many"));
    println!("{count} partitions created, all serve: {:.2} s", started.elapsed().as_secs_f64());
    report("never written", &mut broker, &node);

    for (name, acks) in [("acks=1", 1), ("acks=all", -1)] {
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
        report(name, &mut broker, &node);
    }

    let started = Instant::now();
    broker.stop();
    println!("clean stop: {:.2} s", started.elapsed().as_secs_f64());
    let started = Instant::now();
    let mut broker = node.start();
    println!("start: {:.2} s", started.elapsed().as_secs_f64());
    report("started again", &mut broker, &node);
    broker.stop();
}

/// Prints memory, descriptors, and the part of a core that the node takes while it is idle.
fn report(state: &str, broker: &mut Barnabas, node: &Node) {
    let pid = broker.process().pid();
    let before = cpu(pid);
    std::thread::sleep(IDLE);
    let used = (cpu(pid) - before).as_secs_f64() / IDLE.as_secs_f64();
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
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let fields = stat.rsplit(')').next().expect("the name is in parentheses");
    // utime and stime are fields 14 and 15; the first after the name is field 3.
    let ticks: u64 = fields
        .split_ascii_whitespace()
        .skip(11)
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
