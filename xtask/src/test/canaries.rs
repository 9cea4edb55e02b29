//! `cargo xtask soak --canaries`: all canaries twice in a row, with the naive way beside them, on every target of the lab that is free.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::children::start;
use crate::lab::{self, Options, Target};
use crate::steps::say;

/// Runs them, and leaves what came of each in `logs`. Returns whether all is as declared.
pub(crate) fn canaries(yes: bool, logs: &Path) -> Result<bool> {
    let places = lab::up(&Options { yes, targets: Vec::new() })?.places;
    let mut held: Vec<(Target, File)> = Vec::new();
    for target in lab::usable() {
        if let Some(file) = lab::hold(&target)? {
            held.push((target, file));
        }
    }
    if held.is_empty() {
        bail!("no target of the lab is free");
    }
    let (state, json) = (tempfile::tempdir()?, logs.join("canaries.json"));
    let mut command = Command::new(lab::build_binary()?);
    command.args(["canary", "--repeat", "2", "--naive", "--json"]).arg(&json);
    for (target, _) in &held {
        command.args(["--target", target.section()]);
    }
    command.arg("--state").arg(state.path()).arg("--targets").arg(places.targets_file());
    command.arg("--runner-image").arg(places.cc_ci.join("runner.tar"));
    say(format!("canaries on {} targets; what came of each: {}", held.len(), json.display()));
    Ok(start(&mut command)?.wait()?.success())
}
