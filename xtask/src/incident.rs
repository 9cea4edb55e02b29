//! `cargo xtask incident`: an incident of an earlier CI, on the lab. A run is wedged by a crash loop, and two runs of another recipe
//! stand behind it. How long do they wait: with the rules as they are, and as in a CI that only knows a deadline?

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde_json::Value;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::forge::{Organisation, PullRequest};
use crate::lab::{self, Options, Places, Target};
use crate::serving::{Gate, Serving};
use crate::steps::{say, timed};

/// The recipe that wedges, and the one behind it.
const WEDGED: &str = "crash-loop";
const BEHIND: &str = "good";
/// The deadline of a stage by default, and the one of the CI that had the incident.
const DEFAULT_DEADLINE: u64 = 900;
const DEADLINE_THEN: u64 = 1200;
/// Everything else takes no longer, on top of the deadline.
const PATIENCE: Duration = Duration::from_secs(240);
const LOOK: Duration = Duration::from_millis(100);

/// Whether causes end a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailFast {
    /// Only the deadline does.
    Off,
    /// As it is.
    On,
}

/// How long the two waited, each since its `!testme`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Waited {
    starts: [Duration; 2],
    verdicts: [Duration; 2],
}

/// Plays it once or both ways, and prints what came of it.
pub(crate) fn incident(yes: bool, fail_fast: Option<FailFast>, deadline: u64) -> Result<()> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // The first one ends in good order, the second at once.
        signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&interrupted))?;
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    lab::up(&Options { yes, targets: Vec::new() })?;
    let drill = Drill { places: Places::find()?, deadline, interrupted };
    let both = [FailFast::Off, FailFast::On].into_iter().filter(|it| fail_fast.is_none_or(|only| only == *it));
    let played = both.map(|it| drill.play(it).map(|waited| (it, waited))).collect::<Result<Vec<_>>>()?;
    print!("{}", Table { played, deadline });
    Ok(())
}

struct Drill {
    places: Places,
    deadline: u64,
    interrupted: Arc<AtomicBool>,
}

impl Drill {
    fn play(&self, fail_fast: FailFast) -> Result<Waited> {
        let (target, _held) = timed("a free target of the lab", || lab::hold_any(|| self.go_on()))?;
        let forge = Organisation::furnish("incident", &self.places)?;
        let waited = self.on_forge(fail_fast, &target, &forge);
        let removed = forge.remove().context("the organisation is still on the forge");
        waited.and_then(|waited| removed.map(|()| waited))
    }

    fn on_forge(&self, fail_fast: FailFast, target: &Target, forge: &Organisation) -> Result<Waited> {
        for recipe in [WEDGED, BEHIND] {
            forge.recipe(recipe, &self.places.checkout)?;
        }
        let wedged = forge.change(WEDGED, "change")?;
        let behind = [forge.change(BEHIND, "one")?, forge.change(BEHIND, "two")?];
        let gate = Gate::new(&lab::build_binary()?, &self.places, target, forge)?;
        let more = match fail_fast {
            FailFast::Off => vec!["--only-deadline".to_owned(), self.deadline.to_string()],
            FailFast::On => Vec::new(),
        };
        let mut serving = gate.serve(&more)?;
        serving.ready()?;
        let waited = self.with_gate(fail_fast, &serving, forge, (&wedged, &behind));
        serving.stop()?;
        // Nothing is left of runs that have ended; one that was interrupted left its app.
        gate.sweep()?;
        waited
    }

    fn with_gate(
        &self,
        fail_fast: FailFast,
        gate: &Serving,
        forge: &Organisation,
        (wedged, behind): (&PullRequest, &[PullRequest; 2]),
    ) -> Result<Waited> {
        forge.say(wedged, "!testme")?;
        self.until("the wedged run does not start", || Ok(find(gate, &wedged.head)?.filter(has_started)))?;
        say(format!("{WEDGED} runs, fail-fast {}", fail_fast.name()));
        let mut waits = Vec::new();
        for pull in behind {
            let asked = Instant::now();
            forge.say(pull, "!testme")?;
            waits.push(Wait { pull, asked, start: None, verdict: None });
        }
        self.until("the runs behind it have no verdict", || {
            waits.iter_mut().try_for_each(|wait| wait.look(gate, forge))?;
            Ok(waits.iter().all(|wait| wait.verdict.is_some()).then_some(()))
        })?;
        self.check_cause(fail_fast, gate, &wedged.head)?;
        let times = |of: fn(&Wait) -> Option<Duration>| -> Result<[Duration; 2]> {
            let times: Option<Vec<Duration>> = waits.iter().map(of).collect();
            times.and_then(|times| times.try_into().ok()).context("a time is missing")
        };
        let waited = Waited { starts: times(|wait| wait.start)?, verdicts: times(|wait| wait.verdict)? };
        if waited.starts[0] > waited.starts[1] {
            bail!("the run that was asked for first started last");
        }
        Ok(waited)
    }

