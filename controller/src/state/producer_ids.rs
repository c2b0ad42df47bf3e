//! Blocks of producer ids.

use protocol_codec::ErrorCode;

use super::checked_broker;
use crate::command::{ApiError, ProducerIdsBlock};
use crate::image::MetadataImage;
use crate::record::MetadataRecord;

/// How many ids a broker gets at a time, as in Kafka.
pub(super) const PRODUCER_IDS_PER_BLOCK: i32 = 1000;

pub(super) fn allocate(
    image: &MetadataImage,
    broker_id: i32,
    broker_epoch: i64,
    out: &mut Vec<MetadataRecord>,
) -> Result<ProducerIdsBlock, ApiError> {
    checked_broker(image, broker_id, broker_epoch)?;
    let first = image.producer_ids.next_producer_id;
    let Some(next_producer_id) = first.checked_add(i64::from(PRODUCER_IDS_PER_BLOCK)) else {
        return Err(ApiError::new(
            ErrorCode::UnknownServerError,
            "Exhausted all producerIds as the next block's end producerId has exceeded the int64 \
             type limit",
        ));
    };
    out.push(MetadataRecord::ProducerIds { broker_id, broker_epoch, next_producer_id });
    Ok(ProducerIdsBlock { first, len: PRODUCER_IDS_PER_BLOCK })
}
