//! `cargo xtask chaos`: the gate is killed again and again while it works on the lab's targets for the lab's forge. In the end, each
//! request must have exactly one answer there, each run its verdict, and the targets must be what they were.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::children::{Running, start};
use crate::forge::{Comment, Organisation, PullRequest};
use crate::lab::{self, Places, Target};
use crate::process::{output, until};
use crate::steps::{say, timed};

/// Somebody else may be using the targets.
const FREE: Duration = Duration::from_secs(1200);
/// After the last kill, everything has its verdict within this time.
const SETTLED: Duration = Duration::from_secs(600);
/// Recipes whose runs take seconds, and how many pull requests of each.
const RECIPES: [(&str, u32); 2] = [("good", 3), ("crash-loop", 2)];
/// Between two kills, in milliseconds.
const BETWEEN_KILLS: std::ops::Range<u64> = 800..14_000;
/// Between two requests, in milliseconds.
const BETWEEN_REQUESTS: std::ops::Range<u64> = 1_500..6_000;

/// What was counted in the end.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    runs: usize,
    verdicts: usize,
    doubled: usize,
    lost: usize,
    leftovers: usize,
}

impl Counted {
    /// Whether nothing is lost, doubled or left.
    pub(crate) const fn holds(&self) -> bool {
        self.runs > 0 && self.runs == self.verdicts && self.doubled + self.lost + self.leftovers == 0
    }
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "runs = verdicts: {} = {}", self.runs, self.verdicts)?;
        writeln!(f, "doubled {}, lost {}", self.doubled, self.lost)?;
        write!(f, "leftovers {}", self.leftovers)
    }
}

/// Kills the gate so often. The lab must be up.
pub(crate) fn chaos(kills: u32, seed: u64) -> Result<Counted> {
    say(format!("seed {seed}"));
    let places = Places::find()?;
    let targets = hold_targets()?;
    let mut drill = Drill::new(places, seed)?;
    let before = drill.inventories(&targets)?;
    timed("organisation, recipes and pull requests on the forge", || drill.furnish())?;
    timed(&format!("{kills} kills"), || drill.kill(kills))?;
    timed("every request has its last word", || drill.wait())?;
    drill.stop()?;
    let after = drill.inventories(&targets)?;
    drill.count(&before, &after, &targets)
}

/// All targets that may be used, as soon as nobody else uses them.
fn hold_targets() -> Result<Vec<(Target, File)>> {
    let mut held = Vec::new();
    for target in lab::usable() {
        let name = target.section().to_owned();
        let mut file = lab::hold(&target)?;
        if file.is_none() {
            say(format!("waiting for target {name}: a test has it"));
            until(FREE, || {
                file = lab::hold(&target).ok().flatten();
                file.is_some()
            });
        }
        held.push((target, file.with_context(|| format!("target {name} did not become free"))?));
    }
    Ok(held)
}

struct Drill {
    places: Places,
    binary: PathBuf,
    random: StdRng,
    /// The gate's state folder: it outlives every kill.
    state: tempfile::TempDir,
    organisation: Organisation,
    pulls: Vec<PullRequest>,
    /// Comments that ask, by id, with the pull request's place in `pulls`.
    asked: BTreeMap<i64, usize>,
    port: u16,
    gate: Option<Running>,
    /// How many runs there were in the end.
    runs: usize,
}

/// An answer on the forge.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    /// Which comment it answers; 0: none that can be told.
    comment: i64,
    /// Whose run it tells of, if it tells of one.
    run: Option<String>,
    headline: String,
    /// Whether nothing more is to be said: it neither waits nor runs.
    is_last_word: bool,
}

impl Answer {
    fn read(comment: &Comment) -> Self {
        let marker = comment.body.trim_end().lines().next_back().unwrap_or_default();
        let value = |key: &str| marker.split(' ').find_map(|word| word.strip_prefix(key));
        let headline = comment.body.lines().next().unwrap_or_default().to_owned();
        let goes_on = ["### ○", "### ▸"].iter().any(|mark| headline.starts_with(mark));
        Self {
            comment: value("comment=").and_then(|id| id.parse().ok()).unwrap_or_default(),
            run: value("cc-ci:run=").filter(|run| *run != "-").map(str::to_owned),
            is_last_word: !goes_on && !comment.body.contains("It is tried once more by itself."),
            headline,
        }
    }
}

/// Counts by marker: what was asked for, and what was answered.
fn count_answers(asked: &BTreeSet<i64>, answers: &[Answer]) -> Counted {
    let of = |id: i64| answers.iter().filter(|it| it.comment == id).count();
    let told: Vec<&str> = answers.iter().filter(|it| it.is_last_word).filter_map(|it| it.run.as_deref()).collect();
    let runs: BTreeSet<&str> = told.iter().copied().collect();
    let strays = answers.iter().filter(|it| !asked.contains(&it.comment)).count();
    Counted {
        verdicts: runs.len(),
        doubled: asked.iter().map(|id| of(*id).saturating_sub(1)).sum::<usize>() + strays + (told.len() - runs.len()),
        lost: asked.iter().filter(|id| of(**id) == 0).count(),
        ..Counted::default()
    }
}

