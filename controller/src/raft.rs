//! The raft node: consensus from the `raft` crate (`RawNode`, which does no I/O), its store, and the
//! thread that drives both.
//!
//! - [`store`]: what a node must keep, as a trait; [`sled_store`] on disk, [`mem_store`] in memory.
//! - [`node`]: proposals, replay, snapshots; everything but threads and time, so that tests drive
//!   several nodes in one thread.
//! - [`driver`]: the thread around a node, with its queue, clock and snapshot writer.
//! - [`look`]: what a stopped node knows, for commands that change nothing.

pub mod driver;
pub mod look;
pub mod mem_store;
pub mod node;
pub mod sled_store;
pub mod snapshot;
pub mod store;

#[cfg(test)]
mod tests;
