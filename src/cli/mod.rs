//! The command line: arguments to wiring, errors to exit codes. Standard output is data, everything else is standard error.

mod canary;
mod check_config;
mod compare;
mod control;
mod db;
mod deploy;
mod doctor;
mod healthcheck;
mod init;
mod lint;
mod lint_tests;
mod plan;
mod progress;
mod run;
mod runner;
mod serve;
mod settings;
mod stored;
mod target;
mod timings;
mod verify;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::adapters::git::SourceError;
use crate::config::{ConfigError, InvalidSettings, LogFormat, LogSettings, state_folder};
use crate::domain::canary::CanaryError;
use crate::domain::deployment::PlanError;
use crate::engine::EngineError;
use crate::engine::service::control::ControlError;

/// Exit codes: 0 green, 1 red, 2 usage, 3 not judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Fine,
    Red,
    Usage,
    NotJudged,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Fine => Self::from(0),
            Exit::Red => Self::from(1),
            Exit::Usage => Self::from(2),
            Exit::NotJudged => Self::from(3),
        }
    }
}

/// A CI for Co-op Cloud recipes: green means it works; red names the cause in one sentence.
#[derive(Debug, Parser)]
#[command(name = "cc-ci", version, about, arg_required_else_help = true, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// Threads that read files. Hundreds of viewers of a log want that in the same moment; a thread for each would cost more memory than
/// all that they are sent.
const BLOCKING_THREADS: usize = 16;

/// A run is one deep future, and the service polls it on a worker: in a debug build the usual 2 MiB are not enough for it. Only what is
/// touched counts as memory.
const STACK: usize = 8 << 20;

const AFTER_HELP: &str = "\
Begin with:
  cc-ci plan path/to/recipe                       what a run would do; touches nothing
  cc-ci run path/to/recipe --target lab           deploy it on a test Swarm and judge it
  cc-ci run https://forge.example/org/recipe@main --target lab --out report

Exit codes: 0 green, 1 red, 2 wrong usage, 3 not judged.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Deploy a recipe on a test Swarm, judge it, and leave nothing behind
    Run(run::Arguments),
    /// Judge recipes of which the right verdict and cause are known, and print how often that is what was said
    Canary(canary::Arguments),
    /// Watch a forge: answer `!testme` on pull requests with a verdict
    Serve(serve::Arguments),
    /// Tell every setting of the service as it holds, and what is wrong with it
    CheckConfig(check_config::Arguments),
    /// Look for what is not as it should be, at the gate and on the targets; changes nothing
    Doctor(doctor::Arguments),
    /// Ask the service on this machine whether it is well: exit code 0 or 1
    Healthcheck(healthcheck::Arguments),
    /// Copy the database, or put a copy in its place
    #[command(subcommand)]
    Db(db::Command),
    /// Start nothing until `resume`; what runs goes on
    Pause(control::PauseArguments),
    /// Start nothing, and say when nothing runs any more
    Drain(control::DrainArguments),
    /// Start runs again
    Resume(control::ResumeArguments),
    /// End a run; what it deployed is removed
    Cancel(control::RunArguments),
    /// Test the commit of a run again
    Retry(control::RunArguments),
    /// Remove what dead runs of this gate left on a target
    Sweep(target::SweepArguments),
    /// Say what a run of this recipe would do; touches nothing
    Plan(plan::Arguments),
    /// Check a recipe's files without deploying them
    Lint(lint::Arguments),
    /// Check a recipe's tests file, `cc-ci.toml`
    LintTests(lint_tests::Arguments),
    /// Propose a first tests file for a recipe
    Init(init::Arguments),
    /// Put two runs side by side: what differs in what was tested, its images, settings, times and logs
    Compare(compare::Arguments),
    /// Tell where the time of runs went: phases, the longest first, and how much they explain
    Timings(timings::Arguments),
    /// Check the signature of results, and the files beside them: exit code 0 or 1
    Verify(verify::Arguments),
    /// Look at targets, and set up hosts to be some
    #[command(subcommand)]
    Target(target::Command),
    /// Deploy a recipe that stays; not on a test target
    #[command(hide = true)]
    Deploy(deploy::DeployArguments),
    /// Remove an app with everything that is its own
    #[command(hide = true)]
    Undeploy(deploy::App),
    /// What runs inside the runner container
    #[command(subcommand, hide = true)]
    Runner(runner::Command),
}

/// Where things are.
#[derive(Debug, Clone, Args)]
struct Places {
    /// The state folder: database, logs, results [default: $XDG_STATE_HOME/cc-ci, else ~/.local/state/cc-ci]
    #[arg(long, env = "CC_CI_STATE", value_name = "DIR", hide_env_values = true)]
    state: Option<PathBuf>,
    /// The file that describes the targets [default: targets.toml in the state folder]
    #[arg(long, env = "CC_CI_TARGETS", value_name = "FILE", hide_env_values = true)]
    targets: Option<PathBuf>,
}

