//! Tests of the dump on small files: golden lines in both formats, and damage.

use protocol_codec::coordinator_records::consumer_offsets::{
    Key, OffsetCommitKey, OffsetCommitValue, Value as OffsetsValue,
};
use protocol_codec::metadata_records::{FeatureLevelRecord, MetadataRecord};
use protocol_codec::records::control::EndTransactionMarker;
use protocol_codec::records::record::Header;
use protocol_codec::records::{BatchBuilder, Compression};

use super::*;

/// A directory of a partition with one file in it.
struct Fixture {
    _dir: tempfile::TempDir,
    file: PathBuf,
}

fn fixture(folder: &str, name: &str, bytes: &[u8]) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(folder);
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join(name);
    std::fs::write(&file, bytes).unwrap();
    Fixture { _dir: dir, file }
}

/// What is written for the file, without its path, and whether it is good.
fn dumped(fixture: &Fixture, records: bool, json: bool) -> (String, bool) {
    let args = DumpArgs { files: vec![fixture.file.clone()], records, json, decoder: None };
    let mut out = Vec::new();
    let good = args.dump(&mut out).unwrap();
    let path = fixture.file.display().to_string();
    (String::from_utf8(out).unwrap().replace(&path, "FILE"), good)
}

fn lines(fixture: &Fixture, records: bool) -> String {
    let (text, good) = dumped(fixture, records, false);
    assert!(good, "{text}");
    text
}

fn log() -> Vec<u8> {
    let mut first = BatchBuilder::new().producer(7, 1, 4).compression(Compression::Gzip, None);
    let header = Header { key: b"h", value: Some(b"v") };
    first.append(1000, Some(b"key"), Some(b"va\nlue"), &[header]).unwrap();
    first.append(1001, Some(&[0xff, 0]), None, &[]).unwrap();
    let marker = EndTransactionMarker { committed: false, coordinator_epoch: 3 };
    let second = marker.to_batch(1002, 7, 1).unwrap();
    let mut log = first.build().unwrap().to_vec();
    log[7] = 40;
    let start = log.len();
    log.extend_from_slice(&second);
    log[start + 7] = 42;
    log
}

/// The crc and size of compressed batches are the codec's business.
fn without_varying(text: &str) -> String {
    let keep = |words: &mut std::iter::Peekable<std::str::SplitWhitespace<'_>>| {
        let mut kept = Vec::new();
        while let Some(word) = words.next() {
            if matches!(word, "crc:" | "size:" | "position:") {
                let _value = words.next();
                continue;
            }
            kept.push(word);
        }
        kept.join(" ")
    };
    text.lines().map(|line| keep(&mut line.split_whitespace().peekable()) + "\n").collect()
}

#[test]
fn a_segment_is_shown_as_kafka_shows_it() {
    let fixture = fixture("orders-0", "00000000000000000040.log", &log());
    let wanted = "Dumping FILE
Log starting offset: 40
baseOffset: 40 lastOffset: 41 count: 2 baseSequence: 4 lastSequence: 5 producerId: 7 producerEpoch: 1 partitionLeaderEpoch: -1 isTransactional: false isControl: false deleteHorizonMs: none CreateTime: 1001 magic: 2 compresscodec: gzip isvalid: true
| offset: 40 CreateTime: 1000 keySize: 3 valueSize: 6 sequence: 4 headers: [h=v] key: key payload: va\\nlue
| offset: 41 CreateTime: 1001 keySize: 2 valueSize: -1 sequence: 5 headers: [] key: \\xff\\x00
baseOffset: 42 lastOffset: 42 count: 1 baseSequence: -1 lastSequence: -1 producerId: 7 producerEpoch: 1 partitionLeaderEpoch: -1 isTransactional: true isControl: true deleteHorizonMs: none CreateTime: 1002 magic: 2 compresscodec: none isvalid: true
| offset: 42 CreateTime: 1002 keySize: 4 valueSize: 6 sequence: -1 headers: [] endTxnMarker: ABORT coordinatorEpoch: 3
";
    assert_eq!(without_varying(&lines(&fixture, true)), wanted);
    let without_records: String = wanted
        .lines()
        .filter(|line| !line.starts_with('|'))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(without_varying(&lines(&fixture, false)), without_records);

    let (json, good) = dumped(&fixture, true, true);
    assert!(good);
    let second = json.lines().nth(1).unwrap();
    assert_eq!(
        second,
        r#"{"kind":"record","file":"FILE","offset":40,"CreateTime":1000,"keySize":3,"valueSize":6,"sequence":4,"headers":[{"key":"h","value":"v"}],"key":"key","payload":"va\nlue"}"#
    );
    assert_eq!(json.lines().count(), 5);
}

#[test]
fn damage_ends_a_file_with_its_position() {
    let good = log();
    let second = good.len() - 78;
    for (bytes, shown) in [
        // In the middle of a batch.
        (good[..good.len() - 1].to_vec(), 1),
        // A flipped bit in the second batch: it is shown, as not valid.
        ([&good[..good.len() - 1], &[good[good.len() - 1] ^ 1]].concat(), 2),
    ] {
        let fixture = fixture("orders-0", "00000000000000000040.log", &bytes);
        let (text, is_good) = dumped(&fixture, false, false);
        assert!(!is_good);
        assert_eq!(text.matches("baseOffset").count(), shown, "{text}");
        let mut dump = Dump { out: Vec::new(), format: Format::Text, file: &fixture.file };
        let source = Source { fs: &RealFs, path: &fixture.file, restored: None };
        let error = batches::dump(&source, &mut dump, None).unwrap_err();
        assert!(
            matches!(&error, Failed::File(Some(at), what)
                if *at == second as u64 && what.starts_with("damaged: ")),
            "{second} {error:?}"
        );
    }
    let fixture = fixture("orders-0", "notes.txt", b"");
    assert!(!dumped(&fixture, false, false).1);
}

