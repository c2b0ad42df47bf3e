//! `barnabas log dump`: what is in a file, line by line.
//!
//! Fields are called as `kafka-dump-log` calls them. Every file is read in windows, so its size
//! does not matter. A segment of a log directory that nobody uses is shown as the next start will find
//! it: with what `barnabas-journal` writes back, marked as such. Nothing is written. What is damaged is
//! shown up to the damage; then one sentence says where it is.

mod ahead;
mod batches;
mod decode;
mod files;
mod journal;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use storage::TopicPartition;
use storage::fs::RealFs;
use storage::inspect::FileKind;
use storage::inspect::rows::RowKind;

use self::ahead::Journals;
use self::batches::Source;
use crate::cli::output::{self, Fields, Format, Value, complain, exit, json_line, text_line};

#[derive(Debug, Args)]
pub struct DumpArgs {
    /// Files of a log directory or of a partition's.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Shows the records too, with keys, values and headers.
    #[arg(short, long, visible_alias = "print-data-log")]
    records: bool,
    /// Writes one JSON object a line.
    #[arg(long)]
    json: bool,
    /// What keys and values are [default: by the name of the file's directory].
    #[arg(long, value_enum)]
    decoder: Option<Decoder>,
}

/// What keys and values of records are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Decoder {
    /// Text or bytes.
    None,
    /// Records of __consumer_offsets.
    Offsets,
    /// Records of __transaction_state.
    Transactions,
    /// Records of __share_group_state.
    ShareState,
    /// Records of Kafka's __cluster_metadata.
    Metadata,
}

impl Decoder {
    /// That of the topic that the file's directory is of.
    fn of(file: &Path) -> Self {
        let folder = file.parent().and_then(Path::file_name).unwrap_or_default();
        let name = folder.to_string_lossy();
        // A partition that waits for deletion has an id behind its name.
        let name = name.split_once('.').map_or(&*name, |(name, _)| name);
        match TopicPartition::from_dir_name(name).as_ref().map(|partition| &*partition.topic) {
            Some("__consumer_offsets") => Self::Offsets,
            Some("__transaction_state") => Self::Transactions,
            Some("__share_group_state") => Self::ShareState,
            Some("__cluster_metadata") => Self::Metadata,
            _ => Self::None,
        }
    }
}

/// Why a file was not shown to its end.
#[derive(Debug)]
enum Failed {
    /// The output cannot be written.
    Output(io::Error),
    /// The file: where, if that is known, and what.
    File(Option<u64>, String),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl Failed {
    fn file(error: impl ToString) -> Self {
        Self::File(None, error.to_string())
    }
}

/// Where lines go.
struct Dump<'a, W> {
    out: W,
    format: Format,
    file: &'a Path,
}

impl<W: Write> Dump<'_, W> {
    /// Writes a line of this kind. The kind is only in JSON: a reader of the text sees it.
    fn line(&mut self, kind: &str, fields: &Fields<'_>) -> io::Result<()> {
        match self.format {
            Format::Text => writeln!(self.out, "{}", text_line(fields)),
            Format::Json => {
                let file = self.file.display().to_string();
                let mut all = vec![("kind", Value::from(kind)), ("file", Value::from(file))];
                all.extend_from_slice(fields);
                writeln!(self.out, "{}", json_line(&all))
            }
        }
    }

    /// A line that belongs to the one before.
    fn inner_line(&mut self, kind: &str, fields: &Fields<'_>) -> io::Result<()> {
        if self.format == Format::Text {
            write!(self.out, "| ")?;
        }
        self.line(kind, fields)
    }

    /// A line that only people read.
    fn remark(&mut self, text: &str) -> io::Result<()> {
        match self.format {
            Format::Text => writeln!(self.out, "{text}"),
            Format::Json => Ok(()),
        }
    }
}

impl DumpArgs {
    pub(super) fn run(self) -> ExitCode {
        exit(self.dump(&mut output::stdout()))
    }

    /// Shows all files. Returns whether all are good.
    fn dump(&self, out: &mut impl Write) -> io::Result<bool> {
        let mut all_good = true;
        let mut journals = Journals::default();
        for file in &self.files {
            let format = Format::new(self.json);
            let mut dump = Dump { out: &mut *out, format, file };
            let dumped = self.dump_file(&mut dump, &mut journals);
            out.flush()?;
            match dumped {
                Ok(()) => {}
                Err(Failed::Output(error)) => return Err(error),
                Err(Failed::File(position, what)) => {
                    let place = position.map_or(String::new(), |at| format!(" at position {at}"));
                    complain(&format!("{}{place}: {what}", file.display()));
                    all_good = false;
                }
            }
        }
        Ok(all_good)
    }

    fn dump_file<W: Write>(
        &self,
        dump: &mut Dump<'_, W>,
        journals: &mut Journals,
    ) -> Result<(), Failed> {
        let file = dump.file;
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let kind = kind_of(&name)
            .ok_or_else(|| Failed::file("its name is that of no file which a log directory has"))?;
        dump.remark(&format!("Dumping {}", file.display()))?;
        match kind {
            FileKind::Log(base) => {
                dump.remark(&format!("Log starting offset: {base}"))?;
                let records = self.decoder(|| Decoder::of(&absolute(file)));
                journals.dump_segment(dump, records)
            }
            FileKind::MetadataSnapshot => {
                let source = Source { fs: &RealFs, path: file, restored: None };
                batches::dump(&source, dump, self.decoder(|| Decoder::Metadata))
            }
            FileKind::OffsetIndex(base) => files::rows(&RealFs, dump, RowKind::Offset, base),
            FileKind::TimeIndex(base) => files::rows(&RealFs, dump, RowKind::Time, base),
            FileKind::TxnIndex(base) => files::rows(&RealFs, dump, RowKind::Txn, base),
            FileKind::ProducerSnapshot(_) => files::producers(&RealFs, dump),
            FileKind::LeaderEpochs => files::epochs(&RealFs, dump),
            FileKind::OffsetCheckpoint => files::offsets(&RealFs, dump),
            FileKind::PartitionMetadata => files::partition_metadata(&RealFs, dump),
            FileKind::MetaProperties => files::meta_properties(&RealFs, dump),
            FileKind::CleanShutdown => files::clean_shutdown(&RealFs, dump),
            FileKind::SealedSums => files::sealed_sums(&RealFs, dump),
            FileKind::Journal => journal::dump(&RealFs, dump),
        }
    }

    /// What shows records, if they are wanted.
    fn decoder(&self, by_name: impl FnOnce() -> Decoder) -> Option<Decoder> {
        self.records.then(|| self.decoder.unwrap_or_else(by_name))
    }
}

fn absolute(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}

/// What a file holds by its name. Files on their way in or out, and what recovery has cut off, hold
/// what their name was before.
fn kind_of(name: &str) -> Option<FileKind> {
    let suffixes = [".deleted", ".cleaned", ".swap"];
    let plain = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    let plain = plain.split_once(".cut-").map_or(plain, |(plain, _)| plain);
    FileKind::of(plain)
}

#[cfg(test)]
mod tests;
