//! Starting and stopping: what users see when it works, and the one sentence when it does not.

use protocol_codec::messages::metadata;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use tests::barnabas::Node;
use tests::client::Client;
use tests::environment::barnabas_binary;
use tests::ports::free_port;
use tests::tool::output_of;

/// A start that must fail with exit code 1 and a message that holds all the given words.
fn refused(node: &Node, words: &[&str]) {
    let mut broker = node.launch();
    let status = broker.process().wait_for_end();
    let said = broker.process().output();
    assert_eq!(status.code(), Some(1), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(said.trim().lines().count() <= 3, "one clear sentence, not: {said}");
}

#[test]
fn the_log_says_what_scripts_look_for() {
    let node = Node::new();
    let mut broker = node.start();
    for phrase in ["Kafka Server started", "Transitioning from RECOVERY to RUNNING"] {
        let _ = broker.process().wait_for_line(phrase);
    }
    let ready = broker.process().wait_for_line("Ready in");
    assert!(ready.contains(&node.bootstrap()), "the last line says where it listens: {ready}");
    broker.stop();
}

#[test]
fn a_bad_value_names_file_line_key_and_value() {
    let node = Node::new().with("log.retention.ms", "soon");
    refused(&node, &["server.properties:", "log.retention.ms", "soon"]);
}

#[test]
fn a_value_out_of_range_says_what_is_allowed() {
    refused(
        &Node::new().with("num.partitions", "0"),
        &["server.properties:", "num.partitions=0", "from 1 to"],
    );
}

#[test]
fn protection_that_is_not_there_refuses_the_start() {
    let authorizer = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
    refused(&Node::new().with("authorizer.class.name", authorizer), &["authorizer.class.name"]);
}

#[test]
fn an_unknown_key_gets_a_suggestion() {
    let node = Node::new().with("log.retention.hour", "1");
    let mut broker = node.start();
    let warning = broker.process().wait_for_line("log.retention.hour");
    assert!(warning.contains("log.retention.hours"), "{warning}");
    broker.stop();
}

#[test]
fn a_port_in_use_is_named() {
    let node = Node::new();
    let _occupant = TcpListener::bind(node.bootstrap()).expect("the port is free");
    let port = node.bootstrap();
    refused(&node, &[port.trim_start_matches("127.0.0.1:"), "in use"]);
}

#[test]
fn a_data_directory_has_one_owner() {
    let node = Node::new();
    let broker = node.start();
    let data = node.data();
    let second = Node::new().with("log.dirs", &data.display().to_string());
    refused(&second, &[&data.display().to_string()]);
    broker.stop();
}

#[test]
fn another_nodes_directory_is_refused() {
    let node = Node::new();
    node.start().stop();
    let data = node.data().display().to_string();
    refused(&Node::new().with("log.dirs", &data).with("node.id", "7"), &["node.id", "7", "1"]);
}

#[test]
fn a_foreign_directory_is_not_formatted() {
    let node = Node::new();
    std::fs::create_dir_all(node.data()).expect("the temporary directory is writable");
    std::fs::write(node.data().join("precious.txt"), "mine")
        .expect("the temporary directory is writable");
    refused(&node, &[&node.data().display().to_string()]);
    assert_eq!(
        std::fs::read_to_string(node.data().join("precious.txt")).expect("still there"),
        "mine"
    );
}

#[test]
fn a_controlled_stop_leaves_the_marker_and_frees_the_port() {
    let node = Node::new();
    node.start().stop();
    assert!(node.data().join(".kafka_cleanshutdown").is_file());
    assert!(TcpStream::connect(node.bootstrap()).is_err(), "nobody listens after the stop");
    let broker = node.start();
    assert!(
        !node.data().join(".kafka_cleanshutdown").exists(),
        "the marker goes before the first append"
    );
    broker.stop();
}

#[test]
fn health_answers_for_scripts() {
    let node = Node::new();
    let health = || {
        let mut command = Command::new(barnabas_binary());
        output_of(command.args(["health", "--bootstrap", &node.bootstrap()]), "")
    };
    assert!(!health().success, "nobody is there yet");
    let broker = node.start();
    let _ = health().ok();
    broker.stop();
}

#[test]
fn version_and_help_are_printed() {
    let version = output_of(Command::new(barnabas_binary()).arg("--version"), "").ok();
    assert!(version.starts_with("barnabas "), "{version}");
    let help = output_of(Command::new(barnabas_binary()).arg("--help"), "").ok();
    assert!(help.contains("server"), "{help}");
}

/// Prometheus reads what dashboards know.
#[test]
fn metrics_are_served_when_asked_for() {
    let address = format!("127.0.0.1:{}", free_port());
    let node = Node::new().with("barnabas.http.listeners", &format!("http://{address}"));
    let broker = node.start();
    let get = |path: &str| {
        let mut stream = TcpStream::connect(&address).expect("the listener is open");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .expect("it reads");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("an answer");
        said
    };
    assert!(get("/elsewhere").starts_with("HTTP/1.1 404"));
    // A request has a row from its first use on.
    let _ = Client::connect(&broker.bootstrap()).call(9, &metadata::Request::default());
    let said = get("/metrics");
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    for name in [
        "kafka_server_brokertopicmetrics_bytesin_total",
        "kafka_server_replicamanager_partitioncount",
        "kafka_network_requestmetrics_requests_total",
        "process_resident_memory_bytes",
    ] {
        assert!(said.contains(name), "{name} is not in: {said}");
    }
    broker.stop();
}
