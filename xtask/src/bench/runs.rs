//! Runs on the lab: a crash loop, a good recipe beside the same in a shell script, and one run after the other.

use std::fs;
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::figures::median;
use super::goals::{Goals, Part};
use super::instants::seconds_between;
use crate::children::start;
use crate::forge::Organisation;
use crate::lab::{DOMAIN, Places, Target};
use crate::process::{docker, run, succeeds, until};
use crate::serving::{Gate, Serving};
use crate::steps::{say, timed};

/// So often each of them.
const LOOPS: usize = 3;
const PAIRS: usize = 5;
/// Pull requests of each recipe; each run but the first follows one.
const PULLS: usize = 3;
/// No run here takes longer.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks whether a run has ended.
const LOOK: Duration = Duration::from_millis(5);
const PLAIN_STACK: &str = "plain_ci_lab_test";
const RUNNER_STARTS: &str = "runner container ";

/// Runs of one build on one target.
pub(super) struct Runs<'a> {
    pub(super) binary: PathBuf,
    pub(super) places: &'a Places,
    pub(super) target: &'a Target,
    /// One gate for all of them.
    pub(super) state: tempfile::TempDir,
}

/// What came of a run.
pub(super) struct Ended {
    pub(super) took: Duration,
    pub(super) results: Value,
}

