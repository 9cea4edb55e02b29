//! What the gate needs, beside what the forge needs that it serves: memory, image, start.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::figures::{Figure, Figures, median};
use super::gitea::{self, Gitea};
use super::memory::Memory;
use super::viewers::Viewers;
use crate::forge::{Organisation, PullRequest};
use crate::lab::{self, Places, Target};
use crate::process::{docker, output};
use crate::serving::{Gate, Serving};
use crate::steps::{say, timed};

const VIEWERS: usize = 500;
const STARTS: usize = 5;
/// Idle: this long after it is ready, measured for as long again.
const IDLE: Duration = Duration::from_secs(15);
/// How long the viewers watch while memory is looked at.
const WATCHED: Duration = Duration::from_secs(20);
/// A run has been queued, sent its runner image once, and deploys.
const DEPLOYS: Duration = Duration::from_secs(180);
/// What the log must hold before anybody watches.
const GROWS: usize = 20;

/// Which build of the gate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Build {
    Dev,
    Release,
}

impl Build {
    const fn name(self) -> &'static str {
        match self {
            Self::Dev => "unoptimised",
            Self::Release => "release",
        }
    }
}

/// One build's figures.
struct Measured {
    idle: Memory,
    watched: Memory,
    image: f64,
    /// The program inside the image.
    program: f64,
    first_start: f64,
    later_start: f64,
}

/// Measures it.
pub(super) fn measure(release: bool, places: &Places) -> Result<Figures> {
    let gitea = timed("Gitea", || gitea::measure(lab::FORGE_IMAGE))?;
    let builds = if release { vec![Build::Release, Build::Dev] } else { vec![Build::Dev] };
    let measured =
        builds.iter().map(|build| Bench::new(*build, places)?.measure()).collect::<Result<Vec<Measured>>>()?;
    Ok(Figures {
        builds: builds.iter().map(|build| build.name().to_owned()).collect(),
        figures: figures_of(&builds, &measured, &gitea, image_size(lab::FORGE_IMAGE)?),
    })
}

struct Bench {
    build: Build,
    binary: PathBuf,
    places: Places,
}

impl Bench {
    fn new(build: Build, places: &Places) -> Result<Self> {
        let binary = match build {
            Build::Dev => lab::build_binary()?,
            Build::Release => timed("cargo build --release", lab::build_release)?,
        };
        Ok(Self { build, binary, places: places.clone() })
    }

    fn measure(&self) -> Result<Measured> {
        let image = lab::images_of(&self.binary)?;
        let (size, program) = (image_size(image)?, program_size(image)?);
        let (target, _held) = lab::hold_any(|| Ok(()))?;
        let forge = Organisation::furnish("bench", &self.places)?;
        let measured = self.on_forge(&target, &forge);
        let removed = forge.remove().context("the organisation is still on the forge");
        let (idle, watched, first_start, later_start) = measured?;
        removed?;
        Ok(Measured { idle, watched, image: size, program, first_start, later_start })
    }

    fn on_forge(&self, target: &Target, forge: &Organisation) -> Result<(Memory, Memory, f64, f64)> {
        let name = self.build.name();
        forge.recipe_with("good", &TALKS, &self.places.checkout)?;
        let pull = forge.change("good", "change")?;
        let new_gate = || Gate::new(&self.binary, &self.places, target, forge);
        let first = timed(&format!("{name}: starts with an empty database"), || {
            (0..STARTS).map(|_| start(&new_gate()?)).collect::<Result<Vec<_>>>()
        })?;
        let gate = new_gate()?;
        let mut serving = gate.serve(&[])?;
        serving.ready()?;
        let idle = timed(&format!("{name}: idle"), || {
            thread::sleep(IDLE);
            Memory::most(serving.pid, IDLE)
        })?;
        let watched = timed(&format!("{name}: {VIEWERS} viewers"), || watched(&serving, forge, &pull));
        serving.stop()?;
        // The run that was watched has no end of its own.
        gate.sweep()?;
        let later = timed(&format!("{name}: starts with a used database"), || {
            (0..STARTS).map(|_| start(&gate)).collect::<Result<Vec<_>>>()
        })?;
        Ok((idle, watched?, median(first), median(later)))
    }
}

/// The app writes lines, and never gets healthy: its run goes on until it is ended.
const TALKS: [(&str, &str); 2] = [
    (
        "      - WEB_TITLE=${TITLE}\n",
        "      - WEB_TITLE=${TITLE}\n      - LAB_LOG_LINES=10\n      - LAB_UNHEALTHY=yes\n",
    ),
    ("start_period: 30s", "start_period: 600s"),
];

/// What a start is made of that is not the gate's own.
const NOT_READY: &str = "it is ready when the forge has answered its first poll, too";

fn start(gate: &Gate) -> Result<f64> {
    let mut serving = gate.serve(&[])?;
    let time = serving.ready()?;
    serving.stop()?;
    Ok(time.as_secs_f64())
}

