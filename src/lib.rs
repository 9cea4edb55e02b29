//! cc-ci: a CI for Co-op Cloud recipes. *Green means it works; red names the cause in one sentence.*
//!
//! Arrows point one way: `cli → engine → adapters → domain`; `runner → adapters, domain`. A test holds them.

pub mod adapters;
pub mod config;
pub mod domain;
pub mod runner;
