//! Nodes under commands: one on its own, three against each other, and the thread around one.

mod sole;
