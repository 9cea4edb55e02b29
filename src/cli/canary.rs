//! `cc-ci canary`.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::run::{Interrupts, gate};
use super::{Exit, Places, progress};
use crate::adapters::git;
use crate::config;
use crate::domain::canary::{
    CORPUS, Canary, CanaryError, FILE, IMAGES, Judged, Naive, PARENTS, PARENTS_FOLDER, Parent, Sort, Told, parent,
    table,
};
use crate::domain::ids::RunId;
use crate::domain::recipe::RecipeFiles;
use crate::domain::results::Results;
use crate::domain::target::Target;
use crate::domain::tests_file::{self, Frozen, Origin};
use crate::engine::base;
use crate::engine::naive::naive;
use crate::engine::plan::{Limits, Plan, Requested};
use crate::engine::run::{Gate, Run};

/// No canary needs so long, in seconds.
const LIMIT: u64 = 900;

const AFTER_HELP: &str = "\
A canary is a recipe of which it is known what a run must say: a good one with one fault, a good one that looks odd, or an incident
that somebody had. Each is run as `cc-ci run` would, and verdict, kind, service and rung are compared.

Begin with:
  cc-ci canary --list                                        what there is
  cc-ci canary --target lab --smoke                          the few that show most, in some minutes
  cc-ci canary --target lab --only crash-loop --verbose      one, with all that the run says
  cc-ci canary --target a --target b --repeat 2 --json f     all of them, twice, on two targets

Its images are the lab's; elsewhere, push them to a registry (docs/canaries.md) and name it: --images registry.example.org/lab/

Exit codes: 0 all as declared, 1 not all, 2 wrong usage.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// A test Swarm: a section of targets.toml, or unix:///path/to/docker.sock; more of them share the work
    #[arg(long, required_unless_present = "list")]
    target: Vec<String>,
    /// Only these
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// Only the few that show most
    #[arg(long, conflicts_with = "only")]
    smoke: bool,
    /// Say what there is, and run nothing
    #[arg(long)]
    list: bool,
    /// Run each so many times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeat: u32,
    /// Beside each run, the naive way: `docker stack deploy`, wait for n/n replicas, HTTP 200
    #[arg(long)]
    naive: bool,
    /// Write what came of each into this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// What the images begin with instead of `lab/`, e.g. `registry.example.org/lab/`
    #[arg(long, value_name = "PREFIX", default_value = IMAGES)]
    images: String,
    /// Canaries of your own: a folder with a folder for each [default: those of cc-ci, which the program holds]
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Show what the runs say
    #[arg(long, short)]
    verbose: bool,
    /// The runner image: a name that the target knows or can pull, or a `docker save` file [default: runner.tar in the state folder]
    #[arg(long, value_name = "REF|FILE", env = "CC_CI_RUNNER_IMAGE", hide_env_values = true)]
    runner_image: Option<String>,
    #[command(flatten)]
    places: Places,
}

#[expect(clippy::print_stdout, reason = "what was asked for")]
pub(super) async fn canary(arguments: Arguments) -> anyhow::Result<Exit> {
    let corpus = chosen(corpus(&arguments)?, &arguments)?;
    if arguments.list {
        corpus.iter().for_each(|canary| println!("{}", listed(canary)));
        return Ok(Exit::Fine);
    }
    let mut interrupts = Interrupts::listen()?;
    let file = arguments.places.targets();
    let targets = arguments.target.iter().map(|word| config::target(word, &file)).collect::<Result<Vec<_>, _>>()?;
    let gate = gate(&arguments.places.state(), arguments.runner_image.as_deref()).await?;
    let store = gate.store.clone();
    let cancel = CancellationToken::new();
    let heard = cancel.clone();
    let interrupted = tokio::spawn(async move {
        interrupts.obey(&heard, "`cc-ci sweep` removes what it left").await;
    });
    let rounds = (1..=arguments.repeat).flat_map(|round| corpus.iter().map(move |canary| (round, canary)));
    let work = Work { all: corpus.len() * arguments.repeat as usize, open: Mutex::new(rounds.collect()) };
    let perches =
        targets.into_iter().map(|target| Perch { gate: &gate, target, arguments: &arguments, cancel: &cancel });
    let perches: Vec<Perch<'_>> = perches.collect();
    let mut judged: Vec<Judged> = join_all(perches.iter().map(|perch| perch.work(&work))).await.concat();
    interrupted.abort();
    store.close().await;
    judged.sort_by(|a, b| (a.round, a.sort, &a.name).cmp(&(b.round, b.sort, &b.name)));
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string_pretty(&judged)?;
        fs::write(path, json + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    }
    print!("{}", table(&judged));
    let complete = judged.len() == work.all && judged.iter().all(Judged::is_as_declared);
    Ok(if complete { Exit::Fine } else { Exit::Red })
}

