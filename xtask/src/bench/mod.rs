//! `cargo xtask bench`: the figures with a goal, each beside a baseline of the same run, and what the gate needs.

mod compiled;
mod figures;
mod gitea;
mod goals;
mod instants;
mod ladder;
mod machine;
mod memory;
mod needs;
mod runs;
mod viewers;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use self::goals::Goals;
pub(crate) use self::goals::Part;
use self::machine::Machine;
use self::runs::Runs;
use crate::children::end_on_signals;
use crate::lab::{self, Places};
use crate::steps::{say, timed};

/// What is wanted.
pub(crate) struct Options {
    pub(crate) yes: bool,
    /// The optimised build, too, where both are told; the figures with a goal are always of that one.
    pub(crate) release: bool,
    /// Only these; all if none is named.
    pub(crate) only: Vec<Part>,
    pub(crate) json: Option<PathBuf>,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}

/// Parts that need the lab.
const ON_THE_LAB: [Part; 4] = [Part::CrashLoop, Part::Plain, Part::NextRun, Part::Ladder];

/// Measures, prints the tables, and writes the figures into a file. What was measured is told although a later part fails.
pub(crate) fn bench(options: &Options) -> Result<()> {
    end_on_signals()?;
    let (machine, places) = (Machine::now()?, Places::find()?);
    say(machine.to_string());
    let mut goals = Goals::default();
    let compiled = compiled::measure(|part| options.wants(part), &places, &mut goals);
    let on_the_lab = on_the_lab(options, &places, &mut goals);
    let needs = options.wants(Part::Needs).then(|| timed("needs", || needed(options, &places))).transpose();
    println!("\n{machine}\n\n{}", goals.table());
    if let Ok(Some(needs)) = &needs {
        print!("{needs}");
    }
    if let Some(path) = &options.json {
        let mut told = goals.json();
        told.insert("machine".to_owned(), json!(machine));
        if let Ok(Some(needs)) = &needs {
            told.insert("needs".to_owned(), json!(needs));
        }
        write(path, &Value::Object(told))?;
    }
    compiled.and(on_the_lab).and(needs.map(drop))
}

fn write(path: &Path, told: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(told)?;
    fs::write(path, text + "\n").with_context(|| format!("cannot write {}", path.display()))
}

fn lab_up(options: &Options) -> Result<()> {
    lab::up(&lab::Options { yes: options.yes, targets: Vec::new() }).map(drop)
}

fn on_the_lab(options: &Options, places: &Places, goals: &mut Goals) -> Result<()> {
    if !ON_THE_LAB.iter().any(|part| options.wants(*part)) {
        return Ok(());
    }
    lab_up(options)?;
    let binary = timed("cargo build --release", lab::build_release)?;
    // The runner image of this very program.
    lab::images_of(&binary)?;
    let (target, _held) = timed("a free target of the lab", || lab::hold_any(|| Ok(())))?;
    let runs = Runs { binary, places, target: &target, state: tempfile::tempdir()? };
    let measured = runs.measure(|part| options.wants(part), goals);
    // Tests on the lab want that of their own build.
    measured.and(lab::images_of(&lab::build_binary()?).map(drop))
}

fn needed(options: &Options, places: &Places) -> Result<figures::Figures> {
    lab_up(options)?;
    needs::measure(options.release, places)
}
