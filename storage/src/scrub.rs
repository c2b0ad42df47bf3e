//! The slow pass over all sealed files, and the sums that it compares them with.
//!
//! One thread a node, with three rules: it never gets in the way, it never changes a log, and it
//! says each damage once.
//!
//! - What was just sealed is summed up within about a second, from the page cache. The sync thread
//!   only leaves a note: a segment of a gigabyte takes a tenth of a second to sum up, and nobody
//!   waits for that.
//! - Every `barnabas.scrub.interval.ms` all sealed files are read at
//!   `barnabas.scrub.bytes.per.second`, and compared with their sums in `barnabas-sealed`. What has
//!   none (Kafka wrote it, or the process ended before it was summed up) is compared with what
//!   Kafka's own checksums tell, and gets its sums if it is good.
//! - Damage is logged with file and position, counted ([`LogManager::damaged_files`]), and left as
//!   it is. `barnabas log verify` tells what helps.
//!
//! Between passes the thread wakes once a second to look whether anything was sealed.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::fs::{Fs, PacedFs};
use crate::log::Log;
use crate::sealed_sums::{SealedSums, sum_file, sum_segment};
use crate::segment::Segment;
use crate::segment::files::{SEGMENT_SUFFIXES, path};
use crate::verify::{Damage, Remedy, check_sealed};
use crate::{LogManager, TopicPartition};

const TICK: Duration = Duration::from_secs(1);
/// The first pass waits until the start of a node is long over.
const FIRST_PASS_AFTER: Duration = Duration::from_secs(3600);

/// How often and how fast to read everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScrubConfig {
    /// From the end of one pass to the next; `None`: never.
    pub interval: Option<Duration>,
    pub bytes_per_second: u64,
}

