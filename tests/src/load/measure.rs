//! What a process costs, read from /proc.

use std::path::PathBuf;

/// CPU seconds that the process has used so far, user and system.
#[must_use]
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    // The command name stands in parentheses and may hold blanks.
    let after_name = stat.rsplit_once(')').expect("a stat line").1;
    let ticks: Vec<f64> = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse().expect("ticks"))
        .collect();
    ticks.iter().sum::<f64>() / 100.0
}

/// Resident memory in MB (10^6 bytes).
#[must_use]
pub fn resident_mb(pid: u32) -> f64 {
    memory_mb(pid, "VmRSS:")
}

/// The most resident memory that the process has had so far, in MB.
#[must_use]
pub fn peak_resident_mb(pid: u32) -> f64 {
    memory_mb(pid, "VmHWM:")
}

fn memory_mb(pid: u32, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with(name)).expect("a line of memory");
    let kib: f64 = line.split_whitespace().nth(1).expect("a value").parse().expect("a number");
    kib * 1024.0 / 1e6
}

/// The process that a guarding shell holds.
#[must_use]
pub fn child_of(pid: u32) -> u32 {
    let path = PathBuf::from(format!("/proc/{pid}/task/{pid}/children"));
    let children = std::fs::read_to_string(path).expect("the process runs");
    children.split_whitespace().next().expect("a child").parse().expect("a process id")
}

/// The middle value; of an even number of values the upper one of the two.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}
