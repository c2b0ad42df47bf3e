//! The server: network, dispatch, coordinators, configuration, metrics and the command line.

pub mod config;
