//! Records of the internal topics, as they decide about a take-over.

use consumer_offsets::{
    ConsumerGroupMetadataKey, ConsumerGroupMetadataValue, GroupMetadataKey, GroupMetadataValue,
    Key, ShareGroupMetadataKey, ShareGroupMetadataValue, StreamsGroupMetadataKey,
    StreamsGroupMetadataValue, Value,
};
use protocol_codec::coordinator_records::{consumer_offsets, transaction_state};
use transaction_state::{TransactionLogKey, TransactionLogValue};

use super::*;

fn groups(records: Vec<(Key, Option<Value>)>) -> Groups {
    let mut groups = Groups::default();
    for (key, value) in records {
        let value = value.map(|value| value.encode(0).unwrap());
        groups.replay(key.encode().unwrap(), value).unwrap();
    }
    groups
}

fn classic(group: &str) -> Key {
    Key::GroupMetadata(GroupMetadataKey { group: group.into() })
}

fn consumer(group_id: &str) -> Key {
    Key::ConsumerGroupMetadata(ConsumerGroupMetadataKey { group_id: group_id.into() })
}

#[test]
fn groups_of_newer_protocols_are_named() {
    let share = Key::ShareGroupMetadata(ShareGroupMetadataKey { group_id: "s".into() });
    let streams = Key::StreamsGroupMetadata(StreamsGroupMetadataKey { group_id: "r".into() });
    let groups = groups(vec![
        (classic("c"), Some(Value::GroupMetadata(GroupMetadataValue::default()))),
        (consumer("k"), Some(Value::ConsumerGroupMetadata(ConsumerGroupMetadataValue::default()))),
        (share, Some(Value::ShareGroupMetadata(ShareGroupMetadataValue::default()))),
        (streams, Some(Value::StreamsGroupMetadata(StreamsGroupMetadataValue::default()))),
    ]);
    assert_eq!(groups.classic.len(), 1);
    let said: Vec<String> = groups.obstacles().collect();
    assert!(said[0].starts_with("group k is a consumer (KIP-848) group"), "{said:?}");
    assert!(said[1].starts_with("group r is a streams group"), "{said:?}");
    assert!(said[2].starts_with("group s is a share group"), "{said:?}");
}

#[test]
fn what_was_deleted_does_not_count() {
    let value = || Some(Value::ConsumerGroupMetadata(ConsumerGroupMetadataValue::default()));
    let groups = groups(vec![
        (consumer("k"), value()),
        (consumer("k"), None),
        (classic("c"), Some(Value::GroupMetadata(GroupMetadataValue::default()))),
        (classic("c"), None),
    ]);
    assert_eq!((groups.obstacles().count(), groups.classic.len()), (0, 0));
}

#[test]
fn a_record_of_a_newer_kafka_is_an_error() {
    let key = Bytes::from_static(&[0, 99, 0, 0]);
    let error = Groups::default().replay(key, None);
    assert_eq!(error, Err(DecodeError::UnknownRecordType(99)));
}

#[test]
fn transactions_that_have_not_ended_are_named() {
    let mut transactions = Transactions::default();
    let mut put = |id: &str, status: Option<i8>| {
        let key = TransactionLogKey { transactional_id: id.into() };
        let key = transaction_state::Key::TransactionLog(key).encode().unwrap();
        let value = status.map(|transaction_status| {
            let value = TransactionLogValue { transaction_status, ..Default::default() };
            transaction_state::Value::TransactionLog(value).encode(1).unwrap()
        });
        transactions.replay(key, value).unwrap();
    };
    for (id, status) in [("begun", 1), ("ending", 2), ("aborting", 3), ("fencing", 7)] {
        put(id, Some(status));
    }
    for (id, status) in [("empty", 0), ("committed", 4), ("aborted", 5)] {
        put(id, Some(status));
    }
    put("over", Some(1));
    put("over", Some(4));
    put("gone", Some(1));
    put("gone", None);
    let said: Vec<String> = transactions.obstacles().collect();
    for (sentence, id) in said.iter().zip(["aborting", "begun", "ending", "fencing"]) {
        assert!(sentence.contains(&format!("transactional.id {id} has not ended")), "{sentence}");
    }
    assert_eq!((said.len(), transactions.states.len()), (4, 8));
}
