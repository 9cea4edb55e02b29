//! `cc-ci run`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use clap::builder::FalseyValueParser;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Exit, Places, colour, lint_tests, progress};
use crate::adapters::docker::own_root::OwnRoot;
use crate::adapters::docker::runner::ImageSource;
use crate::adapters::git;
use crate::adapters::own_hash::OwnHash;
use crate::adapters::store::Store;
use crate::config;
use crate::domain::command::askable_stages;
use crate::domain::ids::RunId;
use crate::domain::results::Results;
use crate::domain::stage::Stage;
use crate::domain::tests_file::{self, Frozen, OWN_FILE, Origin};
use crate::domain::verdict::Verdict;
use crate::engine::base;
use crate::engine::plan::{Limits, Plan, Requested};
use crate::engine::run::{Gate, Run};
use crate::engine::state::{RUNNER_IMAGE, StateFolder};
use crate::report;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The recipe: a directory, tested as it is, or a git URL with an optional @REF
    #[arg(value_name = "DIR|GIT-URL[@REF]", required_unless_present = "resume", conflicts_with = "resume")]
    recipe: Option<String>,
    /// The test Swarm: a section of targets.toml, or unix:///path/to/docker.sock
    #[arg(long, required_unless_present = "resume")]
    target: Option<String>,
    /// Put the run's files into this folder too: results.json and its signature, junit.xml, report.html, log.jsonl, evidence.tar.gz
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The older version to compare with, a tag, branch or commit [default: the newest tag older than the recipe's version]
    #[arg(long, value_name = "REF", conflicts_with = "resume")]
    base: Option<String>,
    /// Leave the app up for so long before it is removed, e.g. 30m; Ctrl-C ends it earlier
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    keep: Option<u64>,
    /// The folder with the recipe's tests file, cc-ci.toml
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    tests: Option<PathBuf>,
    /// Only these stages, with what they need: lint, upgrade, backup, install, checks
    #[arg(long, value_name = "STAGE,…", value_delimiter = ',', value_parser = askable, conflicts_with = "resume")]
    only: Vec<Stage>,
    /// Judge by the recipe's own tests/cc-ci.toml, as it is
    #[arg(long, conflicts_with_all = ["resume", "tests"])]
    with_tests: bool,
    /// Run the extra checks of the tests file too; so do `EXTRA_TESTS=1` and `STAGES=extra`
    #[arg(long, env = "EXTRA_TESTS", hide_env = true, value_parser = FalseyValueParser::new(), conflicts_with = "resume")]
    extra: bool,
    /// The whole run may take so long, e.g. 20m [default: 60m]
    #[arg(long, value_name = "TIME", value_parser = seconds, default_value_t = Limits::default().total_seconds, hide_default_value = true)]
    limit: u64,
    /// Each deploy may take so long to come up, e.g. 5m [default: 15m, or twice the recipe's timeout label]
    #[arg(long, value_name = "TIME", value_parser = seconds, conflicts_with = "resume")]
    deploy_limit: Option<u64>,
    /// Go on with a run whose process was killed
    #[arg(long, value_name = "ID")]
    resume: Option<RunId>,
    /// Show the app's log lines too
    #[arg(long, short)]
    verbose: bool,
    /// The runner image: a name that the target knows or can pull, or a `docker save` file [default: runner.tar in the state folder]
    #[arg(long, value_name = "REF|FILE", env = "CC_CI_RUNNER_IMAGE", hide_env_values = true)]
    runner_image: Option<String>,
    #[command(flatten)]
    places: Places,
}

fn askable(name: &str) -> Result<Stage, String> {
    askable_stages().find(|stage| stage.name() == name).ok_or_else(|| {
        let names: Vec<&str> = askable_stages().map(Stage::name).collect();
        format!("one of {} is needed", names.join(", "))
    })
}

/// Reads `90`, `90s`, `30m`, `2h` as seconds.
fn seconds(text: &str) -> Result<u64, String> {
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) => (number, text.chars().last().unwrap_or('s')),
        None => (text, 's'),
    };
    let factor = match unit {
        'h' => 3600,
        'm' => 60,
        _ => 1,
    };
    let number: u64 = number.parse().map_err(|_| format!("`{text}` is no length of time; write 90s, 30m or 2h"))?;
    match number.checked_mul(factor) {
        Some(seconds @ 1..=86_400) => Ok(seconds),
        _ => Err("between 1s and 24h are possible".to_owned()),
    }
}

pub(super) async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    if let Some(out) = &arguments.out {
        fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    }
    // Before anything is begun: a Ctrl-C from here on ends the run in good order, however early it comes.
    let mut interrupts = Interrupts::listen()?;
    let gate = gate(&arguments.places.state(), arguments.runner_image.as_deref()).await?;
    let store = gate.store.clone();
    let (sender, records) = mpsc::unbounded_channel();
    let shown = tokio::spawn(progress::show(records, arguments.verbose));
    let run = match &arguments.resume {
        Some(id) => {
            let plan = Run::stored_plan(&store, id).await?;
            let word = plan.target_word.as_deref().unwrap_or(plan.target.as_str());
            let target = config::target(word, &arguments.places.targets())?;
            Run::resume(gate, plan, target, Some(sender)).await?
        }
        None => begin(gate, &arguments, sender).await?,
    };
    let (cancel, id) = (run.cancel(), run.plan().run.clone());
    let left = format!("`cc-ci run --resume {id}` goes on with it, `cc-ci sweep` removes what it left");
    let interrupted = tokio::spawn(async move { interrupts.obey(&cancel, &left).await });
    let results = run.drive().await;
    interrupted.abort();
    let outputs = run.outputs();
    drop(run);
    // The listener ends when the run has let go of its log.
    let _shown = shown.await;
    store.close().await;
    finish(&results?, &outputs, arguments.out.as_deref())
}

