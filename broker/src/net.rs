//! The network: listeners, connections, frames.
//!
//! One task serves one connection: it reads, starts the requests in order, polls their handlers
//! itself (no hop to another task), and writes the answers in order. What a stranger can make it
//! keep is bounded: see [`budget`], [`quota`], [`input`] and [`output`].

pub mod budget;
pub mod buffers;
pub mod foreign;
pub mod input;
pub mod output;
pub mod quota;
pub mod rlimit;
