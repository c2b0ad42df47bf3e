//! Primitive types, there and back, and what is refused.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::{StrBytes, Uuid};

fn written(write: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new(BytesMut::new());
    write(&mut w);
    w.finish().buf.freeze()
}

fn reader(bytes: &'static [u8]) -> Reader {
    Reader::new(Bytes::from_static(bytes))
}

proptest! {
    #[test]
    fn numbers_come_back(a: i8, b: i16, c: i32, d: i64, e: u16, f: u32, g: bool, h: [u8; 16]) {
        let uuid = Uuid::from_bytes(h);
        let bytes = written(|w| {
            w.i8(a);
            w.i16(b);
            w.i32(c);
            w.i64(d);
            w.u16(e);
            w.u32(f);
            w.bool(g);
            w.uuid(uuid);
            w.unsigned_varint(f);
        });
        let mut r = Reader::new(bytes);
        prop_assert_eq!(r.i8(), Ok(a));
        prop_assert_eq!(r.i16(), Ok(b));
        prop_assert_eq!(r.i32(), Ok(c));
        prop_assert_eq!(r.i64(), Ok(d));
        prop_assert_eq!(r.u16(), Ok(e));
        prop_assert_eq!(r.u32(), Ok(f));
        prop_assert_eq!(r.bool(), Ok(g));
        prop_assert_eq!(r.uuid(), Ok(uuid));
        prop_assert_eq!(r.unsigned_varint(), Ok(f));
        prop_assert_eq!(r.finish(), Ok(()));
    }

    #[test]
    fn strings_and_bytes_come_back(text: Option<String>, bytes: Option<Vec<u8>>, flexible: bool) {
        let encoded = written(|w| {
            w.nullable_string(text.as_deref(), flexible).unwrap();
            w.nullable_bytes(bytes.as_deref(), flexible).unwrap();
        });
        let mut r = Reader::new(encoded);
        prop_assert_eq!(r.nullable_string(flexible), Ok(text.map(StrBytes::from)));
        prop_assert_eq!(r.nullable_bytes(flexible), Ok(bytes.map(Bytes::from)));
        prop_assert_eq!(r.finish(), Ok(()));
    }

    #[test]
    fn any_bytes_are_a_varint_or_an_error(bytes: Vec<u8>) {
        let mut r = Reader::new(Bytes::from(bytes));
        if let Ok(value) = r.unsigned_varint() {
            let again = written(|w| w.unsigned_varint(value));
            prop_assert!(again.len() <= r.position());
        }
    }
}