/// All canaries of the program, or of a folder.
fn corpus(arguments: &Arguments) -> anyhow::Result<Vec<Canary>> {
    let mut parents: BTreeMap<String, Parent> =
        PARENTS.iter().map(|(name, files)| ((*name).to_owned(), parent(files))).collect();
    let texts: Vec<(String, String)> = match &arguments.corpus {
        None => CORPUS.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect(),
        Some(folder) => {
            parents.extend(parents_in(&folder.join(PARENTS_FOLDER))?);
            let names = names_in(folder)?.into_iter().filter(|name| name != PARENTS_FOLDER);
            names.map(|name| Ok((name.clone(), read(&folder.join(name).join(FILE))?))).collect::<anyhow::Result<_>>()?
        }
    };
    let canaries = texts.iter().map(|(name, text)| Canary::read(name, text, &parents, &arguments.images));
    Ok(canaries.collect::<Result<_, _>>()?)
}

fn parents_in(folder: &Path) -> anyhow::Result<BTreeMap<String, Parent>> {
    let mut parents = BTreeMap::new();
    if folder.is_dir() {
        for name in names_in(folder)? {
            let (place, mut files) = (folder.join(&name), Parent::new());
            for file in names_in(&place)? {
                let text = read(&place.join(&file))?;
                files.insert(file, text);
            }
            parents.insert(name, files);
        }
    }
    Ok(parents)
}