impl Runs<'_> {
    /// Measures what is wanted of it.
    pub(super) fn measure(&self, wants: impl Fn(Part) -> bool, goals: &mut Goals) -> Result<()> {
        // The first run sends the runner image; it counts for nothing.
        timed("a first run", || self.run(&self.recipe("good"), "green"))?;
        if wants(Part::CrashLoop) {
            goals.add(Part::CrashLoop, timed("P1", || self.crash_loops())?);
        }
        if wants(Part::Plain) {
            goals.add(Part::Plain, timed("P2", || self.beside_plain())?);
        }
        if wants(Part::Ladder) {
            goals.add(Part::Ladder, timed("P4", || self.beside_ladder())?);
        }
        if wants(Part::NextRun) {
            goals.add(Part::NextRun, timed("P3", || self.one_after_the_other())?);
        }
        Ok(())
    }

    fn recipe(&self, name: &str) -> PathBuf {
        self.places.checkout.join("tests/recipes").join(name)
    }

    /// P1. Both instants are the target's: the exit is what Docker says of the container.
    fn crash_loops(&self) -> Result<Value> {
        let one = self.verdicts(&self.recipe("crash-loop"))?;
        let two = self.verdicts(&self.places.checkout.join("bench/two-loopers"))?;
        Ok(json!({
            "value": one.max(two), "one": one, "two": two,
            "beside": format!("one looper {one:.2} s, two {two:.2} s; medians of {LOOPS}"),
        }))
    }

    fn verdicts(&self, recipe: &Path) -> Result<f64> {
        let delay = |_| {
            let results = self.run(recipe, "red")?.results;
            let finding = &results["findings"][0];
            let evidence = finding["evidence"].as_array().into_iter().flatten();
            let exit = evidence.into_iter().find(|one| one["what"] == "deciding exit").map(|one| &one["text"]);
            let at = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
            match (at(exit), at(finding.get("at"))) {
                (Some(exit), Some(at)) if finding["kind"] == "crash_loop" => seconds_between(&exit, &at),
                _ => bail!("{} should be a crash loop: {finding}", recipe.display()),
            }
        };
        Ok(median((0..LOOPS).map(delay).collect::<Result<Vec<_>>>()?))
    }

    /// P2.
    fn beside_plain(&self) -> Result<Value> {
        let recipe = self.recipe("good");
        let folder = "/tmp/cc-ci-bench-plain";
        self.put(&recipe, folder)?;
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            plain.push(self.plain(folder)?.as_secs_f64());
            ours.push(self.run(&recipe, "green")?.took.as_secs_f64());
        }
        self.forget(folder)?;
        say(format!("cc-ci run {ours:.1?} s, plain.sh {plain:.1?} s"));
        let (ours, plain) = (median(ours), median(plain));
        Ok(json!({
            "value": ours / plain, "cc_ci": ours, "baseline": plain,
            "beside": format!("`cc-ci run` {ours:.1} s, `plain.sh` {plain:.1} s; medians of {PAIRS}, alternating"),
        }))
    }

    /// The script, on the target itself.
    fn plain(&self, folder: &str) -> Result<Duration> {
        self.script(&["plain.sh"], &[folder, &format!("plain.{DOMAIN}")])
    }

    /// Scripts of `bench/`, one behind the other, on the target itself.
    pub(super) fn script(&self, names: &[&str], arguments: &[&str]) -> Result<Duration> {
        let mut script = tempfile::tempfile()?;
        for name in names {
            script.write_all(&fs::read(self.places.checkout.join("bench").join(name))?)?;
        }
        script.rewind()?;
        let begun = Instant::now();
        let mut command = self.on_target(&["--interactive"]);
        command.args(["bash", "-s", PLAIN_STACK]).args(arguments);
        let ended = command.stdin(Stdio::from(script)).output()?;
        let took = begun.elapsed();
        if !ended.status.success() {
            succeeds(self.on_target(&[]).args(["docker", "stack", "rm", PLAIN_STACK]));
            let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
            bail!("{} failed ({}): {said}", names.join(" and "), ended.status);
        }
        Ok(took)
    }

    /// Copies a folder onto the target, in place of what is there.
    pub(super) fn put(&self, from: &Path, there: &str) -> Result<()> {
        self.forget(there)?;
        run(docker(["cp"]).arg(from).arg(format!("{}:{there}", self.target.container())))
    }

    pub(super) fn forget(&self, there: &str) -> Result<()> {
        run(self.on_target(&[]).args(["rm", "-rf", there]))
    }

    fn on_target(&self, options: &[&str]) -> Command {
        let mut command = docker(["exec"]);
        command.args(options).arg(self.target.container());
        command
    }

    /// One `cc-ci run` of the install alone, which is what the script does; from the start of the process to its end.
    fn run(&self, recipe: &Path, verdict: &str) -> Result<Ended> {
        self.run_with(recipe, &["--only", "install"], verdict)
    }

    /// The same with other arguments.
    pub(super) fn run_with(&self, recipe: &Path, more: &[&str], verdict: &str) -> Result<Ended> {
        let out = tempfile::tempdir()?;
        let log = fs::File::create(out.path().join("said"))?;
        let mut command = Command::new(&self.binary);
        command.arg("run").arg(recipe).args(["--target", self.target.section()]).arg("--out").arg(out.path());
        command.args(more);
        command.arg("--targets").arg(self.places.targets_file()).arg("--state").arg(self.state.path());
        command.arg("--runner-image").arg(self.places.cc_ci.join("runner.tar"));
        command.stdout(log.try_clone()?).stderr(log);
        let begun = Instant::now();
        let mut running = start(&mut command)?;
        while !running.has_ended() && begun.elapsed() < PATIENCE {
            thread::sleep(LOOK);
        }
        let took = begun.elapsed();
        let ended = running.wait_at_most(Duration::ZERO)?;
        let said = || fs::read_to_string(out.path().join("said")).unwrap_or_default();
        let text = fs::read_to_string(out.path().join("results.json"));
        let text = text.with_context(|| format!("cc-ci run has no results ({ended:?}):\n{}", said()))?;
        let results: Value = serde_json::from_str(&text)?;
        if results["verdict"] != verdict {
            bail!("{} should be {verdict}: {}\n{}", recipe.display(), results["sentence"], said());
        }
        Ok(Ended { took, results })
    }

    /// P3: on a gate whose queue is full.
    fn one_after_the_other(&self) -> Result<Value> {
        let forge = Organisation::furnish("bench", self.places)?;
        let gaps = self.on_forge(&forge);
        let removed = forge.remove().context("the organisation is still on the forge");
        let gaps = gaps?;
        removed?;
        say(format!("from the end of a run to the next runner: {gaps:.2?} s"));
        let (worst, value) = (gaps.iter().copied().fold(0.0, f64::max), median(gaps));
        Ok(json!({ "value": value, "worst": worst, "beside": format!("the worst {worst:.2} s") }))
    }

    fn on_forge(&self, forge: &Organisation) -> Result<Vec<f64>> {
        let recipes = ["good", "crash-loop"];
        let mut pulls = Vec::new();
        for recipe in recipes {
            forge.recipe(recipe, &self.places.checkout)?;
            for number in 0..PULLS {
                pulls.push(forge.change(recipe, &format!("change-{number}"))?);
            }
        }
        let gate = Gate::new(&self.binary, self.places, self.target, forge)?;
        let mut serving = gate.serve(&[])?;
        serving.ready()?;
        for pull in &pulls {
            forge.say(pull, "!testme")?;
        }
        let all = pulls.len();
        let ended = until(PATIENCE, || ended(&serving).is_ok_and(|ended| ended.len() == all));
        let gaps = ended.then(|| gaps(&serving)).context("the runs do not end");
        serving.stop()?;
        gate.sweep()?;
        gaps?
    }
}

/// Numbers of the runs that have ended.
fn ended(gate: &Serving) -> Result<Vec<u64>> {
    let status = gate.status()?;
    let ended = status["ended"].as_array().into_iter().flatten();
    Ok(ended.filter_map(|run| run["number"].as_u64()).collect())
}

/// From the end of each run to the runner of the one that came next.
fn gaps(gate: &Serving) -> Result<Vec<f64>> {
    let mut runs = Vec::new();
    for number in ended(gate)? {
        let results = gate.json(&format!("/runs/{number}/results.json"))?;
        let log = gate.text(&format!("/runs/{number}/log.jsonl"))?;
        let starts = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find_map(|line| {
            let text = line["l"].as_str()?;
            (text.starts_with(RUNNER_STARTS) && text.ends_with(" started"))
                .then(|| line["t"].as_str().map(str::to_owned))?
        });
        let ends = results["finished"].as_str().map(str::to_owned);
        runs.push((starts.with_context(|| format!("run {number} had no runner"))?, ends.context("it has no end")?));
    }
    // Both are written in the same form, so that their order is that of the instants.
    runs.sort();
    runs.windows(2).map(|pair| seconds_between(&pair[0].1, &pair[1].0)).collect()
}
