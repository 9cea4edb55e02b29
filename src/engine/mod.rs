//! What the gate does with a run: one engine for the command line and the service.
//!
//! Level-triggered: each stage rereads what is there (rows, files, the target) and drives it forward, so that a process
//! that was killed is followed by one that goes on where it stopped.

pub mod base;
pub mod beside;
mod claim;
pub mod doctor;
mod error;
pub mod fitness;
mod logs;
pub mod naive;
pub mod plan;
pub mod run;
pub mod service;
pub mod state;
pub mod sweep;
pub mod trial;
mod watch;

pub use error::EngineError;
