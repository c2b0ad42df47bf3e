//! Generates the messages from the files in `schema/`, whose form `build/parse.rs` explains.

#![allow(unreachable_pub, reason = "a build script has no users")]

#[path = "build/emit.rs"]
mod emit;
#[path = "build/emit_decode.rs"]
mod emit_decode;
#[path = "build/emit_encode.rs"]
mod emit_encode;
#[path = "build/emit_json.rs"]
mod emit_json;
#[path = "build/emit_registry.rs"]
mod emit_registry;
#[path = "build/model.rs"]
mod model;
#[path = "build/parse.rs"]
mod parse;

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use model::Schema;

const TOPICS: [&str; 3] = ["consumer_offsets", "transaction_state", "share_group_state"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=schema");
    println!("cargo::rerun-if-changed=build");
    let out = env::var("OUT_DIR")?;
    let write = |name: &str, text: String| fs::write(Path::new(&out).join(name), text);

    let mut apis = read_schemas("api")?;
    apis.sort_by_key(|api| api.number);
    write("messages.rs", emit_registry::messages(&apis)?)?;
    write("data.rs", emit_registry::data(&read_schemas("data")?)?)?;

    let mut topics = String::new();
    for topic in TOPICS {
        let mut records = read_schemas(topic)?;
        records.sort_by_key(|record| record.number);
        topics += &emit_registry::topic(topic, &records)?;
    }
    write("coordinator_records.rs", topics)?;

    let mut metadata = read_schemas("cluster_metadata")?;
    metadata.sort_by_key(|record| record.number);
    write("metadata_records.rs", emit_registry::metadata(&metadata)?)?;
    Ok(())
}

/// The schemas of a folder, by file name.
fn read_schemas(folder: &str) -> Result<Vec<Schema>, Box<dyn Error>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(Path::new("schema").join(folder))? {
        paths.push(entry?.path());
    }
    paths.sort();
    let mut schemas = Vec::new();
    for path in paths {
        let module = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let schema = parse::schema(&module, &fs::read_to_string(&path)?)
            .map_err(|e| format!("{}: {e}", path.display()))?;
        schemas.push(schema);
    }
    Ok(schemas)
}
