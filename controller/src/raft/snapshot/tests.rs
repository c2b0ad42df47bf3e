//! Snapshots: whole or refused.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::testing::arbitrary::related_record;

fn image(records: &[crate::record::MetadataRecord]) -> MetadataImage {
    let mut image = MetadataImage::default();
    for record in records {
        let _contradiction = image.replay(record);
    }
    image.last_applied = LogPosition { index: 42, term: 3 };
    image
}

proptest! {
    #[test]
    fn an_image_comes_back_whole(records in vec(related_record(), 0..60)) {
        let image = image(&records);
        let bytes = encode(&image);
        prop_assert_eq!(check(&bytes), Ok(image.last_applied));
        prop_assert_eq!(decode(&bytes), Ok(image));
    }

    #[test]
    fn a_changed_bit_is_noticed(
        records in vec(related_record(), 0..20), at in any::<prop::sample::Index>(), bit in 0..8_u8
    ) {
        let mut bytes = encode(&image(&records));
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(decode(&bytes).is_err());
    }

    #[test]
    fn a_cut_is_noticed(records in vec(related_record(), 0..20), at in any::<prop::sample::Index>()) {
        let bytes = encode(&image(&records));
        prop_assert!(decode(&bytes[..at.index(bytes.len())]).is_err());
    }
}

#[test]
fn a_newer_format_is_refused() {
    let mut bytes = encode(&MetadataImage::default());
    bytes[6] = 2;
    let body = bytes.len() - 4;
    let crc = checksum(&bytes[..body]);
    bytes[body..].copy_from_slice(&crc.to_le_bytes());
    assert_eq!(decode(&bytes), Err(SnapshotError::NewerFormat(2)));
}