impl Drill {
    fn new(places: Places, seed: u64) -> Result<Self> {
        Ok(Self {
            binary: lab::build_binary()?,
            random: StdRng::seed_from_u64(seed),
            state: tempfile::tempdir()?,
            organisation: Organisation::furnish("chaos", &places)?,
            pulls: Vec::new(),
            asked: BTreeMap::new(),
            // Free at this moment; the gate has the same address after each kill.
            port: TcpListener::bind("127.0.0.1:0")?.local_addr()?.port(),
            gate: None,
            runs: 0,
            places,
        })
    }

    fn furnish(&mut self) -> Result<()> {
        // Not there in a new clone whose compiled code is elsewhere.
        std::fs::create_dir_all(self.places.checkout.join("target"))?;
        for (recipe, changes) in RECIPES {
            self.organisation.recipe(recipe, &self.places.checkout)?;
            for change in 0..changes {
                self.pulls.push(self.organisation.change(recipe, &format!("change-{change}"))?);
            }
        }
        std::fs::write(self.state.path().join("token"), &self.organisation.token)?;
        Ok(())
    }

    /// Requests and kills, each at instants of its own.
    fn kill(&mut self, kills: u32) -> Result<()> {
        self.serve()?;
        // What was written before its first poll was there before the gate, and is nothing that it was asked.
        if !until(Duration::from_secs(30), || self.has_page("/readyz")) {
            bail!("the gate is not ready; its log: {}", self.log());
        }
        let (mut killed, mut next_request) = (0, Instant::now());
        while killed < kills {
            let next_kill = Instant::now() + self.between(BETWEEN_KILLS);
            while next_request < next_kill {
                sleep(next_request.saturating_duration_since(Instant::now()));
                self.ask()?;
                next_request = Instant::now() + self.between(BETWEEN_REQUESTS);
            }
            sleep(next_kill.saturating_duration_since(Instant::now()));
            self.end(Signal::SIGKILL)?;
            killed += 1;
            self.serve()?;
        }
        Ok(())
    }

