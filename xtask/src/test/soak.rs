//! `cargo xtask soak`: ten thousand schedules of faults, and a million inputs of each kind, in a profile of their own; the first time,
//! that has to be built.
//!
//! A process for each core, kept there: a schedule hands work between its threads all the time, and that costs half as much on one
//! core as across two.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::{canaries, fuzz, in_checkout};
use crate::children::{end_on_signals, logged, start};
use crate::lab::Places;
use crate::process::{cargo_on, tail};
use crate::steps::say;

pub(super) const BUILT: [&str; 6] = ["test", "--profile", "soak", "--package", "cc-ci", "--test"];
/// The name of the test that tells them.
const SCHEDULES: &str = "s46_whatever_breaks_nothing_is_lost_and_nothing_doubled";
/// The last lines of a process that failed.
const TAIL: usize = 60;

/// What to soak in: schedules and inputs from this seed on, none of one sort leaves it out; canaries where the lab may be used, with
/// its consent.
pub(crate) struct Soak {
    pub(crate) schedules: u64,
    pub(crate) inputs: u64,
    pub(crate) seed: u64,
    pub(crate) canaries: Option<bool>,
}

/// One after the other; what fails does not keep the next from being tried.
pub(crate) fn soak(Soak { schedules, inputs, seed, canaries }: &Soak) -> Result<ExitCode> {
    end_on_signals()?;
    let checkout = Places::find()?.checkout;
    let logs = checkout.join("target/xtask-soak");
    fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
    let holds = (*schedules == 0 || tell(&checkout, &logs, *schedules, *seed)?)
        & (*inputs == 0 || fuzz::fuzz(&checkout, &logs, *inputs, *seed)?)
        & canaries.map_or(Ok(true), |yes| canaries::canaries(yes, &logs))?;
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tells schedules. Returns whether all is well.
fn tell(checkout: &Path, logs: &Path, schedules: u64, seed: u64) -> Result<bool> {
    build(checkout, "stories")?;
    say(format!("{schedules} schedules from seed {seed}; logs in {}", logs.display()));
    let begun = Instant::now();
    let told = on_each_core(schedules, seed, |core, first, times| {
        process(checkout, core, first, times, &logs.join(format!("core-{core}.log")))
    })?;
    let sum = told.into_iter().fold(Told::default(), Told::and);
    say(format!("{sum}, {} s", begun.elapsed().as_secs()));
    Ok(!sum.failed)
}

/// Compiles one of the test programs.
pub(super) fn build(checkout: &Path, test: &str) -> Result<()> {
    if !start(in_checkout(checkout, &BUILT).args([test, "--no-run"]))?.wait()?.success() {
        bail!("the tests do not compile");
    }
    Ok(())
}

/// Divides the work among the cores: each is given its number, its first seed, and how many.
pub(super) fn on_each_core<T: Send>(
    all: u64,
    seed: u64,
    work: impl Fn(usize, u64, u64) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let cores = cores()?;
    let (share, rest) = (all / cores.len() as u64, all % cores.len() as u64);
    thread::scope(|scope| {
        let (mut next, work) = (seed, &work);
        let processes: Vec<_> = (cores.iter().zip(0..))
            .map(|(core, index)| {
                let (first, times) = (next, share + u64::from(index < rest));
                next += times;
                scope.spawn(move || work(*core, first, times))
            })
            .collect();
        let ended: Vec<Result<T>> = processes
            .into_iter()
            .map(|process| process.join().unwrap_or_else(|_| bail!("a thread panicked")))
            .collect();
        ended.into_iter().collect()
    })
}

/// Cargo with a test program, kept on one core.
pub(super) fn on_core(checkout: &Path, core: usize) -> Command {
    let mut command = cargo_on(core);
    command.current_dir(checkout).args(BUILT);
    command
}

/// One process, on one core.
fn process(checkout: &Path, core: usize, first: u64, times: u64, log: &Path) -> Result<Told> {
    fs::write(log, "")?;
    let mut command = on_core(checkout, core);
    command.args(["stories", "--", "--nocapture", SCHEDULES]);
    command.env("CC_CI_SCHEDULES", times.to_string()).env("CC_CI_SEED", first.to_string());
    let success = logged(&mut command, log)?.success();
    let told = fs::read_to_string(log)?.lines().find_map(Told::read);
    if !success {
        say(tail(log, TAIL));
    }
    let mut told = told.with_context(|| format!("no schedule was told; see {}", log.display()))?;
    told.failed |= !success;
    Ok(told)
}

/// The cores that this process may use.
fn cores() -> Result<Vec<usize>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.and_then(listed).context("/proc/self/status does not tell the cores of this process")
}

/// Reads a list like `0-2,5`.
fn listed(list: &str) -> Option<Vec<usize>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    let ranges = list.trim().split(',').map(range).collect::<Option<Vec<_>>>()?;
    Some(ranges.into_iter().flatten().collect())
}

/// What a process says at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Told {
    schedules: u64,
    lost: u64,
    doubled: u64,
    failed: bool,
}

impl Told {
    /// Reads `5000 schedules, lost 0, doubled 0, 53 s`, behind whatever stands before it in the line.
    fn read(line: &str) -> Option<Self> {
        let (before, rest) = line.split_once(" schedules, lost ")?;
        let (lost, rest) = rest.split_once(", doubled ")?;
        let schedules = before.rsplit(' ').next()?.parse().ok()?;
        let (lost, doubled) = (lost.parse().ok()?, rest.split(',').next()?.parse().ok()?);
        Some(Self { schedules, lost, doubled, failed: lost + doubled > 0 })
    }

    const fn and(self, other: Self) -> Self {
        Self {
            schedules: self.schedules + other.schedules,
            lost: self.lost + other.lost,
            doubled: self.doubled + other.doubled,
            failed: self.failed || other.failed,
        }
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} schedules, lost {}, doubled {}", self.schedules, self.lost, self.doubled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_listed() {
        assert_eq!(listed("\t0-2,5\n"), Some(vec![0, 1, 2, 5]));
        assert_eq!(listed("all"), None);
    }

    #[test]
    fn the_line_of_a_process_is_read() {
        let told = Told { schedules: 5000, lost: 1, doubled: 0, failed: true };
        let line = "test schedules::s46_whatever ... 5000 schedules, lost 1, doubled 0, 53 s";
        assert_eq!(Told::read(line), Some(told));
        assert_eq!(Told::read("test result: ok. 1 passed"), None);
    }
}
