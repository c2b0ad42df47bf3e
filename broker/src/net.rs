//! The network: listeners, connections, frames.
//!
//! One task serves one connection: it reads, starts the requests in order, polls their handlers
//! itself (no hop to another task), and writes the answers in order. What a stranger can make it
//! keep is bounded: see [`budget`], [`quota`], [`input`], [`pending`] and [`output`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;

pub mod budget;
pub mod buffers;
pub mod connection;
pub mod foreign;
pub mod input;
pub mod listener;
pub mod output;
pub mod pending;
pub mod quota;
pub mod rlimit;
#[cfg(test)]
mod tests;

use self::budget::MemoryBudget;
use self::buffers::BufferPool;
use self::quota::{ConnectionQuota, TooManyConnections};

/// The settings of connections. They hold for connections that come after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetSettings {
    /// `socket.request.max.bytes`.
    pub frame_bytes_max: usize,
    /// `connections.max.idle.ms`.
    pub idle_max: Duration,
    /// `socket.send.buffer.bytes`; `None` leaves it to the kernel.
    pub send_buffer_bytes: Option<usize>,
    /// `socket.receive.buffer.bytes`; `None` leaves it to the kernel.
    pub receive_buffer_bytes: Option<usize>,
}

/// What all connections share.
#[derive(Debug)]
pub struct NetContext {
    pub pool: Arc<BufferPool>,
    pub budget: MemoryBudget,
    pub quota: Arc<ConnectionQuota>,
    pub refusals: Refusals,
    /// Requests that have started and wait for something.
    pub waiting: AtomicUsize,
    settings: ArcSwap<NetSettings>,
    connections: AtomicU64,
    draining: AtomicBool,
}

/// Says once in a while that connections are refused, not for each one.
#[derive(Debug, Default)]
pub struct Refusals {
    count: AtomicU64,
}

/// One refusal in this many is logged.
const REFUSALS_A_LINE: u64 = 1000;

impl Default for NetSettings {
    fn default() -> Self {
        Self {
            frame_bytes_max: 100 << 20,
            idle_max: Duration::from_secs(600),
            send_buffer_bytes: None,
            receive_buffer_bytes: None,
        }
    }
}

impl NetContext {
    pub fn new(settings: NetSettings, budget: MemoryBudget, quota: Arc<ConnectionQuota>) -> Self {
        Self {
            pool: Arc::default(),
            budget,
            quota,
            refusals: Refusals::default(),
            waiting: AtomicUsize::new(0),
            settings: ArcSwap::from_pointee(settings),
            connections: AtomicU64::new(0),
            draining: AtomicBool::new(false),
        }
    }

    pub fn settings(&self) -> Arc<NetSettings> {
        self.settings.load_full()
    }

    pub fn set_settings(&self, settings: NetSettings) {
        self.settings.store(Arc::new(settings));
    }

    /// A number for the next connection, unique in this process.
    pub fn next_connection_id(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::Relaxed)
    }

    /// No request starts from now on.
    pub fn start_draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

impl Refusals {
    pub fn report(&self, peer: SocketAddr, reason: &TooManyConnections) {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        if count.is_multiple_of(REFUSALS_A_LINE) {
            tracing::warn!(%peer, refused = count + 1, "Connection refused: {reason}");
        }
    }
}
