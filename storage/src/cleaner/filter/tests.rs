//! Batches in, batches out: what stays of them, byte by byte.

use bytes::Bytes;
use protocol_codec::records::control::EndTransactionMarker;
use protocol_codec::records::{Batch, BatchBuilder, Header, split_batches};

use super::*;

const NOW_MS: i64 = 10_000;
const RETENTION_MS: i64 = 500;

/// What a cleaning knows, and what it has found.
struct Bench {
    map: OffsetMap,
    last_records: HashMap<i64, LastRecord>,
    high_watermark: i64,
    now_ms: i64,
    transactions: CleanedTransactions,
    filter: Filter,
}

impl Bench {
    /// `keys` with their last offsets; the map reaches up to `latest`.
    fn new(keys: &[(&str, i64)], latest: i64) -> Self {
        let mut map = OffsetMap::new(1 << 20, 0.9, 100);
        for (key, offset) in keys {
            map.put(key.as_bytes(), *offset);
        }
        map.set_latest_offset(latest);
        map.settle();
        Self {
            map,
            last_records: HashMap::new(),
            high_watermark: -1,
            now_ms: NOW_MS,
            transactions: CleanedTransactions::default(),
            filter: Filter::default(),
        }
    }

    fn run(&mut self, batch: &Bytes) -> (Filtered, Bytes) {
        let rules = Rules {
            map: &self.map,
            last_records: &self.last_records,
            high_watermark: self.high_watermark,
            delete_retention_ms: RETENTION_MS,
            now_ms: self.now_ms,
            decompressed_bytes_max: 1 << 20,
        };
        let batch = BatchView::read(batch).unwrap();
        // What was there before must be left alone.
        let mut out = vec![7];
        let done = self.filter.filter(&batch, &rules, &mut self.transactions, &mut out).unwrap();
        assert_eq!(out[0], 7);
        if done.left == Left::Whole {
            assert_eq!(out.len(), 1);
            out.extend_from_slice(batch.bytes());
        }
        (done, Bytes::from(out).slice(1..))
    }

    /// Offsets, timestamps, keys and values of what is left.
    fn left(&mut self, batch: &Bytes) -> Vec<(i64, i64, String, Option<String>)> {
        let (done, out) = self.run(batch);
        let mut left = Vec::new();
        for batch in split_batches(out) {
            let batch = batch.unwrap();
            batch.view().verify_checksum().unwrap();
            if let Left::New(header) = done.left {
                assert_eq!(*batch.header(), header);
            }
            let records = batch.view().plain_records(1 << 20).unwrap();
            for record in &records {
                let record = record.unwrap();
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                left.push((
                    batch.header().offset_of(record.offset_delta),
                    batch.header().timestamp_of(record.timestamp_delta),
                    text(record.key.unwrap_or(b"-")),
                    record.value.map(text),
                ));
            }
        }
        left
    }
}

/// The header of the batch that was written.
fn new(done: &Filtered) -> BatchHeader {
    let Left::New(header) = done.left else { panic!("{done:?}") };
    header
}

fn builder() -> BatchBuilder {
    BatchBuilder::new().base_offset(100).leader_epoch(4)
}

fn batch(builder: BatchBuilder, records: &[(&str, Option<&str>)]) -> Bytes {
    let mut builder = builder;
    let headers = [Header { key: b"h", value: Some(b"v") }, Header { key: b"h", value: None }];
    for (at, (key, value)) in records.iter().enumerate() {
        let timestamp = 1000 + 10 * at as i64;
        let key = Some(key.as_bytes()).filter(|key| *key != b"-");
        builder.append(timestamp, key, value.map(str::as_bytes), &headers).unwrap();
    }
    builder.build().unwrap()
}

fn record(
    offset: i64,
    timestamp: i64,
    key: &str,
    value: Option<&str>,
) -> (i64, i64, String, Option<String>) {
    (offset, timestamp, key.to_owned(), value.map(str::to_owned))
}

#[test]
fn overtaken_records_go_and_the_rest_keeps_offsets_and_times() {
    for kind in Compression::ALL {
        let builder = builder().compression(kind, None).producer(9, 3, 70);
        let original = batch(
            builder,
            &[("a", Some("1")), ("b", Some("2")), ("a", Some("3")), ("c", Some("4"))],
        );
        let mut bench = Bench::new(&[("a", 102), ("b", 101), ("c", 200)], 300);
        let wanted = [record(101, 1010, "b", Some("2")), record(102, 1020, "a", Some("3"))];
        assert_eq!(bench.left(&original), wanted, "{kind:?}");
        let (done, out) = bench.run(&original);
        assert_eq!((done.records_read, done.records_kept), (4, 2));
        let (old, new) = (Batch::read(&original).unwrap(), Batch::read(&out).unwrap());
        let (old, new) = (old.header(), new.header());
        assert_eq!((new.base_offset, new.last_offset()), (100, 103));
        assert_eq!((new.base_timestamp, new.max_timestamp, new.records_count), (1010, 1020, 2));
        assert_eq!((new.producer_id, new.producer_epoch, new.base_sequence), (9, 3, 70));
        assert_eq!(new.last_sequence(), old.last_sequence());
        assert_eq!((new.partition_leader_epoch, new.attributes), (4, old.attributes));
    }
}