    fn between(&mut self, range: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.random.random_range(range))
    }

    fn ask(&mut self) -> Result<()> {
        let which = self.random.random_range(0..self.pulls.len());
        let id = self.organisation.say(&self.pulls[which], "!testme")?;
        self.asked.insert(id, which);
        Ok(())
    }

    fn serve(&mut self) -> Result<()> {
        let sections: Vec<String> = lab::usable().iter().map(|target| target.section().to_owned()).collect();
        let path = self.log_file();
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        let log = File::options().create(true).append(true).open(path)?;
        let mut command = Command::new(&self.binary);
        command.arg("serve").arg("--state").arg(self.state.path()).arg("--targets").arg(self.places.targets_file());
        command.args(["--target", &sections.join(","), "--poll", "1", "--listen", &format!("127.0.0.1:{}", self.port)]);
        command.args(["--forge-url", &self.organisation.url, "--forge-account", &self.organisation.login("bot")]);
        command.args(["--organisation", &self.organisation.name, "--forge-token-file"]);
        command.arg(self.state.path().join("token"));
        command.arg("--runner-image").arg(self.places.cc_ci.join("runner.tar"));
        self.gate = Some(start(command.stdout(log.try_clone()?).stderr(log))?);
        Ok(())
    }

    fn end(&mut self, signal: Signal) -> Result<()> {
        let Some(gate) = self.gate.take() else { return Ok(()) };
        gate.signal(signal);
        if gate.wait_at_most(Duration::from_secs(60))?.is_none() {
            bail!("the gate does not end; its log: {}", self.log());
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        self.end(Signal::SIGTERM)
    }

    /// Until nothing waits, runs or is untold.
    fn wait(&mut self) -> Result<()> {
        let settled = until(SETTLED, || {
            let Ok(answers) = self.answers() else { return false };
            self.asked.keys().all(|id| {
                let mut own = answers.iter().filter(|it| it.comment == *id).peekable();
                own.peek().is_some() && own.all(|it| it.is_last_word)
            })
        });
        if !settled {
            say(format!("not everything has its last word; the gate's log: {}", self.log()));
        }
        // By the gate's own word: each run has a page, and their numbers have no gap.
        self.runs = (1..).take_while(|number| self.has_page(&format!("/runs/{number}"))).count();
        Ok(())
    }

    /// Everything that the bot has said, on all pull requests.
    fn answers(&self) -> Result<Vec<Answer>> {
        let mut answers = Vec::new();
        for pull in &self.pulls {
            answers.extend(self.organisation.answers(pull)?.iter().map(Answer::read));
        }
        Ok(answers)
    }

    /// What is on each target, by the program's own word; claims and runner containers by the back door.
    fn inventories(&self, targets: &[(Target, File)]) -> Result<Vec<String>> {
        let inventory = |(target, _): &(Target, File)| {
            let mut command = Command::new(&self.binary);
            command.args(["target", "inventory", "--target", target.section(), "--state"]).arg(self.state.path());
            output(command.arg("--targets").arg(self.places.targets_file()))
        };
        targets.iter().map(inventory).collect()
    }

    fn count(&self, before: &[String], after: &[String], targets: &[(Target, File)]) -> Result<Counted> {
        let answers = self.answers()?;
        let mut counted = count_answers(&self.asked.keys().copied().collect(), &answers);
        counted.runs = self.runs;
        for ((before, after), (target, _)) in before.iter().zip(after).zip(targets) {
            let differs = |one: &str, other: &str| {
                let other: BTreeSet<&str> = other.lines().collect();
                one.lines().filter(|line| !other.contains(line)).map(str::to_owned).collect::<Vec<_>>()
            };
            let mut left = [differs(after, before), differs(before, after)].concat();
            for back_door in [
                &["config", "ls", "-q", "--filter", "name=cc-ci-claim"][..],
                &["ps", "-aq", "--filter", "label=cc-ci.run"],
            ] {
                let found = output(&mut target.exec(["docker"].into_iter().chain(back_door.iter().copied())))?;
                left.extend(found.lines().map(|line| format!("docker {}: {line}", back_door[0])));
            }
            counted.leftovers += left.len();
            left.iter().for_each(|line| say(format!("left on {}: {line}", target.section())));
        }
        if !counted.holds() {
            self.tell(&answers);
        }
        Ok(counted)
    }

    fn tell(&self, answers: &[Answer]) {
        for answer in answers.iter().filter(|it| !it.is_last_word) {
            say(format!("no last word: {}", answer.headline));
        }
        // One that is tried again is a run more than there are verdicts: a kill is no reason for that.
        for answer in answers.iter().filter(|it| it.headline.starts_with("### !")) {
            say(format!("not judged: {}", answer.headline));
        }
        for id in self.asked.keys().filter(|id| answers.iter().filter(|it| it.comment == **id).count() != 1) {
            let all: Vec<&str> = answers.iter().filter(|it| it.comment == *id).map(|it| it.headline.as_str()).collect();
            say(format!("comment {id} has {} answers: {all:?}", all.len()));
        }
        say(format!("the gate's log: {}", self.log()));
    }

    /// Whether the gate has such a page.
    fn has_page(&self, path: &str) -> bool {
        let ask = || {
            let mut connection = TcpStream::connect(("127.0.0.1", self.port))?;
            connection.set_read_timeout(Some(Duration::from_secs(10)))?;
            write!(connection, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
            let mut answer = String::new();
            connection.take(64).read_to_string(&mut answer)?;
            Ok::<_, std::io::Error>(answer.starts_with("HTTP/1.1 200 "))
        };
        ask().unwrap_or(false)
    }

    fn log_file(&self) -> PathBuf {
        self.places.checkout.join("target/chaos.log")
    }

    fn log(&self) -> String {
        self.log_file().display().to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(comment: i64, run: &str, headline: &str) -> Answer {
        let body = format!("{headline}\n\n<!-- cc-ci:run={run} comment={comment} gate=abcdefghijklmnop post=1 -->\n");
        Answer::read(&Comment { body, page: String::new() })
    }

    #[test]
    fn what_is_lost_or_doubled_is_counted() {
        let asked = BTreeSet::from([1, 2, 3]);
        let (green, merged) =
            (answer(1, "k7q2mzr4aabc", "### ✓ good is green"), answer(2, "-", "The same was asked for before"));
        let red = answer(3, "k7q2mzr4aabd", "### ✕ crash-loop is red");
        let counted = count_answers(&asked, &[green.clone(), merged.clone(), red.clone()]);
        assert_eq!(Counted { runs: 2, ..counted }, Counted { runs: 2, verdicts: 2, ..Counted::default() });
        let waiting = answer(3, "k7q2mzr4aabd", "### ○ crash-loop: waiting, number 1");
        assert_eq!(count_answers(&asked, &[green.clone(), waiting]).verdicts, 1);
        assert_eq!(count_answers(&asked, &[green.clone(), green, red]).doubled, 2, "an answer and a verdict too many");
        let counted = count_answers(&asked, &[merged, answer(9, "-", "nobody asked")]);
        assert_eq!((counted.lost, counted.doubled), (2, 1));
    }

    #[test]
    fn the_last_three_lines() {
        let counted = Counted { runs: 24, verdicts: 24, ..Counted::default() };
        assert_eq!(counted.to_string(), "runs = verdicts: 24 = 24\ndoubled 0, lost 0\nleftovers 0");
        assert!(counted.holds() && !Counted::default().holds(), "a drill without runs shows nothing");
    }
}
