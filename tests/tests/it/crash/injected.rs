//! System calls that fail under the real binary: strace answers one of them with an error.
//!
//! Every call of the storage is failed in turn in memory, below `storage/src`; this shows that the
//! process as a whole does what the crate promises.

use tests::barnabas::Node;
use tests::environment::rounds;

use super::numbered::Numbered;

/// What fails: the call and its error.
const FAULTS: [(&str, &str); 4] =
    [("fdatasync", "EIO"), ("pwritev", "EIO"), ("pwritev", "ENOSPC"), ("fsync", "EIO")];
/// The call that fails is one of the first so many of each thread, those of the start included.
const CALLS: usize = 60;
/// Acknowledged records after which a fault that stopped nothing is over.
const PASSED: usize = 2_000;

/// Whatever fails: the broker goes on, or ends and says why; nothing acknowledged is lost.
#[test]
fn a_failed_call_loses_nothing() {
    let mut ended = 0;
    for round in 0..rounds(FAULTS.len(), 200) {
        let (call, error) = FAULTS[round % FAULTS.len()];
        let number = 1 + (round * 7) % CALLS;
        let node = Node::new().with("num.partitions", "3");
        let plain = node.start();
        let mut load = Numbered::new(&node.bootstrap(), "injected", 3);
        load.produce_until_acked(100);
        load.finish();
        plain.stop();

        let inject = format!("inject={call}:error={error}:when={number}");
        let trace = format!("trace={call}");
        let words = ["strace", "-D", "-f", "-o", "/dev/null", "-e", &trace, "-e", &inject];
        let node = node.run_by(&words);
        let mut broker = node.launch();
        let passed = load.acked() + PASSED;
        load.produce_until(|load| load.acked() >= passed || !broker.process().is_running());
        if !broker.process().is_running() {
            ended += 1;
            let said = broker.process().output();
            assert!(said.contains("offline") || said.contains("cannot"), "{call} {number}: {said}");
        }
        broker.kill();

        let node = node.run_by(&[]);
        let broker = node.start();
        load.produce_until_acked(100);
        load.finish();
        load.check(&node.bootstrap());
        broker.stop();
    }
    assert!(ended > 0, "no failed call was noticed");
}
