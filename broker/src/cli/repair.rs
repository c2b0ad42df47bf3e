//! `barnabas storage repair`.

use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use storage::fs::{Fs, RealFs};
use storage::repair::{Cut, LogRepair, PartitionRepair, Removal, Repair, RepairError};

use crate::import::kafka_has_not_run_since;

#[derive(Debug, Args)]
pub struct RepairArgs {
    /// A log directory.
    dir: PathBuf,
    /// Only says what would be done; changes nothing.
    #[arg(long)]
    dry_run: bool,
}

impl RepairArgs {
    /// Does it. It says itself what has failed.
    pub fn run(self) -> ExitCode {
        let fs: Arc<dyn Fs> = Arc::new(RealFs);
        let mut out = io::stdout().lock();
        // What our journal holds is older than what Kafka has written since.
        let ours = kafka_has_not_run_since(&*fs, &self.dir).map_err(|error| error.to_string());
        let repaired = ours.and_then(|()| {
            repair(&fs, &self.dir, self.dry_run, &mut out).map_err(|error| error.to_string())
        });
        match repaired {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                // Nobody is left to be told if this fails.
                let _ = writeln!(io::stderr(), "barnabas: {error}");
                ExitCode::FAILURE
            }
        }
    }
}

/// Says what is wrong, mends it unless `dry_run`, and returns whether all is well then.
fn repair(
    fs: &Arc<dyn Fs>,
    dir: &Path,
    dry_run: bool,
    out: &mut dyn Write,
) -> Result<bool, RepairError> {
    let failed = |source| RepairError::Io { path: "standard output".into(), source };
    let repair = Repair::plan(fs, dir)?;
    write_plan(&repair, dry_run, out).map_err(failed)?;
    if !dry_run {
        let mut written = Ok(());
        repair.apply(&mut |partition, kept| {
            let line = done_line(partition, kept);
            written =
                std::mem::replace(&mut written, Ok(())).and_then(|()| writeln!(out, "{line}"));
        })?;
        written.map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    Ok(repair.left.is_empty() && (!dry_run || repair.is_nothing()))
}

fn write_plan(repair: &Repair, dry_run: bool, out: &mut dyn Write) -> io::Result<()> {
    let verb = if dry_run { "would " } else { "will " };
    for removal in &repair.files {
        writeln!(out, "{verb}{}", removal_text(removal))?;
    }
    for partition in &repair.partitions {
        for line in partition_lines(partition) {
            writeln!(out, "{}: {verb}{line}", partition.partition)?;
        }
    }
    for damage in &repair.left {
        writeln!(out, "left as it is: {damage}")?;
    }
    if repair.is_nothing() {
        writeln!(out, "nothing to repair")?;
    }
    Ok(())
}

fn partition_lines(partition: &PartitionRepair) -> Vec<String> {
    let log = match &partition.log {
        None => None,
        Some(LogRepair::Cut(cut)) => Some(cut_text(cut)),
        Some(LogRepair::Accept { end, lost }) => Some(format!(
            "let the log end at offset {end}, where its last segment ends; {}",
            lost_text(lost)
        )),
        Some(LogRepair::BeginAnew { lost }) => Some(format!(
            "begin the log anew at offset {}, it has no segments; {}",
            lost.end,
            lost_text(lost)
        )),
        Some(LogRepair::Forget { checkpoint, end }) => Some(format!(
            "forget it: its folder {} is missing, and {checkpoint} says that everything before \
             offset {end} was durable once; unless the folder is brought back the log begins anew at \
             offset 0",
            partition.path.display()
        )),
    };
    log.into_iter().chain(partition.files.iter().map(removal_text)).collect()
}

fn cut_text(cut: &Cut) -> String {
    let Cut { offset, segment, position, why, later, bytes, lost } = cut;
    let with = match later.len() {
        0 => String::new(),
        1 => ", and the segment behind it".to_owned(),
        count => format!(", and the {count} segments behind it"),
    };
    format!(
        "cut at offset {offset}: {} at position {position}{with} ({why}); {bytes} bytes are kept as \
         .cut- files; {}",
        segment.display(),
        lost_text(lost)
    )
}

fn lost_text(lost: &Range<i64>) -> String {
    if lost.is_empty() {
        "no offset is lost".to_owned()
    } else {
        format!("offsets {} to {} are lost", lost.start, lost.end - 1)
    }
}

fn removal_text(removal: &Removal) -> String {
    format!("remove {}, it is made anew ({})", removal.path.display(), removal.why)
}

fn done_line(partition: &PartitionRepair, kept: &[PathBuf]) -> String {
    let kept: Vec<String> = kept.iter().map(|path| path.display().to_string()).collect();
    let kept = if kept.is_empty() { String::new() } else { format!(", kept {}", kept.join(", ")) };
    format!("{}: done{kept}", partition.partition)
}
