//! What runs inside the runner container: PID 1, which starts steps and keeps the total limit, and the small programs that
//! the gate executes beside it.
//!
//! PID 1 is level-triggered: a signal or a tick only wakes it; what it does follows from the files that are there.

mod archive;
mod host;
mod probe;
mod process;
mod secrets;
mod serve;
mod step;

pub use archive::{archive, unarchive};
pub use probe::probe;
pub use secrets::make_secrets;
pub use serve::serve;
pub use step::step;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use crate::adapters::docker::{connect, undeploy};
use crate::domain::ids::StackName;
use crate::domain::protocol::{STEPS, StepName};

/// Where the target's engine listens inside the runner.
const ENGINE: &str = "/var/run/docker.sock";

/// The folder of a step.
fn folder(step: &StepName) -> PathBuf {
    Path::new(STEPS).join(step.as_str())
}

/// Writes a file so that a reader sees all of it or nothing.
fn write_whole(path: &Path, content: &impl Serialize) -> anyhow::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = fs::File::create(&unfinished).with_context(|| format!("cannot write {}", unfinished.display()))?;
    serde_json::to_writer(&mut file, content)?;
    file.flush()?;
    fs::rename(&unfinished, path).with_context(|| format!("cannot write {}", path.display()))
}

/// Removes the app with everything that is its own; what it does goes to standard output.
///
/// # Errors
/// When the engine does not answer or something stays.
pub async fn undeploy_stack(stack: &StackName) -> anyhow::Result<()> {
    let docker = connect(Path::new(ENGINE)).await?;
    undeploy::undeploy(&docker, stack, |line| say(&line)).await?;
    Ok(())
}

/// Removes the app and its data, not the secrets that were made for it; what it does goes to standard output.
///
/// # Errors
/// When the engine does not answer or something stays.
pub async fn destroy_stack(stack: &StackName) -> anyhow::Result<()> {
    let docker = connect(Path::new(ENGINE)).await?;
    undeploy::destroy(&docker, stack, |line| say(&line)).await?;
    Ok(())
}

/// A line for the gate, which follows this program's output.
#[expect(clippy::print_stdout, reason = "the gate follows this output")]
fn say(line: &str) {
    println!("{line}");
}
