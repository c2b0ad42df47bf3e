//! `barnabas storage import`.

use std::path::PathBuf;

use clap::Args;

use crate::import::Import;

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Kafka's server.properties, or its only log directory.
    path: PathBuf,
    /// Only say what would happen.
    #[arg(long)]
    dry_run: bool,
    /// Sets one key, whatever the file and the environment say. May be repeated.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

impl ImportArgs {
    pub(in crate::cli) fn into_import(self, environment: Vec<(String, String)>) -> Import {
        let Self { path, dry_run, overrides } = self;
        Import { path, overrides, environment, dry_run }
    }
}
