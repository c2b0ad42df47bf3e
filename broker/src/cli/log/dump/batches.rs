//! Batches and their records; those that a segment gets from the journal have `fromJournal: true`.

use std::io::Write;
use std::path::Path;

use protocol_codec::records::control::{ControlRecordType, EndTransactionMarker};
use protocol_codec::records::{BatchHeader, BatchView, Compression, RecordView, TimestampType};
use storage::fs::Fs;
use storage::inspect::batches::{BatchReadError, BatchReader, FoundBatch};
use storage::journal::pending::RestoredFile;

use super::{Decoder, Dump, Failed, decode};
use crate::cli::output::Value;

/// More than any batch that a broker lets in decompresses to.
const RECORDS_BYTES_MAX: usize = 1 << 30;

/// Where batches are read from.
pub(super) struct Source<'a> {
    pub(super) fs: &'a dyn Fs,
    /// The file's name in `fs`.
    pub(super) path: &'a Path,
    /// The file beside the journal's part of it, if the journal has one.
    pub(super) restored: Option<RestoredFile>,
}

impl Source<'_> {
    /// Whether the file itself does not hold all of the batch.
    fn lacks(&self, batch: &FoundBatch<'_>) -> Result<bool, Failed> {
        let end = batch.position + batch.header.size() as u64;
        let lacks = self.restored.as_ref().map(|file| file.lacks(batch.position..end));
        lacks.unwrap_or(Ok(false)).map_err(Failed::file)
    }
}

/// Shows all batches, and their records if there is a decoder for them.
pub(super) fn dump<W: Write>(
    source: &Source<'_>,
    dump: &mut Dump<'_, W>,
    records: Option<Decoder>,
) -> Result<(), Failed> {
    let mut reader = BatchReader::open(source.fs, source.path).map_err(Failed::file)?;
    let mut was_lacking = false;
    loop {
        let position = reader.position();
        let damaged = |what: String| Failed::File(Some(position), what);
        let batch = match reader.next_batch() {
            Ok(Some(batch)) => batch,
            Ok(None) => return Ok(()),
            Err(BatchReadError::Io(error)) => return Err(Failed::file(error)),
            Err(error) => return Err(damaged(format!("damaged: {error}"))),
        };
        let lacking = source.lacks(&batch)?;
        if lacking && !was_lacking {
            dump.remark("The next start takes from barnabas-journal what the file does not hold:")?;
        }
        was_lacking = lacking;
        batch_line(dump, &batch, lacking)?;
        if !batch.is_valid() {
            let (stored, computed) = (batch.header.crc, batch.computed_crc);
            let what = format!(
                "damaged: the checksum does not fit (stored crc = {stored}, computed crc = {computed})"
            );
            return Err(damaged(what));
        }
        if let Some((decoder, view)) = records.zip(batch.view) {
            record_lines(dump, &view, decoder, lacking).map_err(|error| match error {
                Failed::File(_, what) => damaged(what),
                output => output,
            })?;
        }
    }
}

/// What marks a line whose bytes are only in the journal.
fn mark(lacking: bool) -> Option<(&'static str, Value)> {
    lacking.then(|| ("fromJournal", Value::from(true)))
}

fn timestamp_name(header: &BatchHeader) -> &'static str {
    match header.attributes.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

fn batch_line<W: Write>(
    dump: &mut Dump<'_, W>,
    batch: &FoundBatch<'_>,
    lacking: bool,
) -> Result<(), Failed> {
    let header = &batch.header;
    let attributes = header.attributes;
    let horizon = attributes.has_delete_horizon().then_some(header.base_timestamp);
    let codec = attributes.compression().map_or("unknown", Compression::name);
    let mut fields = vec![
        ("baseOffset", Value::from(header.base_offset)),
        ("lastOffset", Value::from(header.last_offset())),
        ("count", Value::from(header.records_count)),
        ("baseSequence", Value::from(header.base_sequence)),
        ("lastSequence", Value::from(header.last_sequence())),
        ("producerId", Value::from(header.producer_id)),
        ("producerEpoch", Value::from(header.producer_epoch)),
        ("partitionLeaderEpoch", Value::from(header.partition_leader_epoch)),
        ("isTransactional", Value::from(attributes.is_transactional())),
        ("isControl", Value::from(attributes.is_control())),
        ("deleteHorizonMs", Value::from(horizon)),
        ("position", Value::from(batch.position)),
        (timestamp_name(header), Value::from(header.max_timestamp)),
        ("size", Value::from(header.size())),
        ("magic", Value::from(header.magic)),
        ("compresscodec", Value::from(codec)),
        ("crc", Value::from(header.crc)),
        ("isvalid", Value::from(batch.is_valid())),
    ];
    fields.extend(mark(lacking));
    Ok(dump.line("batch", &fields)?)
}

fn record_lines<W: Write>(
    dump: &mut Dump<'_, W>,
    view: &BatchView<'_>,
    decoder: Decoder,
    lacking: bool,
) -> Result<(), Failed> {
    let failed = |error: &dyn std::fmt::Display| Failed::file(format!("damaged: {error}"));
    let records = view.plain_records(RECORDS_BYTES_MAX).map_err(|error| failed(&error))?;
    for record in records.iter() {
        let record = record.map_err(|error| failed(&error))?;
        let mut fields = record_fields(view.header(), &record);
        if view.header().attributes.is_control() {
            fields.extend(control_fields(view, &record));
        } else {
            fields.extend(decode::fields(decoder, &record));
        }
        fields.extend(mark(lacking));
        dump.inner_line("record", &fields)?;
    }
    Ok(())
}

fn record_fields(header: &BatchHeader, record: &RecordView<'_>) -> Vec<(&'static str, Value)> {
    let size = |bytes: Option<&[u8]>| {
        Value::from(bytes.map_or(-1, |bytes| i64::try_from(bytes.len()).unwrap_or(i64::MAX)))
    };
    let headers = record
        .headers
        .map(|header| (header.key.to_vec(), header.value.map(<[u8]>::to_vec)))
        .collect();
    let sequence = match header.base_sequence {
        none if none < 0 => none,
        base => base.wrapping_add(record.offset_delta) & i32::MAX,
    };
    vec![
        ("offset", Value::from(header.offset_of(record.offset_delta))),
        (timestamp_name(header), Value::from(header.timestamp_of(record.timestamp_delta))),
        ("keySize", size(record.key)),
        ("valueSize", size(record.value)),
        ("sequence", Value::from(sequence)),
        ("headers", Value::Pairs(headers)),
    ]
}

/// What a control record says.
fn control_fields(view: &BatchView<'_>, record: &RecordView<'_>) -> Vec<(&'static str, Value)> {
    if let Ok(marker) = EndTransactionMarker::from_batch(view) {
        let kind = if marker.committed { "COMMIT" } else { "ABORT" };
        return vec![
            ("endTxnMarker", Value::from(kind)),
            ("coordinatorEpoch", Value::from(marker.coordinator_epoch)),
        ];
    }
    decode::quorum(record).unwrap_or_else(|| {
        let kind = protocol_codec::records::control::control_type(record);
        let id = kind.map_or(-1, ControlRecordType::id);
        vec![("controlType", Value::from(id))]
    })
}
