//! The outside world, one module per thing: clock, SSH, Docker, git, HTTPS, SQLite, files.
//!
//! What comes from a target is untrusted: bounded in size and time, and never used as a path.

pub mod authority;
pub mod clock;
pub mod docker;
pub mod forge;
pub mod git;
pub mod logfile;
pub mod logread;
pub mod oauth;
pub mod operator_ssh;
pub mod own_hash;
pub mod own_key;
pub mod probe;
pub mod session;
pub mod sign;
pub mod store;
