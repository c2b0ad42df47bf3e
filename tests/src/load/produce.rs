//! Produce load: each connection keeps a number of requests in flight, to all partitions in turn.

use crate::load::wire::{Connection, Out};
use protocol_codec::records::BatchBuilder;

/// One kind of produce load.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub connections: usize,
    pub in_flight: usize,
    pub partitions: usize,
    /// Bytes of a record's value.
    pub record_size: usize,
    /// Records of a batch, one batch a request.
    pub records: usize,
    pub acks: i16,
    /// Requests of each connection.
    pub requests: usize,
}

/// What a run of the load did.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    pub requests: usize,
    /// Bytes of all batches, as they lie in the log.
    pub bytes: usize,
}

/// Runs the load to its end. Every answer must be without error and with an offset that grows.
#[must_use]
pub fn run(bootstrap: &str, topic: &str, load: Load) -> Done {
    let batch = batch(load);
    let frames: Vec<_> =
        (0..load.partitions).map(|partition| frame(topic, partition, load.acks, &batch)).collect();
    std::thread::scope(|scope| {
        for number in 0..load.connections {
            let frames = &frames;
            scope.spawn(move || drive(bootstrap, frames, number, load));
        }
    });
    let requests = load.requests * load.connections;
    Done { requests, bytes: requests * batch.len() }
}

fn batch(load: Load) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let now = i64::try_from(now.as_millis()).expect("before the year 292278994");
    for number in 0..load.records {
        let value: Vec<u8> = (0..load.record_size)
            .map(|at| b'a' + u8::try_from((at * 7 + number) % 26).expect("small"))
            .collect();
        builder.append(now, None, Some(&value), &[]).expect("a small batch");
    }
    builder.build().expect("a small batch").to_vec()
}

fn frame(topic: &str, partition: usize, acks: i16, batch: &[u8]) -> Vec<u8> {
    let mut out = Out::request(0, 3);
    out.i16(-1);
    out.i16(acks);
    out.i32(30_000);
    out.i32(1);
    out.string(topic);
    out.i32(1);
    out.i32(i32::try_from(partition).expect("small"));
    out.bytes(batch);
    out.frame()
}

fn drive(bootstrap: &str, frames: &[Vec<u8>], first_frame: usize, load: Load) {
    let mut connection = Connection::open(bootstrap);
    let frame = |number: usize| frames[(first_frame + number) % frames.len()].as_slice();
    let ahead = load.in_flight.min(load.requests);
    for number in 0..ahead {
        connection.send(frame(number));
    }
    let mut newest = vec![-1; frames.len()];
    for answered in 0..load.requests {
        let mut answer = connection.receive();
        let _ = (answer.i32(), answer.string(), answer.i32(), answer.i32());
        let error = answer.i16();
        let offset = answer.i64();
        assert_eq!(error, 0, "Produce");
        let newest = &mut newest[(first_frame + answered) % frames.len()];
        assert!(offset > *newest, "offset {offset} after {newest}");
        *newest = offset;
        if answered + ahead < load.requests {
            connection.send(frame(answered + ahead));
        }
    }
}
