//! Who may do what.
//!
//! | file | holds |
//! |---|---|
//! | `authorizer.rs` | the question, and the answer as long as there is no other |

mod authorizer;

pub use authorizer::{AllowAll, Authorizer, Decision, Operation, Resource};
