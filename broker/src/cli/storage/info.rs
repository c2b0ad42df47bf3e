//! `barnabas storage info`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use protocol_codec::json::JsonWriter;
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

impl InfoArgs {
    pub(in crate::cli) fn run(self) -> ExitCode {
        let fs: Arc<dyn Fs> = Arc::new(RealFs);
        let info = match describe(&fs, &self.dir) {
            Ok(info) => info,
            Err(error) => {
                complain(&format!("{} cannot be listed: {error}", self.dir.display()));
                return ExitCode::FAILURE;
            }
        };
        let mut out = output::stdout();
        let written = if self.json { json(&mut out, &info) } else { text(&mut out, &info) };
        exit(written.and_then(|()| out.flush()).map(|()| info.problems.is_empty()))
    }
}

fn text(out: &mut impl Write, info: &DirInfo) -> io::Result<()> {
    writeln!(out, "{}", info.path.display())?;
    for (name, value) in head(info) {
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

fn head(info: &DirInfo) -> Vec<(&'static str, String)> {
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

fn json(out: &mut impl Write, info: &DirInfo) -> io::Result<()> {
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
