//! The way back: Kafka is started again on what Barnabas served. docs/MOVING-IN.md tells what is
//! held here.

use tests::moving::moving;
use tests::tool::{run, run_with_input};

use super::{filled, import, node_on, without_authorizer};

#[test]
fn kafka_starts_again_and_what_is_lost_is_known() {
    let kafka = filled().kafka.copy();
    let _ = import(&without_authorizer(kafka.directory()), &[]).ok();
    let node = node_on(&kafka);
    let broker = node.start();
    let bootstrap = broker.bootstrap();
    let produce = |topic: &str, text: &str| {
        let arguments = format!("--bootstrap-server {bootstrap} --topic {topic}");
        let _ = run_with_input("kafka-console-producer", &arguments, text).ok();
    };
    produce("plain", "written by Barnabas\n");
    produce("made-here", "in a new topic\n");
    let read = "--topic plain --group readers --max-messages 1 --timeout-ms 30000";
    let arguments = format!("--bootstrap-server {bootstrap} {read}");
    let _ = run("kafka-console-consumer", &arguments).ok();
    let change = |what: &str| {
        let _ = run("kafka-topics", &format!("--bootstrap-server {bootstrap} {what}")).ok();
    };
    change("--alter --topic money --partitions 3");
    change("--delete --topic empty.one");
    let before = moving("tell", &bootstrap);
    broker.stop();

    let started = kafka.start();
    let after = moving("tell", &started.bootstrap());
    // Records and offsets are in the logs, which are the same: they are there.
    assert!(after.contains("written by Barnabas"), "{after}");
    let group = |told: &str| {
        let line = told.lines().find(|line| line.starts_with("group readers"));
        line.map(str::to_owned).expect("the group")
    };
    assert_eq!(group(&after), group(&before));
    // What the metadata says is as it was when Kafka stopped.
    for (line, here, there) in [
        ("topic made-here", true, false),
        ("offsets money-2", true, false),
        ("topic empty.one", false, true),
    ] {
        assert_eq!((before.contains(line), after.contains(line)), (here, there), "{line}: {after}");
    }
    assert!(after.contains("offsets empty.one-0 0 to 0"), "{after}");
    // It takes records again, in the topics that it knows.
    let arguments = format!("--bootstrap-server {} --topic plain", started.bootstrap());
    let _ = run_with_input("kafka-console-producer", &arguments, "written by Kafka\n").ok();
    let told = moving("tell", &started.bootstrap());
    assert!(told.contains("written by Kafka") && told.contains("written by Barnabas"), "{told}");
    // Barnabas does not go on with what it knew before that.
    let _kafka = started.stop();
    let mut refused = node.launch();
    assert_eq!(refused.process().wait_for_end().code(), Some(1));
    let said = refused.process().output();
    assert!(said.contains("Kafka has run on") && said.contains("import again"), "{said}");
}
