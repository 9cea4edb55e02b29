//! cc-ci: a CI for Co-op Cloud recipes. *Green means it works; red names the cause in one sentence.*
//!
//! Arrows point one way: `main, cli` may use all; `web → engine → adapters → domain`; `runner → adapters, domain`; `report` and
//! `config` use only `domain`; `domain` uses nothing of ours. `tests/architecture.rs` holds them.

pub mod adapters;
pub mod cli;
pub mod config;
pub mod domain;
pub mod engine;
pub mod report;
pub mod runner;
pub mod web;
