//! The bytes of records, on disk and between controllers.
//!
//! An entry of the log is one format byte and then records, one after the other:
//!
//! ```text
//! entry   := format u8 (1), record*
//! record  := kind u8, version u8, readable_from u8, length u32, body (length bytes)
//! ```
//!
//! A kind that this code reads up to version R is read when `readable_from <= R`. If the record's
//! own version is above R, its body may go on after the fields known here; the rest is passed over.
//! An unknown kind has R = 0, so it is passed over when its writer marked it with `readable_from` 0
//! (nothing breaks when it is lost) and refused otherwise. So a rollback reads what a newer release
//! wrote unless that release said that it must not, and what is refused is refused in one sentence.

use super::wire::{Reader, WireError, Writer};
use super::{BrokerRegistrationChange, MetadataRecord, PartitionChange};
use crate::image::brokers::{BrokerEndpoint, BrokerFeature, BrokerRegistration};
use crate::image::configs::{ConfigResource, ConfigResourceType};
use crate::image::topics::PartitionRegistration;

mod security;

/// The layout of an entry as a whole.
const ENTRY_FORMAT: u8 = 1;

const RECORD_HEADER_SIZE: usize = 7;

/// The version that this code writes of every kind, and reads up to. All kinds are at their first.
const RECORD_VERSION: u8 = 1;

// The kinds. A number is never used again for another thing.
const CLUSTER_ID: u8 = 1;
const FEATURE_LEVEL: u8 = 2;
const REGISTER_BROKER: u8 = 3;
const UNREGISTER_BROKER: u8 = 4;
const BROKER_REGISTRATION_CHANGE: u8 = 5;
const TOPIC: u8 = 6;
const REMOVE_TOPIC: u8 = 7;
const PARTITION: u8 = 8;
const PARTITION_CHANGE: u8 = 9;
const CONFIG: u8 = 10;
const PRODUCER_IDS: u8 = 11;
const ACCESS_CONTROL_ENTRY: u8 = 12;
const REMOVE_ACCESS_CONTROL_ENTRY: u8 = 13;
const USER_SCRAM_CREDENTIAL: u8 = 14;
const REMOVE_USER_SCRAM_CREDENTIAL: u8 = 15;
const CLIENT_QUOTA: u8 = 16;
const DELEGATION_TOKEN: u8 = 17;
const REMOVE_DELEGATION_TOKEN: u8 = 18;
const LAST_KIND: u8 = REMOVE_DELEGATION_TOKEN;

/// Why an entry cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("the entry has format {0}, a newer release wrote it; this one reads format 1")]
    NewerEntry(u8),
    #[error(
        "a record of kind {kind}, version {version}, was written by a newer release and \
         cannot be left out; this release reads that kind up to version {known}"
    )]
    NewerRecord { kind: u8, version: u8, known: u8 },
    #[error("a record of kind {kind} has {left} bytes too many")]
    TrailingBytes { kind: u8, left: usize },
    #[error("a record names the config resource type {0}, which does not exist")]
    UnknownResourceType(i8),
    #[error("a record is damaged: {0}")]
    Damaged(#[from] WireError),
}

/// The bytes of an entry that holds these records.
pub fn encode_entry<'a>(records: impl IntoIterator<Item = &'a MetadataRecord>) -> Vec<u8> {
    let mut out = vec![ENTRY_FORMAT];
    for record in records {
        encode_record(record, &mut out);
    }
    out
}

/// The records of an entry.
pub fn decode_entry(bytes: &[u8]) -> Result<Vec<MetadataRecord>, RecordError> {
    let mut reader = Reader::new(bytes, "an entry");
    match reader.u8()? {
        ENTRY_FORMAT => {}
        other => return Err(RecordError::NewerEntry(other)),
    }
    decode_records(reader)
}

/// Appends one record to a sequence of records.
pub(crate) fn encode_record(record: &MetadataRecord, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[kind_of(record), RECORD_VERSION, RECORD_VERSION, 0, 0, 0, 0]);
    encode_body(record, &mut Writer(out));
    let length = out.len() - start - RECORD_HEADER_SIZE;
    let length = u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    out[start + 3..start + RECORD_HEADER_SIZE].copy_from_slice(&length);
}

/// The records of a sequence without a format byte before it.
pub(crate) fn decode_record_sequence(bytes: &[u8]) -> Result<Vec<MetadataRecord>, RecordError> {
    decode_records(Reader::new(bytes, "a sequence of records"))
}

