//! One node from start to stop.
//!
//! Start: directories are locked and formatted, logs recovered, sockets bound; then the controller
//! starts and its first delta makes the partitions; the broker registers, raises the leader epochs
//! if the last stop was unclean, and is unfenced; only then connections are accepted.
//!
//! Stop: no more connections and requests; what is under way finishes; the controller stops, then
//! the logs are closed and marked clean.

mod follow;
mod gauges;
mod settings;
mod shutdown;
mod startup;
#[cfg(test)]
pub(crate) mod testing;

use std::time::Instant;

use crate::broker::Guards;
use crate::config::BrokerConfig;
use crate::logging::LogLevels;

pub use startup::StartError;

/// Runs one node until it is told to stop.
///
/// # Errors
/// Why it could not start, or why it could not go on: one sentence for the user.
pub fn run(
    config: BrokerConfig,
    log_levels: LogLevels,
    started: Instant,
) -> Result<(), StartError> {
    crate::net::rlimit::raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("worker")
        .build()
        .map_err(StartError::Runtime)?;
    let result = runtime.block_on(async {
        let node = startup::start(config, log_levels, Guards::default(), started).await?;
        let reason = shutdown::wait(&node).await;
        shutdown::stop(node).await;
        match reason {
            shutdown::Reason::Asked => Ok(()),
            shutdown::Reason::Failed(why) => Err(StartError::Failed(why)),
        }
    });
    runtime.shutdown_timeout(shutdown::RUNTIME_TIMEOUT);
    result
}
