//! The journal: its frames, and what they hold of which partition.

use std::io::Write;

use storage::JournalError;
use storage::fs::Fs;
use storage::journal::listing::{Listed, list};

use super::{Dump, Failed};
use crate::cli::output::Value;

impl From<JournalError> for Failed {
    fn from(error: JournalError) -> Self {
        match &error {
            JournalError::Damaged { position, .. } => {
                Self::File(Some(*position), format!("damaged: {error}"))
            }
            JournalError::Io { .. } | JournalError::Newer { .. } => Self::file(&error),
        }
    }
}

/// Shows the journal, frame by frame. The bytes themselves are those of the segments.
pub(super) fn dump<W: Write>(fs: &dyn Fs, dump: &mut Dump<'_, W>) -> Result<(), Failed> {
    // A journal that is not there is none that was never written to.
    fs.metadata(dump.file).map_err(Failed::file)?;
    let file = dump.file;
    if !list(fs, file, &mut |listed| show(dump, listed))? {
        dump.remark("Nothing was ever written to it")?;
    }
    Ok(())
}

fn show<W: Write>(dump: &mut Dump<'_, W>, listed: Listed<'_>) -> Result<(), Failed> {
    match listed {
        Listed::Header { is_open, generation, bytes_from } => {
            let fields = [
                ("open", Value::from(is_open)),
                ("generation", Value::from(format!("{generation:016x}"))),
                ("bytesFrom", Value::from(bytes_from)),
            ];
            dump.line("journal", &fields)?;
            if !is_open {
                dump.remark("It was closed by a clean stop: nothing in it counts")?;
            }
        }
        Listed::Frame { position, sequence, tail, bytes, counts } => {
            let fields = [
                ("sequence", Value::from(sequence)),
                ("position", Value::from(position)),
                ("size", Value::from(bytes)),
                ("tail", Value::from(tail)),
                ("counts", Value::from(counts)),
            ];
            dump.line("frame", &fields)?;
        }
        Listed::Entry {
            kind,
            topic,
            partition,
            topic_id,
            leader_epoch,
            segment_base,
            position,
            bytes,
            base_offset,
            end_offset,
        } => {
            let fields = [
                ("entry", Value::from(kind)),
                ("topic", Value::from(topic)),
                ("partition", Value::from(partition)),
                ("topicId", Value::from(topic_id)),
                ("leaderEpoch", Value::from(leader_epoch)),
                ("segment", Value::from(segment_base)),
                ("position", Value::from(position)),
                ("size", Value::from(bytes)),
                ("baseOffset", Value::from(base_offset)),
                ("endOffset", Value::from(end_offset)),
            ];
            dump.inner_line("journalEntry", &fields)?;
        }
    }
    Ok(())
}
