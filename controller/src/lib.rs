//! The metadata quorum: one replicated log of facts (records), the image that replaying them gives,
//! and the decisions that add to it.
//!
//! A [`Command`] is decided by the leader alone: [`decide`] is a pure function of an image, the
//! command and its [`Context`], and yields the records that make it true together with the answer.
//! The records of one command are one raft entry, so they happen together or not at all. Every node
//! replays committed records with [`apply`], which is pure too. Readers hold one immutable
//! [`MetadataImage`] and are told what changed by a [`MetadataDelta`].

pub mod command;
pub mod config_rules;
pub mod delta;
pub mod handle;
pub mod image;
pub mod import;
pub mod raft;
pub mod record;
pub mod state;
#[cfg(test)]
mod testing;

pub use command::{ApiError, Command, Outcome};
pub use config_rules::ConfigRules;
pub use delta::MetadataDelta;
pub use handle::{
    ControllerConfig, ControllerError, ControllerHandle, ControllerNode, ControllerState,
    QuorumStatus, StartError, VoterStatus,
};
pub use image::{LogPosition, MetadataImage, apply};
pub use record::MetadataRecord;
pub use state::{Context, Decision, decide};
