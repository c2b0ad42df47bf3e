//! Nodes under commands: one on its own, and three against each other.

mod restart;
mod sole;
mod three;