/// What the gate holds while many watch a run whose log grows.
fn watched(gate: &Serving, forge: &Organisation, pull: &PullRequest) -> Result<Memory> {
    forge.say(pull, "!testme")?;
    let run = talking(gate, pull)?;
    let viewers = Viewers::connect(gate, run, VIEWERS)?;
    let memory = Memory::most(gate.pid, WATCHED);
    let times = viewers.disconnect()?;
    forge.say(pull, "!testme cancel")?;
    // Each has what was there before, and then more of it.
    if times < 3 {
        bail!("the log did not grow for every viewer: lines came {times} times to one");
    }
    say(format!("{VIEWERS} viewers; to each of them lines came at least {times} times in {} s", WATCHED.as_secs()));
    memory
}

/// Waits until the run of this pull request deploys and its log grows; its number.
fn talking(gate: &Serving, pull: &PullRequest) -> Result<u64> {
    let begun = Instant::now();
    while begun.elapsed() < DEPLOYS {
        let status = gate.status()?;
        let run = status["open"].as_array().into_iter().flatten().find(|run| run["head"] == pull.head.as_str());
        if let Some(number) = run.and_then(|run| run["number"].as_u64())
            && gate.text(&format!("/runs/{number}/log.jsonl")).is_ok_and(|log| lines_of_app(&log) >= GROWS)
        {
            return Ok(number);
        }
        thread::sleep(Duration::from_millis(200));
    }
    bail!("the app's lines are not in the log of its run after {} s", DEPLOYS.as_secs())
}

fn lines_of_app(log: &str) -> usize {
    log.lines().filter(|line| line.contains("of an endless log")).count()
}

fn figures_of(builds: &[Build], measured: &[Measured], gitea: &Gitea, forge_image: f64) -> Vec<Figure> {
    let rows = [
        Row::new("memory, idle", "MB", |it| it.idle.resident).goal(30.0, |it| told(it.idle)).gitea(gitea.idle.resident),
        Row::new("of it anonymous", "MB", |it| it.idle.anonymous).gitea(gitea.idle.anonymous),
        Row::new("memory, 500 live viewers", "MB", |it| it.watched.resident).goal(80.0, |it| told(it.watched)),
        Row::new("of it anonymous", "MB", |it| it.watched.anonymous),
        Row::new("image", "MB", |it| it.image)
            .goal(250.0, |it| format!("the program is {:.0} MB of it", it.program))
            .gitea(forge_image),
        Row::new("start to ready, empty database", "s", |it| it.first_start)
            .goal(0.3, |_| NOT_READY.to_owned())
            .gitea(gitea.first_start),
        Row::new("start to ready, used database", "s", |it| it.later_start)
            .goal(0.3, |_| NOT_READY.to_owned())
            .gitea(gitea.later_start),
    ];
    rows.map(|row| row.figure(builds, measured)).to_vec()
}

/// What is said of a figure.
struct Row {
    what: &'static str,
    unit: &'static str,
    of: fn(&Measured) -> f64,
    goal: Option<f64>,
    cause: fn(&Measured) -> String,
    gitea: Option<f64>,
}

impl Row {
    fn new(what: &'static str, unit: &'static str, of: fn(&Measured) -> f64) -> Self {
        Self { what, unit, of, goal: None, cause: |_| String::new(), gitea: None }
    }

    fn goal(self, goal: f64, cause: fn(&Measured) -> String) -> Self {
        Self { goal: Some(goal), cause, ..self }
    }

    fn gitea(self, value: f64) -> Self {
        Self { gitea: Some(value), ..self }
    }

    fn figure(self, builds: &[Build], measured: &[Measured]) -> Figure {
        let gate: Vec<f64> = measured.iter().map(self.of).collect();
        let is_missed = |value: f64| self.goal.is_some_and(|goal| value > goal);
        let causes =
            gate.iter().zip(measured).zip(builds).map(|((value, one), build)| match (is_missed(*value), build) {
                (false, _) => String::new(),
                (true, Build::Dev) => format!("the program is not optimised; {}", (self.cause)(one)),
                (true, Build::Release) => (self.cause)(one),
            });
        let causes = causes.collect();
        Figure { what: self.what.to_owned(), unit: self.unit, goal: self.goal, gitea: self.gitea, gate, causes }
    }
}

fn told(memory: Memory) -> String {
    format!("{:.0} MB of it are pages of the program's file, {:.0} MB its own", memory.of_files(), memory.anonymous)
}

fn image_size(image: &str) -> Result<f64> {
    let bytes = output(&mut docker(["image", "inspect", "--format", "{{.Size}}", image]))?;
    megabytes(&bytes)
}

fn program_size(image: &str) -> Result<f64> {
    let arguments = ["run", "--rm", "--network", "none", "--entrypoint", "stat", image];
    let bytes = output(docker(arguments).args(["--format", "%s", "/usr/local/bin/cc-ci"]))?;
    megabytes(&bytes)
}

fn megabytes(bytes: &str) -> Result<f64> {
    let bytes: f64 = bytes.trim().parse().with_context(|| format!("`{bytes}` is no number of bytes"))?;
    Ok(bytes / 1e6)
}
