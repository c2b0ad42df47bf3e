//! Record batches against Kafka's own classes, by `tests/java/RecordBatches.java`.

use std::path::Path;
use std::process::Command;

use bytes::Bytes;
use protocol_codec::records::{BatchBuilder, Compression, Header};
use tests::environment::{kafka_libs, workspace};

mod differential;
#[path = "../../../protocol-codec/tests/it/records/text.rs"]
mod text;

/// Runs the Java program and returns what it wrote.
fn java(mode: &str, input: Option<&[u8]>) -> String {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (directory.path().join("in"), directory.path().join("out"));
    let mut command = Command::new("java");
    command
        .args(["-cp", &kafka_libs()])
        .arg(workspace().join("tests/java/RecordBatches.java"))
        .arg(mode);
    if let Some(bytes) = input {
        std::fs::write(&from, bytes).unwrap();
        command.arg(&from);
    }
    let status = command.arg(&to).status().expect("java is installed");
    assert!(status.success(), "RecordBatches.java {mode} failed");
    read(&to)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// A batch that uses everything: keys, nulls, headers, a record larger than every window.
fn rich(builder: BatchBuilder) -> Bytes {
    let mut builder = builder;
    let large: Vec<u8> = (0..100_000_u32).map(|at| (at / 999) as u8 ^ (at % 5) as u8).collect();
    let header = |value| Header { key: "schlüssel".as_bytes(), value };
    builder.append(1000, Some(b"key"), Some(b"value"), &[]).unwrap();
    builder.append(900, None, Some(b""), &[header(None), header(Some(b"1"))]).unwrap();
    builder.append(2000, Some(b""), None, &[header(Some(&large[..300]))]).unwrap();
    builder.append(1500, Some(&large[..70]), Some(&large), &[]).unwrap();
    for at in 0..100 {
        builder.append(1000 + at, None, Some(&large[at as usize..100]), &[]).unwrap();
    }
    builder.append(-1, None, None, &[]).unwrap();
    builder.build().unwrap()
}

#[test]
fn golden_batches_are_those_of_the_live_jars() {
    let kept = read(&workspace().join("protocol-codec/tests/golden/records.txt"));
    let made = java("golden", None);
    let differing = made.lines().zip(kept.lines()).find(|(made, kept)| made != kept);
    assert_eq!(differing, None, "tests/java/RecordBatches.java says how to write the file again");
    assert_eq!(made.len(), kept.len());
}

#[test]
fn kafka_reads_what_the_builder_writes() {
    let mut batches = Vec::new();
    for kind in Compression::ALL {
        let levels: &[Option<i32>] = match kind {
            Compression::None | Compression::Snappy => &[None],
            Compression::Gzip => &[None, Some(1), Some(9)],
            Compression::Lz4 => &[None, Some(17)],
            Compression::Zstd => &[None, Some(-7), Some(19), Some(22)],
        };
        for level in levels {
            let builder = || BatchBuilder::new().compression(kind, *level);
            batches.extend(rich(builder().base_offset(77).leader_epoch(4)));
            batches.extend(rich(builder().producer(12, 3, i32::MAX - 1).transactional(true)));
            batches.extend(rich(builder().log_append_time(5_000)));
        }
    }
    let kafkas = java("read", Some(&batches));
    assert_eq!(kafkas, text::of(&batches.into()));
}
