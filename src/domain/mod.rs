//! The rules, without I/O, clock or async: time is an argument, and every rule has its tests below it.
//!
//! Words are those of the design: *gate*, *target*, *runner*, *head*, *base*, *stage*, *rung*, *finding*, *claim*.

pub mod answer;
pub mod base;
pub mod cancellation;
pub mod canonical;
pub mod claim;
pub mod command;
pub mod convergence;
pub mod deploy_call;
pub mod deployment;
pub mod doctor;
pub mod engine_version;
pub mod enrolment;
pub mod evidence;
pub mod finding;
pub mod floor;
pub mod forge;
pub mod host;
pub mod host_power;
pub mod ids;
pub mod intake;
pub mod inventory;
pub mod lint;
pub mod log;
pub mod mask;
pub mod probed;
pub mod process_env;
pub mod proof;
pub mod protocol;
pub mod queue;
pub mod ready;
pub mod recipe;
pub mod registry;
pub mod results;
pub mod setup;
pub mod silence;
pub mod stage;
pub mod swarm;
pub mod sweep;
pub mod target;
pub mod tests_file;
pub mod upgrade;
pub mod verdict;
