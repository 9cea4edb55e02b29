//! A million inputs of each kind that comes from outside: the test program `fuzz`, a process on each core. The table says how many, for how
//! long, what the slowest took, and how much memory the process needed at most.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use super::soak::{build, on_core, on_each_core};
use crate::children::logged;
use crate::process::tail;
use crate::steps::say;

/// The last lines of a process that failed.
const TAIL: usize = 60;

/// Draws that many inputs of each kind. Returns whether all were read or refused.
pub(super) fn fuzz(checkout: &Path, logs: &Path, inputs: u64, seed: u64) -> Result<bool> {
    build(checkout, "fuzz")?;
    say(format!("{inputs} inputs of each kind from seed {seed}; logs in {}", logs.display()));
    let begun = Instant::now();
    let told = on_each_core(inputs, seed, |core, first, times| {
        process(checkout, core, first, times, &logs.join(format!("fuzz-core-{core}.log")))
    })?;
    let holds = told.iter().all(|(_, success)| *success);
    let mut kinds: BTreeMap<&str, Told> = BTreeMap::new();
    for one in told.iter().flat_map(|(told, _)| told) {
        kinds.entry(&one.kind).and_modify(|sum| *sum = sum.and(one)).or_insert_with(|| one.clone());
    }
    print!("{}", table(kinds.values()));
    say(format!("all inputs, {} s", begun.elapsed().as_secs()));
    Ok(holds && kinds.values().all(|told| told.panics == 0))
}

/// One process, on one core. What it said, and whether all went well.
fn process(checkout: &Path, core: usize, first: u64, times: u64, log: &Path) -> Result<(Vec<Told>, bool)> {
    fs::write(log, "")?;
    let mut command = on_core(checkout, core);
    // One after the other: each is told how much memory it needs.
    command.args(["fuzz", "--", "--nocapture", "--test-threads=1"]);
    command.env("CC_CI_INPUTS", times.to_string()).env("CC_CI_SEED", first.to_string());
    let success = logged(&mut command, log)?.success();
    if !success {
        say(tail(log, TAIL));
    }
    let told: Vec<Told> = fs::read_to_string(log)?.lines().filter_map(Told::read).collect();
    Ok((told, success))
}

/// What is said of a kind.
#[derive(Clone, Debug, PartialEq)]
struct Told {
    kind: String,
    inputs: u64,
    panics: u64,
    seconds: f64,
    slowest_ms: f64,
    slowest: u64,
    peak_mb: u64,
}

impl Told {
    /// Reads `fuzz .env: 3000 inputs, 0 panics, 1.2 s, slowest 3.4 ms (seed 17), peak 12 MB`, behind whatever stands before it.
    fn read(line: &str) -> Option<Self> {
        let (_, line) = line.split_once("fuzz ")?;
        let (kind, rest) = line.split_once(": ")?;
        let mut parts = rest.split(", ");
        let mut number = |unit: &str| Some(parts.next()?.strip_suffix(unit)?.to_owned());
        let (inputs, panics, seconds) = (number(" inputs")?, number(" panics")?, number(" s")?);
        let slowest = number(")")?;
        let peak = number(" MB")?;
        let (ms, seed) = slowest.strip_prefix("slowest ")?.split_once(" ms (seed ")?;
        Some(Self {
            kind: kind.to_owned(),
            inputs: inputs.parse().ok()?,
            panics: panics.parse().ok()?,
            seconds: seconds.parse().ok()?,
            slowest_ms: ms.parse().ok()?,
            slowest: seed.parse().ok()?,
            peak_mb: peak.strip_prefix("peak ")?.parse().ok()?,
        })
    }

    /// Of two processes: seconds are those of both.
    fn and(&self, other: &Self) -> Self {
        let slower = if self.slowest_ms >= other.slowest_ms { self } else { other };
        Self {
            kind: self.kind.clone(),
            inputs: self.inputs + other.inputs,
            panics: self.panics + other.panics,
            seconds: self.seconds + other.seconds,
            slowest_ms: slower.slowest_ms,
            slowest: slower.slowest,
            peak_mb: self.peak_mb.max(other.peak_mb),
        }
    }
}

fn table<'a>(kinds: impl Iterator<Item = &'a Told>) -> String {
    let mut table = "| kind | inputs | panics | seconds of a core | slowest, ms | its seed | peak memory, MB |\n|---|---|---|---|---|---|---|\n".to_owned();
    for told in kinds {
        let Told { kind, inputs, panics, seconds, slowest_ms, slowest, peak_mb } = told;
        table.push_str(&format!(
            "| {kind} | {inputs} | {panics} | {seconds:.0} | {slowest_ms:.1} | {slowest} | {peak_mb} |\n"
        ));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_kind_is_read_and_two_are_summed() {
        let line = "test env_samples ... fuzz .env: 3000 inputs, 1 panics, 1.2 s, slowest 3.4 ms (seed 17), peak 12 MB";
        let told = Told::read(line).unwrap();
        assert_eq!(
            (told.kind.as_str(), told.inputs, told.panics, told.slowest, told.peak_mb),
            (".env", 3000, 1, 17, 12)
        );
        let other = Told { slowest_ms: 9.0, slowest: 4000, peak_mb: 2, panics: 0, ..told.clone() };
        let sum = told.and(&other);
        assert_eq!((sum.inputs, sum.panics, sum.slowest, sum.peak_mb), (6000, 1, 4000, 12));
        assert!(table([&sum].into_iter()).ends_with("| .env | 6000 | 1 | 2 | 9.0 | 4000 | 12 |\n"));
        assert_eq!(Told::read("test result: ok. 9 passed"), None);
    }
}
