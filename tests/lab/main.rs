//! Tests on the lab: the real program, real Docker Swarms reached over OpenSSH, a real proxy and registry.
//!
//! `cargo xtask test` brings the lab up and runs them; plain `cargo test` does not.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod artefacts;
mod as_written;
mod asked;
mod bridge;
mod canaries;
mod claims;
mod crash_loops;
mod endings;
mod faults;
mod findings;
mod handbook;
mod images;
mod inside;
mod kept;
mod ladder;
mod leftovers;
mod lint;
mod people;
mod power;
mod queue;
mod resume;
mod scope;
mod service;
mod setup;
mod starts;
mod suites;
mod support;
mod upgrade;
