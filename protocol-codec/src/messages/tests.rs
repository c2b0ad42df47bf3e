//! Versions, nulls, ignorable fields and records elsewhere. The bytes of every message are compared
//! with Kafka's in `tests/it`.

use bytes::{Bytes, BytesMut};

use super::*;
use crate::wire::{Elsewhere, Records};
use crate::{StrBytes, Uuid};

#[test]
fn the_table_of_apis_and_the_schemas_agree() {
    for key in ApiKey::ALL {
        let mut empty = Reader::new(Bytes::new());
        let unsupported =
            |version: i16, r: &mut Reader| AnyRequest::decode(*key, r, version).unwrap_err();
        if key.versions().is_empty() {
            assert_eq!(unsupported(0, &mut empty), DecodeError::UnknownApi(key.code()));
            continue;
        }
        let name = key.name();
        let is_unsupported = |version: i16| {
            matches!(
                unsupported(version, &mut Reader::new(Bytes::new())),
                DecodeError::UnsupportedVersion { .. }
            )
        };
        assert!(is_unsupported(key.versions().start() - 1), "{name}");
        // The one version that Kafka 4.4 has and does not serve is InitProducerId's newest.
        let unstable = i16::from(*key == ApiKey::InitProducerId);
        assert!(is_unsupported(key.versions().end() + unstable + 1), "{name}");
    }
}

fn encoded<M: Message>(message: &M, version: i16) -> Result<Bytes, EncodeError> {
    let mut w = Writer::new(BytesMut::new());
    message.encode(&mut w, version)?;
    Ok(w.finish().buf.freeze())
}

#[test]
fn fields_outside_their_versions() {
    let request = metadata::Request {
        topics: None,
        include_cluster_authorized_operations: true,
        ..Default::default()
    };
    // Null topics mean all from version 1 on; version 0 has no null.
    assert_eq!(
        encoded(&request, 0),
        Err(EncodeError::UnexpectedNull { field: "topics", version: 0 })
    );
    assert_eq!(
        encoded(&request, 11),
        Err(EncodeError::NotInVersion {
            field: "include_cluster_authorized_operations",
            version: 11
        })
    );
    let bytes = encoded(&request, 10).unwrap();
    let mut r = Reader::new(bytes);
    assert_eq!(metadata::Request::decode(&mut r, 10), Ok(request));
    assert_eq!(r.finish(), Ok(()));
}

#[test]
fn ignorable_fields_are_dropped() {
    let response = metadata::Response {
        brokers: vec![metadata::MetadataResponseBroker {
            rack: Some(StrBytes::from_static("r")),
            ..Default::default()
        }],
        ..Default::default()
    };
    let bytes = encoded(&response, 0).unwrap();
    let read = metadata::Response::decode(&mut Reader::new(bytes), 0).unwrap();
    assert_eq!(read.brokers[0].rack, None);
}

#[test]
fn unknown_tags_are_skipped() {
    let bytes = Bytes::from_static(&[1, 1, 1, 9, 2, 0xaa, 0xbb]);
    let mut r = Reader::new(bytes);
    let read = api_versions::Request::decode(&mut r, 3).unwrap();
    assert_eq!(read, api_versions::Request::default());
    assert_eq!(r.finish(), Ok(()));
}

#[test]
fn a_fetch_response_is_a_list_of_pieces() {
    let partition = |slot, len| fetch::PartitionData {
        partition_index: slot as i32,
        records: Some(Records::Elsewhere(Elsewhere { len, slot })),
        ..Default::default()
    };
    let response = fetch::Response {
        responses: vec![fetch::FetchableTopicResponse {
            topic_id: Uuid::ONE,
            partitions: vec![partition(0, 3), partition(1, 5)],
            ..Default::default()
        }],
        ..Default::default()
    };
    let encoded =
        crate::frame::encode_response::<fetch::Request>(BytesMut::new(), 17, 42, &response)
            .unwrap();
    assert_eq!(encoded.splices.len(), 2);

    // Put together, the pieces are what the same response with its records in memory is.
    let mut whole = encoded.buf.to_vec();
    for splice in encoded.splices.iter().rev() {
        let bytes = vec![splice.slot as u8; splice.len];
        whole.splice(splice.at..splice.at, bytes);
    }
    assert_eq!(whole.len(), encoded.len());
    let frame = Bytes::from(whole).slice(4..);
    assert_eq!(frame.len() + 4, encoded.len());
    let mut r = Reader::new(frame);
    let header = crate::header::ResponseHeader::decode(&mut r, ApiKey::Fetch, 17).unwrap();
    assert_eq!(header.correlation_id, 42);
    let read = fetch::Response::decode(&mut r, 17).unwrap();
    assert_eq!(r.finish(), Ok(()));
    let records: Vec<_> = read.responses[0].partitions.iter().map(|p| p.records.clone()).collect();
    assert_eq!(
        records,
        [
            Some(Records::Memory(Bytes::from_static(&[0; 3]))),
            Some(Records::Memory(Bytes::from_static(&[1; 5])))
        ]
    );
}