/// State folder, database and runner image of this gate.
pub(super) async fn gate(state: &Path, runner_image: Option<&str>) -> anyhow::Result<Gate> {
    let image = self::runner_image(state, runner_image)?;
    let state = StateFolder::at(state)?;
    let store = Store::open(state.root()).await?;
    Ok(Gate { id: state.gate_id(rand::random())?, store, image, binary: OwnHash::default(), shares: false, state })
}

/// Where the runner image comes from: what was given, else a file in the state folder, else this very container.
pub(super) fn runner_image(state: &Path, given: Option<&str>) -> anyhow::Result<ImageSource> {
    let saved = state.join(RUNNER_IMAGE);
    Ok(match given {
        Some(word) if Path::new(word).is_file() => ImageSource::File(word.into()),
        Some(word) => ImageSource::Reference(word.to_owned()),
        None if !saved.exists() && is_the_image() => {
            ImageSource::OwnRoot(OwnRoot::of_this_process(&[state.to_owned()])?)
        }
        None => ImageSource::File(saved),
    })
}

/// Whether this process runs in a container made from the image, and nothing else is in its file system.
fn is_the_image() -> bool {
    Path::new("/etc/cc-ci-image").exists()
        && fs::read_link("/proc/self/exe").is_ok_and(|path| path == Path::new("/usr/local/bin/cc-ci"))
}

async fn begin(
    gate: Gate,
    arguments: &Arguments,
    sender: mpsc::UnboundedSender<crate::domain::log::Record>,
) -> anyhow::Result<Run> {
    let (Some(recipe), Some(target)) = (&arguments.recipe, &arguments.target) else {
        anyhow::bail!("a recipe and a target are needed");
    };
    let target = config::target(target, &arguments.places.targets())?;
    let opened = git::open(recipe).await?;
    let base = base::find(&opened, arguments.base.as_deref(), &[]).await?;
    let source = opened.source;
    let limits = Limits { total_seconds: arguments.limit, deploy_seconds: arguments.deploy_limit, ..Limits::default() };
    let own = arguments.with_tests.then(|| own_tests(&source)).transpose()?;
    let tests = arguments.tests.as_deref().map(tests_file).transpose()?.or(own);
    let run = RunId::from_random(rand::random());
    let requested = Requested {
        keep_seconds: arguments.keep,
        extra: arguments.extra || stages_ask_for_extra(),
        only: arguments.only.iter().copied().collect(),
        with_tests: arguments.with_tests,
    };
    let plan = Plan::new(run, &source, Some(base.resolution.clone()), &target, requested, limits, tests.as_ref())?;
    Ok(Run::begin(gate, plan, &source, &base, tests, target, Some(sender)).await?)
}

/// The recipe's own tests file, as it is.
fn own_tests(source: &git::Source) -> anyhow::Result<Frozen> {
    let origin = Origin { source: format!("{OWN_FILE} of the recipe itself"), commit: source.revision.commit.clone() };
    Frozen::own(origin, &source.files).with_context(|| format!("`--with-tests` needs {OWN_FILE} in the recipe"))
}

/// `STAGES=extra` means the same as `--extra`.
fn stages_ask_for_extra() -> bool {
    std::env::var("STAGES").is_ok_and(|stages| stages.split([',', ' ']).any(|stage| stage == "extra"))
}

/// The tests file of a folder; what it says is judged by the run.
fn tests_file(folder: &Path) -> anyhow::Result<Frozen> {
    let path = folder.join(tests_file::FILE);
    let text = lint_tests::text_of(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let origin = Origin { source: path.display().to_string(), commit: None };
    let frozen = Frozen::new(origin, text);
    if !frozen.needs_files() {
        return Ok(frozen);
    }
    let files = git::folder(folder).with_context(|| format!("cannot read the files in {}", folder.display()))?;
    Ok(frozen.with_files_of(&files, ""))
}

/// Ctrl-C and SIGTERM.
pub(super) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    pub(super) fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// The first one ends the run in good order, the second at once; `hint` says what to do with what is left then.
    #[expect(clippy::print_stderr, reason = "the person at the terminal asked twice")]
    pub(super) async fn obey(&mut self, cancel: &CancellationToken, hint: &str) {
        self.next().await;
        cancel.cancel();
        eprintln!("ending the run and cleaning up; once more ends at once and leaves things behind");
        self.next().await;
        eprintln!("ended at once\nhint: {hint}");
        std::process::exit(3);
    }
}

fn finish(results: &Results, outputs: &[PathBuf], out: Option<&Path>) -> anyhow::Result<Exit> {
    let mut places = outputs.to_vec();
    if let Some(out) = out {
        places = outputs.iter().map(|from| out.join(from.file_name().unwrap_or_default())).collect();
        for (from, to) in outputs.iter().zip(&places) {
            fs::copy(from, to).with_context(|| format!("cannot write {}", to.display()))?;
        }
    }
    let mut terminal = std::io::stdout().lock();
    write!(terminal, "{}", report::summary(results, colour()))?;
    for place in &places {
        writeln!(terminal, "  {}", place.display())?;
    }
    Ok(match results.verdict {
        Verdict::Green => Exit::Fine,
        Verdict::Red => Exit::Red,
        Verdict::NotJudged => Exit::NotJudged,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_written() {
        assert_eq!(seconds("90"), Ok(90));
        assert_eq!(seconds("30m"), Ok(1800));
        assert_eq!(seconds("2h"), Ok(7200));
        for bad in ["", "0", "3d", "-1s", "99h", "m"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
