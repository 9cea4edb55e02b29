//! `cc-ci compare`: two runs side by side.

use std::io::{self, Write as _};
use std::sync::Mutex;

use clap::Args;

use super::stored::{Found, Runs};
use super::{Exit, Places, colour};
use crate::domain::compare::{Comparison, Pair, compare as side_by_side};
use crate::engine::EngineError;
use crate::engine::beside::Beside;
use crate::report::compare::{json, text};

/// Bytes of a log that are read: of a larger one its beginning and its end.
const LOG: u64 = 16 << 20;

const AFTER_HELP: &str = "\
A run is its number or id in the state folder, or a folder that `cc-ci run --out` wrote, or the results.json in it. Told is
what differs: head and base, tests, driver, engine, rungs, findings, images by digest, variables and config versions, the
phases by how much longer they took, and lines that only one log has. Instants, lengths of time, ids, addresses and ports in
a log do not count; secrets are never shown.

  cc-ci compare 52                     run 52 with the last green run of its recipe before it
  cc-ci compare 52 47                  with another one; + is only in 52, − only in 47
  cc-ci compare before/ after/         two folders of `cc-ci run --out`
  cc-ci compare 52 47 --json           for programs

Variables and config versions are known of runs of the state folder that still have their files; without a log of each,
logs are not compared. Exit codes: 0 compared, whatever differs; 2 wrong usage.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The run to look at
    #[arg(value_name = "RUN|FOLDER|results.json")]
    run: String,
    /// The run to compare it with [default: the last green run of its recipe before it]
    #[arg(value_name = "RUN|…")]
    with: Option<String>,
    /// For programs: one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    places: Places,
}

pub(super) async fn compare(arguments: &Arguments) -> anyhow::Result<Exit> {
    let mut runs = Runs::new(&arguments.places);
    let this = runs.find(&arguments.run).await?;
    let other = match &arguments.with {
        Some(word) => runs.find(word).await?,
        None => runs.green_before(&this).await?,
    };
    let runs = Pair { this, other };
    let comparison = compared(&runs)?;
    let names = runs.map(|run| run.name.clone());
    let said = if arguments.json { json(&comparison)? } else { text(&comparison, &names, colour()) };
    io::stdout().lock().write_all(said.as_bytes())?;
    Ok(Exit::Fine)
}

fn compared(runs: &Pair<Found>) -> Result<Comparison, EngineError> {
    let read = |run: &Found| Beside::read(&run.folder, &Mutex::default(), LOG);
    let (this, other) = (read(&runs.this)?, read(&runs.other)?);
    Ok(side_by_side(&Pair { this: this.side(&runs.this.results), other: other.side(&runs.other.results) }))
}
