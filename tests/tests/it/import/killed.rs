//! An import that is killed at any of its changes of the disk leaves Kafka what is Kafka's.
//!
//! strace kills it where a thread is about to make a call that changes something: no time is waited
//! for, and what a kill can leave is there before one of these calls.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use tests::environment::barnabas_binary;
use tests::moving::moving;

use super::{contents, filled, import, same_lines, without_authorizer};

/// The calls that change files or their names; not every machine has all of them. The one that says
/// on standard output what was done is the last of an import.
const CHANGES: &str = "?mkdir,mkdirat,?rename,?renameat,renameat2,?unlink,unlinkat,?rmdir,\
    write,writev,pwrite64,pwritev,?pwritev2,ftruncate,fallocate";

/// An import below strace, with more words for it.
fn traced(properties: &Path, words: &[&str]) -> ExitStatus {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-e", &format!("trace={CHANGES}")]).args(words).arg(barnabas_binary());
    strace.args(["storage", "import"]).arg(properties);
    strace.output().expect("strace is installed").status
}

/// Each call by which an import changes something, with the most times that one thread makes it: so
/// strace counts. Which of sled's threads writes what is not the same each time.
fn changes(properties: &Path, trace: &Path) -> BTreeMap<String, usize> {
    let status = traced(properties, &["-o", trace.to_str().expect("a plain name")]);
    assert!(status.success(), "{status}");
    let trace = std::fs::read_to_string(trace).expect("strace has written it");
    let mut of_threads: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for line in trace.lines() {
        let begins = line.split_once('(').map(|(begins, _)| begins);
        if let Some((thread, call)) = begins.and_then(|begins| begins.split_once(' ')) {
            *of_threads.entry((thread, call.trim())).or_default() += 1;
        }
    }
    let mut most = BTreeMap::new();
    for ((_, call), times) in of_threads {
        let of_call: &mut usize = most.entry(call.to_owned()).or_default();
        *of_call = times.max(*of_call);
    }
    most
}

/// An import that is killed where a thread is about to make this call for the n-th time. Returns
/// whether it was.
fn is_killed_at(properties: &Path, call: &str, time: usize) -> bool {
    let inject = format!("inject={call}:signal=KILL:when={time}");
    let status = traced(properties, &["-e", &inject]);
    assert!(status.signal() == Some(9) || status.success(), "{call} {time}: {status}");
    status.signal().is_some()
}

/// Removes a folder, if it is there.
fn remove(folder: &Path) -> bool {
    let is_there = folder.exists();
    if is_there {
        std::fs::remove_dir_all(folder).expect("nobody uses it");
    }
    is_there
}

#[test]
fn an_import_that_is_killed_at_any_change_leaves_kafka_usable() {
    let filled = filled();
    let kafka = filled.kafka.copy();
    let properties = without_authorizer(kafka.directory());
    let before = contents(&kafka);
    let data = kafka.directory().join("data");
    let (ours, unfinished) = (data.join("__cluster_metadata-1"), data.join("__cluster_metadata-2"));
    let changes = changes(&properties, &kafka.directory().join("trace"));
    assert!(remove(&ours), "the import was made");

    let killed = |call: &str, time: usize| {
        let is_killed = is_killed_at(&properties, call, time);
        let mut after = contents(&kafka);
        after.retain(|path, _| {
            let is_lock = path.ends_with(".lock");
            !is_lock && !path.starts_with(&ours) && !path.starts_with(&unfinished)
        });
        assert!(after == before, "{call} {time}");
        is_killed
    };
    let (mut kills, mut cut_off, mut finished) = (0, 0, 0);
    for (call, times) in &changes {
        for time in 1..=*times {
            kills += usize::from(killed(call, time));
            cut_off += usize::from(remove(&unfinished));
            finished += usize::from(remove(&ours));
        }
    }
    let counted = format!("{kills} kills, {cut_off} and {finished} left, of {changes:?}");
    assert!(kills >= 12 && cut_off >= 8 && finished > 0, "{counted}");

    // The next one removes what is left, and may be killed at that too.
    assert!(killed("fallocate", 1) && unfinished.exists());
    for (call, time) in [("unlinkat", 1), ("unlinkat", 3), ("mkdir", 1), ("fallocate", 1)] {
        assert!(killed(call, time), "{call} {time}");
    }
    assert!(unfinished.exists() && !ours.exists());
    let started = kafka.start();
    same_lines(&moving("tell", &started.bootstrap()), &filled.told);
    let kafka = started.stop();
    assert!(unfinished.exists(), "Kafka passes over it");
    let said = import(&properties, &[]).ok();
    assert!(said.contains("Imported.") && !unfinished.exists(), "{said}");
    drop(kafka);
}
