//! `cc-ci target …` and `cc-ci sweep`.

use std::io::Write as _;

use clap::{Args, Subcommand};

use super::{Exit, Places, control};
use crate::adapters::docker::{connect, inventory};
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
    let arguments = match command {
        Command::Inventory(arguments) => arguments,
        Command::Trust(arguments) => return control::trust(arguments).await,
    };
    let target = config::target(&arguments.target, &arguments.places.targets())?;
    let session = Session::open(&target).await?;
    let docker = connect(session.docker_socket()).await?;
    write!(std::io::stdout().lock(), "{}", inventory::inventory(&docker).await?)?;
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