#[test]
fn a_batch_of_which_all_stays_is_copied_as_it_is() {
    let original = batch(builder(), &[("a", Some("1")), ("b", Some("2"))]);
    let mut bench = Bench::new(&[("a", 100)], 300);
    let (done, out) = bench.run(&original);
    assert_eq!((out, done.records_kept), (original, 2));
}

#[test]
fn behind_the_map_everything_stays() {
    let original = batch(builder(), &[("a", Some("1")), ("-", Some("2")), ("a", None)]);
    let mut bench = Bench::new(&[("a", 200)], 99);
    assert_eq!(bench.left(&original).len(), 3);
    bench.map.set_latest_offset(100);
    bench.map.settle();
    assert_eq!(bench.left(&original).len(), 2);
}

#[test]
fn records_without_a_key_are_dropped_and_counted() {
    let original = batch(builder(), &[("-", Some("1")), ("b", Some("2"))]);
    let mut bench = Bench::new(&[], 300);
    let (done, _) = bench.run(&original);
    assert_eq!((done.keyless, done.records_kept), (1, 1));
}

#[test]
fn a_tombstone_gets_a_horizon_and_goes_when_it_has_passed() {
    for kind in [Compression::None, Compression::Zstd] {
        let builder = builder().compression(kind, None);
        let original = batch(builder, &[("a", Some("1")), ("b", None)]);
        let mut bench = Bench::new(&[("a", 100), ("b", 101)], 300);
        let (done, once) = bench.run(&original);
        let header = new(&done);
        assert!(header.attributes.has_delete_horizon());
        assert_eq!((header.base_timestamp, header.max_timestamp), (NOW_MS + RETENTION_MS, 1010));
        let wanted = [record(100, 1000, "a", Some("1")), record(101, 1010, "b", None)];
        assert_eq!(bench.left(&original), wanted);

        // The horizon is set once, and holds up to the last ms.
        bench.now_ms = NOW_MS + RETENTION_MS - 1;
        assert_eq!(bench.run(&once).1, once);
        bench.now_ms += 1;
        let (done, twice) = bench.run(&once);
        assert_eq!(bench.left(&once), [record(100, 1000, "a", Some("1"))]);
        let header = new(&done);
        assert_eq!((header.base_timestamp, header.last_offset()), (NOW_MS + RETENTION_MS, 101));
        assert!(header.attributes.has_delete_horizon(), "what is rewritten keeps its horizon");
        assert_eq!(bench.run(&twice).1, twice);
    }
}

#[test]
fn an_endless_retention_keeps_tombstones_without_a_horizon() {
    let original = batch(builder(), &[("b", None)]);
    let mut bench = Bench::new(&[("b", 100)], 300);
    bench.now_ms = i64::MAX;
    let (done, _) = bench.run(&original);
    assert!(!new(&done).attributes.has_delete_horizon());
    assert_eq!(bench.left(&original), [record(100, 1000, "b", None)]);
}

#[test]
fn log_append_time_stays_that_of_the_batch() {
    let original = batch(builder().log_append_time(7777), &[("a", Some("1")), ("b", None)]);
    let mut bench = Bench::new(&[("a", 200), ("b", 101)], 300);
    assert_eq!(bench.left(&original), [record(101, 7777, "b", None)]);
    let header = new(&bench.run(&original).0);
    assert_eq!((header.max_timestamp, header.base_timestamp), (7777, NOW_MS + RETENTION_MS));
}