#[test]
fn internal_topics_are_decoded_by_their_names() {
    let key =
        Key::OffsetCommit(OffsetCommitKey { group: "g".into(), topic: "t".into(), partition: 7 });
    let value = OffsetsValue::OffsetCommit(OffsetCommitValue { offset: 42, ..Default::default() });
    let mut batch = BatchBuilder::new();
    let (key, value) = (key.encode().unwrap(), value.encode(3).unwrap());
    batch.append(0, Some(&key), Some(&value), &[]).unwrap();
    batch.append(0, Some(&key), None, &[]).unwrap();
    batch.append(0, Some(b"what is this"), Some(b"v"), &[]).unwrap();
    let bytes = batch.build().unwrap();
    let name = "00000000000000000000.log";
    let text = lines(&fixture("__consumer_offsets-3", name, &bytes), true);
    let key = r#"key: {"type":"1","data":{"group":"g","topic":"t","partition":7}}"#;
    let payload = r#"payload: {"version":"3","data":{"offset":42,"leaderEpoch":-1,"metadata":"","commitTimestamp":0}}"#;
    let shown: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    assert!(shown[0].ends_with(&format!("{key} {payload}")), "{text}");
    assert!(shown[1].ends_with(key), "{text}");
    assert!(shown[2].ends_with("key: what is this payload: v"), "{text}");
    let text = lines(&fixture("other-3", name, &bytes), true);
    assert!(!text.contains("commitTimestamp"), "{text}");
    let folder = "__consumer_offsets-3.00000000000000000000000000000001-delete";
    assert!(lines(&fixture(folder, name, &bytes), true).contains("commitTimestamp"));

    let record =
        MetadataRecord::FeatureLevel(FeatureLevelRecord { name: "f".into(), feature_level: 7 });
    let mut batch = BatchBuilder::new();
    batch.append(0, None, Some(&record.encode(0).unwrap()), &[]).unwrap();
    let bytes = batch.build().unwrap();
    let wanted = r#"payload: {"type":"FEATURE_LEVEL_RECORD","version":0,"data":{"name":"f","featureLevel":7}}"#;
    for name in [name, "00000000000000000030-0000000001.checkpoint"] {
        let text = lines(&fixture("__cluster_metadata-0", name, &bytes), true);
        assert!(text.contains(wanted), "{text}");
    }
}

#[test]
fn small_files_have_a_line_for_each_entry() {
    for (name, bytes, wanted) in [
        ("00000000000000000040.index", &[0, 0, 0, 4, 0, 0, 1, 0][..], "offset: 44 position: 256\n"),
        (
            "00000000000000000040.timeindex",
            &[0, 0, 0, 0, 0, 0, 3, 0xe8, 0, 0, 0, 1],
            "timestamp: 1000 offset: 41\n",
        ),
        (
            "leader-epoch-checkpoint",
            b"0\n2\n0 0\n3 42\n",
            "epoch: 0 startOffset: 0\nepoch: 3 startOffset: 42\n",
        ),
        (
            "recovery-point-offset-checkpoint",
            b"0\n2\nt 1 5\nt 0 7\n",
            "topic: t partition: 0 offset: 7\ntopic: t partition: 1 offset: 5\n",
        ),
        (
            "partition.metadata",
            b"version: 0\ntopic_id: f9rIx6RvQ4WlvTczMyPI7A",
            "version: 0 topicId: f9rIx6RvQ4WlvTczMyPI7A\n",
        ),
        (
            "meta.properties",
            b"version=1\ncluster.id=c\nnode.id=1\n",
            "version: 1 clusterId: c nodeId: 1 directoryId: none\n",
        ),
        (".kafka_cleanshutdown", br#"{"version":0,"brokerEpoch":9}"#, "brokerEpoch: 9\n"),
        (
            "barnabas-sealed",
            b"barnabas-sealed 1\n00000000000000000000.log 5 0000abcd\ncrc 1aff1b2f\n",
            "name: 00000000000000000000.log bytes: 5 crc: 0000abcd\n",
        ),
    ] {
        let bytes = match name {
            // Its own checksum.
            "barnabas-sealed" => {
                let end = bytes.len() - "crc 1aff1b2f\n".len();
                let crc = protocol_codec::records::crc32c(&bytes[..end]);
                [&bytes[..end], format!("crc {crc:08x}\n").as_bytes()].concat()
            }
            _ => bytes.to_vec(),
        };
        let fixture = fixture("t-0", name, &bytes);
        assert_eq!(lines(&fixture, false), format!("Dumping FILE\n{wanted}"), "{name}");
    }
    let padded = [&[0, 0, 0, 4, 0, 0, 1, 0][..], &[0; 64]].concat();
    let text = lines(&fixture("t-0", "00000000000000000000.index", &padded), false);
    assert!(text.contains("offset: 4 position: 256\nNothing but zeros"), "{text}");
    let cut = fixture("t-0", "00000000000000000000.index", &[0, 0, 0, 4, 0, 0, 1, 0, 1]);
    assert!(!dumped(&cut, false, false).1);
}