#[test]
fn varints_are_those_of_kafka() {
    for (value, bytes) in [
        (0, &[0][..]),
        (127, &[0x7f]),
        (128, &[0x80, 1]),
        (300, &[0xac, 2]),
        (u32::MAX, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
    ] {
        assert_eq!(written(|w| w.unsigned_varint(value)), bytes);
    }
}

#[test]
fn over_long_varints_are_refused() {
    let too_long = Err(DecodeError::VarintTooLong);
    assert_eq!(reader(&[0xff, 0xff, 0xff, 0xff, 0xff, 0]).unsigned_varint(), too_long);
    assert_eq!(reader(&[0x80, 0x80, 0x80, 0x80, 0x80, 0]).unsigned_varint(), too_long);
    // The fifth byte has room for four bits.
    assert_eq!(reader(&[0xff, 0xff, 0xff, 0xff, 0x10]).unsigned_varint(), too_long);
    let cut = Err(DecodeError::Truncated { wanted: 2, remaining: 1 });
    assert_eq!(reader(&[0xff]).unsigned_varint(), cut);
}

#[test]
fn lengths_are_checked_before_anything_is_allocated() {
    let huge: &[u8] = &[0x7f, 0xff, 0xff, 0xff, 1, 2];
    let cut = DecodeError::Truncated { wanted: 0x7fff_ffff, remaining: 2 };
    assert_eq!(reader(huge).bytes(false), Err(cut));
    assert_eq!(reader(huge).i32_array(false), Err(cut));
    assert_eq!(
        reader(&[0xff, 0xff, 0xff, 0xfe]).bytes(false),
        Err(DecodeError::NegativeLength(-2))
    );
    assert_eq!(reader(&[0xff, 0xff]).string(false), Err(DecodeError::UnexpectedNull));
    assert_eq!(reader(&[0]).string(true), Err(DecodeError::UnexpectedNull));
    assert_eq!(reader(&[3, 0xc3, 0x28]).string(true), Err(DecodeError::InvalidUtf8));
}

#[test]
fn strings_end_at_kafkas_limit() {
    let long = "x".repeat(MAX_STRING_LENGTH + 1);
    for flexible in [false, true] {
        let mut w = Writer::new(BytesMut::new());
        assert_eq!(w.string(&long, flexible), Err(EncodeError::TooLong(long.len())));
        assert_eq!(w.string(&long[1..], flexible), Ok(()));
    }
    // A compact string can announce more.
    let bytes = written(|w| w.bytes(long.as_bytes(), true).unwrap());
    assert_eq!(Reader::new(bytes).string(true), Err(DecodeError::StringTooLong(long.len())));
}

#[test]
fn the_elements_of_a_message_are_counted_together() {
    let array = vec![0_i8; MAX_ELEMENTS / 2 + 1];
    let bytes = written(|w| {
        for _ in 0..2 {
            w.length(array.len(), false).unwrap();
            array.iter().for_each(|element| w.i8(*element));
        }
    });
    let mut r = Reader::new(bytes);
    assert_eq!(r.i8_array(false).map(|read| read.len()), Ok(array.len()));
    assert_eq!(r.i8_array(false), Err(DecodeError::TooManyElements));
}

#[test]
fn arrays_of_tiny_elements_run_out_of_budget() {
    // 32 bytes of memory for each byte of the frame.
    let count = 100_000;
    let bytes = written(|w| {
        w.length(count, true).unwrap();
        (0..count).for_each(|_| w.unsigned_varint(1));
    });
    assert_eq!(Reader::new(bytes).string_array(true), Err(DecodeError::TooMuchMemory));
}

#[test]
fn tags_are_skipped_counted_and_measured() {
    let bytes = written(|w| {
        let mut tags = w.begin_tags();
        for number in [3, 700] {
            let tag = w.begin_tag(&mut tags, number);
            w.string(&"x".repeat(200), true).unwrap();
            w.end_tag(&tag).unwrap();
        }
        w.end_tags(&tags);
    });
    let mut r = Reader::new(bytes.clone());
    assert_eq!(r.skip_tags(), Ok(()));
    assert_eq!(r.finish(), Ok(()));

    let mut r = Reader::new(bytes);
    assert_eq!(r.tag_count(), Ok(2));
    let tag = r.tag().unwrap();
    assert_eq!(tag.number, 3);
    assert_eq!(r.end_tag(&tag), Err(DecodeError::TagSize(3)));
    assert_eq!(r.string(true).unwrap().len(), 200);
    assert_eq!(r.end_tag(&tag), Ok(()));

    let many = written(|w| w.unsigned_varint(10_001));
    assert_eq!(Reader::new(many).skip_tags(), Err(DecodeError::TooManyTags));
}

#[test]
fn records_elsewhere_leave_a_splice() {
    let mut w = Writer::new(BytesMut::new());
    w.begin_frame();
    w.i32(7);
    w.records(&Records::Elsewhere(Elsewhere { len: 1000, slot: 5 }), false).unwrap();
    w.i8(9);
    w.end_frame().unwrap();
    let encoded = w.finish();
    assert_eq!(encoded.splices, [Splice { at: 12, len: 1000, slot: 5 }]);
    assert_eq!(&encoded.buf[..], [0, 0, 3, 0xf1, 0, 0, 0, 7, 0, 0, 3, 0xe8, 9]);
    assert_eq!(encoded.len(), 1013);
}
