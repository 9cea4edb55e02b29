//! `cc-ci target …` and `cc-ci sweep`.

mod setup;
mod trial;

use std::io::Write as _;

use clap::{Args, Subcommand};

use super::{Exit, Places, control};
use crate::adapters::docker::{connect, inventory as found};
use crate::adapters::session::Session;
use crate::adapters::store::Store;
use crate::config;
use crate::engine::state::StateFolder;
use crate::engine::sweep::Sweep;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List everything on a target, one `kind name` line each, sorted; the claim of a running run is left out
    Inventory(InventoryArguments),
    /// Tell the service that a quarantined target was set up anew
    Trust(control::TrustArguments),
    /// Set up a test host: print the script, or check or apply it over your own ssh
    Setup(Box<setup::SetupArguments>),
    /// Use the engine of this machine as a target, just to try; not isolated
    Trial(trial::TrialArguments),
}

#[derive(Debug, Args)]
pub(super) struct InventoryArguments {
    /// A section of targets.toml, or unix:///path/to/docker.sock
    #[arg(long)]
    target: String,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct SweepArguments {
    /// A section of targets.toml, or unix:///path/to/docker.sock
    #[arg(long)]
    target: String,
    #[command(flatten)]
    places: Places,
}

pub(super) async fn target(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Inventory(arguments) => inventory(arguments).await,
        Command::Trust(arguments) => control::trust(arguments).await,
        Command::Setup(arguments) => setup::setup(*arguments).await,
        Command::Trial(arguments) => trial::trial(arguments).await,
    }
}

async fn inventory(arguments: InventoryArguments) -> anyhow::Result<Exit> {
    let target = config::target(&arguments.target, &arguments.places.targets())?;
    let session = Session::open(&target).await?;
    let docker = connect(session.docker_socket()).await?;
    write!(std::io::stdout().lock(), "{}", found::inventory(&docker).await?)?;
    Ok(Exit::Fine)
}

pub(super) async fn sweep(arguments: SweepArguments) -> anyhow::Result<Exit> {
    let target = config::target(&arguments.target, &arguments.places.targets())?;
    let state = StateFolder::at(&arguments.places.state())?;
    let store = Store::open(state.root()).await?;
    let gate = state.gate_id(rand::random())?;
    let session = Session::open(&target).await?;
    let docker = connect(session.docker_socket()).await?;
    let sweep =
        Sweep { docker: &docker, target: target.name.as_str(), state: &state, store: &store, gate: &gate, but: None };
    let said = |line: &str| tracing::info!("{line}");
    let swept = sweep.sweep(said).await?;
    let mut out = std::io::stdout().lock();
    for line in &swept {
        writeln!(out, "{line}")?;
    }
    if swept.is_empty() {
        writeln!(out, "nothing to sweep on {}", target.name)?;
    }
    store.close().await;
    Ok(Exit::Fine)
}