#[test]
fn an_emptied_batch_goes_unless_a_restart_needs_its_sequence() {
    let builder = || builder().producer(9, 3, 70).compression(Compression::Gzip, None);
    let original = batch(builder(), &[("a", Some("1")), ("a", Some("2"))]);
    let mut bench = Bench::new(&[("a", 200)], 300);
    assert_eq!(
        bench.run(&original),
        (Filtered { records_read: 2, ..Filtered::default() }, Bytes::new())
    );

    let last = |offset| LastRecord { last_data_offset: Some(offset), producer_epoch: 3 };
    bench.last_records.insert(9, last(200));
    assert!(bench.run(&original).1.is_empty(), "the producer has a later batch");
    bench.last_records.insert(9, last(101));
    let (done, out) = bench.run(&original);
    let header = new(&done);
    assert_eq!((out.len(), header.records_count), (BATCH_OVERHEAD, 0));
    assert_eq!((header.base_offset, header.last_offset(), header.last_sequence()), (100, 101, 71));
    assert_eq!((header.base_timestamp, header.max_timestamp), (NO_TIMESTAMP, 1010));
    assert_eq!(header.attributes.bits(), 0, "nothing is compressed");
    Batch::read(&out).unwrap().view().verify_checksum().unwrap();
    // It stays like that, and goes when the producer has gone on.
    assert_eq!(bench.run(&out).0.left, Left::Whole);
    bench.last_records.clear();
    assert!(bench.run(&out).1.is_empty());
}

#[test]
fn the_last_batch_before_the_high_watermark_stays_even_if_empty() {
    let original = batch(builder(), &[("a", Some("1"))]);
    let mut bench = Bench::new(&[("a", 200)], 300);
    bench.high_watermark = 101;
    let header = new(&bench.run(&original).0);
    assert_eq!((header.records_count, header.last_offset()), (0, 100));
}

fn marker(committed: bool, producer_id: i64, offset: i64) -> Bytes {
    let marker = EndTransactionMarker { committed, coordinator_epoch: 1 };
    let mut bytes = marker.to_batch(900, producer_id, 0).unwrap().to_vec();
    bytes[..8].copy_from_slice(&offset.to_be_bytes());
    bytes.into()
}

#[test]
fn aborted_data_goes_and_the_marker_waits_for_its_horizon() {
    let data = batch(builder().producer(9, 0, 0).transactional(true), &[("a", Some("1"))]);
    let abort = marker(false, 9, 101);
    let mut bench = Bench::new(&[("a", 50)], 300);
    let transaction =
        AbortedTxn { first_offset: 100, producer_id: 9, last_offset: 101, last_stable_offset: 102 };
    bench.transactions.add_aborted([transaction]);
    assert!(bench.run(&data).1.is_empty(), "though it is the last record of its key");
    let (done, out) = bench.run(&abort);
    assert_eq!((out, done.aborted), (abort.clone(), Some(transaction)));

    // The next cleaning finds the marker alone.
    bench.transactions = CleanedTransactions::default();
    let (done, once) = bench.run(&abort);
    assert_eq!(new(&done).base_timestamp, NOW_MS + RETENTION_MS);
    bench.now_ms = NOW_MS + RETENTION_MS;
    assert!(bench.run(&once).1.is_empty());
    // If it is all that is known of the producer, its header stays.
    bench.last_records.insert(9, LastRecord { last_data_offset: None, producer_epoch: 0 });
    let header = new(&bench.run(&once).0);
    assert!(header.attributes.is_control() && header.attributes.is_transactional());
    assert_eq!((header.records_count, header.max_timestamp), (0, 900));
}

#[test]
fn a_commit_marker_stays_as_long_as_data_of_its_transaction() {
    let data = batch(builder().producer(9, 0, 0).transactional(true), &[("a", Some("1"))]);
    let commit = marker(true, 9, 101);
    let mut bench = Bench::new(&[("a", 100)], 300);
    assert_eq!(bench.run(&data).1, data);
    assert_eq!(bench.run(&commit).1, commit);
    let header = new(&bench.run(&commit).0);
    assert!(header.attributes.has_delete_horizon());
}

#[test]
fn damage_is_an_error_and_not_a_shorter_log() {
    let original = batch(builder(), &[("a", Some("1")), ("b", Some("2"))]);
    let broken = |change: fn(&mut Vec<u8>)| {
        let mut bytes = original.to_vec();
        change(&mut bytes);
        let mut bench = Bench::new(&[], 300);
        let rules = Rules {
            map: &bench.map,
            last_records: &bench.last_records,
            high_watermark: -1,
            delete_retention_ms: 0,
            now_ms: 0,
            decompressed_bytes_max: 1 << 20,
        };
        let view = BatchView::read(&bytes).unwrap();
        bench.filter.filter(&view, &rules, &mut bench.transactions, &mut Vec::new()).unwrap_err()
    };
    // One record less, one more, an unknown codec, a record that is too long.
    assert!(matches!(broken(|b| b[60] = 1), FilterError::Malformed(_)));
    assert!(matches!(broken(|b| b[60] = 3), FilterError::Malformed(_)));
    assert!(matches!(broken(|b| b[22] = 7), FilterError::Decompress(_)));
    assert!(matches!(broken(|b| b[61] = 0x7e), FilterError::Malformed(_)));
}
