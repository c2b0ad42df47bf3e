//! Stopping a node, within the ten seconds that Docker gives.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use controller::ControllerState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::startup::Node;

/// How long requests that wait for something may go on.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// How often is looked whether they have finished.
const DRAIN_STEP: Duration = Duration::from_millis(5);

/// How long connections may take to let go when all else is done.
pub(super) const RUNTIME_TIMEOUT: Duration = Duration::from_secs(1);

/// SIGTERM and SIGINT, caught from the beginning of the start on.
#[derive(Debug)]
pub(super) struct Signals {
    both: Mutex<(Signal, Signal)>,
}

/// Why a node stops.
#[derive(Debug)]
pub(super) enum Reason {
    Asked,
    Failed(String),
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let both = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { both: Mutex::new(both) })
    }

    async fn received(&self) -> &'static str {
        let mut both = self.both.lock().await;
        let (terminate, interrupt) = &mut *both;
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    }
}

/// Waits until the node has to stop.
pub(super) async fn wait(node: &Node) -> Reason {
    let mut controller = node.broker.controller().state();
    let mut all_offline = node.all_offline.clone();
    tokio::select! {
        signal = node.signals.received() => {
            tracing::info!("{signal} received: shutting down");
            Reason::Asked
        }
        state = controller.wait_for(|state| matches!(state, ControllerState::Failed(_))) => {
            let why = match state.as_deref() {
                Ok(ControllerState::Failed(why)) => why.to_string(),
                Ok(_) | Err(_) => "its thread has ended".to_owned(),
            };
            Reason::Failed(format!("the controller has failed: {why}"))
        }
        Ok(_) = all_offline.wait_for(|offline| *offline) => {
            Reason::Failed("all log directories are offline".to_owned())
        }
    }
}

/// Stops everything in order.
pub(super) async fn stop(node: Node) {
    for task in &node.accepting {
        task.abort();
    }
    let net = node.broker.net();
    net.start_draining();
    node.broker.groups().stop();
    let deadline = Instant::now() + DRAIN_TIMEOUT;
    while net.waiting.load(Ordering::Relaxed) > 0 && Instant::now() < deadline {
        tokio::time::sleep(DRAIN_STEP).await;
    }
    node.broker.controller().shutdown().await;
    let (logs, scrubber, broker_epoch) = (node.logs.clone(), node.scrubber, node.broker_epoch);
    let close = move || {
        drop(scrubber);
        logs.close(broker_epoch)
    };
    let clean = tokio::task::spawn_blocking(close).await.unwrap_or(false);
    tracing::info!(clean, "Shut down");
}
