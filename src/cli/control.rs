//! `cc-ci pause | drain | resume | cancel | retry`: what operators tell the gate. Each writes to the state folder's database, whether
//! the gate runs or not, on the machine or in the container where that folder is.

use std::io::Write as _;
use std::time::Duration;

use clap::Args;
use nix::unistd::{User, getuid};

use super::{Exit, Places};
use crate::adapters::store::Store;
use crate::domain::results::count;
use crate::engine::service::control::{self, Retried};
use crate::engine::state::StateFolder;

/// How often `drain` looks whether something still runs.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct PauseArguments {
    /// The reason, shown on every page and in the comments of runs that wait
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct DrainArguments {
    /// Do not wait until nothing runs any more
    #[arg(long)]
    no_wait: bool,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArguments {
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// The run's number
    #[arg(value_name = "RUN")]
    run: u32,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct TrustArguments {
    /// Its section of targets.toml
    target: String,
    #[command(flatten)]
    places: Places,
}

pub(super) async fn trust(arguments: TrustArguments) -> anyhow::Result<Exit> {
    let store = store(&arguments.places).await?;
    control::trust(&store, &arguments.target, &who()).await?;
    say(&format!("{} is looked at again, and used if it is in order", arguments.target))
}

pub(super) async fn pause(arguments: PauseArguments) -> anyhow::Result<Exit> {
    let store = store(&arguments.places).await?;
    control::pause(&store, &who(), &arguments.why).await?;
    say("paused: requests are taken, nothing is started until `cc-ci resume`")
}

pub(super) async fn drain(arguments: DrainArguments) -> anyhow::Result<Exit> {
    let store = store(&arguments.places).await?;
    control::drain(&store, &who()).await?;
    let mut told = None;
    loop {
        let running = store.numbers().await?.running;
        if running == 0 {
            return say("drained: nothing runs any more, the gate may be stopped");
        }
        if told != Some(running) {
            told = Some(running);
            let runs = count(usize::try_from(running).unwrap_or(0), "run has", "runs have");
            say(&format!("draining: {runs} still to end"))?;
        }
        if arguments.no_wait {
            return Ok(Exit::Fine);
        }
        tokio::time::sleep(LOOK).await;
    }
}

pub(super) async fn resume(arguments: ResumeArguments) -> anyhow::Result<Exit> {
    control::resume(&store(&arguments.places).await?, &who()).await?;
    say("resumed: runs are started again")
}

pub(super) async fn cancel(arguments: RunArguments) -> anyhow::Result<Exit> {
    control::cancel(&store(&arguments.places).await?, i64::from(arguments.run), &who()).await?;
    say(&format!("run {} is being ended; what it deployed is removed", arguments.run))
}

pub(super) async fn retry(arguments: RunArguments) -> anyhow::Result<Exit> {
    let retried = control::retry(&store(&arguments.places).await?, i64::from(arguments.run), &who()).await?;
    match retried {
        Retried::New(number) => say(&format!("run {number} tests the commit of run {} again", arguments.run)),
        Retried::Already(number) => say(&format!("run {number} tests that commit already")),
    }
}

async fn store(places: &Places) -> anyhow::Result<Store> {
    Ok(Store::open(StateFolder::at(&places.state())?.root()).await?)
}

/// Who sits at the terminal, by the system's account, and by the one that `sudo` was called from.
fn who() -> String {
    let before_sudo = std::env::var("SUDO_USER").ok().filter(|name| !name.is_empty());
    let account = || User::from_uid(getuid()).ok().flatten().map(|user| user.name);
    format!("{}@terminal", before_sudo.or_else(account).unwrap_or_else(|| "somebody".to_owned()))
}

fn say(text: &str) -> anyhow::Result<Exit> {
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(Exit::Fine)
}
