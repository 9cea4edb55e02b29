//! One child process: its own process group, nothing inherited, output into a file.

use std::fs::{File, OpenOptions};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};

use crate::domain::protocol::{HowEnded, Step};

/// Between the polite signal and the other one.
const GRACE: Duration = Duration::from_secs(5);

/// Starts the step's program with its output appended to `output`.
pub(super) fn start(step: &Step, output: &Path) -> std::io::Result<Child> {
    let output: File = OpenOptions::new().create(true).append(true).open(output)?;
    let Some((program, arguments)) = step.argv.split_first() else {
        return Err(std::io::Error::other("the step names no program"));
    };
    Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(&step.env)
        .current_dir(&step.folder)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

/// Ends the whole process group: politely, then by force.
pub(super) async fn stop(child: &mut Child) {
    signal(child, Signal::SIGTERM);
    if tokio::time::timeout(GRACE, child.wait()).await.is_err() {
        signal(child, Signal::SIGKILL);
        // A killed process ends; an error here means that it has already been waited for.
        let _ended = child.wait().await;
    }
}

fn signal(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        // The group may be gone already, which is what is wanted.
        let _sent = killpg(Pid::from_raw(pid), signal);
    }
}

/// How a process that ended by itself ended.
pub(super) fn how_ended(status: ExitStatus) -> HowEnded {
    match (status.code(), status.signal()) {
        (Some(code), _) => HowEnded::Exited { code },
        (None, signal) => HowEnded::Killed { signal: signal.unwrap_or_default() },
    }
}