/// Runs the scrub until it is dropped.
#[derive(Debug)]
pub struct Scrubber {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl Scrubber {
    /// Starts the thread. It keeps nothing of the manager alive.
    pub fn start(manager: &Arc<LogManager>, config: ScrubConfig) -> io::Result<Self> {
        let stop = Arc::new(Stop::default());
        let scrub = Scrub { manager: Arc::downgrade(manager), stop: Arc::clone(&stop), config };
        let thread = thread::Builder::new().name("scrub".to_owned()).spawn(move || scrub.run())?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Scrubber {
    fn drop(&mut self) {
        self.stop.set();
        if let Some(thread) = self.thread.take() {
            // It catches the panics of what it runs.
            let _ = thread.join();
        }
    }
}

/// Ends waits.
#[derive(Debug, Default)]
struct Stop {
    wanted: Mutex<bool>,
    wake: Condvar,
}

impl Stop {
    fn set(&self) {
        *self.wanted.lock() = true;
        self.wake.notify_all();
    }

    fn is_set(&self) -> bool {
        *self.wanted.lock()
    }

    /// Waits that long, or until it is set. Returns whether it is.
    fn wait(&self, time: Duration) -> bool {
        let mut wanted = self.wanted.lock();
        if !*wanted {
            self.wake.wait_for(&mut wanted, time);
        }
        *wanted
    }
}

struct Scrub {
    manager: Weak<LogManager>,
    stop: Arc<Stop>,
    config: ScrubConfig,
}

impl Scrub {
    fn run(&self) {
        let mut waited = Duration::ZERO;
        let mut due = self.config.interval.map(|interval| interval.min(FIRST_PASS_AFTER));
        while !self.stop.wait(TICK) {
            let worked = catch_unwind(AssertUnwindSafe(|| {
                waited += TICK;
                let goes_on = self.sum_what_is_due();
                if goes_on && due.is_some_and(|due| waited >= due) {
                    self.pass();
                    waited = Duration::ZERO;
                    due = self.config.interval;
                }
                goes_on
            }));
            match worked {
                Ok(true) => {}
                Ok(false) => return,
                Err(_) => tracing::error!("The scrub of sealed files has panicked"),
            }
        }
    }

    /// The manager, while it is open.
    fn manager(&self) -> Option<Arc<LogManager>> {
        self.manager.upgrade().filter(|manager| !manager.is_closed())
    }

    /// Sums up what was sealed since the last call. Returns whether there is a manager.
    fn sum_what_is_due(&self) -> bool {
        let Some(manager) = self.manager() else { return false };
        for dir in manager.log_dirs() {
            for (partition, bases) in dir.sealed().take_due() {
                if let Some(log) = manager.get(&partition) {
                    sum_sealed(&log, &bases);
                }
            }
        }
        true
    }

    /// Reads everything once.
    fn pass(&self) {
        let Some(manager) = self.manager() else { return };
        let logs: VecDeque<TopicPartition> =
            manager.logs().iter().map(|log| log.topic_partition().clone()).collect();
        tracing::debug!(logs = logs.len(), "Scrub of sealed files begins");
        manager.forget_removed_damage();
        drop(manager);
        for partition in logs {
            let Some(log) = self.manager().and_then(|manager| manager.get(&partition)) else {
                continue;
            };
            for (segment, next_base) in log.sealed_segments() {
                if self.stop.is_set() || log.dir().is_offline() {
                    break;
                }
                self.scrub(&log, &segment, next_base);
                self.sum_what_is_due();
            }
        }
        tracing::debug!("Scrub of sealed files ends");
    }

    fn scrub(&self, log: &Arc<Log>, segment: &Arc<Segment>, next_base: i64) {
        let (stop, rate) = (Arc::clone(&self.stop), self.config.bytes_per_second);
        let slow = PacedFs::new(log.shared_fs(), move |bytes| {
            let time = bytes as f64 / rate.max(1) as f64;
            if stop.wait(Duration::from_secs_f64(time)) {
                return Err(io::Error::other("the scrub is stopped"));
            }
            Ok(())
        });
        let found = scrub_segment(&slow, log, segment, next_base);
        // What was cut off by the stop, or changed meanwhile, says nothing.
        if self.stop.is_set() || !log.is_sealed(segment) {
            return;
        }
        for damage in found {
            say(log, &damage);
        }
    }
}

fn say(log: &Log, damage: &Damage) {
    if log.dir().sealed().note_damaged(&damage.file) {
        tracing::error!(
            file = %damage.file.display(),
            position = damage.position,
            remedy = %damage.remedy,
            "Damaged file of a sealed segment: {}",
            damage.what
        );
    }
}

/// Compares the files of one sealed segment with their sums. Without sums it is compared with
/// Kafka's own checksums, and summed up if it is good.
fn scrub_segment(
    fs: &dyn Fs,
    log: &Arc<Log>,
    segment: &Arc<Segment>,
    next_base: i64,
) -> Vec<Damage> {
    let (dir, base) = (log.path(), segment.base_offset());
    let sums = SealedSums::read(fs, dir).unwrap_or_default();
    if sums.get(&name(dir, base, SEGMENT_SUFFIXES[0])).is_none() {
        let found = check_sealed(fs, dir, base, next_base);
        if found.is_empty() {
            add_sums(log, &[(Arc::clone(segment), sum_segment(fs, dir, base))]);
        }
        return found;
    }
    let mut damaged = Vec::new();
    for suffix in SEGMENT_SUFFIXES {
        let Some(wanted) = sums.get(&name(dir, base, suffix)) else { continue };
        let file = path(dir, base, suffix);
        let what = match sum_file(fs, &file) {
            Ok(sum) if sum == wanted => continue,
            Ok(_) => "its bytes are not those that were sealed".to_owned(),
            Err(error) => format!("it cannot be read: {error}"),
        };
        damaged.push((file, what));
    }
    if damaged.is_empty() {
        return Vec::new();
    }
    // Where it is, if anything else than the sums knows.
    let mut found = check_sealed(fs, dir, base, next_base);
    for (file, what) in damaged {
        if !found.iter().any(|damage| damage.file == file) {
            let is_log = file == path(dir, base, SEGMENT_SUFFIXES[0]);
            let remedy = if is_log { Remedy::RepairLog } else { Remedy::DeleteIndex };
            found.push(Damage { file, position: None, what, remedy });
        }
    }
    found
}

fn name(dir: &Path, base: i64, suffix: &str) -> String {
    let path: PathBuf = path(dir, base, suffix);
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Sums up segments that were just sealed, as they are.
fn sum_sealed(log: &Arc<Log>, bases: &[i64]) {
    let sealed = log.sealed_segments().into_iter().map(|(segment, _)| segment);
    let summed: Vec<Summed> = sealed
        .filter(|segment| bases.contains(&segment.base_offset()))
        .map(|segment| {
            let sums = sum_segment(&*log.shared_fs(), log.path(), segment.base_offset());
            (segment, sums)
        })
        .collect();
    add_sums(log, &summed);
}

type Summed = (Arc<Segment>, io::Result<Vec<(String, crate::sealed_sums::FileSum)>>);

/// Adds lines for segments that are sealed still, and drops those of segments that are gone.
fn add_sums(log: &Arc<Log>, summed: &[Summed]) {
    if summed.is_empty() {
        return;
    }
    let (fs, dir) = (log.shared_fs(), log.path());
    let _nobody_else = log.dir().sealed().lock();
    let bases: Vec<i64> = log.segment_offsets();
    let Ok(mut sums) = SealedSums::read(&*fs, dir) else { return };
    sums.retain(|base| bases.contains(&base));
    for (segment, files) in summed.iter().filter(|(segment, _)| log.is_sealed(segment)) {
        match files {
            Ok(files) => files.iter().for_each(|(name, sum)| sums.set(name.clone(), *sum)),
            Err(error) => {
                tracing::warn!(%segment, %error, "Cannot sum up the files of a sealed segment");
            }
        }
    }
    if let Err(error) = sums.write(&*fs, dir) {
        // They are advisory: a pass makes up for it.
        tracing::warn!(dir = %dir.display(), %error, "Cannot write the sums of sealed files");
    }
}

#[cfg(test)]
mod tests;
