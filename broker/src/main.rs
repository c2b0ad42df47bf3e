//! The binary `barnabas`: reads the command line and does what it says.

use std::process::ExitCode;
use std::time::Instant;

use broker::cli::{self, Invocation};
use broker::config::{BrokerConfig, Loaded};
use broker::{logging, run};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let started = Instant::now();
    let result = match cli::parse() {
        Invocation::Serve(sources) => serve(&sources, started),
        Invocation::Repair(repair) => return repair.run(),
        Invocation::Health(check) => check.run().map_err(|error| error.to_string()),
        Invocation::Import(import) => import.run().map(|said| tell(&said)),
        Invocation::Files(command) => return command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            complain(&sentence);
            ExitCode::FAILURE
        }
    }
}

fn serve(sources: &broker::config::Sources, started: Instant) -> Result<(), String> {
    let Loaded { config, notes, warnings } =
        BrokerConfig::load(sources).map_err(|error| error.to_string())?;
    let observe = &config.observe;
    let levels =
        logging::init(&observe.log_level, observe.log_format).map_err(|error| error.to_string())?;
    for note in notes {
        tracing::info!("{note}");
    }
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    run::run(config, levels, started).map_err(|error| error.to_string())
}

#[allow(clippy::print_stdout, reason = "what a command was asked for")]
fn tell(text: &str) {
    print!("{text}");
}

#[allow(clippy::print_stderr, reason = "the one sentence that says why nothing runs")]
fn complain(sentence: &str) {
    eprintln!("barnabas: {sentence}");
}