    /// The wedged run must have ended by what is measured here.
    fn check_cause(&self, fail_fast: FailFast, gate: &Serving, head: &str) -> Result<()> {
        let run = find(gate, head)?.context("the wedged run is not shown any more")?;
        let results = gate.json(&format!("/runs/{}/results.json", run["number"]))?;
        let expected = match fail_fast {
            FailFast::Off => "deadline",
            FailFast::On => "crash_loop",
        };
        let cause = results.pointer("/findings/0").context("the wedged run has no finding")?;
        if cause["kind"] != expected {
            bail!("the wedged run should end by `{expected}`: {cause}");
        }
        say(format!("{WEDGED} ended: {}", cause["sentence"].as_str().unwrap_or_default()));
        Ok(())
    }

    fn until<T>(&self, trouble: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
        let limit = PATIENCE + Duration::from_secs(self.deadline);
        let begun = Instant::now();
        while begun.elapsed() < limit {
            self.go_on()?;
            if let Some(found) = look()? {
                return Ok(found);
            }
            std::thread::sleep(LOOK);
        }
        bail!("{trouble} after {} s", limit.as_secs())
    }

    fn go_on(&self) -> Result<()> {
        if self.interrupted.load(Ordering::Relaxed) {
            bail!("interrupted; everything was removed");
        }
        Ok(())
    }
}

/// A run that stands behind the wedged one.
struct Wait<'a> {
    pull: &'a PullRequest,
    asked: Instant,
    start: Option<Duration>,
    verdict: Option<Duration>,
}

impl Wait<'_> {
    fn look(&mut self, gate: &Serving, forge: &Organisation) -> Result<()> {
        let run = find(gate, &self.pull.head)?;
        if self.start.is_none() && run.as_ref().is_some_and(has_started) {
            self.start = Some(self.asked.elapsed());
        }
        let judged = run.is_some_and(|run| run["verdict"].is_string());
        // It has come when it is on the pull request.
        if judged && self.verdict.is_none() && forge.has_verdict(self.pull)? {
            self.verdict = Some(self.asked.elapsed());
        }
        Ok(())
    }
}

impl FailFast {
    const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
        }
    }
}

/// The run of a commit, as the gate shows it.
fn find(gate: &Serving, head: &str) -> Result<Option<Value>> {
    let status = gate.status()?;
    let all = ["open", "ended"].into_iter().flat_map(|list| status[list].as_array().into_iter().flatten());
    let mut ours = all.filter(|run| run["head"] == head);
    Ok(ours.next().cloned())
}

fn has_started(run: &Value) -> bool {
    run["started_at"].is_string()
}

struct Table {
    played: Vec<(FailFast, Waited)>,
    deadline: u64,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Seconds since its `!testme`, for two runs (B, C) behind a wedged one on one target:")?;
        writeln!(f, "{:16}{:>10}{:>10}{:>13}{:>13}", "", "B starts", "C starts", "B's verdict", "C's verdict")?;
        for (fail_fast, waited) in &self.played {
            write!(f, "{:16}", format!("fail-fast {}", fail_fast.name()))?;
            row(f, waited.all().map(|time| format!("{:.1}", time.as_secs_f64())))?;
        }
        if let [(_, off), (_, on)] = self.played.as_slice() {
            let ratios: Vec<f64> =
                off.all().iter().zip(on.all()).map(|(off, on)| off.as_secs_f64() / on.as_secs_f64()).collect();
            write!(f, "{:16}", "off : on")?;
            row(f, [0, 1, 2, 3].map(|at| format!("{:.1}", ratios[at])))?;
        }
        if self.played.iter().any(|(fail_fast, _)| *fail_fast == FailFast::Off) {
            writeln!(
                f,
                "Fail-fast off: the deadline was {} s, so that this ends soon. By default it is {DEFAULT_DEADLINE} s, in the CI that\n\
                 had the incident it was {DEADLINE_THEN} s: there the waits are {} s and {} s longer.",
                self.deadline,
                DEFAULT_DEADLINE.saturating_sub(self.deadline),
                DEADLINE_THEN.saturating_sub(self.deadline),
            )?;
        }
        Ok(())
    }
}

fn row(f: &mut fmt::Formatter<'_>, [a, b, c, d]: [String; 4]) -> fmt::Result {
    writeln!(f, "{a:>10}{b:>10}{c:>13}{d:>13}")
}

impl Waited {
    const fn all(&self) -> [Duration; 4] {
        [self.starts[0], self.starts[1], self.verdicts[0], self.verdicts[1]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_told_with_their_ratio_and_the_deadline_that_was_used() {
        let waited = |times: [u64; 4]| {
            let [a, b, c, d] = times.map(Duration::from_secs);
            Waited { starts: [a, b], verdicts: [c, d] }
        };
        let played = vec![(FailFast::Off, waited([120, 130, 130, 140])), (FailFast::On, waited([20, 30, 30, 40]))];
        let told = Table { played, deadline: 120 }.to_string();
        assert!(told.contains("fail-fast off        120.0     130.0        130.0        140.0\n"), "{told}");
        assert!(told.contains("off : on               6.0       4.3          4.3          3.5\n"), "{told}");
        assert!(told.contains("was 120 s") && told.contains("780 s and 1080 s longer"), "{told}");
        let alone = Table { played: vec![(FailFast::On, waited([20, 30, 30, 40]))], deadline: 120 }.to_string();
        assert!(!alone.contains("deadline") && !alone.contains("off : on"), "{alone}");
    }
}
