//! Catch-up fetch: each connection reads one partition from its start to its end.

use crate::load::wire::{Connection, Out};
use protocol_codec::records::BatchHeader;

/// Reads partitions `0..partitions`, one connection each, and returns the bytes of all batches.
#[must_use]
pub fn run(bootstrap: &str, topic: &str, partitions: usize, partition_max_bytes: i32) -> usize {
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..partitions)
            .map(|partition| {
                scope.spawn(move || read(bootstrap, topic, partition, partition_max_bytes))
            })
            .collect();
        readers.into_iter().map(|reader| reader.join().expect("a reader does not fail")).sum()
    })
}

fn frame(topic: &str, partition: usize, offset: i64, max_bytes: i32) -> Vec<u8> {
    let mut out = Out::request(1, 4);
    out.i32(-1);
    out.i32(0);
    out.i32(1);
    out.i32(i32::MAX);
    out.i8(0);
    out.i32(1);
    out.string(topic);
    out.i32(1);
    out.i32(i32::try_from(partition).expect("small"));
    out.i64(offset);
    out.i32(max_bytes);
    out.frame()
}

fn read(bootstrap: &str, topic: &str, partition: usize, max_bytes: i32) -> usize {
    let mut connection = Connection::open(bootstrap);
    let (mut offset, mut total) = (0, 0);
    loop {
        let mut answer = connection.call(&frame(topic, partition, offset, max_bytes));
        let _ = (answer.i32(), answer.i32(), answer.string(), answer.i32(), answer.i32());
        assert_eq!(answer.i16(), 0, "Fetch of partition {partition} at {offset}");
        let high_watermark = answer.i64();
        let _last_stable = answer.i64();
        assert!(answer.i32() <= 0, "no transactions were aborted");
        let length = usize::try_from(answer.i32()).unwrap_or(0);
        let mut records = answer.take(length);
        total += length;
        while let Ok(header) = BatchHeader::read(records) {
            if header.size() > records.len() {
                break;
            }
            assert_eq!(header.base_offset, offset, "offsets follow each other");
            offset = header.next_offset();
            records = &records[header.size()..];
        }
        if offset >= high_watermark {
            return total;
        }
        assert!(
            length > 0,
            "an empty answer at {offset} below the high watermark {high_watermark}"
        );
    }
}