fn decode_records(mut reader: Reader<'_>) -> Result<Vec<MetadataRecord>, RecordError> {
    let mut records = Vec::new();
    while reader.remaining() > 0 {
        records.extend(decode_record(&mut reader)?);
    }
    Ok(records)
}

/// `None` for a record of a newer release that may be left out.
fn decode_record(reader: &mut Reader<'_>) -> Result<Option<MetadataRecord>, RecordError> {
    let kind = reader.u8()?;
    let version = reader.u8()?;
    let readable_from = reader.u8()?;
    let length = reader.u32()? as usize;
    let mut body = Reader::new(reader.take(length)?, "a record");

    let known = if (CLUSTER_ID..=LAST_KIND).contains(&kind) { RECORD_VERSION } else { 0 };
    if readable_from > known {
        return Err(RecordError::NewerRecord { kind, version, known });
    }
    let Some(record) = decode_body(kind, &mut body)? else { return Ok(None) };
    if version <= known && body.remaining() > 0 {
        return Err(RecordError::TrailingBytes { kind, left: body.remaining() });
    }
    Ok(Some(record))
}

fn kind_of(record: &MetadataRecord) -> u8 {
    match record {
        MetadataRecord::ClusterId { .. } => CLUSTER_ID,
        MetadataRecord::FeatureLevel { .. } => FEATURE_LEVEL,
        MetadataRecord::RegisterBroker(_) => REGISTER_BROKER,
        MetadataRecord::UnregisterBroker { .. } => UNREGISTER_BROKER,
        MetadataRecord::BrokerRegistrationChange(_) => BROKER_REGISTRATION_CHANGE,
        MetadataRecord::Topic { .. } => TOPIC,
        MetadataRecord::RemoveTopic { .. } => REMOVE_TOPIC,
        MetadataRecord::Partition { .. } => PARTITION,
        MetadataRecord::PartitionChange(_) => PARTITION_CHANGE,
        MetadataRecord::Config { .. } => CONFIG,
        MetadataRecord::ProducerIds { .. } => PRODUCER_IDS,
        MetadataRecord::AccessControlEntry(_) => ACCESS_CONTROL_ENTRY,
        MetadataRecord::RemoveAccessControlEntry { .. } => REMOVE_ACCESS_CONTROL_ENTRY,
        MetadataRecord::UserScramCredential(_) => USER_SCRAM_CREDENTIAL,
        MetadataRecord::RemoveUserScramCredential { .. } => REMOVE_USER_SCRAM_CREDENTIAL,
        MetadataRecord::ClientQuota { .. } => CLIENT_QUOTA,
        MetadataRecord::DelegationToken(_) => DELEGATION_TOKEN,
        MetadataRecord::RemoveDelegationToken { .. } => REMOVE_DELEGATION_TOKEN,
    }
}

fn encode_body(record: &MetadataRecord, w: &mut Writer<'_>) {
    match record {
        MetadataRecord::ClusterId { cluster_id } => w.string(cluster_id),
        MetadataRecord::FeatureLevel { name, level } => {
            w.string(name);
            w.i16(*level);
        }
        MetadataRecord::RegisterBroker(broker) => encode_broker(broker, w),
        MetadataRecord::UnregisterBroker { broker_id, broker_epoch } => {
            w.i32(*broker_id);
            w.i64(*broker_epoch);
        }
        MetadataRecord::BrokerRegistrationChange(change) => {
            w.i32(change.broker_id);
            w.i64(change.broker_epoch);
            w.option(change.fenced.as_ref(), |w, fenced| w.bool(*fenced));
            w.option(change.in_controlled_shutdown.as_ref(), |w, flag| w.bool(*flag));
            w.option(change.log_dirs.as_ref(), |w, dirs| w.array(dirs, Writer::uuid));
        }
        MetadataRecord::Topic { name, topic_id } => {
            w.string(name);
            w.uuid(topic_id);
        }
        MetadataRecord::RemoveTopic { topic_id } => w.uuid(topic_id),
        MetadataRecord::Partition { topic_id, partition_id, registration } => {
            w.uuid(topic_id);
            w.i32(*partition_id);
            encode_partition(registration, w);
        }
        MetadataRecord::PartitionChange(change) => encode_partition_change(change, w),
        MetadataRecord::Config { resource, name, value } => {
            w.i8(resource.kind.code());
            w.string(&resource.name);
            w.string(name);
            w.option(value.as_ref(), |w, value| w.string(value));
        }
        MetadataRecord::ProducerIds { broker_id, broker_epoch, next_producer_id } => {
            w.i32(*broker_id);
            w.i64(*broker_epoch);
            w.i64(*next_producer_id);
        }
        MetadataRecord::AccessControlEntry(entry) => security::encode_acl(entry, w),
        MetadataRecord::RemoveAccessControlEntry { id } => w.uuid(id),
        MetadataRecord::UserScramCredential(credential) => security::encode_scram(credential, w),
        MetadataRecord::RemoveUserScramCredential { user, mechanism } => {
            w.string(user);
            w.i8(*mechanism);
        }
        MetadataRecord::ClientQuota { entity, key, value } => {
            security::encode_quota_entity(entity, w);
            w.string(key);
            w.option(value.as_ref(), |w, value| w.f64(*value));
        }
        MetadataRecord::DelegationToken(token) => security::encode_token(token, w),
        MetadataRecord::RemoveDelegationToken { token_id } => w.string(token_id),
    }
}

