//! `cc-ci timings`: where the time of runs went.

use std::io::{self, Write as _};

use clap::Args;

use super::stored::{Runs, newest};
use super::{Exit, Places, colour};
use crate::domain::results::Results;
use crate::domain::timings::Collected;
use crate::report::timings::{Looked, One, json, many, one};

const AFTER_HELP: &str = "\
Each phase with its total over these runs, its share of all phases' time, that share with the phases above it, the median and
what 95 of 100 runs did not exceed. Runs in which an image was pulled (cold) stand apart from those in which the target had
them all (warm). *Attributed* is the part of the wall time, from start to end, that lies within a phase; below 98 % the table
does not say where the time went, and that is said.

  cc-ci timings                        the newest 200 runs of the state folder
  cc-ci timings --recipe notes         those of one recipe
  cc-ci timings 52                     one run: its phases, and the gaps between them
  cc-ci timings report/results.json    one that `cc-ci run --out` wrote
  cc-ci timings --last 1000 --json     for programs

Exit codes: 0 whatever the times are, 2 wrong usage.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// One run: its number or id, or a folder or file with its results [default: the newest ones together]
    #[arg(value_name = "RUN|FOLDER|results.json", conflicts_with_all = ["recipe", "last"])]
    run: Option<String>,
    /// Only runs of this recipe
    #[arg(long, value_name = "RECIPE")]
    recipe: Option<String>,
    /// So many of the newest runs that have results
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    last: u32,
    /// For programs: one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    places: Places,
}

pub(super) async fn timings(arguments: &Arguments) -> anyhow::Result<Exit> {
    let mut runs = Runs::new(&arguments.places);
    let said = if let Some(word) = &arguments.run {
        let results = runs.find(word).await?.results;
        let of = One::of(&results);
        if arguments.json { json(&of)? } else { one(&of, &results, colour()) }
    } else {
        let looked = looked(&mut runs, arguments).await?;
        if arguments.json { json(&looked)? } else { many(&looked, colour()) }
    };
    io::stdout().lock().write_all(said.as_bytes())?;
    Ok(Exit::Fine)
}

/// One run after the other: only the lengths of its phases are kept.
async fn looked(runs: &mut Runs<'_>, arguments: &Arguments) -> anyhow::Result<Looked> {
    let (mut collected, mut unreadable) = (Collected::default(), 0);
    let (_, store) = runs.store().await?;
    let most = usize::try_from(arguments.last).unwrap_or(usize::MAX);
    newest(store, arguments.recipe.as_deref(), most, |json| match serde_json::from_str::<Results>(json) {
        Ok(results) => collected.add(&results),
        Err(_) => unreadable += 1,
    })
    .await?;
    Ok(Looked { runs: collected.runs(), recipe: arguments.recipe.clone(), unreadable, pareto: collected.pareto() })
}
