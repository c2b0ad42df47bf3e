//! Taking over the data of a stopped Apache Kafka node: `barnabas storage import`.
//!
//! [`plan`] looks at everything and changes nothing: it either knows how to go on with this data or
//! names all that stands against it. [`Plan::carry_out`] then writes one folder, our own metadata,
//! which appears in one step. Everything else stays as it is: partition logs are served where they
//! lie, `meta.properties` goes on being Kafka's, `__cluster_metadata-0` is never written.
//!
//! | module | looks at |
//! |---|---|
//! | [`directories`] | whose the directories are, that nobody uses them, that Kafka stopped cleanly |
//! | [`partitions`] | where each partition lies, and that no transaction is open in it |
//! | [`coordinators`] | groups in `__consumer_offsets`, transactions in `__transaction_state` |
//! | [`report`] | what the user is told |
//! | [`witness`] | later, at each start: that Kafka has not run since |
//!
//! What the metadata itself says against it is found by [`controller::import`].

mod coordinators;
mod directories;
mod partitions;
mod report;
mod witness;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use controller::image::MetadataImage;
use controller::import::Takeover;
use storage::data_dirs::KAFKA_METADATA_FOLDER;
use storage::fs::{Fs, RealFs};
use storage::kafka_metadata::{KafkaMetadataLog, KafkaRecord};

use crate::config::{BrokerConfig, Sources};
use directories::Directories;

pub use report::Report;
pub use witness::{WitnessError, check as kafka_has_not_run_since};

/// A cluster of many partitions may have as many obstacles.
const OBSTACLES_SHOWN: usize = 50;

/// Where Kafka's data lies.
#[derive(Clone, Debug)]
pub struct Source {
    /// `log.dirs`.
    pub log_dirs: Vec<PathBuf>,
    /// `metadata.log.dir`; the first log directory if not set.
    pub metadata_dir: Option<PathBuf>,
    /// What the directories must be of, where a configuration says so.
    pub node_id: Option<i32>,
    pub cluster_id: Option<String>,
}

/// `barnabas storage import`, as it was called.
#[derive(Debug)]
pub struct Import {
    /// A `server.properties`, or a log directory.
    pub path: PathBuf,
    pub overrides: Vec<String>,
    pub environment: Vec<(String, String)>,
    pub dry_run: bool,
}

/// A take-over that nothing stands against.
#[derive(Debug)]
pub struct Plan {
    pub report: Report,
    image: MetadataImage,
    witness: String,
    metadata_dir: PathBuf,
    directories: Directories,
}

/// Why there is no take-over: at least one sentence, each with what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Obstacles(pub Vec<String>);

impl Obstacles {
    fn one(obstacle: impl fmt::Display) -> Self {
        Self(vec![obstacle.to_string()])
    }

    /// `Err` if there are any.
    fn check(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Obstacles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this data cannot be taken over; nothing was changed:")?;
        for obstacle in self.0.iter().take(OBSTACLES_SHOWN) {
            write!(f, "\n  - {obstacle}")?;
        }
        match self.0.len().saturating_sub(OBSTACLES_SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n  - and {more} more"),
        }
    }
}

impl Import {
    /// Does it, or only looks. Returns what to tell the user.
    ///
    /// # Errors
    /// All obstacles, or why the metadata could not be written.
    pub fn run(&self) -> Result<String, String> {
        let source = self.source()?;
        let fs: Arc<dyn Fs> = Arc::new(RealFs);
        let plan = plan(&*fs, &source).map_err(|obstacles| obstacles.to_string())?;
        let report = plan.report.to_string();
        if self.dry_run {
            return Ok(format!("{report}Dry run: nothing was changed.\n"));
        }
        plan.carry_out(&*fs)?;
        Ok(format!(
            "{report}Imported. Kafka must not be started on this directory while Barnabas uses it; \
             docs/MOVING-IN.md tells what a way back would lose.\n"
        ))
    }

    fn source(&self) -> Result<Source, String> {
        if self.path.is_dir() {
            return Ok(Source {
                log_dirs: vec![self.path.clone()],
                metadata_dir: None,
                node_id: None,
                cluster_id: None,
            });
        }
        let sources = Sources {
            file: Some(self.path.clone()),
            overrides: self.overrides.clone(),
            environment: self.environment.clone(),
        };
        // What would keep the server from starting keeps the import from happening.
        let loaded = BrokerConfig::load(&sources).map_err(|error| error.to_string())?;
        let config = loaded.config;
        Ok(Source {
            log_dirs: config.storage.log_dirs.clone(),
            metadata_dir: Some(config.controller.metadata_log_dir.clone()),
            node_id: Some(config.node_id),
            cluster_id: config.cluster_id.clone(),
        })
    }
}

/// Looks at everything. Directories that have a lock file stay locked as long as the plan is kept.
///
/// # Errors
/// All obstacles that were found.
pub fn plan(fs: &dyn Fs, source: &Source) -> Result<Plan, Obstacles> {
    let directories = Directories::open(fs, source)?;
    let metadata_dir = directories.metadata_dir.clone();
    let log = KafkaMetadataLog::read(fs, &metadata_dir.join(KAFKA_METADATA_FOLDER))
        .map_err(Obstacles::one)?;
    let mut takeover = Takeover::default();
    for record in log.records {
        match record {
            KafkaRecord::Quorum(record) => takeover.quorum(&record),
            KafkaRecord::Metadata(record) => takeover.replay(record).map_err(Obstacles::one)?,
        }
    }
    let (node_id, cluster_id) = (directories.node_id, &directories.cluster_id);
    let taken = takeover
        .finish(node_id, cluster_id, log.end_offset, log.epoch)
        .map_err(|obstacles| Obstacles(obstacles.iter().map(ToString::to_string).collect()))?;
    let mut image = taken.image;
    let mut obstacles = Obstacles(Vec::new());
    let found = partitions::locate(fs, &directories, &mut image, &mut obstacles)?;
    let coordinators = coordinators::look(fs, &found, &mut obstacles);
    obstacles.check()?;
    let witness = witness::describe(fs, &metadata_dir).map_err(Obstacles::one)?;
    let report = Report {
        cluster_id: cluster_id.clone(),
        node_id,
        end_offset: log.end_offset,
        dirs: found.partitions_per_dir(&directories),
        counts: report::Counts::of(&image),
        coordinators,
        features_left_out: taken.features_left_out,
        strays: found.strays,
        passed_over: log.passed_over.iter().map(ToString::to_string).collect(),
    };
    Ok(Plan { report, image, witness, metadata_dir, directories })
}

impl Plan {
    /// Writes our metadata: afterwards this node is Barnabas's.
    ///
    /// # Errors
    /// It could not be written; then it is not there, and all is as before.
    pub fn carry_out(mut self, fs: &dyn Fs) -> Result<(), String> {
        self.directories.lock_all(fs).map_err(|obstacles| obstacles.to_string())?;
        // Kafka may have come and gone before the last lock was taken.
        let now = witness::describe(fs, &self.metadata_dir).map_err(|error| error.to_string())?;
        if now != self.witness {
            return Err("Kafka has run meanwhile; nothing was changed: try again".to_owned());
        }
        let witness = (witness::WITNESS_FILE, self.witness.as_bytes());
        controller::import::write(&self.metadata_dir, &self.image, witness)
            .map_err(|error| error.to_string())
    }
}

/// `<dir>/<name>` for a sentence.
fn shown(dir: &Path, name: &str) -> String {
    dir.join(name).display().to_string()
}
