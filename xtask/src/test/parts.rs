//! The parts of the suite: each runs with its output in a file, is timed, counted, and told when it ends.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::tally::Tally;
use crate::children::logged;
use crate::process::tail;
use crate::steps::say;

/// The last lines of a failed part.
const TAIL: usize = 40;

/// What has run so far.
pub(crate) struct Parts {
    logs: PathBuf,
    sum: Tally,
    ended: Vec<(String, Duration, Tally)>,
}

impl Parts {
    /// Logs of an earlier run are removed.
    pub(crate) fn new(logs: PathBuf) -> Result<Self> {
        if logs.exists() {
            fs::remove_dir_all(&logs).with_context(|| format!("cannot empty {}", logs.display()))?;
        }
        fs::create_dir_all(&logs).with_context(|| format!("cannot make {}", logs.display()))?;
        Ok(Self { logs, sum: Tally::default(), ended: Vec::new() })
    }

    /// The file with a part's output.
    pub(crate) fn log(&self, part: &str) -> PathBuf {
        self.logs.join(format!("{}.log", part.replace(' ', "-")))
    }

    /// A program that counts as one check.
    pub(crate) fn command(&mut self, part: &str, command: &mut Command) {
        self.check(part, |log| {
            let status = logged(command, told(log))?;
            if !status.success() {
                bail!("{status}\n{}", tail(log, TAIL));
            }
            Ok(())
        });
    }

    /// Test programs under cargo: each test counts.
    pub(crate) fn tests(&mut self, part: &str, command: &mut Command) {
        self.run(part, |log| {
            let success = logged(command, told(log))?.success();
            let text = fs::read_to_string(log)?;
            let tally = Tally::of_tests(&text, success);
            let failed = (tally.failed > 0).then(|| failures(&text, log));
            Ok((tally, failed))
        });
    }

    /// A step of this program that counts as one check.
    pub(crate) fn check(&mut self, part: &str, step: impl FnOnce(&Path) -> Result<()>) {
        self.run(part, |log| step(log).map(|()| (Tally::one(true), None)));
    }

    /// The sum of everything.
    pub(crate) const fn sum(&self) -> Tally {
        self.sum
    }

    /// A table of all parts and their minutes.
    pub(crate) fn say_all(&self) {
        say("");
        for (part, time, tally) in &self.ended {
            say(format!("{part:12} {:5.1} min  {tally}", time.as_secs_f64() / 60.0));
        }
    }

    fn run(&mut self, part: &str, step: impl FnOnce(&Path) -> Result<(Tally, Option<String>)>) {
        let (log, begun) = (self.log(part), Instant::now());
        let (tally, failed) = step(&log).unwrap_or_else(|error| (Tally::one(false), Some(format!("{error:#}"))));
        if let Some(failed) = failed {
            eprintln!("{failed}");
        }
        self.sum += tally;
        let time = begun.elapsed();
        eprintln!("{:8.1} s  {part}: {tally}", time.as_secs_f64());
        self.ended.push((part.to_owned(), time, tally));
    }
}

/// Tells where the output of what starts now can be followed.
fn told(log: &Path) -> &Path {
    say(format!("… {}", log.display()));
    log
}

/// What libtest and cargo say about failures, else the last lines.
fn failures(text: &str, log: &Path) -> String {
    let from = text.find("\nfailures:\n").or_else(|| text.find("\nerror"));
    from.map_or_else(|| tail(log, TAIL), |from| text[from..].lines().take(4 * TAIL).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::program;

    #[test]
    fn a_failed_part_does_not_stop_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut parts = Parts::new(folder.path().join("logs")).unwrap();
        parts.command("first", program("ls").arg("/no/such/folder"));
        parts.command("second", &mut program("true"));
        parts.tests("third", program("echo").arg("test result: ok. 3 passed; 0 failed; 0 ignored"));
        assert_eq!(parts.sum().to_string(), "4 passed, 1 failed");
        assert!(fs::read_to_string(parts.log("first")).unwrap().contains("No such file"));
    }
}