/// `None` for an unknown kind.
fn decode_body(kind: u8, r: &mut Reader<'_>) -> Result<Option<MetadataRecord>, RecordError> {
    Ok(Some(match kind {
        CLUSTER_ID => MetadataRecord::ClusterId { cluster_id: r.string()? },
        FEATURE_LEVEL => MetadataRecord::FeatureLevel { name: r.string()?, level: r.i16()? },
        REGISTER_BROKER => MetadataRecord::RegisterBroker(decode_broker(r)?),
        UNREGISTER_BROKER => {
            MetadataRecord::UnregisterBroker { broker_id: r.i32()?, broker_epoch: r.i64()? }
        }
        BROKER_REGISTRATION_CHANGE => {
            MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
                broker_id: r.i32()?,
                broker_epoch: r.i64()?,
                fenced: r.option(Reader::bool)?,
                in_controlled_shutdown: r.option(Reader::bool)?,
                log_dirs: r.option(|r| r.array(16, Reader::uuid))?,
            })
        }
        TOPIC => MetadataRecord::Topic { name: r.string()?, topic_id: r.uuid()? },
        REMOVE_TOPIC => MetadataRecord::RemoveTopic { topic_id: r.uuid()? },
        PARTITION => MetadataRecord::Partition {
            topic_id: r.uuid()?,
            partition_id: r.i32()?,
            registration: decode_partition(r)?,
        },
        PARTITION_CHANGE => MetadataRecord::PartitionChange(decode_partition_change(r)?),
        CONFIG => {
            let code = r.i8()?;
            let kind = ConfigResourceType::from_code(code)
                .ok_or(RecordError::UnknownResourceType(code))?;
            MetadataRecord::Config {
                resource: ConfigResource { kind, name: r.string()? },
                name: r.string()?,
                value: r.option(Reader::string)?,
            }
        }
        PRODUCER_IDS => MetadataRecord::ProducerIds {
            broker_id: r.i32()?,
            broker_epoch: r.i64()?,
            next_producer_id: r.i64()?,
        },
        ACCESS_CONTROL_ENTRY => MetadataRecord::AccessControlEntry(security::decode_acl(r)?),
        REMOVE_ACCESS_CONTROL_ENTRY => MetadataRecord::RemoveAccessControlEntry { id: r.uuid()? },
        USER_SCRAM_CREDENTIAL => MetadataRecord::UserScramCredential(security::decode_scram(r)?),
        REMOVE_USER_SCRAM_CREDENTIAL => {
            MetadataRecord::RemoveUserScramCredential { user: r.string()?, mechanism: r.i8()? }
        }
        CLIENT_QUOTA => MetadataRecord::ClientQuota {
            entity: security::decode_quota_entity(r)?,
            key: r.string()?,
            value: r.option(Reader::f64)?,
        },
        DELEGATION_TOKEN => MetadataRecord::DelegationToken(security::decode_token(r)?),
        REMOVE_DELEGATION_TOKEN => MetadataRecord::RemoveDelegationToken { token_id: r.string()? },
        _ => return Ok(None),
    }))
}

