//! `kafka-console-producer` and `kafka-console-consumer`: the first thing every user tries.

use crate::against::both;
use tests::tool::{run, run_with_input};

/// Produces lines with keys and headers, with one compression, and reads them all back.
fn round_trip(
    bootstrap: &str,
    topic: &str,
    producer_arguments: &str,
    input: &str,
    count: usize,
) -> String {
    let produced = run_with_input(
        "kafka-console-producer",
        &format!("--bootstrap-server {bootstrap} --topic {topic} {producer_arguments}"),
        input,
    );
    let _ = produced.ok();
    let consumed = run(
        "kafka-console-consumer",
        &format!(
            "--bootstrap-server {bootstrap} --topic {topic} --from-beginning --max-messages {count} \
             --timeout-ms 30000 --property print.key=true --property print.headers=true \
             --property print.offset=true --property print.partition=true"
        ),
    );
    consumed.ok()
}

#[test]
fn lines_come_back_in_order() {
    both(|bootstrap| round_trip(bootstrap, "console-plain", "", "one\ntwo\nthree\n", 3));
}

#[test]
fn keys_and_headers_survive() {
    both(|bootstrap| {
        let arguments = "--property parse.key=true --property parse.headers=true";
        round_trip(bootstrap, "console-keys", arguments, "h1:v1,h2:v2\tk1\tone\nh1:x\tk2\ttwo\n", 2)
    });
}

#[test]
fn every_compression_is_readable() {
    both(|bootstrap| {
        ["gzip", "snappy", "lz4", "zstd"]
            .map(|codec| {
                let topic = format!("console-{codec}");
                let arguments = format!("--compression-codec {codec}");
                round_trip(bootstrap, &topic, &arguments, "alpha\nbeta\ngamma\n", 3)
            })
            .join("\n")
    });
}
