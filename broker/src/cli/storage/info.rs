//! `barnabas storage info`. Nothing in the directory changes, not even a time.

use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use controller::image::features::{FeaturesImage, METADATA_VERSION};
use controller::raft::look::look;
use protocol_codec::json::JsonWriter;
use storage::dir_lock;
use storage::fs::{Fs, RealFs};
use storage::info::{DirInfo, PartitionInfo, describe};

use crate::cli::output::{self, Value, complain, exit, json_line, size};

#[derive(Debug, Args)]
pub struct InfoArgs {
    /// A log directory.
    dir: PathBuf,
    /// Writes one JSON object a line: the directory, then each partition.
    #[arg(long)]
    json: bool,
}

/// What is known of the finalized features.
#[derive(Debug)]
enum Features {
    /// The metadata lies elsewhere, or is Kafka's.
    NotHere,
    /// A running broker writes to the metadata.
    InUse,
    /// Why is among the problems.
    Unknown,
    Known(FeaturesImage),
}

impl Features {
    /// Looks for them after everything else: a broker that was started meanwhile is noticed too.
    fn of(fs: &dyn Fs, info: &mut DirInfo) -> Self {
        if !info.has_metadata {
            return Self::NotHere;
        }
        let holder = || dir_lock::holder(fs, &info.path).unwrap_or_default();
        let looked = match info.used_by {
            Some(_) => return Self::InUse,
            None => look(&info.path),
        };
        if let Some(process) = holder() {
            info.used_by = Some(process);
            return Self::InUse;
        }
        match looked {
            Ok(image) => Self::Known(image.features),
            Err(error) => {
                info.problems.push(error.to_string());
                Self::Unknown
            }
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::NotHere => "not here".to_owned(),
            Self::InUse => "not read while the directory is in use".to_owned(),
            Self::Unknown => "cannot be read".to_owned(),
            Self::Known(features) => {
                let level = |(name, level)| format!("{name} {level}");
                features.iter().map(level).collect::<Vec<_>>().join(", ")
            }
        }
    }

    fn json(&self) -> Value {
        let Self::Known(features) = self else { return Value::Null };
        let mut w = JsonWriter::new();
        w.begin_object();
        for (name, level) in features.iter() {
            w.key(name);
            w.int(i64::from(level));
        }
        w.end_object();
        Value::Json(w.finish())
    }

    fn metadata_version(&self) -> Option<i16> {
        match self {
            Self::Known(features) => Some(features.level(METADATA_VERSION)),
            Self::NotHere | Self::InUse | Self::Unknown => None,
        }
    }
}

impl InfoArgs {
    pub(in crate::cli) fn run(self) -> ExitCode {
        let fs: Arc<dyn Fs> = Arc::new(RealFs);
        let mut info = match describe(&fs, &self.dir) {
            Ok(info) => info,
            Err(error) => {
                complain(&format!("{} cannot be listed: {error}", self.dir.display()));
                return ExitCode::FAILURE;
            }
        };
        let features = Features::of(&*fs, &mut info);
        let mut out = output::stdout();
        let write = if self.json { json } else { text };
        let written = write(&mut out, &info, &features);
        exit(written.and_then(|()| out.flush()).map(|()| info.problems.is_empty()))
    }
}

type Out = BufWriter<StdoutLock<'static>>;

