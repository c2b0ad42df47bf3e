//! A disk that fills up under load: appends are refused, reads go on, and when space is back so are
//! the appends, without a restart.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use protocol_codec::ErrorCode;
use tests::barnabas::Node;
use tests::client::Client;
use tests::disk::LoopDisk;
use tests::topics::try_create_topic;

use super::numbered::Numbered;

#[test]
fn a_full_disk_passes_without_a_restart() {
    let Some(disk) = LoopDisk::new(256) else { return };
    let node = Node::new().on(&disk.path()).with("num.partitions", "3");
    let mut broker = node.start();
    let mut load = Numbered::new(&node.bootstrap(), "full", 3);
    load.produce_until_acked(1_000);

    let ballast = disk.path().join("ballast");
    fill(&ballast);
    load.produce_until(|_| broker.process().output().contains("is out of space"));
    load.check(&node.bootstrap());
    // The controller keeps a reserve: what it still takes it keeps, what it refuses is not there.
    let created = create_topic(&node.bootstrap(), "while-full");

    fs::remove_file(&ballast).expect("the ballast is there");
    load.produce_until_acked(1_000);
    load.finish();
    load.check(&node.bootstrap());
    assert_eq!(create_topic(&node.bootstrap(), "afterwards"), ErrorCode::None.code());
    broker.kill();
    let broker = node.start();
    load.check(&node.bootstrap());
    let exists = ErrorCode::TopicAlreadyExists.code();
    assert_eq!(create_topic(&node.bootstrap(), "afterwards"), exists);
    let is_there = create_topic(&node.bootstrap(), "while-full") == exists;
    assert_eq!(is_there, created == ErrorCode::None.code(), "answered with {created}");
    broker.stop();
}

/// The error code of the answer.
fn create_topic(bootstrap: &str, name: &str) -> i16 {
    try_create_topic(&mut Client::connect(bootstrap), name, 1, &[]).error_code
}

/// Takes all the room there is.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("a new file");
    for size in [1 << 20, 4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}