fn names_in(folder: &Path) -> anyhow::Result<Vec<String>> {
    let told = || format!("cannot read {}", folder.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(told)? {
        names.push(entry.with_context(told)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn read(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

fn chosen(corpus: Vec<Canary>, arguments: &Arguments) -> Result<Vec<Canary>, CanaryError> {
    if let Some(unknown) = arguments.only.iter().find(|name| corpus.iter().all(|canary| canary.name != **name)) {
        return Err(CanaryError::Unknown(unknown.clone()));
    }
    let wanted = |canary: &Canary| {
        (!arguments.smoke || canary.smoke) && (arguments.only.is_empty() || arguments.only.contains(&canary.name))
    };
    Ok(corpus.into_iter().filter(wanted).collect())
}

fn listed(canary: &Canary) -> String {
    let sort = match canary.sort() {
        Sort::Mutant => "mutant",
        Sort::Good => "good",
        Sort::Replay => "replay",
    };
    let incident = canary.incident.as_ref().map(|name| format!(" [{name}]")).unwrap_or_default();
    let smoke = if canary.smoke { ", smoke" } else { "" };
    format!("{} ({sort}{smoke}): {}\n    {}{incident}", canary.name, canary.expected, canary.why)
}

/// What is still to be run.
struct Work<'a> {
    all: usize,
    open: Mutex<VecDeque<(u32, &'a Canary)>>,
}

impl<'a> Work<'a> {
    /// The next one, and its number.
    fn next(&self) -> Option<(usize, u32, &'a Canary)> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.all - open.len() + 1;
        open.pop_front().map(|(round, canary)| (number, round, canary))
    }
}

/// Where canaries sit, one at a time.
struct Perch<'a> {
    gate: &'a Gate,
    target: Target,
    arguments: &'a Arguments,
    cancel: &'a CancellationToken,
}

impl Perch<'_> {
    #[expect(clippy::print_stderr, reason = "progress is for the person at the terminal")]
    async fn work(&self, work: &Work<'_>) -> Vec<Judged> {
        let mut all = Vec::new();
        while let Some((number, round, canary)) = work.next() {
            let judged = self.judge(canary, round).await;
            // What was cut short says nothing of the canary.
            if self.cancel.is_cancelled() {
                break;
            }
            eprintln!("{number:3}/{} {}", work.all, judged.line());
            all.push(judged);
        }
        all
    }

    async fn judge(&self, canary: &Canary, round: u32) -> Judged {
        let begun = Instant::now();
        let results = Box::pin(self.run(canary)).await;
        let ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let naive = if self.arguments.naive && !self.cancel.is_cancelled() { self.naive(canary).await } else { None };
        let (told, sentence, run) = match results {
            Ok(results) => (Told::of(&results), results.sentence, Some(results.run.to_string())),
            Err(error) => (Told::nothing(), super::whole(&error), None),
        };
        Judged {
            name: canary.name.clone(),
            sort: canary.sort(),
            round,
            told,
            expected: canary.expected.clone(),
            sentence,
            run,
            ms,
            naive,
        }
    }

    async fn run(&self, canary: &Canary) -> anyhow::Result<Results> {
        let folder = tempfile::tempdir()?;
        let place = folder.path().join(&canary.name);
        fs::create_dir(&place)?;
        for (version, files) in &canary.published {
            lay_out(files, &place)?;
            git::publish(&place, version).await?;
        }
        lay_out(&canary.head, &place)?;
        let opened = git::open(&place.to_string_lossy()).await?;
        let base = base::find(&opened, None, &[]).await?;
        let tests = canary.tests.as_ref().map(|text| {
            let origin = Origin { source: format!("{}/{}", canary.name, tests_file::FILE), commit: None };
            Frozen::new(origin, text.clone())
        });
        let limits = Limits { total_seconds: LIMIT, ..Limits::default() };
        let plan = Plan::new(
            RunId::from_random(rand::random()),
            &opened.source,
            Some(base.resolution.clone()),
            &self.target,
            Requested::default(),
            limits,
            tests.as_ref(),
        )?;
        let (sender, records) = mpsc::unbounded_channel();
        let listener = self.arguments.verbose.then_some(sender);
        let shown = tokio::spawn(progress::show(records, false));
        let run =
            Run::begin(self.gate.clone(), plan, &opened.source, &base, tests, self.target.clone(), listener).await?;
        let cancel = run.cancel();
        let results = {
            let driven = run.drive();
            tokio::pin!(driven);
            tokio::select! {
                results = &mut driven => results,
                () = self.cancel.cancelled() => {
                    cancel.cancel();
                    driven.await
                }
            }
        };
        drop(run);
        let _shown = shown.await;
        Ok(results?)
    }

    #[expect(clippy::print_stderr, reason = "for the person at the terminal")]
    async fn naive(&self, canary: &Canary) -> Option<Naive> {
        match naive(self.gate, &self.target, canary, self.cancel).await {
            Ok(naive) => Some(naive),
            Err(error) => {
                eprintln!("    {}: the naive way was not tried: {error}", canary.name);
                None
            }
        }
    }
}

/// Makes the folder hold these files and no others, its repository aside.
fn lay_out(files: &RecipeFiles, place: &Path) -> anyhow::Result<()> {
    for name in names_in(place)?.iter().filter(|name| *name != ".git") {
        let old = place.join(name);
        if old.is_dir() { fs::remove_dir_all(&old)? } else { fs::remove_file(&old)? }
    }
    for (path, file) in files.iter() {
        let to = place.join(path);
        fs::create_dir_all(to.parent().unwrap_or(place))?;
        fs::write(&to, &file.bytes)?;
    }
    Ok(())
}