fn text(out: &mut Out, info: &DirInfo, features: &Features) -> io::Result<()> {
    writeln!(out, "{}", info.path.display())?;
    for (name, value) in head(info, features) {
        writeln!(out, "  {name:14} {value}")?;
    }
    for problem in &info.problems {
        writeln!(out, "  {:14} {problem}", "problem")?;
    }
    if info.partitions.is_empty() {
        return Ok(());
    }
    let mut rows = vec![COLUMNS.map(str::to_owned)];
    rows.extend(info.partitions.iter().map(row));
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(String::len).max().unwrap_or(0))
        .collect();
    writeln!(out)?;
    for row in rows {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Names to the left, numbers to the right.
            let cell = if at < 2 { format!("{cell:width$}") } else { format!("{cell:>width$}") };
            line.push_str(&cell);
            line.push_str("  ");
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

const COLUMNS: [&str; 9] = [
    "PARTITION",
    "TOPIC ID",
    "SEGMENTS",
    "SIZE",
    "START",
    "END",
    "RECOVERY POINT",
    "HIGH WATERMARK",
    "EPOCH",
];

fn row(partition: &PartitionInfo) -> [String; 9] {
    let number = |value: Option<i64>| value.map_or("-".to_owned(), |value| value.to_string());
    [
        partition.partition.to_string(),
        partition.topic_id.map_or("-".to_owned(), |id| id.to_string()),
        partition.segments.to_string(),
        size(partition.bytes),
        partition.log_start_offset.to_string(),
        number(partition.log_end_offset),
        number(partition.recovery_point),
        number(partition.high_watermark),
        number(partition.leader_epoch.map(i64::from)),
    ]
}

fn head(info: &DirInfo, features: &Features) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(meta) = &info.meta {
        lines.push(("cluster id", meta.cluster_id.clone()));
        lines.push(("node id", meta.node_id.to_string()));
        let id = meta.directory_id.map_or("none".to_owned(), |id| id.to_string());
        lines.push(("directory id", id));
    } else {
        lines.push(("cluster id", "none: there is no meta.properties".to_owned()));
    }
    lines.push(("last stop", last_stop(info)));
    let journal = match info.journal {
        None => "none".to_owned(),
        Some(journal) => {
            let state = if journal.is_open { "open" } else { "closed" };
            format!("{state}, {}, format {}", size(journal.bytes), journal.version)
        }
    };
    lines.push(("journal", journal));
    let metadata = match (info.has_metadata, info.has_kafka_metadata) {
        (true, false) => "here (__cluster_metadata-1)",
        (false, true) => "Kafka's (__cluster_metadata-0)",
        (true, true) => "here (__cluster_metadata-1), and Kafka's (__cluster_metadata-0)",
        (false, false) => "not here",
    };
    lines.push(("metadata", metadata.to_owned()));
    lines.push(("features", features.shown()));
    if let Some(space) = info.space {
        let text = format!("{} of {}", size(space.usable), size(space.total));
        lines.push(("free space", text));
    }
    let bytes = info.partitions.iter().map(|partition| partition.bytes).sum();
    lines.push(("partitions", format!("{}, {}", info.partitions.len(), size(bytes))));
    lines
}

fn last_stop(info: &DirInfo) -> String {
    match (info.used_by, info.clean) {
        (Some(process), _) => format!("in use by process {process}"),
        (None, Some(clean)) => match clean.broker_epoch {
            Some(epoch) => format!("clean (broker epoch {epoch})"),
            None => "clean".to_owned(),
        },
        (None, None) if info.partitions.is_empty() => "never used".to_owned(),
        (None, None) => "not clean: the next start recovers".to_owned(),
    }
}

fn json(out: &mut Out, info: &DirInfo, features: &Features) -> io::Result<()> {
    let meta = info.meta.as_ref();
    let fields = [
        ("kind", Value::from("directory")),
        ("path", Value::from(info.path.display().to_string())),
        ("clusterId", Value::from(meta.map(|meta| meta.cluster_id.clone()))),
        ("nodeId", Value::from(meta.map(|meta| meta.node_id))),
        ("directoryId", Value::from(meta.and_then(|meta| meta.directory_id))),
        ("cleanShutdown", Value::from(info.clean.is_some())),
        ("brokerEpoch", Value::from(info.clean.and_then(|clean| clean.broker_epoch))),
        ("usedBy", Value::from(info.used_by)),
        ("journalOpen", Value::from(info.journal.map(|journal| journal.is_open))),
        ("journalBytes", Value::from(info.journal.map(|journal| journal.bytes))),
        ("journalVersion", Value::from(info.journal.map(|journal| journal.version))),
        ("hasMetadata", Value::from(info.has_metadata)),
        ("hasKafkaMetadata", Value::from(info.has_kafka_metadata)),
        ("metadataVersion", Value::from(features.metadata_version())),
        ("features", features.json()),
        ("totalBytes", Value::from(info.space.map(|space| space.total))),
        ("usableBytes", Value::from(info.space.map(|space| space.usable))),
        ("partitions", Value::from(info.partitions.len())),
        ("problems", Value::Json(strings(&info.problems))),
    ];
    writeln!(out, "{}", json_line(&fields))?;
    for partition in &info.partitions {
        let fields = [
            ("kind", Value::from("partition")),
            ("topic", Value::from(&*partition.partition.topic)),
            ("partition", Value::from(partition.partition.partition)),
            ("topicId", Value::from(partition.topic_id)),
            ("segments", Value::from(partition.segments)),
            ("bytes", Value::from(partition.bytes)),
            ("logStartOffset", Value::from(partition.log_start_offset)),
            ("logEndOffset", Value::from(partition.log_end_offset)),
            ("recoveryPoint", Value::from(partition.recovery_point)),
            ("highWatermark", Value::from(partition.high_watermark)),
            ("leaderEpoch", Value::from(partition.leader_epoch)),
        ];
        writeln!(out, "{}", json_line(&fields))?;
    }
    Ok(())
}

fn strings(texts: &[String]) -> String {
    let mut w = JsonWriter::new();
    w.begin_array();
    texts.iter().for_each(|text| w.string(text));
    w.end_array();
    w.finish()
}
