//! Records read back, and what is malformed.

use super::*;

fn record(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    super::super::varint::write_varint(&mut bytes, body.len() as i32);
    bytes.extend_from_slice(body);
    bytes
}

// attributes, timestamp delta 5, offset delta 1, key "k", value "vw", two headers of the same key.
const BODY: [u8; 16] = [0, 10, 2, 2, b'k', 4, b'v', b'w', 4, 2, b'h', 2, b'1', 2, b'h', 1];

#[test]
fn a_record_with_headers() {
    let bytes = record(&BODY);
    let mut input = bytes.as_slice();
    let read = RecordView::read(&mut input).unwrap();
    assert!(input.is_empty());
    assert_eq!((read.timestamp_delta, read.offset_delta), (5, 1));
    assert_eq!((read.key, read.value), (Some(b"k".as_slice()), Some(b"vw".as_slice())));
    let headers: Vec<_> = read.headers.collect();
    assert_eq!(
        headers,
        [Header { key: b"h", value: Some(b"1") }, Header { key: b"h", value: None }]
    );
    assert_eq!(read.headers.len(), 2);
}

#[test]
fn null_and_empty_are_different() {
    let bytes = record(&[0, 0, 0, 1, 0, 0]);
    let read = RecordView::read(&mut bytes.as_slice()).unwrap();
    assert_eq!((read.key, read.value), (None, Some(b"".as_slice())));
}

#[test]
fn every_truncation_is_an_error() {
    let bytes = record(&BODY);
    for len in 0..bytes.len() {
        assert!(RecordView::read(&mut &bytes[..len]).is_err(), "{len}");
    }
    // The same with a length that fits what is left.
    for len in 0..BODY.len() {
        let bytes = record(&BODY[..len]);
        assert!(RecordView::read(&mut bytes.as_slice()).is_err(), "{len}");
    }
}

#[test]
fn lengths_that_lie() {
    let read = |body: &[u8]| RecordView::read(&mut record(body).as_slice()).unwrap_err();
    let max = [0xfe, 0xff, 0xff, 0xff, 0x0f];
    let with = |before: &[u8], number: &[u8]| [before, number].concat();

    assert!(matches!(
        read(&with(&[0, 0, 0], &max)),
        MalformedRecord::Field { field: "the key", length: i32::MAX, remaining: 0 }
    ));
    assert!(matches!(
        read(&with(&[0, 0, 0, 1], &max)),
        MalformedRecord::Field { field: "the value", .. }
    ));
    assert_eq!(
        read(&with(&[0, 0, 0, 1, 1], &max)),
        MalformedRecord::HeaderCount { count: i32::MAX, remaining: 0 }
    );
    assert_eq!(read(&[0, 0, 0, 1, 1, 1]), MalformedRecord::HeaderCount { count: -1, remaining: 0 });
    assert_eq!(read(&[0, 0, 0, 1, 1, 2, 1]), MalformedRecord::HeaderKey(-1));
    assert_eq!(read(&[0, 0, 0, 1, 1, 0, 9]), MalformedRecord::TrailingBytes(1));
    assert_eq!(
        RecordView::read(&mut with(&max, &BODY).as_slice()),
        Err(MalformedRecord::Length { length: i32::MAX, remaining: 16 })
    );
    assert_eq!(
        RecordView::read(&mut with(&[1], &BODY).as_slice()),
        Err(MalformedRecord::Length { length: -1, remaining: 16 })
    );
}

#[test]
fn the_iterator_checks_the_count_and_stops_at_an_error() {
    let two = [record(&BODY), record(&BODY)].concat();
    assert_eq!(RecordIter::new(&two, 2).filter(Result::is_ok).count(), 2);

    let fewer: Vec<_> = RecordIter::new(&two, 1).collect();
    assert_eq!(fewer.len(), 2);
    assert_eq!(fewer[1], Err(MalformedRecord::TrailingRecords(17)));

    let more: Vec<_> = RecordIter::new(&two, 9).collect();
    assert_eq!(more.len(), 3);
    assert_eq!(more[2], Err(MalformedRecord::Varint(VarintError::Truncated)));

    let negative: Vec<_> = RecordIter::new(&two, -1).collect();
    assert_eq!(negative, [Err(MalformedRecord::RecordCount(-1))]);
    assert_eq!(RecordIter::new(&[], 0).count(), 0);
}
