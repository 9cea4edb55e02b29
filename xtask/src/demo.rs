//! `cargo xtask demo`: the product at work on the lab. A good recipe is green, a crash-looping one is red with its cause, Ctrl-C in
//! the middle of a run leaves nothing behind, and a gate deployed from cc-ci's own recipe answers on a pull request.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::children::{end_on_signals, start};
use crate::gate;
use crate::lab::{self, Target};
use crate::process::output;
use crate::steps::say;

/// What `cc-ci run` says of an app whose stack is deployed and whose services are not ready.
const DEPLOYED: &str = "  waiting: ";
/// The exit code of a run without a verdict.
const NOT_JUDGED: i32 = 3;

/// Shows all four; an error when one of them does not behave.
pub(crate) fn demo(yes: bool) -> Result<()> {
    end_on_signals()?;
    let begun = Instant::now();
    heading("The lab: a real Docker Swarm on this machine, reached over SSH like any other test Swarm.");
    gate::lab_up(yes)?;
    let stage = Stage { checkout: lab::Places::find()?.checkout, binary: lab::build_binary()? };
    let good = stage.good()?;
    let crash_loop = stage.crash_loop()?;
    stage.interrupted()?;
    heading(
        "4. cc-ci deployed from its own recipe, as an operator would: a member writes !testme, and the verdict comes.",
    );
    let judged = gate::judge()?;
    heading(format!(
        "The gate stays up until the next demo, or `cargo xtask lab down --target ops`. What it said: {}",
        judged.comment
    ));
    eprintln!("Its dashboard: {}", judged.dashboard);
    heading(format!("All four behaved, {:.1} s with the lab. The reports, to be opened in a browser:", seconds(begun)));
    for report in [good, crash_loop] {
        println!("{}", report.display());
    }
    Ok(())
}

struct Stage {
    checkout: PathBuf,
    binary: PathBuf,
}

impl Stage {
    fn good(&self) -> Result<PathBuf> {
        heading("1. A recipe that works: deployed, asked over HTTPS, removed; green only if nothing is left behind.");
        let results = self.run("good", 0)?;
        expect(&results, "/verdict", "green")?;
        Ok(self.out("good").join("report.html"))
    }

    fn crash_loop(&self) -> Result<PathBuf> {
        heading(
            "2. A recipe whose service ends again and again: red, and one sentence says why. No timeout is waited for.",
        );
        let results = self.run("crash-loop", 1)?;
        expect(&results, "/verdict", "red")?;
        expect(&results, "/findings/0/kind", "crash_loop")?;
        expect(&results, "/findings/0/service", "app")?;
        Ok(self.out("crash-loop").join("report.html"))
    }

    fn interrupted(&self) -> Result<()> {
        heading("3. Ctrl-C in the middle: no verdict is guessed, and the target is as it was.");
        let before = self.inventory()?;
        let begun = Instant::now();
        let mut running = start(self.command("good", "interrupted").stderr(Stdio::piped()))?;
        let lines = running.stderr().context("no standard error")?;
        let mut interrupted = false;
        for line in BufReader::new(lines).lines() {
            let line = line?;
            eprintln!("{line}");
            if !interrupted && line.contains(DEPLOYED) {
                say("now Ctrl-C");
                running.signal(Signal::SIGINT);
                interrupted = true;
            }
        }
        let status = running.wait()?;
        if !interrupted {
            bail!("the run ended before it said that its stack is deployed ({status}){}", in_use(status));
        }
        if status.code() != Some(NOT_JUDGED) {
            bail!("Ctrl-C should end a run with exit code {NOT_JUDGED}, this one ended with {status}");
        }
        let after = self.inventory()?;
        if before != after {
            bail!("the target is not what it was before:\n{}", difference(&before, &after));
        }
        say(format!("{:.1} s, exit code {NOT_JUDGED}; the target's inventory is the same as before", seconds(begun)));
        Ok(())
    }

    /// Runs a recipe to its end and reads its results.
    fn run(&self, recipe: &str, expected: i32) -> Result<Value> {
        let (begun, out) = (Instant::now(), self.out(recipe));
        if out.exists() {
            fs::remove_dir_all(&out).with_context(|| format!("cannot empty {}", out.display()))?;
        }
        let status = start(&mut self.command(recipe, recipe))?.wait()?;
        if status.code() != Some(expected) {
            bail!("the run of {recipe} should end with exit code {expected}, it ended with {status}{}", in_use(status));
        }
        say(format!("{:.1} s, exit code {expected}", seconds(begun)));
        let file = out.join("results.json");
        let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Ok(serde_json::from_str(&text)?)
    }

    fn command(&self, recipe: &str, out: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.current_dir(&self.checkout).arg("run").arg(Path::new("tests/recipes").join(recipe));
        command.args(["--target", Target::named(Target::GATE).section(), "--out"]).arg(self.out(out));
        command
    }

    fn out(&self, name: &str) -> PathBuf {
        self.checkout.join("target/demo").join(name)
    }

    fn inventory(&self) -> Result<String> {
        let section = Target::named(Target::GATE);
        output(Command::new(&self.binary).args(["target", "inventory", "--target", section.section()]))
    }
}

fn heading(sentence: impl AsRef<str>) {
    eprintln!("\n{}\n", sentence.as_ref());
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}

fn expect(results: &Value, pointer: &str, expected: &str) -> Result<()> {
    let found = results.pointer(pointer).and_then(Value::as_str);
    if found != Some(expected) {
        bail!("results.json has {found:?} at {pointer}, expected was {expected}");
    }
    Ok(())
}

/// A target belongs to one run at a time: a run that finds another one there does not begin.
fn in_use(status: ExitStatus) -> &'static str {
    if status.code() == Some(NOT_JUDGED) {
        "; hint: is the target in use by another run? Its name is in the lines above; try again when it has ended"
    } else {
        ""
    }
}

/// The lines that only one of two sorted lists has.
fn difference(before: &str, after: &str) -> String {
    let missing = before.lines().filter(|line| !after.lines().any(|it| it == *line)).map(|line| format!("- {line}"));
    let new = after.lines().filter(|line| !before.lines().any(|it| it == *line)).map(|line| format!("+ {line}"));
    missing.chain(new).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_names_what_went_and_what_came() {
        assert_eq!(difference("a 1\nb 1", "b 1\nc 1"), "- a 1\n+ c 1");
    }

    #[test]
    fn results_are_compared_by_place() {
        let results = serde_json::json!({"findings": [{"kind": "crash_loop"}]});
        assert!(expect(&results, "/findings/0/kind", "crash_loop").is_ok());
        assert!(expect(&results, "/verdict", "red").is_err());
    }
}
