//! An import that is killed anywhere leaves Kafka what is Kafka's.

use std::process::{Command, Stdio};
use std::time::Duration;

use tests::environment::barnabas_binary;
use tests::moving::moving;

use super::{contents, filled, import, same_lines, without_authorizer};

/// Rounds; each waits a little longer before it kills.
const ROUNDS: u32 = 40;

#[test]
fn a_killed_import_leaves_kafka_usable() {
    let filled = filled();
    let kafka = filled.kafka.copy();
    let properties = without_authorizer(kafka.directory());
    let before = contents(&kafka);
    let data = kafka.directory().join("data");
    let (ours, unfinished) = (data.join("__cluster_metadata-1"), data.join("__cluster_metadata-2"));

    let mut cut_off = 0;
    for round in 0..ROUNDS {
        let mut command = Command::new(barnabas_binary());
        command.args(["storage", "import"]).arg(&properties);
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary can be started");
        // No event tells where an import is: that is what the rounds are for.
        std::thread::sleep(Duration::from_millis(2) * round);
        drop(child.kill());
        drop(child.wait());
        let mut after = contents(&kafka);
        after.retain(|path, _| {
            let is_lock = path.ends_with(".lock");
            !is_lock && !path.starts_with(&ours) && !path.starts_with(&unfinished)
        });
        assert!(after == before, "round {round}");
        if ours.exists() {
            std::fs::remove_dir_all(&ours).expect("nobody uses it");
        }
        cut_off += u32::from(unfinished.exists());
    }
    // Whatever the rounds met: this is what a cut in the middle of the write leaves.
    if cut_off == 0 || !unfinished.exists() {
        std::fs::create_dir_all(unfinished.join("raft")).expect("the directory is writable");
        std::fs::write(unfinished.join("raft/db"), "half").expect("the directory is writable");
    }

    let started = kafka.start();
    same_lines(&moving("tell", &started.bootstrap()), &filled.told);
    let kafka = started.stop();
    assert!(unfinished.exists(), "Kafka passes over it");
    let said = import(&properties, &[]).ok();
    assert!(said.contains("Imported.") && !unfinished.exists(), "{said}");
    drop(kafka);
}
