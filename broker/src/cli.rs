//! The command line.
//!
//! `barnabas` alone runs one node with no configuration at all; `barnabas server` reads a file and
//! the environment; `barnabas health` asks a running node whether it serves; `barnabas storage` works
//! on the directories of a node that is stopped. Data goes to stdout,
//! everything else to stderr. Exit codes: 0 fine, 1 failed, 2 wrong usage.

pub mod health;
pub mod log;
mod output;
pub mod repair;
pub mod storage;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use self::log::LogCommand;
use self::storage::{InfoArgs, StorageCommand};
use crate::config::Sources;
use crate::import::Import;

/// The Kafka release whose protocol, tools and configuration this one follows.
pub const KAFKA_VERSION: &str = "4.4.0";

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), " (speaks the protocol of Kafka 4.4.0)");

const EXAMPLES: &str = "\
Examples:
  barnabas
      One node on localhost:9092, data in ./barnabas-data.
  barnabas server server.properties --override log.dirs=/srv/kafka
      One node as the file says, but with its data elsewhere.
  KAFKA_LOG_DIRS=/srv/kafka barnabas server
      One node configured by KAFKA_* variables, as in a container.
  barnabas log verify /srv/kafka
      Check every byte of a log directory.
  kafka-console-producer.sh --bootstrap-server localhost:9092 --topic greetings
      Talk to it with the tools you know.";

/// A Kafka-compatible message broker in one small binary.
///
/// Without a command it runs one node that asks for no configuration: it listens on localhost:9092,
/// keeps its data in ./barnabas-data and formats that directory itself.
#[derive(Debug, Parser)]
#[command(name = "barnabas", version = VERSION, after_help = EXAMPLES)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a node as a server.properties file and KAFKA_* variables say.
    ///
    /// Settings are layered: --override beats KAFKA_* variables, these beat the file, the file
    /// beats the built-in settings. The keys are Kafka's.
    Server(ServerArgs),
    /// Ask a running node whether it serves; the exit code says so.
    ///
    /// Connects, asks for the API versions and waits for the answer. Made for health checks of
    /// containers and services.
    Health(HealthArgs),
    /// Look into the files of logs: show them, or check every byte.
    #[command(subcommand)]
    Log(LogCommand),
    /// Work on log directories as a whole.
    #[command(subcommand)]
    Storage(StorageCommand),
}

#[derive(Debug, Args)]
struct ServerArgs {
    /// A server.properties file; without one, built-in settings for one node on this machine.
    file: Option<PathBuf>,
    /// Sets one key, whatever the file and the environment say. May be repeated.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

#[derive(Debug, Args)]
struct HealthArgs {
    /// The node to ask [default: the first of KAFKA_LISTENERS, or localhost:9092].
    #[arg(short, long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// How long to wait for the answer, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// Run a node, configured from these sources.
    Serve(Sources),
    /// Ask a node whether it serves.
    Health(health::Check),
    /// Take over Kafka's data.
    Import(Import),
    /// Repair a log directory.
    Repair(repair::RepairArgs),
    /// Look into files.
    Files(FilesCommand),
}

/// A command that only looks at files.
#[derive(Debug)]
pub enum FilesCommand {
    Log(LogCommand),
    StorageInfo(InfoArgs),
}

impl FilesCommand {
    /// Does it. It says itself what has failed.
    pub fn run(self) -> std::process::ExitCode {
        match self {
            Self::Log(command) => command.run(),
            Self::StorageInfo(info) => info.run(),
        }
    }
}

/// Reads the command line of this process. Help, version and wrong usage end the process here.
pub fn parse() -> Invocation {
    invocation(Cli::parse(), std::env::vars_os().filter_map(as_text).collect())
}

/// A variable, if it is text; others cannot be ours.
fn as_text((name, value): (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}

fn invocation(cli: Cli, environment: Vec<(String, String)>) -> Invocation {
    match cli.command {
        None => Invocation::Serve(Sources::default()),
        Some(Command::Server(ServerArgs { file, overrides })) => {
            Invocation::Serve(Sources { file, overrides, environment })
        }
        Some(Command::Storage(StorageCommand::Repair(args))) => Invocation::Repair(args),
        Some(Command::Log(command)) => Invocation::Files(FilesCommand::Log(command)),
        Some(Command::Storage(StorageCommand::Info(info))) => {
            Invocation::Files(FilesCommand::StorageInfo(info))
        }
        Some(Command::Health(HealthArgs { bootstrap, timeout })) => {
            let address = bootstrap.unwrap_or_else(|| health::default_address(environment));
            Invocation::Health(health::Check {
                address,
                timeout: std::time::Duration::from_millis(timeout),
            })
        }
        Some(Command::Storage(StorageCommand::Import(import))) => {
            Invocation::Import(import.into_import(environment))
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parsed(arguments: &[&str]) -> Invocation {
        let environment = vec![("KAFKA_LISTENERS".to_owned(), "PLAINTEXT://:19092".to_owned())];
        invocation(Cli::try_parse_from(arguments).unwrap(), environment)
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn nothing_at_all_reads_no_environment() {
        let Invocation::Serve(sources) = parsed(&["barnabas"]) else { panic!() };
        assert!(sources.file.is_none() && sources.environment.is_empty());
    }

    #[test]
    fn server_reads_file_overrides_and_environment() {
        let line = ["barnabas", "server", "f", "--override", "a=b", "--override", "c=d"];
        let Invocation::Serve(sources) = parsed(&line) else { panic!() };
        assert_eq!(sources.file, Some(PathBuf::from("f")));
        assert_eq!(sources.overrides, ["a=b", "c=d"]);
        assert_eq!(sources.environment.len(), 1);
    }

    #[test]
    fn health_asks_the_listener_of_the_environment() {
        let Invocation::Health(check) = parsed(&["barnabas", "health"]) else { panic!() };
        assert_eq!(check.address, "localhost:19092");
        let line = ["barnabas", "health", "--bootstrap", "h:1", "--timeout", "50"];
        let Invocation::Health(check) = parsed(&line) else { panic!() };
        assert_eq!((check.address.as_str(), check.timeout.as_millis()), ("h:1", 50));
    }

    #[test]
    fn import_takes_a_path() {
        let Invocation::Import(import) = parsed(&["barnabas", "storage", "import", "d"]) else {
            panic!()
        };
        assert_eq!((import.path, import.dry_run), (PathBuf::from("d"), false));
        let line = ["barnabas", "storage", "import", "--dry-run", "f", "--override", "a=b"];
        let Invocation::Import(import) = parsed(&line) else { panic!() };
        assert!(import.dry_run);
        assert_eq!((import.overrides, import.environment.len()), (vec!["a=b".to_owned()], 1));
    }

    #[test]
    fn help_shows_the_commands_and_examples() {
        let help = Cli::command().render_long_help().to_string();
        for part in ["server", "health", "localhost:9092", "--override log.dirs"] {
            assert!(help.contains(part), "{part}: {help}");
        }
    }
}