impl Places {
    fn state(&self) -> PathBuf {
        state_folder(self.state.clone(), |name| std::env::var(name).ok())
    }

    fn targets(&self) -> PathBuf {
        self.targets.clone().unwrap_or_else(|| self.state().join("targets.toml"))
    }
}

/// Whether colour fits where standard output goes.
fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Parses the arguments and does what they say.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Before any HTTPS client is made; an error means that one is installed already.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    // The service's own settings say how it logs.
    if !matches!(cli.command, Command::Serve(_)) {
        start_logging(LogSettings { level: level(), format: LogFormat::Text });
    }
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = match builder.enable_all().thread_stack_size(STACK).max_blocking_threads(BLOCKING_THREADS).build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&anyhow::Error::new(error)).into(),
    };
    let exit = runtime.block_on(dispatch(cli.command)).unwrap_or_else(|error| complain(&error));
    // Whatever still waits (a follower of a log) is not waited for.
    runtime.shutdown_background();
    exit.into()
}

async fn dispatch(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Run(arguments) => run::run(arguments).await,
        Command::Canary(arguments) => canary::canary(arguments).await,
        Command::Serve(arguments) => serve::serve(arguments).await,
        Command::CheckConfig(arguments) => check_config::check_config(&arguments),
        Command::Doctor(arguments) => doctor::doctor(arguments).await,
        Command::Healthcheck(arguments) => healthcheck::healthcheck(&arguments).await,
        Command::Db(command) => db::db(command).await,
        Command::Deploy(arguments) => deploy::deploy(arguments).await,
        Command::Undeploy(app) => deploy::undeploy(app).await,
        Command::Pause(arguments) => control::pause(arguments).await,
        Command::Drain(arguments) => control::drain(arguments).await,
        Command::Resume(arguments) => control::resume(arguments).await,
        Command::Cancel(arguments) => control::cancel(arguments).await,
        Command::Retry(arguments) => control::retry(arguments).await,
        Command::Sweep(arguments) => target::sweep(arguments).await,
        Command::Plan(arguments) => plan::plan(arguments).await,
        Command::Lint(arguments) => lint::lint(arguments).await,
        Command::LintTests(arguments) => lint_tests::lint_tests(arguments).await,
        Command::Init(arguments) => init::init(arguments).await,
        Command::Compare(arguments) => compare::compare(&arguments).await,
        Command::Timings(arguments) => timings::timings(&arguments).await,
        Command::Verify(arguments) => verify::verify(&arguments).await,
        Command::Target(command) => target::target(command).await,
        Command::Runner(command) => runner::runner(command).await,
    }
}

/// `CC_CI_LOG=debug` shows what goes on behind the progress lines.
fn level() -> tracing::Level {
    std::env::var("CC_CI_LOG").ok().and_then(|level| level.parse().ok()).unwrap_or(tracing::Level::WARN)
}

/// Log lines go to standard error.
fn start_logging(log: LogSettings) {
    let lines = tracing_subscriber::fmt().with_max_level(log.level).with_writer(std::io::stderr).with_target(false);
    match log.format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}

/// Says what went wrong. What the caller can put right in the command or its files is wrong usage; the rest was not judged.
#[expect(clippy::print_stderr, reason = "errors go to the person at the terminal")]
fn complain(error: &anyhow::Error) -> Exit {
    eprintln!("error: {}", whole(error));
    let own = error.downcast_ref::<ConfigError>().is_some()
        || error.downcast_ref::<InvalidSettings>().is_some()
        || error.downcast_ref::<SourceError>().is_some()
        || error.downcast_ref::<PlanError>().is_some()
        || error.downcast_ref::<CanaryError>().is_some()
        || error.downcast_ref::<verify::VerifyError>().is_some()
        || error.downcast_ref::<stored::RunError>().is_some()
        || error.downcast_ref::<lint_tests::PlaceError>().is_some()
        || error.downcast_ref::<ControlError>().is_some_and(ControlError::is_usage)
        || error.downcast_ref::<EngineError>().is_some_and(EngineError::is_usage);
    if own { Exit::Usage } else { Exit::NotJudged }
}

/// The error and its causes; a cause that the error quotes already is not said twice.
fn whole(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match text.as_str() {
        "" => cause,
        told if told.contains(&cause) => text,
        _ => format!("{text}: {cause}"),
    })
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_cause_is_said_once() {
        assert_eq!(whole(&anyhow!("disk full").context("cannot write x")), "cannot write x: disk full");
        assert_eq!(whole(&anyhow!("disk full").context("cannot write x: disk full")), "cannot write x: disk full");
    }
}