fn encode_broker(broker: &BrokerRegistration, w: &mut Writer<'_>) {
    w.i32(broker.id);
    w.i64(broker.epoch);
    w.uuid(&broker.incarnation_id);
    w.array(&broker.endpoints, |w, endpoint| {
        w.string(&endpoint.name);
        w.string(&endpoint.host);
        w.u16(endpoint.port);
        w.i16(endpoint.security_protocol);
    });
    w.array(&broker.features, |w, feature| {
        w.string(&feature.name);
        w.i16(feature.min_supported);
        w.i16(feature.max_supported);
    });
    w.option(broker.rack.as_ref(), |w, rack| w.string(rack));
    w.bool(broker.fenced);
    w.bool(broker.in_controlled_shutdown);
    w.array(&broker.log_dirs, Writer::uuid);
}

fn decode_broker(r: &mut Reader<'_>) -> Result<BrokerRegistration, WireError> {
    Ok(BrokerRegistration {
        id: r.i32()?,
        epoch: r.i64()?,
        incarnation_id: r.uuid()?,
        endpoints: r.array(12, |r| {
            Ok(BrokerEndpoint {
                name: r.string()?,
                host: r.string()?,
                port: r.u16()?,
                security_protocol: r.i16()?,
            })
        })?,
        features: r.array(8, |r| {
            Ok(BrokerFeature {
                name: r.string()?,
                min_supported: r.i16()?,
                max_supported: r.i16()?,
            })
        })?,
        rack: r.option(Reader::string)?,
        fenced: r.bool()?,
        in_controlled_shutdown: r.bool()?,
        log_dirs: r.array(16, Reader::uuid)?,
    })
}

fn write_ids(w: &mut Writer<'_>, ids: &[i32]) {
    w.array(ids, |w, id| w.i32(*id));
}

fn read_ids(r: &mut Reader<'_>) -> Result<Vec<i32>, WireError> {
    r.array(4, Reader::i32)
}

fn encode_partition(partition: &PartitionRegistration, w: &mut Writer<'_>) {
    write_ids(w, &partition.replicas);
    w.array(&partition.directories, Writer::uuid);
    write_ids(w, &partition.isr);
    write_ids(w, &partition.removing_replicas);
    write_ids(w, &partition.adding_replicas);
    write_ids(w, &partition.eligible_leader_replicas);
    write_ids(w, &partition.last_known_elr);
    w.i32(partition.leader);
    w.i8(partition.leader_recovery_state);
    w.i32(partition.leader_epoch);
    w.i32(partition.partition_epoch);
}

fn decode_partition(r: &mut Reader<'_>) -> Result<PartitionRegistration, WireError> {
    Ok(PartitionRegistration {
        replicas: read_ids(r)?,
        directories: r.array(16, Reader::uuid)?,
        isr: read_ids(r)?,
        removing_replicas: read_ids(r)?,
        adding_replicas: read_ids(r)?,
        eligible_leader_replicas: read_ids(r)?,
        last_known_elr: read_ids(r)?,
        leader: r.i32()?,
        leader_recovery_state: r.i8()?,
        leader_epoch: r.i32()?,
        partition_epoch: r.i32()?,
    })
}

fn encode_partition_change(change: &PartitionChange, w: &mut Writer<'_>) {
    fn ids(w: &mut Writer<'_>, ids: Option<&Vec<i32>>) {
        w.option(ids, |w, ids| write_ids(w, ids));
    }
    w.uuid(&change.topic_id);
    w.i32(change.partition_id);
    ids(w, change.isr.as_ref());
    w.option(change.leader.as_ref(), |w, leader| w.i32(*leader));
    ids(w, change.replicas.as_ref());
    ids(w, change.removing_replicas.as_ref());
    ids(w, change.adding_replicas.as_ref());
    w.option(change.leader_recovery_state.as_ref(), |w, state| w.i8(*state));
    w.option(change.directories.as_ref(), |w, dirs| w.array(dirs, Writer::uuid));
    ids(w, change.eligible_leader_replicas.as_ref());
    ids(w, change.last_known_elr.as_ref());
}

fn decode_partition_change(r: &mut Reader<'_>) -> Result<PartitionChange, WireError> {
    Ok(PartitionChange {
        topic_id: r.uuid()?,
        partition_id: r.i32()?,
        isr: r.option(read_ids)?,
        leader: r.option(Reader::i32)?,
        replicas: r.option(read_ids)?,
        removing_replicas: r.option(read_ids)?,
        adding_replicas: r.option(read_ids)?,
        leader_recovery_state: r.option(Reader::i8)?,
        directories: r.option(|r| r.array(16, Reader::uuid))?,
        eligible_leader_replicas: r.option(read_ids)?,
        last_known_elr: r.option(read_ids)?,
    })
}

#[cfg(test)]
mod tests;
