//! A disk that fills up under load: appends are refused, reads go on, and when space is back so are
//! the appends, without a restart.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use tests::barnabas::Node;
use tests::disk::LoopDisk;

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

    fs::remove_file(&ballast).expect("the ballast is there");
    load.produce_until_acked(1_000);
    load.finish();
    load.check(&node.bootstrap());
    broker.kill();
    let broker = node.start();
    load.check(&node.bootstrap());
    broker.stop();
}

/// Takes all the room there is.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("a new file");
    for size in [1 << 20, 4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}
