//! `barnabas log verify`: shows how far it is, and what was found.

use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use storage::dir_lock;
use storage::fs::{Fs, RealFs};
use storage::verify::{Damage, Options, Progress, Report, log_dir_of, verify};

use crate::cli::output::{self, Value, complain, exit, json_line, size};

/// Between two pictures of the progress.
const PICTURE_INTERVAL: Duration = Duration::from_millis(100);
const BAR_WIDTH: u64 = 30;

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A log directory, or the directory of one partition.
    dir: PathBuf,
    /// Writes one JSON object a line: each damage, then the sums.
    #[arg(long)]
    json: bool,
}

impl VerifyArgs {
    pub(super) fn run(self) -> ExitCode {
        // `.` and a slash at the end would hide the directory's name.
        let dir = std::path::absolute(&self.dir).and_then(std::fs::canonicalize);
        let dir = match dir {
            Ok(dir) => dir,
            Err(error) => {
                complain(&format!("{}: {error}", self.dir.display()));
                return ExitCode::FAILURE;
            }
        };
        let used_by = dir_lock::holder(&RealFs, &log_dir_of(&RealFs, &dir)).unwrap_or_default();
        let options = Options { is_live: used_by.is_some() };
        let mut bar = Bar::new();
        let fs: Arc<dyn Fs> = Arc::new(RealFs);
        let verified = verify(&fs, &dir, options, &mut |progress| bar.show(progress));
        bar.clear();
        let report = match verified {
            Ok(report) => report,
            Err(error) => {
                complain(&format!("{} cannot be listed: {error}", dir.display()));
                return ExitCode::FAILURE;
            }
        };
        let mut out = output::stdout();
        let written = if self.json {
            json(&mut out, &report, used_by)
        } else {
            text(&mut out, &dir, &report, used_by)
        };
        exit(written.and_then(|()| out.flush()).map(|()| report.is_fine()))
    }
}

fn text(out: &mut impl Write, dir: &Path, report: &Report, used_by: Option<i32>) -> io::Result<()> {
    if let Some(process) = used_by {
        writeln!(
            out,
            "Process {process} is using the directory: what it is writing now is left out, and \
             damage was looked at twice."
        )?;
    }
    writeln!(
        out,
        "{}: {} partitions, {} segments, {} batches, {} records, {}; {} sealed files compared with their sums",
        dir.display(),
        report.partitions,
        report.segments,
        report.batches,
        report.records,
        size(report.bytes),
        report.sums_compared,
    )?;
    for note in &report.notes {
        writeln!(out, "Note: {note}")?;
    }
    for Damage { file, position, what, remedy } in &report.damages {
        writeln!(out, "Damaged: {}", file.display())?;
        match position {
            Some(position) => writeln!(out, "  at position {position}: {what}")?,
            None => writeln!(out, "  {what}")?,
        }
        writeln!(out, "  remedy: {remedy}")?;
    }
    match report.damages.len() {
        0 => writeln!(out, "No damage was found."),
        1 => writeln!(out, "1 damage was found."),
        count => writeln!(out, "{count} damages were found."),
    }
}

fn json(out: &mut impl Write, report: &Report, used_by: Option<i32>) -> io::Result<()> {
    for Damage { file, position, what, remedy } in &report.damages {
        let fields = [
            ("kind", Value::from("damage")),
            ("file", Value::from(file.display().to_string())),
            ("position", Value::from(*position)),
            ("what", Value::from(what.as_str())),
            ("remedy", Value::from(remedy.name())),
            ("remedyText", Value::from(remedy.to_string())),
        ];
        writeln!(out, "{}", json_line(&fields))?;
    }
    for note in &report.notes {
        let fields = [("kind", Value::from("note")), ("note", Value::from(note.as_str()))];
        writeln!(out, "{}", json_line(&fields))?;
    }
    let fields = [
        ("kind", Value::from("summary")),
        ("usedBy", Value::from(used_by)),
        ("partitions", Value::from(report.partitions)),
        ("segments", Value::from(report.segments)),
        ("batches", Value::from(report.batches)),
        ("records", Value::from(report.records)),
        ("bytes", Value::from(report.bytes)),
        ("sumsCompared", Value::from(report.sums_compared)),
        ("damages", Value::from(report.damages.len())),
    ];
    writeln!(out, "{}", json_line(&fields))
}

/// The progress on standard error, if that is a terminal.
struct Bar {
    is_shown: bool,
    last: Option<Instant>,
}

impl Bar {
    fn new() -> Self {
        Self { is_shown: io::stderr().is_terminal(), last: None }
    }

    fn show(&mut self, progress: Progress<'_>) {
        let is_due = self.last.is_none_or(|last| last.elapsed() >= PICTURE_INTERVAL);
        if self.is_shown && is_due {
            self.last = Some(Instant::now());
            // A progress that cannot be shown is no reason to stop.
            let _ = write!(io::stderr(), "\r\x1b[K{}", picture(progress));
        }
    }

    fn clear(&self) {
        if self.last.is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

fn picture(progress: Progress<'_>) -> String {
    let Progress { partition, bytes_done, bytes_total } = progress;
    let part =
        |of: u64| (u128::from(bytes_done) * u128::from(of) / u128::from(bytes_total.max(1))) as u64;
    let done = part(BAR_WIDTH) as usize;
    let name = partition.file_name().unwrap_or_default().to_string_lossy();
    format!(
        "[{}{}] {:3} %  {} of {}  {name}",
        "#".repeat(done),
        ".".repeat(BAR_WIDTH as usize - done.min(BAR_WIDTH as usize)),
        part(100),
        size(bytes_done),
        size(bytes_total)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_of_the_progress() {
        let partition = Path::new("/data/orders-3");
        let at = |bytes_done| picture(Progress { partition, bytes_done, bytes_total: 2048 });
        assert_eq!(at(0), "[..............................]   0 %  0 B of 2.0 KiB  orders-3");
        assert_eq!(
            at(1024),
            "[###############...............]  50 %  1.0 KiB of 2.0 KiB  orders-3"
        );
        assert!(at(2048).starts_with("[##############################] 100 %"));
    }
}
