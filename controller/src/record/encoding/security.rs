//! The bytes of records about access and quotas.

use crate::image::client_quotas::QuotaEntity;
use crate::image::security::{AccessControlEntry, DelegationToken, ScramCredential};
use crate::record::wire::{Reader, WireError, Writer};

pub(super) fn encode_acl(entry: &AccessControlEntry, w: &mut Writer<'_>) {
    w.uuid(&entry.id);
    w.i8(entry.resource_type);
    w.string(&entry.resource_name);
    w.i8(entry.pattern_type);
    w.string(&entry.principal);
    w.string(&entry.host);
    w.i8(entry.operation);
    w.i8(entry.permission_type);
}

pub(super) fn decode_acl(r: &mut Reader<'_>) -> Result<AccessControlEntry, WireError> {
    Ok(AccessControlEntry {
        id: r.uuid()?,
        resource_type: r.i8()?,
        resource_name: r.string()?,
        pattern_type: r.i8()?,
        principal: r.string()?,
        host: r.string()?,
        operation: r.i8()?,
        permission_type: r.i8()?,
    })
}

pub(super) fn encode_scram(credential: &ScramCredential, w: &mut Writer<'_>) {
    w.string(&credential.user);
    w.i8(credential.mechanism);
    w.bytes(&credential.salt);
    w.bytes(&credential.stored_key);
    w.bytes(&credential.server_key);
    w.i32(credential.iterations);
}

pub(super) fn decode_scram(r: &mut Reader<'_>) -> Result<ScramCredential, WireError> {
    Ok(ScramCredential {
        user: r.string()?,
        mechanism: r.i8()?,
        salt: r.bytes()?,
        stored_key: r.bytes()?,
        server_key: r.bytes()?,
        iterations: r.i32()?,
    })
}

pub(super) fn encode_token(token: &DelegationToken, w: &mut Writer<'_>) {
    w.string(&token.token_id);
    w.string(&token.owner);
    w.string(&token.requester);
    w.array(&token.renewers, |w, renewer| w.string(renewer));
    w.i64(token.issue_timestamp_ms);
    w.i64(token.max_timestamp_ms);
    w.i64(token.expiration_timestamp_ms);
}

pub(super) fn decode_token(r: &mut Reader<'_>) -> Result<DelegationToken, WireError> {
    Ok(DelegationToken {
        token_id: r.string()?,
        owner: r.string()?,
        requester: r.string()?,
        renewers: r.array(4, Reader::string)?,
        issue_timestamp_ms: r.i64()?,
        max_timestamp_ms: r.i64()?,
        expiration_timestamp_ms: r.i64()?,
    })
}

pub(super) fn encode_quota_entity(entity: &QuotaEntity, w: &mut Writer<'_>) {
    w.array(entity, |w, (kind, name)| {
        w.string(kind);
        w.option(name.as_ref(), |w, name| w.string(name));
    });
}

pub(super) fn decode_quota_entity(r: &mut Reader<'_>) -> Result<QuotaEntity, WireError> {
    r.array(5, |r| Ok((r.string()?, r.option(Reader::string)?)))
}
