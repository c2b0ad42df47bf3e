//! How long a node takes to serve again after `kill -9`, with much written and the page cache warm.
//!
//!     cargo run --release -p tests --bin restart [GIGABYTES [PARTITIONS [ROUNDS]]]

#![allow(clippy::print_stdout, clippy::expect_used, reason = "a program that prints figures")]

use std::time::Instant;

use tests::barnabas::Node;
use tests::load::measure::median;
use tests::load::produce::{self, Load};
use tests::load::wire;

const TOPIC: &str = "much";
const CONNECTIONS: usize = 4;
/// With 149 records of 100 bytes: what fits into the default `batch.size` of a producer.
const BATCH_BYTES: usize = 16_500;

fn main() {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse().expect("a number"));
    let bytes = numbers.next().unwrap_or(5_usize) * 1_000_000_000;
    let partitions = numbers.next().unwrap_or(100);
    let rounds = numbers.next().unwrap_or(3);
    let mut seconds = Vec::new();
    for _ in 0..rounds {
        seconds.push(round(bytes, partitions));
    }
    println!("median {:.3} s", median(&seconds));
}

fn round(bytes: usize, partitions: usize) -> f64 {
    let node = Node::new();
    let broker = node.start();
    let count = i32::try_from(partitions).expect("not that many");
    wire::create_topic(&node.bootstrap(), TOPIC, count);
    let load = Load {
        connections: CONNECTIONS,
        in_flight: 5,
        partitions,
        record_size: 100,
        records: 149,
        acks: 1,
        requests: bytes / BATCH_BYTES / CONNECTIONS,
    };
    let done = produce::run(&node.bootstrap(), TOPIC, load);
    broker.kill();
    let started = Instant::now();
    let broker = node.start();
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{:.2} GB in {partitions} partitions, serves {seconds:.3} s after exec",
        done.bytes as f64 / 1e9
    );
    broker.stop();
    seconds
}
