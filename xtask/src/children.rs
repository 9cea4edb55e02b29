//! Long-running programs, each in a process group of its own, so that Ctrl-C ends the programs and everything they started, and
//! lets them clean up.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::process::until;
use crate::steps::say;

/// The exit code of a command that Ctrl-C ended, as a shell has it.
const INTERRUPTED: i32 = 130;

/// A run may need this long to remove what it deployed.
const PATIENCE: Duration = Duration::from_secs(90);

static GROUPS: Mutex<Vec<Pid>> = Mutex::new(Vec::new());
static ENDING: AtomicBool = AtomicBool::new(false);

/// A started program with its process group.
pub(crate) struct Running {
    child: Child,
    group: Pid,
}

/// From now on Ctrl-C is passed on to the programs that run; this process ends after them. A second one ends all at once.
pub(crate) fn end_on_signals() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::spawn(move || {
        for _ in signals.forever() {
            let again = ENDING.swap(true, Ordering::SeqCst);
            signal_all(if again { Signal::SIGKILL } else { Signal::SIGINT });
            if again {
                exit();
            }
            say("interrupted; waiting for what runs to clean up; once more ends at once");
            thread::spawn(|| {
                until(PATIENCE, || groups().is_empty());
                signal_all(Signal::SIGKILL);
                exit();
            });
        }
    });
    Ok(())
}

/// Starts a program.
pub(crate) fn start(command: &mut Command) -> Result<Running> {
    // Held while starting: a signal finds the program in the list or not started.
    let mut groups = groups();
    if ENDING.load(Ordering::SeqCst) {
        drop(groups);
        park();
    }
    let name = command.get_program().to_string_lossy().into_owned();
    let child = command
        .process_group(0)
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {name}; hint: is it installed?"))?;
    let group = Pid::from_raw(i32::try_from(child.id())?);
    groups.push(group);
    Ok(Running { child, group })
}

/// Runs a program with all its output in a file.
pub(crate) fn logged(command: &mut Command, log: &Path) -> Result<ExitStatus> {
    let file = File::options().create(true).append(true).open(log);
    let file = file.with_context(|| format!("cannot write {}", log.display()))?;
    start(command.stdout(file.try_clone()?).stderr(file))?.wait()
}

impl Running {
    /// Waits for the end.
    pub(crate) fn wait(mut self) -> Result<ExitStatus> {
        let status = self.child.wait();
        groups().retain(|group| *group != self.group);
        if ENDING.load(Ordering::SeqCst) {
            park();
        }
        Ok(status?)
    }

    /// Waits for the end, at most so long; then the program is killed, and the answer is `None`.
    pub(crate) fn wait_at_most(mut self, limit: Duration) -> Result<Option<ExitStatus>> {
        let ended = until(limit, || self.has_ended());
        if !ended {
            self.signal(Signal::SIGKILL);
        }
        self.wait().map(|status| ended.then_some(status))
    }

    /// Sends a signal to the program and what it started.
    pub(crate) fn signal(&self, signal: Signal) {
        // One that has ended needs no signal.
        killpg(self.group, signal).ok();
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Its standard error, when that is a pipe.
    pub(crate) fn stderr(&mut self) -> Option<std::process::ChildStderr> {
        self.child.stderr.take()
    }
}

fn groups() -> MutexGuard<'static, Vec<Pid>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn signal_all(signal: Signal) {
    for group in groups().iter() {
        killpg(*group, signal).ok();
    }
}

/// The end has been asked for: nothing more is started, and the thread that waits for the programs ends the process.
fn park() -> ! {
    loop {
        thread::park();
    }
}

#[expect(clippy::exit, reason = "the person at the terminal asked for it; no thread holds anything unfinished")]
fn exit() -> ! {
    std::process::exit(INTERRUPTED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::program;

    #[test]
    fn a_program_that_takes_too_long_is_ended() {
        let running = start(program("sleep").arg("600")).unwrap();
        assert!(running.wait_at_most(Duration::ZERO).unwrap().is_none());
    }

    #[test]
    fn output_of_both_kinds_is_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        assert!(logged(program("echo").arg("said"), &log).unwrap().success());
        assert!(!logged(program("ls").arg("/no/such/folder"), &log).unwrap().success());
        let text = std::fs::read_to_string(&log).unwrap();
        assert!(text.starts_with("said\n") && text.contains("No such file"), "{text}");
    }
}
