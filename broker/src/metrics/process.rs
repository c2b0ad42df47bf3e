//! What every Prometheus client tells of its process, from `/proc/self`.

use std::fs;

use super::exposition::Exposition;

pub(super) fn collect(out: &mut Exposition) {
    if let Some(seconds) = cpu_seconds() {
        let help = "User and system CPU time.";
        out.amount("process_cpu_seconds_total", help, &[], seconds);
    }
    if let Some(bytes) = resident_bytes() {
        let help = "Memory in RAM.";
        out.gauge("process_resident_memory_bytes", help, &[], bytes);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        let open = entries.count() as f64;
        out.gauge("process_open_fds", "Open file descriptors.", &[], open);
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.map_or(f64::INFINITY, |limit| limit as f64);
    out.gauge("process_max_fds", "Most file descriptors that may be open.", &[], limit);
    out.gauge(
        "barnabas_build_info",
        "1, with the version as a label.",
        &[("version", env!("CARGO_PKG_VERSION"))],
        1.0,
    );
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the process may hold anything; what follows the last parenthesis is regular.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / rustix::param::clock_ticks_per_second() as f64)
}

fn resident_bytes() -> Option<f64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_values() {
        assert!(cpu_seconds().is_some_and(|seconds| seconds >= 0.0));
        assert!(resident_bytes().is_some_and(|bytes| bytes > 1e6));
        let mut out = Exposition::default();
        collect(&mut out);
        let text = out.finish();
        assert!(text.contains("process_open_fds") && text.contains("process_max_fds"));
    }
}
